"""How far a photo's pixel is from the one that PROJ gives when it is asked directly."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.lines import report
from tests.collectors.random_pixels import pixel_errors, random_points
from tests.sensors import NAIP, SENTINEL2

pytestmark = pytest.mark.benchmark

PHOTOS = 100_000
SEED = 3


def test_pixel_error_max() -> None:
    """100,000 photos from 60° south to 80° north for Sentinel-2; as many over NAIP's ground."""
    rng = np.random.default_rng(SEED)
    world = random_points(PHOTOS, -180, -60, 180, 80, rng)
    errors = np.array(list(pixel_errors(*world, SENTINEL2, rng)))
    states = random_points(PHOTOS, -124.9, 24.4, -66.9, 49.5, rng)
    flights = np.array(list(pixel_errors(*states, NAIP, rng)))
    worst = errors[:, 0].max()
    report(
        "pixel_error_max", float(f"{worst:.2g}"), "pixel of 10 m", "< 0.01",
        peer="PROJ by parameters, zones by MGRS, the affine solved", photos=PHOTOS,
        there_and_back=float(f"{errors[:, 1].max():.2g}"),
        naip_pixel_of_1_m=float(f"{flights[:, 0].max():.2g}"),
        naip_there_and_back=float(f"{flights[:, 1].max():.2g}"), seed=SEED,
    )  # fmt: skip
