"""A run over many cells: its order, where it is worked on, and what it tells."""
