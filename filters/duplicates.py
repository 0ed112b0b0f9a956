"""Bursts: several shots of one thing by one person at one moment, of which one is enough."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from pyproj import Geod

from collectors.geo import transformer
from filters.selection import Placed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

BURST_TIME: Final = timedelta(seconds=60)
"""Shots of a burst lie at most this far apart on the owner's clock."""

BURST_DISTANCE_M: Final = 50.0
"""Shots of a burst lie at most this far apart on the ground."""

_BIN_M: Final = BURST_DISTANCE_M + 1
"""A little more than the limit, so that rounding never puts a near pair two bins apart."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - capture times have no zone
_NEIGHBOURS: Final = tuple(product((-1, 0, 1), repeat=4))

_Bin = tuple[str, int, int, int, int]


class Shot(Placed, Protocol):
    """What the rule reads of a photo; a `collectors.records.Photo` is one.

    Attributes:
        uploaded_at: Time of upload, aware.
    """

    @property
    def uploaded_at(self) -> datetime: ...  # noqa: D102


def bursts(photos: Sequence[Shot], kept_before: Sequence[Shot] = ()) -> dict[str, str]:
    """Finds the photos that repeat another one of the same owner.

    Photos are taken in order of upload (then the smaller id). A photo repeats another if one that
    is kept already, of the same owner, was taken within `BURST_TIME` and `BURST_DISTANCE_M` of it;
    else it is kept. So a chain of shots, each close to the next, keeps one every 60 s or 50 m, and
    what was dropped never drops others.

    Args:
        photos: Photos with finite coordinates and a known capture time, in any order, each id once.
        kept_before: Photos that earlier instalments keep; they stay, whatever comes now. Photos
            that are among them already are passed over.

    Returns:
        For each photo that repeats another, its id and the id of the one kept instead: where
        several would do, the first uploaded.

    Raises:
        ValueError: If an id comes twice among `photos`.
    """
    settled = {shot.photo_id for shot in kept_before}
    arrived = [shot for shot in sorted(photos, key=_by_upload) if shot.photo_id not in settled]
    if len({shot.photo_id for shot in photos}) != len(photos):
        msg = "an id comes twice among the photos: join what the pages brought by id first"
        raise ValueError(msg)
    before = sorted(kept_before, key=_by_upload)
    bins = iter(_bins([*before, *arrived]))
    kept: defaultdict[_Bin, list[Shot]] = defaultdict(list)
    for shot, place in zip(before, bins, strict=False):
        kept[place].append(shot)
    repeats: dict[str, str] = {}
    for shot, place in zip(arrived, bins, strict=True):
        first = min(_close_to(shot, _around(place, kept)), key=_by_upload, default=None)
        if first is None:
            kept[place].append(shot)
        else:
            repeats[shot.photo_id] = first.photo_id
    return repeats


def _by_upload(shot: Shot) -> tuple[datetime, int, str]:
    """Sorts by upload, then by id as a number: ids are digits, shorter ones are older."""
    return (shot.uploaded_at, len(shot.photo_id), shot.photo_id)


def _bins(shots: Sequence[Shot]) -> Iterator[_Bin]:
    """Puts shots into bins of time and space, such that near pairs lie in neighbouring bins.

    Space is geocentric x, y, z, where no pole or antimeridian is in the way and where the straight
    distance is never more than that along the ground.
    """
    lon = np.array([shot.lon for shot in shots], dtype=float)
    lat = np.array([shot.lat for shot in shots], dtype=float)
    to_space = transformer("EPSG:4979", "EPSG:4978")
    xyz = np.column_stack(to_space.transform(lon, lat, np.zeros_like(lon)))
    for shot, (x, y, z) in zip(shots, np.floor(xyz / _BIN_M).astype(int).tolist(), strict=True):
        yield (shot.owner, (shot.taken_at - _EPOCH) // BURST_TIME, x, y, z)


def _around(place: _Bin, kept: dict[_Bin, list[Shot]]) -> Iterator[Shot]:
    """Yields the kept shots in a bin and in those around it; kept ones are far apart, so few."""
    owner, time, x, y, z = place
    for dt, dx, dy, dz in _NEIGHBOURS:
        yield from kept.get((owner, time + dt, x + dx, y + dy, z + dz), ())


def _close_to(shot: Shot, others: Iterable[Shot]) -> list[Shot]:
    """Returns the shots within both limits of one; distances are geodesic on WGS 84."""
    near = [other for other in others if abs(other.taken_at - shot.taken_at) <= BURST_TIME]
    if not near:
        return []
    lon, lat = [other.lon for other in near], [other.lat for other in near]
    here = ([shot.lon] * len(near), [shot.lat] * len(near))
    _, _, metres = Geod(ellps="WGS84").inv(*here, lon, lat)
    close = zip(near, metres, strict=True)
    return [other for other, distance_m in close if distance_m <= BURST_DISTANCE_M]
