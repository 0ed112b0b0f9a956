"""A version in the forms that other programs read."""
