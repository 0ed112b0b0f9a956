"""Finding chips by words."""
