"""Cloud, shadow and missing pixels of a Landsat chip, from bits written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from collectors.chips import ChipPixels
from collectors.sensors import QA_PIXEL_BAND
from filters.chip_quality import ChipMeasure, measure, refusal
from tests.landsat import LANDSAT

# Values that occur in the product, with what their bits say.
FILL, CLEAR, RIM, WATER, CLOUD = 1, 21824, 21826, 21952, 22280
SHADOW, SHADOW_ON_WATER, SNOW, CIRRUS, CIRRUS_CLOUD = 23888, 23952, 30048, 54596, 55052


def chip(*bits: int, data: int = 9000) -> ChipPixels:
    """Returns a chip of one row and one band with these bits."""
    quality = np.array([bits], np.uint16)
    return ChipPixels.of(("SR_B2",), np.full((1, *quality.shape), data, np.uint16), quality,
                         QA_PIXEL_BAND)  # fmt: skip


@pytest.mark.parametrize(
    ("bits", "cloudy", "shaded"),
    [
        (CLEAR, False, False), (WATER, False, False), (SNOW, False, False),
        (CLOUD, True, False), (RIM, True, False), (CIRRUS, True, False),
        (CIRRUS_CLOUD, True, False), (SHADOW, False, True), (SHADOW_ON_WATER, False, True),
        (SHADOW | 2, True, False),
    ],
)  # fmt: skip
def test_each_value_is_what_its_bits_say(bits: int, cloudy: bool, shaded: bool) -> None:
    """Cirrus is cloud although its bit "clear" is set; a shadow in a cloud's rim is cloud."""
    seen = measure(chip(bits), LANDSAT)
    assert seen == ChipMeasure(100.0 * cloudy, 100.0 * shaded, 0.0, 100.0)


def test_shares_are_over_the_pixels_that_hold_data() -> None:
    """Fill, and what Earth Engine masked, are missing; so is a reflectance that was not made."""
    pixels = chip(FILL, 0, CLEAR, CLOUD, SHADOW, CLEAR, CLOUD | FILL, CLEAR)
    assert pixels.valid.tolist() == [[False, False, True, True, True, True, False, True]]
    assert measure(pixels, LANDSAT) == ChipMeasure(20.0, 20.0, 37.5, 62.5)
    assert not chip(CLEAR, CLOUD, data=0).valid.any()
    assert measure(chip(FILL, 0), LANDSAT) == ChipMeasure(None, None, 100.0, 0.0)


@given(arrays(np.uint16, (5, 9)))
def test_all_bits_but_those_five_mean_nothing(quality: np.ndarray) -> None:
    """The figures follow from bits 0 to 4 alone, counted one pixel after the other."""
    pixels = ChipPixels.of(("SR_B2",), np.ones((1, 5, 9), np.uint16), quality, QA_PIXEL_BAND)
    known = [one for one in quality.ravel().tolist() if one and one % 2 == 0]
    seen = measure(pixels, LANDSAT)
    assert seen.valid_pct == 100.0 * len(known) / 45
    if known:
        cloudy = [one for one in known if one // 2 % 8]
        assert seen.cloud_pct == 100.0 * len(cloudy) / len(known)
        shaded = [one for one in known if one // 2 % 8 == 0 and one // 16 % 2]
        assert seen.shadow_pct == 100.0 * len(shaded) / len(known)


def test_a_cloudy_chip_is_refused() -> None:
    """One per cent is allowed, more is not."""
    at_limit, over = chip(CLOUD, *[CLEAR] * 99), chip(RIM, CIRRUS, *[CLEAR] * 98)
    assert refusal(measure(at_limit, LANDSAT), LANDSAT) is None
    assert refusal(measure(over, LANDSAT), LANDSAT) == "cloudy"
