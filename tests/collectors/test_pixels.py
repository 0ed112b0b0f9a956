"""Photo to pixel and back, against PROJ asked directly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.collectors.random_pixels import pixel_errors, random_points
from tests.sensors import NAIP, SENTINEL2

if TYPE_CHECKING:
    from collectors.sensors import Sensor


@pytest.mark.parametrize(
    ("sensor", "box"),
    [(SENTINEL2, (-180.0, -60.0, 180.0, 80.0)), (NAIP, (-124.9, 24.4, -66.9, 49.5))],
    ids=["sentinel2", "naip"],
)
def test_a_photos_pixel_is_the_one_that_proj_gives(
    sensor: Sensor, box: tuple[float, float, float, float]
) -> None:
    """2,000 photos, a tenth at the edges of zones: a hundredth of a pixel, there and back."""
    rng = np.random.default_rng(3)
    errors = np.array(list(pixel_errors(*random_points(2000, *box, rng), sensor, rng)))
    assert errors.shape == (2000, 2)
    assert errors.max() < 0.01
