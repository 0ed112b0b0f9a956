"""GRAFT in small: two encoders, trained from nothing on a published version, and what they learned."""
