"""The promises that a dataset makes, checked on the dataset itself."""
