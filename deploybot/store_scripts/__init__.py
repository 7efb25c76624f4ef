"""The scripts that Redis runs for `store`, `operations` and `queue`; no Python."""
