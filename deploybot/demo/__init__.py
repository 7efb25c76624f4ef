"""A company in a box: the seed story on one machine."""
