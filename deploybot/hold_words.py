"""Whole messages that lock, free or change a lock, read by plain code; who may is `hold_rules`'."""
