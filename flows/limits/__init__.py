"""What all runs share: the services' limits, and the month's budget."""
