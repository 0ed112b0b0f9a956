"""The story: catalogue, settings, stages, Prefect flows, manifests, and looking at them."""
