"""Reads mailboxes over IMAP: one connection in `connection`, and the loop that never gives up in `reader`."""
