"""Care of a dataset that is there already."""
