"""The four tables: their rows, their Arrow schemas, and the versions that hold them."""
