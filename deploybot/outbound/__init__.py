"""From tellings to messages, one file a channel."""
