"""The made-up photos of the world, one tile of a quarter of a degree at a time.

A tile is made from its number and the seed alone, and an id leads back to its tile. A place that
would fall outside its tile comes in again on the other side, so that no tile ever needs another.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.sandbox.awkward import is_flooded
from collectors.sandbox.chance import Chance, hash_keys
from collectors.sandbox.photo_records import PhotoColumns
from collectors.sandbox.settlements import choose_indoor, choose_moments, place_photos
from collectors.sandbox.words import tags, titles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Places = NDArray[np.intp]

TILE_DEGREES: Final = 0.25
TILE_COLUMNS: Final = 1440
TILE_ROWS: Final = 720
TILES_PER_SQUARE: Final = 16

# Ids have 11 digits. Each tile owns 86,805 of the 9e10 numbers, and an affine map modulo 9e10
# (a factor without 2, 3 and 5 has an inverse) scatters them, so that an id leads back to its tile.
_IDS: Final = 9 * 10**10
_FIRST_ID: Final = 10**10
_IDS_PER_TILE: Final = 86_805
_ID_FACTOR: Final = 38_711_904_787
_ID_INVERSE: Final = pow(_ID_FACTOR, -1, _IDS)

# One degree of latitude, near enough for scattering photos.
_METRES_PER_DEGREE: Final = 111_320.0
# Coordinates have six decimals, as the service gives them.
_PER_DEGREE: Final = 1_000_000

# The world stands still here: nothing is uploaded later, and "the last 12 hours" end here.
WORLD_END: Final = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())

# Photos per square degree: lognormal between 200 and 1,500 with the median 400, and one square in
# 25 with more than 5,000.
_MEDIAN_PER_SQUARE: Final = 400.0
_SPREAD_PER_SQUARE: Final = 0.6
_CROWDED_SQUARES: Final = 0.04

_BURST_SHARE: Final = 0.12
_REUPLOAD_SHARE: Final = 0.02
# Of the photos of a tile that one owner floods.
_FLOOD_SHARE: Final = 0.7
# 53 of 372 recorded photos had no capture date.
_UNKNOWN_DATE_SHARE: Final = 0.14

# Recorded accuracies of 134 geotagged photos.
_ACCURACIES: Final = np.array([16, 15, 14, 13, 12, 11, 10, 9, 6, 0])
_ACCURACY_WEIGHTS: Final = np.array([90, 11, 12, 8, 4, 4, 2, 1, 1, 1], dtype=np.float64)

# By licence number 0..16. In the recorded sample 68 % were 0; here 45 % may be passed on
# (4, 5, 7..12), so that a small build finds enough.
_LICENCE_WEIGHTS: Final = np.array(
    [385, 40, 40, 50, 160, 90, 15, 10, 20, 70, 30, 40, 30, 5, 5, 5, 5], dtype=np.float64
)

_GRANULARITIES: Final = np.array([0, 4, 6])
_GRANULARITY_WEIGHTS: Final = np.array([985.0, 10.0, 5.0])
_CONTENT_WEIGHTS: Final = np.array([975.0, 12.0, 10.0, 3.0])

# Originals: width and height in pixels. One in sixteen is too small for the 1024 px file.
_ORIGINALS: Final = np.array(
    [(4608, 3456), (6000, 4000), (3456, 4608), (4000, 6000), (900, 675), (700, 467), (600, 400)]
)
_ORIGINAL_WEIGHTS: Final = np.array([42.0, 30.0, 14.0, 8.0, 4.3, 1.3, 0.4])


def find_tile(photo_id: int, seed: int) -> int | None:
    """Finds the tile to which a made-up photo's id belongs.

    Args:
        photo_id: an id of 11 digits.
        seed: the world's seed.

    Returns:
        The tile's number, 0..1,036,799 (rows from the south, columns from the west); None where no
        tile has that id.
    """
    if not _FIRST_ID <= photo_id < _FIRST_ID + _IDS:
        return None
    place = (photo_id - _FIRST_ID - hash_keys(seed, "ids")) * _ID_INVERSE % _IDS
    tile = place // _IDS_PER_TILE
    return tile if tile < TILE_COLUMNS * TILE_ROWS else None


def count_photos(seed: int, tile: int) -> int:
    """Gives the number of photos in a tile.

    Args:
        seed: the world's seed.
        tile: the tile's number.

    Returns:
        A number of photos; those of the sixteen tiles of a square degree follow Zipf's law.
    """
    row, column = divmod(tile, TILE_COLUMNS)
    square = Chance(seed, "square", row // 4, column // 4)
    first = np.arange(1)
    total = _MEDIAN_PER_SQUARE * math.exp(_SPREAD_PER_SQUARE * float(square.normals(first)[0]))
    total = min(max(total, 200.0), 1500.0)
    crowd, size = square.uniforms(np.arange(10, 12)).tolist()
    if crowd < _CROWDED_SQUARES:
        total = 5200.0 + 4000.0 * size
    ranks = np.argsort(np.argsort(square.uniforms(np.arange(20, 20 + TILES_PER_SQUARE))))
    weights = (1.0 + np.arange(TILES_PER_SQUARE)) ** -0.8
    share = weights[ranks[row % 4 * 4 + column % 4]] / weights.sum()
    return round(total * float(share))


def make_tile(seed: int, tile: int, awkward: float = 0.0) -> PhotoColumns:
    """Makes all photos of a tile.

    Args:
        seed: the world's seed.
        tile: the tile's number, 0..1,036,799.
        awkward: share of the tiles that one owner floods.

    Returns:
        The photos; longitudes in [west, west + 0.25), latitudes in [south, south + 0.25).
    """
    count = count_photos(seed, tile)
    index = np.arange(count)
    row, column = divmod(tile, TILE_COLUMNS)
    west, south = column * TILE_DEGREES - 180.0, row * TILE_DEGREES - 90.0
    metres_north = TILE_DEGREES * _METRES_PER_DEGREE
    metres_east = metres_north * max(0.02, math.cos(math.radians(south + TILE_DEGREES / 2)))

    # A burst goes on from the photo before it: `base` is the first photo of the burst.
    in_burst = Chance(seed, tile, "burst").uniforms(index) < _BURST_SHARE
    base = np.maximum.accumulate(np.where(in_burst & (index > 0), 0, index))
    # A re-upload shows an earlier photo once more.
    again = Chance(seed, tile, "again").uniforms(index)
    source = (Chance(seed, tile, "source").uniforms(index) * index).astype(np.intp)
    reupload = (again < _REUPLOAD_SHARE) & (index > 0)
    reupload &= ~reupload[source] if count else reupload
    shown = np.where(reupload, source, index)
    shot = base[shown]

    spots = place_photos(seed, tile, count, metres_east, metres_north)
    step = shown - shot
    east = (spots.east[shot] + 1.7 * step) % metres_east
    north = (spots.north[shot] + 0.9 * step) % metres_north
    longitude = np.floor((west + east / metres_east * TILE_DEGREES) * _PER_DEGREE) / _PER_DEGREE
    latitude = np.floor((south + north / metres_north * TILE_DEGREES) * _PER_DEGREE) / _PER_DEGREE

    taken = choose_moments(seed, tile, spots)[shot] + 4 * step
    # Local time is not known to the second of a zone: whole hours by longitude will do.
    local = 3600 * round((west + TILE_DEGREES / 2) / 15.0)
    uploaded = _upload_photos(Chance(seed, tile, "upload"), shot, taken - local) + 2 * step
    late = _upload_photos(Chance(seed, tile, "upload again"), index, uploaded)
    uploaded = np.minimum(np.where(reupload, late, uploaded), WORLD_END)
    unknown = Chance(seed, tile, "unknown").uniforms(shot) < _UNKNOWN_DATE_SHARE
    granularity = _GRANULARITIES[
        Chance(seed, tile, "granularity").picks(shot, _GRANULARITY_WEIGHTS)
    ]
    granularity = np.where(unknown, 0, granularity)
    taken = np.where(unknown, uploaded, _coarsen(taken, granularity))

    flood = _FLOOD_SHARE if is_flooded(seed, tile, awkward) else 0.0
    taker = np.where(reupload & (again < 0.008), index, shot)
    owner, licence = _own_photos(seed, tile, taker, flood)
    original = _ORIGINALS[Chance(seed, tile, "original").picks(shot, _ORIGINAL_WEIGHTS)]
    places = hash_keys(seed, "ids") + _ID_FACTOR * tile * _IDS_PER_TILE
    numbers = _FIRST_ID + (places % _IDS + _ID_FACTOR * index) % _IDS
    text = Chance(seed, tile, "text")
    return PhotoColumns(
        photo_id=numbers.astype(np.str_),
        owner=owner,
        longitude=longitude,
        latitude=latitude,
        taken=taken,
        uploaded=uploaded,
        taken_unknown=unknown,
        granularity=granularity,
        accuracy=_ACCURACIES[Chance(seed, tile, "accuracy").picks(shot, _ACCURACY_WEIGHTS)],
        licence=licence,
        video=Chance(seed, tile, "video").uniforms(index) < 0.03,
        content=Chance(seed, tile, "content").picks(index, _CONTENT_WEIGHTS).astype(np.int64),
        geo_public=Chance(seed, tile, "geo_public").uniforms(shot) >= 0.01,
        indoor=choose_indoor(seed, tile, spots)[shot],
        width=original[:, 0],
        height=original[:, 1],
        scene=Chance(seed, tile, "scene").bits(shown),
        title=titles()[text.bits(shot) % np.uint64(len(titles()))],
        tags=tags()[text.bits(shot + count) % np.uint64(len(tags()))],
    )


def _upload_photos(chance: Chance, index: Places, after: Integers) -> Integers:
    """Gives upload times (Unix): minutes to years after `after`, and before the world's end."""
    delay = np.exp(10.5 + 2.6 * chance.normals(index))
    room = np.maximum(WORLD_END - after, 60)
    delay = np.where(delay < room, delay, room * chance.uniforms(index + (1 << 40)))
    return after + 30 + np.floor(delay).astype(np.int64)


def _coarsen(taken: Integers, granularity: Integers) -> Integers:
    """Sets dates known to the month (4) or the year (6) to the first second of it."""
    moment = taken.astype("datetime64[s]")
    month = moment.astype("datetime64[M]").astype("datetime64[s]").astype(np.int64)
    year = moment.astype("datetime64[Y]").astype("datetime64[s]").astype(np.int64)
    return np.where(granularity == 4, month, np.where(granularity == 6, year, taken))


def _own_photos(
    seed: int, tile: int, shot: Places, flood: float
) -> tuple[NDArray[np.str_], Integers]:
    """Gives owners, of whom a few are prolific, and licences, which mostly go by owner."""
    people = np.arange(max(3, len(shot) // 6))
    who = Chance(seed, tile, "owner").picks(shot, 1.0 / (1.0 + people))
    who = np.where(Chance(seed, tile, "flood").uniforms(shot) < flood, 0, who)
    row, column = divmod(tile, TILE_COLUMNS)
    number = Chance(seed, tile, "person").bits(people)
    # The most prolific of every tile is one of the eight travellers of its square degree.
    traveller = Chance(seed, "traveller", row // 4, column // 4)
    number[:1] = traveller.bits(np.array([tile % 8]))
    names = np.array(
        [f"{10_000_000 + value % 90_000_000}@N{value // 90_000_000 % 9:02d}"
         for value in number.tolist()]
    )  # fmt: skip
    by_owner = Chance(seed, tile, "owner's licence").picks(people, _LICENCE_WEIGHTS)[who]
    by_photo = Chance(seed, tile, "licence").picks(shot, _LICENCE_WEIGHTS)
    mostly = Chance(seed, tile, "licence by owner").uniforms(shot) < 0.6
    return names[who], np.where(mostly, by_owner, by_photo).astype(np.int64)
