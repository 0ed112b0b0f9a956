"""Cloud, shadow and missing pixels of a chip."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from collectors.chips import ChipPixels
from collectors.sensors import SCORE_BAND, Quality
from filters.chip_quality import COVER, ChipMeasure, measure, refusal
from tests.sensors import NAIP, SENTINEL2


def classified(classes: np.ndarray) -> ChipPixels:
    """Returns a Sentinel-2 chip of one band with this scene classification."""
    return ChipPixels.of(("B2",), np.ones((1, *classes.shape), np.uint16), classes)


def test_cloud_is_counted_over_the_pixels_that_hold_data() -> None:
    """Classes 8, 9 and 10 over all but class 0; shadow is class 3; snow is no cloud."""
    classes = np.array([[0, 0, 8, 9, 10], [3, 4, 5, 6, 11]], dtype=np.uint8)
    assert measure(classified(classes), SENTINEL2) == ChipMeasure(
        cloud_pct=100 * 3 / 8, shadow_pct=100 / 8, missing_pct=20.0, valid_pct=80.0,
        cover={"cloud_shadow": 12.5, "vegetation": 12.5, "bare": 12.5, "water": 12.5,
               "cloud_medium": 12.5, "cloud_high": 12.5, "cirrus": 12.5, "snow": 12.5},
    )  # fmt: skip


@given(arrays(np.uint8, (7, 11), elements=st.integers(0, 11)))
def test_the_shares_are_those_of_a_plain_count(classes: np.ndarray) -> None:
    """The figures are exact quotients of counts, so that they can be computed again."""
    flat = classes.ravel().tolist()
    valid = [one for one in flat if one != 0]
    seen = measure(classified(classes), SENTINEL2)
    assert seen.missing_pct == 100.0 * flat.count(0) / 77
    assert seen.valid_pct == 100.0 * len(valid) / 77
    if valid:
        assert seen.cloud_pct == 100.0 * sum(one in {8, 9, 10} for one in valid) / len(valid)
        assert seen.shadow_pct == 100.0 * valid.count(3) / len(valid)
        assert seen.cover is not None
        assert seen.cover == {
            name: 100.0 * valid.count(one) / len(valid) for one, name in COVER.items()
            if one in valid
        }  # fmt: skip
        assert math.isclose(sum(seen.cover.values()), 100.0)
    else:
        assert seen.cover is None
        assert seen.cloud_pct is None
        assert seen.shadow_pct is None


def test_with_cloud_score_a_pixel_is_cloud_that_is_less_clear_than_asked_for() -> None:
    """At the limit it is clear; without data it counts for nothing, whatever its score."""
    sensor = replace(SENTINEL2, quality=Quality.CLOUD_SCORE_PLUS, clear_above=0.6)
    data = np.array([[[7, 7, 7, 7, 0]]], dtype=np.uint16)
    score = np.array([[0, 59, 60, 100, 0]], dtype=np.uint8)
    seen = measure(ChipPixels.of(("B2",), data, score, SCORE_BAND), sensor)
    assert seen == ChipMeasure(50.0, None, 20.0, 80.0)
    with pytest.raises(ValueError, match=r"cloud_score_plus\) has a SCL quality band"):
        measure(classified(np.ones((2, 2), np.uint8)), sensor)


def test_a_class_that_is_not_known_goes_by_its_number() -> None:
    """One odd pixel must not keep a cell from being collected, nor be taken for something else."""
    seen = measure(classified(np.array([[4, 12]], np.uint8)), SENTINEL2)
    assert seen.cover == {"vegetation": 50.0, "class_12": 50.0}


def test_without_classification_a_pixel_is_missing_where_all_bands_are_zero() -> None:
    """A zero in some bands is dark ground; cloud is not known."""
    data = np.array([[[0, 0, 5]], [[0, 7, 0]]], dtype=np.uint8)
    seen = measure(ChipPixels.of(("R", "G"), data, None), NAIP)
    assert seen == ChipMeasure(None, None, 100.0 / 3, 200.0 / 3)


def test_a_chip_of_another_sensor_is_not_measured() -> None:
    """A missing quality band is an error, not a chip without clouds."""
    bare = ChipPixels.of(("B2",), np.ones((1, 2, 2), np.uint16), None)
    with pytest.raises(ValueError, match=r"sentinel2 .* has no quality band"):
        measure(bare, SENTINEL2)
    with pytest.raises(ValueError, match=r"naip .* has a SCL quality band"):
        measure(classified(np.ones((2, 2), np.uint8)), NAIP)


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        (ChipMeasure(1.0, 50.0, 1.0, 99.0), None),
        (ChipMeasure(1.0000001, 0.0, 0.0, 100.0), "cloudy"),
        (ChipMeasure(0.0, 0.0, 1.0000001, 98.9), "missing"),
        (ChipMeasure(None, None, 100.0, 0.0), "missing"),
    ],
)
def test_limits_are_allowed_and_what_is_over_them_is_refused(
    measured: ChipMeasure, reason: str | None
) -> None:
    """Both limits are inclusive, and shadow refuses nothing."""
    assert refusal(measured, SENTINEL2) == reason


def test_limits_are_the_sensors() -> None:
    """Cloud refuses nothing where it has no limit, and an empty chip passes no limit at all."""
    assert (
        refusal(ChipMeasure(90.0, 0.0, 0.0, 100.0), replace(SENTINEL2, chip_cloud_limit_pct=None))
        is None
    )
    everything = replace(SENTINEL2, missing_limit_pct=100.0)
    assert refusal(ChipMeasure(0.0, 0.0, 99.0, 1.0), everything) is None
    assert refusal(ChipMeasure(None, None, 100.0, 0.0), everything) == "missing"
