"""The colours of the ground: the same for whoever stands there and for whoever flies over."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from collectors.sandbox.ground_colour import GroundColour, brighten, tint
from collectors.sandbox.landcover import Cover, Landcover, mercator
from collectors.sandbox.noise import CIRCUMFERENCE_M
from collectors.sandbox.people import People, PhotoQuery
from collectors.sandbox.pictures import Pictures

COLOUR = GroundColour(4)
RNG_SEED = 8


def places(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Places all over the Mercator plane, metres."""
    rng = np.random.default_rng(RNG_SEED)
    return rng.uniform(-2e7, 2e7, count), rng.uniform(-8e6, 8e6, count)


def test_colours_differ_from_place_to_place_and_are_held() -> None:
    """Each field fills most of -1 to 1, knows no other, and is another in another world."""
    fields = COLOUR.fields(*places(20_000))
    assert np.abs(fields).max() <= 1.0
    assert (fields.std(axis=1) > 0.4).all()
    assert (np.abs(np.corrcoef(fields) - np.eye(3)) < 0.05).all()
    other = GroundColour(5).fields(*places(20_000))
    assert abs(np.corrcoef(fields[0], other[0])[0, 1]) < 0.05


def test_colours_are_slow_and_have_no_seam() -> None:
    """A few metres change little, and a turn around the Earth changes nothing."""
    x, y = places(2000)
    fields = COLOUR.fields(x, y)
    assert np.abs(COLOUR.fields(x + 8.0, y + 8.0) - fields).max() < 0.12
    assert np.abs(COLOUR.fields(x + CIRCUMFERENCE_M, y) - fields).max() < 1e-4


@pytest.mark.parametrize(
    ("seen", "aerial", "band"), [(0, "R", "B4"), (1, "G", "B3"), (2, "B", "B2")]
)
def test_the_eye_and_both_sensors_see_the_same(seen: int, aerial: str, band: str) -> None:
    """Factors on a colour of light are the same in photos, aerial flights and Sentinel-2."""
    fields = COLOUR.fields(*places(500))
    np.testing.assert_array_equal(tint(fields)[:, seen], brighten(band, fields))
    np.testing.assert_array_equal(brighten(aerial, fields), brighten(band, fields))


def test_snow_hides_what_lies_beneath() -> None:
    """The colour under snow hardly shows, and that of a field does."""
    landcover = Landcover(4)
    lon, lat = np.meshgrid(np.linspace(5, 15, 200), np.linspace(60, 70, 200))
    cover, colour = landcover.cover(lon, lat), landcover.colour(lon, lat)
    bare = landcover.colour_fields(*mercator(lon, lat))
    assert np.abs(colour[:, cover == Cover.SNOW]).max() < 0.2
    assert np.abs(colour[:, cover == Cover.CROPS]).max() > 0.8
    np.testing.assert_array_equal(colour[:, cover == Cover.CROPS], bare[:, cover == Cover.CROPS])


def test_a_photo_of_red_ground_is_red() -> None:
    """The same picture moved about a field: the redder the place, the redder its lower part."""
    landcover = Landcover(0)
    pictures = Pictures(0, landcover)
    photos = People(0).search(PhotoQuery(-123, 37, -122, 38), 0, 60)[1]
    photo = next(one for one in photos if not one.indoor and one.size("n"))
    rng = np.random.default_rng(RNG_SEED)
    lon, lat = rng.uniform(-122, -119, 400), rng.uniform(37, 39, 400)
    grass = landcover.cover(lon, lat) == Cover.GRASS
    redness, ratios = [], []
    for here, there in zip(lon[grass][:40].tolist(), lat[grass][:40].tolist(), strict=True):
        file = pictures.jpeg(replace(photo, longitude=here, latitude=there), "t")
        red, _, blue = np.asarray(Image.open(io.BytesIO(file)), dtype=float)[-20:].mean(axis=(0, 1))
        redness.append(float(landcover.colour(here, there)[0]))
        ratios.append(np.log(red / blue))
    assert np.corrcoef(redness, ratios)[0, 1] > 0.7
