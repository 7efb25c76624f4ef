"""What pages load besides themselves: one sheet, one script, one icon."""
