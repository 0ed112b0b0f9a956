"""Chips with their photos as PyTorch takes them: a dataset, batches, an order, and losses."""
