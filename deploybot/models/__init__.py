"""Whatever chooses the next step, behind one port."""
