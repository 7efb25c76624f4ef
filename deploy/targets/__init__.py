"""The kinds of targets, and which one serves a service; each keeps the promises of `target`."""
