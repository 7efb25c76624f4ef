"""From verified payloads to events, one file a channel."""
