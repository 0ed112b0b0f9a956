"""Programs to learn from: what can be done with a dataset."""
