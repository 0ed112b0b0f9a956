"""Looking at what a dataset holds."""
