"""Samples of a version: one chip with its photos, and where their bytes are."""
