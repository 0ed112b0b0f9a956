"""What a version says of itself."""
