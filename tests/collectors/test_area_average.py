"""Averaging by area, against a plain double loop over overlaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from collectors.area_average import average_by_area, source_window
from collectors.geo import ChipGrid

GRID = ChipGrid("EPSG:26910", 550000, 4180000, 1.0, 6)


def overlap(low: float, high: float, other_low: float, other_high: float) -> float:
    """Returns the length that two stretches share."""
    return max(0.0, min(high, other_high) - max(low, other_low))


def plain_average(
    data: np.ndarray, west: float, north: float, pixel: float, grid: ChipGrid
) -> np.ndarray:
    """Averages one target pixel after the other over all source pixels."""
    out = np.zeros((len(data), grid.size_px, grid.size_px))
    for i in range(grid.size_px):
        for j in range(grid.size_px):
            x, y = grid.west_m + j * grid.scale_m, grid.north_m - i * grid.scale_m
            total = np.zeros(len(data))
            weights = 0.0
            for row in range(data.shape[1]):
                for column in range(data.shape[2]):
                    if not data[:, row, column].any():
                        continue
                    top, left = north - row * pixel, west + column * pixel
                    weight = overlap(x, x + grid.scale_m, left, left + pixel) * overlap(
                        y - grid.scale_m, y, top - pixel, top
                    )
                    weights += weight
                    total += weight * data[:, row, column]
            if weights >= 0.5 * grid.scale_m**2 - 1e-9:
                out[:, i, j] = total / weights
    return out


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from([0.3, 0.6, 1.0, 0.7]), st.floats(0, 0.999), st.floats(0, 0.999))
def test_it_is_the_area_weighted_mean(
    data: st.DataObject, pixel: float, x: float, y: float
) -> None:
    """Any pixel size and offset gives the mean of the overlaps; missing pixels do not darken."""
    transform = (pixel, 0.0, 549900.0 - x, 0.0, -pixel, 4180100.0 + y)
    window = source_window(transform, GRID)
    values = data.draw(
        arrays(np.uint8, (2, window.rows, window.columns), elements=st.sampled_from([0, 0, 9, 255]))
    )
    exact = plain_average(values, window.west_m, window.north_m, pixel, GRID)
    averaged = average_by_area(values, window, GRID)
    assert averaged.dtype == np.uint8
    assert np.abs(averaged - exact).max() <= 0.5 + 1e-6


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([0.3, 0.6, 1.0, 0.15]), st.integers(0, 20000), st.integers(0, 20000),
    st.booleans(),
)  # fmt: skip
def test_the_window_is_the_smallest_that_covers_the_chip(
    pixel: float, columns: int, rows: int, north_up: bool
) -> None:
    """It lies on the scene's own pixels, covers the chip and has no row or column to spare."""
    west, north = 550000.4 - columns * pixel, 4180000.7 + rows * pixel
    transform = (pixel, 0.0, west, 0.0, -pixel if north_up else pixel, north)
    window = source_window(transform, GRID)
    chip_west, chip_south, chip_east, chip_north = GRID.bounds
    assert ((window.west_m - west) / pixel) == pytest.approx(round((window.west_m - west) / pixel))
    assert ((north - window.north_m) / pixel) == pytest.approx(
        round((north - window.north_m) / pixel)
    )
    slack = 1e-5 * pixel
    assert chip_west - pixel < window.west_m <= chip_west + slack
    assert chip_north - slack <= window.north_m < chip_north + pixel
    assert chip_east - slack <= window.west_m + window.columns * pixel < chip_east + pixel
    assert chip_south - pixel < window.north_m - window.rows * pixel <= chip_south + slack


def test_own_pixels_on_the_chips_grid_come_unchanged() -> None:
    """A flight with 1 m pixels on whole metres is copied, not blurred."""
    values = np.random.default_rng(1).integers(0, 256, (4, 6, 6), dtype=np.uint8)
    window = source_window((1.0, 0.0, 540000.0, 0.0, -1.0, 4190000.0), GRID)
    assert (window.columns, window.rows) == (6, 6)
    assert np.array_equal(average_by_area(values, window, GRID), values)


def test_a_pixel_less_than_half_covered_is_missing() -> None:
    """Where the flight ends inside a pixel, half of it must hold data."""
    grid = ChipGrid("EPSG:26910", 0, 2, 1.0, 2)
    values = np.full((1, 20, 20), 100, dtype=np.uint8)
    values[:, :, :4] = 0  # 0.4 m of the first column
    values[:, :, 16:] = 0
    window = source_window((0.1, 0.0, 0.0, 0.0, -0.1, 2.0), grid)
    assert average_by_area(values, window, grid).tolist() == [[[100, 100], [100, 100]]]
    values[:, :, 4:6] = 0
    assert average_by_area(values, window, grid).tolist() == [[[0, 100], [0, 100]]]


def test_a_rotated_grid_is_refused() -> None:
    """Overlaps of rows and columns mean nothing on a rotated grid."""
    with pytest.raises(ValueError, match="rotated"):
        source_window((0.6, 0.1, 0.0, 0.0, -0.6, 0.0), GRID)


def test_halves_are_rounded_to_even() -> None:
    """At 0.3 m every hundredth mean is a half exactly; sums of whole tenths of a metre tell."""
    grid = ChipGrid("EPSG:26910", 550000, 4180000, 1.0, 48)
    values = np.random.default_rng(5).integers(0, 256, (2, 160, 160), dtype=np.uint8)
    values[:, :20, 70:90] = 0
    window = source_window((0.3, 0.0, 550000.0, 0.0, -0.3, 4180000.0), grid)
    assert (window.rows, window.columns) == (160, 160)
    tenths = values.astype(np.int64).repeat(3, axis=1).repeat(3, axis=2)
    held = tenths.any(axis=0)[None].astype(np.int64)
    sums, weights = (one.reshape(-1, 48, 10, 48, 10).sum(axis=(2, 4)) for one in (tenths, held))
    whole, rest = np.divmod(sums, np.maximum(weights, 1))
    up = (2 * rest > weights) | ((2 * rest == weights) & (whole % 2 == 1))
    exact = np.where(weights >= 50, whole + up, 0)
    assert ((2 * rest == weights) & (weights >= 50)).sum() >= 20
    assert np.array_equal(average_by_area(values, window, grid), exact)
