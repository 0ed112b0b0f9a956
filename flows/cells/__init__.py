"""The work on one cell, from survey to commit."""
