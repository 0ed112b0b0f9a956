"""GRAFT in small: two encoders, trained from nothing on a version, and what they learned."""
