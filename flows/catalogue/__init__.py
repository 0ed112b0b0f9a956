"""What is collected and what comes out: data_catalog.yaml, parsed once."""
