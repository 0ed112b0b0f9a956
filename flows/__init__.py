"""The story: catalogue, settings, stages, Prefect flows, manifests, and looking at them."""

import os

# Read by OpenMP when torch is loaded. Its threads otherwise spin while they wait for one another,
# and take the CPU from decoding and from the other cells: four times slower on two busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
