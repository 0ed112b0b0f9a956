"""The ground that both services see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.sandbox.landcover import Cover, Landcover
from collectors.sandbox.noise import value_noise


def lattice(west: float, south: float, span: float, count: int = 200):
    """Longitudes and latitudes of a square of `count` places a side."""
    return np.meshgrid(
        west + np.linspace(0, span, count), south + np.linspace(0, span, count), indexing="xy"
    )


def test_a_seed_gives_one_world_and_another_seed_another() -> None:
    """The cover depends on the seed and on nothing else."""
    lon, lat = lattice(-122.5, 37.5, 0.2)
    first = Landcover(3).cover(lon, lat)
    assert np.array_equal(first, Landcover(3).cover(lon, lat))
    assert np.mean(first != Landcover(4).cover(lon, lat)) > 0.3


@given(st.floats(-180, 180), st.floats(-80, 80))
def test_one_place_is_the_same_alone_and_in_company(lon: float, lat: float) -> None:
    """A place asked for alone agrees with the same place within an array."""
    land = Landcover(1)
    lons, lats = np.array([lon, 11.0, -70.0]), np.array([lat, 47.0, -20.0])
    assert land.cover(lon, lat) == land.cover(lons, lats)[0]
    assert land.texture(lon, lat) == pytest.approx(land.texture(lons, lats)[0], abs=1e-6)


def test_the_antimeridian_leaves_no_seam() -> None:
    """Longitudes a turn apart are the same place."""
    land = Landcover(5)
    lon, lat = lattice(179.95, 65.0, 0.1)
    turned = np.where(lon > 180, lon - 360, lon)
    assert np.mean(land.cover(lon, lat) != land.cover(turned, lat)) < 1e-3
    assert np.abs(land.texture(lon, lat) - land.texture(turned, lat)).max() < 1e-2


@pytest.mark.parametrize("corner", [(-123.2, 36.6), (5.2, 45.2)])
def test_both_demo_regions_have_every_common_cover(corner: tuple[float, float]) -> None:
    """No cover but snow is missing or fills a region."""
    cover = Landcover(0).cover(*lattice(*corner, 2.4, 300))
    shares = np.bincount(cover.ravel(), minlength=len(Cover)) / cover.size
    common = [shares[kind] for kind in Cover if kind is not Cover.SNOW]
    assert min(common) > 0.03
    assert max(common) < 0.5


def test_texture_fills_its_range_and_changes_within_metres() -> None:
    """Texture lies in 0..1 and has detail of about a metre."""
    metre = 1 / 111_320
    texture = Landcover(0).texture(*lattice(10.0, 50.0, 200 * metre))
    assert texture.min() >= 0
    assert texture.max() <= 1
    assert 0.1 < texture.std() < 0.3
    step = np.abs(np.diff(texture, axis=1))
    assert 0.005 < step.mean() < 0.15


def test_noise_repeats_after_its_period_and_is_smooth() -> None:
    """Noise on a wrapped plane has the same value a period further, and no jumps."""
    x = np.linspace(0, 100, 2_001)
    y = np.full_like(x, 3.3)
    here = value_noise(x, y, 7.0, 1, period=100.0)
    assert np.allclose(here, value_noise(x + 100.0, y, 7.0, 1, period=100.0), atol=1e-4)
    assert np.abs(np.diff(here)).max() < 0.02
    assert here.max() - here.min() > 0.3
