"""What is known of a chip, in words."""
