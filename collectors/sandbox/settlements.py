"""Where, when and by whom the made-up photos of a tile are taken.

Photos are clustered as real ones are: a tile has a few settlements of very unequal size; within
them, many photos lie around landmarks and were taken on the same occasions, so that a satellite
chip of one quarter of a year holds several. Land and sea are not told apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.sandbox.chance import Chance, Draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Places = NDArray[np.intp]

DAY: Final = 86_400
FIRST_DAY: Final = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp()) // DAY
LAST_DAY: Final = int(datetime(2026, 10, 28, tzinfo=UTC).timestamp()) // DAY

_RURAL_SHARE: Final = 0.15
_LANDMARK_SHARE: Final = 0.65


@dataclass(frozen=True, slots=True)
class Spots:
    """Where the photos of a tile are; arrays of shape (n,).

    Attributes:
        east: metres from the tile's western edge.
        north: metres from the tile's southern edge.
        landmark: the landmark's number, or -1.
        settlement: the settlement's number, or -1 in the open country.
    """

    east: Floats
    north: Floats
    landmark: Places
    settlement: Places


def place_photos(
    seed: int, tile: int, count: int, metres_east: float, metres_north: float
) -> Spots:
    """Scatters the photos of a tile.

    Args:
        seed: the world's seed.
        tile: the tile's number.
        count: how many photos.
        metres_east: the tile's width.
        metres_north: the tile's height.

    Returns:
        The places; those beyond the tile's edges are not yet brought in.
    """
    index = np.arange(count)
    more_towns = -1.3 * math.log(1.0 - Draws(seed, tile, "towns").uniform())
    towns = 1 + min(5, int(more_towns))
    town = np.arange(towns)
    town_weights = (1.0 + town) ** -1.2
    town_east = metres_east * Chance(seed, tile, "town east").uniforms(town)
    town_north = metres_north * Chance(seed, tile, "town north").uniforms(town)
    town_radius = (500.0 + 2500.0 * Chance(seed, tile, "town radius").uniforms(town)) * (
        town_weights**0.5
    )

    landmark = np.arange(max(1, count // 30))
    home = Chance(seed, tile, "landmark town").picks(landmark, town_weights)
    reach = town_radius[home] * -np.log(1.0 - Chance(seed, tile, "reach").uniforms(landmark)) / 2
    bearing = 2 * np.pi * Chance(seed, tile, "bearing").uniforms(landmark)
    mark_east = town_east[home] + reach * np.cos(bearing)
    mark_north = town_north[home] + reach * np.sin(bearing)
    # Most photos of a landmark lie within 30 to 150 m of one another.
    mark_spread = 12.0 + 45.0 * Chance(seed, tile, "spread").uniforms(landmark)

    kind = Chance(seed, tile, "kind").uniforms(index)
    at_landmark = kind < _LANDMARK_SHARE
    rural = kind >= 1.0 - _RURAL_SHARE
    which = Chance(seed, tile, "which landmark").picks(index, (1.0 + landmark) ** -1.0)
    where = Chance(seed, tile, "which town").picks(index, town_weights)
    drift_east = Chance(seed, tile, "drift east").normals(index)
    drift_north = Chance(seed, tile, "drift north").normals(index)
    east = np.where(
        at_landmark,
        mark_east[which] + mark_spread[which] * drift_east,
        town_east[where] + town_radius[where] * drift_east,
    )
    north = np.where(
        at_landmark,
        mark_north[which] + mark_spread[which] * drift_north,
        town_north[where] + town_radius[where] * drift_north,
    )
    east = np.where(rural, metres_east * Chance(seed, tile, "rural east").uniforms(index), east)
    north = np.where(rural, metres_north * Chance(seed, tile, "rural north").uniforms(index), north)
    settlement = np.where(rural, -1, np.where(at_landmark, home[which], where))
    return Spots(east, north, np.where(at_landmark, which, -1), settlement)


def choose_moments(seed: int, tile: int, spots: Spots) -> Integers:
    """Chooses capture times: on occasions that others share, or on any day.

    Args:
        seed: the world's seed.
        tile: the tile's number.
        spots: where the photos are.

    Returns:
        Seconds from 1970-01-01 on the photographers' own clocks, shape (n,).
    """
    index = np.arange(len(spots.east))
    days = LAST_DAY - FIRST_DAY
    occasion = np.arange(4 + len(index) // 12)
    began = days * Chance(seed, tile, "occasion").uniforms(occasion)
    lasted = 2.0 + 20.0 * Chance(seed, tile, "lasted").uniforms(occasion)
    # Each landmark, and each town for the rest, has a few occasions of its own.
    group = np.where(spots.landmark >= 0, 1000 + spots.landmark, spots.settlement)
    turn = Chance(seed, tile, "turn").picks(index, np.array([0.7, 0.2, 0.1]))
    which = Chance(seed, tile, "its occasions").bits(group * 8 + turn) % np.uint64(len(occasion))
    attends = Chance(seed, tile, "attends").uniforms(index) < np.where(
        spots.landmark >= 0, 0.85, 0.4
    )
    attends &= spots.settlement >= 0
    chance = Chance(seed, tile, "day").uniforms(index)
    # Northern and southern summers are not told apart: more photos in July for all.
    year = np.floor(chance * 11.8)
    season = Chance(seed, tile, "season").normals(index) * 75.0 + 195.0
    any_day = year * 365.25 + np.mod(season, 365.25)
    day = np.where(attends, began[which] + lasted[which] * chance, any_day)
    day = FIRST_DAY + np.floor(np.mod(day, days)).astype(np.int64)
    hours = np.mod(13.5 + 3.2 * Chance(seed, tile, "hour").normals(index), 24.0)
    return day * DAY + np.floor(hours * 3600.0).astype(np.int64)


def choose_indoor(seed: int, tile: int, spots: Spots) -> NDArray[np.bool_]:
    """Chooses the photos that are taken indoors: about 30 % in settlements, few outside them.

    Args:
        seed: the world's seed.
        tile: the tile's number.
        spots: where the photos are.

    Returns:
        True for indoors, shape (n,).
    """
    museum = Chance(seed, tile, "museum").uniforms(spots.landmark + 1) < 0.2
    share = np.where(museum & (spots.landmark >= 0), 0.85, 0.165)
    share = np.where((spots.landmark < 0) & (spots.settlement >= 0), 0.3, share)
    share = np.where(spots.settlement < 0, 0.04, share)
    return Chance(seed, tile, "indoor").uniforms(np.arange(len(share))) < share
