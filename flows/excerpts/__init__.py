"""Smaller forms of a version, for others: a sample of it, and an index without photo bytes."""
