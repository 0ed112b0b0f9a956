"""A report on a version: static pages that open from disk, or over HTTP on loopback."""
