"""What a new installation gets wrong, looked for one thing after another; printing is the command's."""
