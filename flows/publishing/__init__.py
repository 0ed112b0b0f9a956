"""From the newest state of every cell to a version."""
