"""The samples of a version, a chip with its photos each, and how their bytes are read.

Training and exports build on it. It needs neither Prefect nor Earth Engine.
"""
