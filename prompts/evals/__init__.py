"""Cases that a model or the built-in planner is measured by, one file a group; no code."""
