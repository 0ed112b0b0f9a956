"""The ground that both services see: what covers it, and its fine brightness.

The world is drawn on a Mercator plane wrapped around the Earth: features keep their shape at every
latitude (and shrink with its cosine), and no UTM zone edge nor the antimeridian leaves a seam.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from collectors.sandbox.chance import hash_keys
from collectors.sandbox.ground_colour import GroundColour, show
from collectors.sandbox.noise import CIRCUMFERENCE_M, EARTH_RADIUS_M, layered_noise

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Cover(IntEnum):
    """What lies on the ground."""

    WATER = 0
    FOREST = 1
    GRASS = 2
    CROPS = 3
    BARE = 4
    URBAN = 5
    SNOW = 6


_HEIGHT = ((24_000.0, 0.55), (6_000.0, 0.3), (1_500.0, 0.15))
_GREENNESS = ((4_000.0, 0.4), (900.0, 0.35), (150.0, 0.25))
_SETTLEMENT = ((12_000.0, 0.6), (1_400.0, 0.4))
_DETAIL = ((60.0, 0.6), (20.0, 0.4))

COARSE_TEXTURE = ((40.0, 0.35), (12.0, 0.3))
"""(wavelength in metres, weight) of the brightness that a 10 m pixel can still resolve."""

FINE_TEXTURE = ((4.0, 0.2), (1.2, 0.15))
"""(wavelength in metres, weight) of the brightness that only an aerial photo resolves."""

_FINE_TEXTURE_MEAN = 0.5 * sum(weight for _, weight in FINE_TEXTURE)
_CONTRAST = 1.7
_MAX_LATITUDE = 89.5


class Landcover:
    """Seeded ground of the whole Earth.

    Args:
        seed: Two worlds of one seed are the same.
    """

    def __init__(self, seed: int) -> None:
        self._seed = hash_keys(seed, "landcover")
        self._colour = GroundColour(seed)

    def cover(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.uint8]:
        """Return the `Cover` value at each place.

        Args:
            lon: Longitudes in degrees, any shape, any turn of the Earth.
            lat: Latitudes in degrees, same shape.

        Returns:
            uint8 array of that shape.
        """
        return classify(self.fields(*mercator(lon, lat)))

    def texture(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.float32]:
        """Return the fine brightness at each place, 0 to 1, with detail down to about a metre.

        Args:
            lon: Longitudes in degrees, any shape.
            lat: Latitudes in degrees, same shape.
        """
        x, y = mercator(lon, lat)
        return stretch(self.coarse_texture(x, y) + self.fine_texture(x, y))

    def colour(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.float32]:
        """Return how the colour at each place differs from what is usual for its cover.

        Args:
            lon: Longitudes in degrees, any shape.
            lat: Latitudes in degrees, same shape.

        Returns:
            Array (3, ...) of redness, greenness and paleness, each -1 to 1.
        """
        return show(self._colour.fields(*mercator(lon, lat)), self.cover(lon, lat))

    def colour_fields(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the fields of the ground's colour (Mercator metres); see `GroundColour`."""
        return self._colour.fields(x, y)

    def fields(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the smooth fields that decide the cover, on the Mercator plane in metres.

        Returns:
            Array (5, ...) of height, greenness, settlement, detail and cold, each about 0 to 1.
            They vary slowly against 20 m, so they may be interpolated between nodes that close.
        """
        layers = [
            layered_noise(x, y, octaves, hash_keys(self._seed, number), period=CIRCUMFERENCE_M)
            for number, octaves in enumerate((_HEIGHT, _GREENNESS, _SETTLEMENT, _DETAIL))
        ]
        cold = np.minimum(np.abs(y) / (1.6 * EARTH_RADIUS_M), 1.0).astype(np.float32)
        return np.stack([*layers, cold])

    def coarse_texture(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the part of the texture that a 10 m pixel resolves (Mercator metres)."""
        return layered_noise(
            x, y, COARSE_TEXTURE, hash_keys(self._seed, 10), period=CIRCUMFERENCE_M
        )

    def fine_texture(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the part of the texture that only an aerial photo resolves (Mercator metres)."""
        return layered_noise(x, y, FINE_TEXTURE, hash_keys(self._seed, 11), period=CIRCUMFERENCE_M)


def mercator(lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Mercator metres (x, y) of places in degrees; latitudes are held short of the poles."""
    east = np.asarray(lon, dtype=np.float64) * (CIRCUMFERENCE_M / 360.0)
    held = np.clip(np.asarray(lat, dtype=np.float64), -_MAX_LATITUDE, _MAX_LATITUDE)
    north = EARTH_RADIUS_M * np.arctanh(np.sin(np.radians(held)))
    return east, north


def classify(fields: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the `Cover` that the fields of `Landcover.fields` amount to.

    Args:
        fields: (5, ...) array.

    Returns:
        uint8 array of the trailing shape.
    """
    height, greenness, settlement, detail, cold = fields
    nudge = detail - np.float32(0.5)
    green = greenness + nudge * np.float32(0.12)
    result = np.full(height.shape, Cover.GRASS, dtype=np.uint8)
    result[green < np.float32(0.46)] = Cover.CROPS
    result[green < np.float32(0.34)] = Cover.BARE
    result[green > np.float32(0.54)] = Cover.FOREST
    result[settlement + nudge * np.float32(0.10) > np.float32(0.64)] = Cover.URBAN
    lifted = height + nudge * np.float32(0.03)
    result[lifted > np.float32(0.98) - cold * np.float32(0.42)] = Cover.SNOW
    result[lifted < np.float32(0.33)] = Cover.WATER
    return result


def stretch(texture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a texture with its contrast raised, held to 0..1."""
    stretched = (texture - np.float32(0.5)) * np.float32(_CONTRAST) + np.float32(0.5)
    held: NDArray[np.float32] = np.clip(stretched, np.float32(0.0), np.float32(1.0))
    return held


def stretch_coarse(coarse: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the texture of a 10 m pixel: the fine part averages to its mean."""
    return stretch(coarse + np.float32(_FINE_TEXTURE_MEAN))
