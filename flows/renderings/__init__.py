"""Chips as pictures for models that were trained on red, green and blue alone."""
