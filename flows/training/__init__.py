"""Training on a version: a PyTorch dataset, batches, and the losses of the GRAFT recipe."""
