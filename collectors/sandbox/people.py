"""The photos that people have taken: found by box, time and licence, or by id."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.sandbox.awkward import awkward_title
from collectors.sandbox.chance import Chance
from collectors.sandbox.photo_changes import PhotoChanges
from collectors.sandbox.photo_tables import read_photo_table
from collectors.sandbox.photo_tiles import (
    TILE_COLUMNS,
    TILE_DEGREES,
    TILE_ROWS,
    WORLD_END,
    find_tile,
    make_tile,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from collectors.sandbox.photo_records import Photo, PhotoColumns

# A tile of photos takes about 0.1 MB: the cache holds at most some 400 MB.
_TILES_KEPT: Final = 4096
# A box of 400 square degrees has 6,400 tiles and takes some five seconds to make.
MOST_TILES: Final = 6_700


class Order(StrEnum):
    """How found photos are sorted; the values are the service's own."""

    POSTED_ASCENDING = "date-posted-asc"
    POSTED_DESCENDING = "date-posted-desc"
    TAKEN_ASCENDING = "date-taken-asc"
    TAKEN_DESCENDING = "date-taken-desc"
    INTERESTINGNESS_ASCENDING = "interestingness-asc"
    INTERESTINGNESS_DESCENDING = "interestingness-desc"
    RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class Span:
    """A closed range of seconds.

    Attributes:
        first: the earliest, or None for no limit.
        last: the latest, or None for no limit.
    """

    first: int | None = None
    last: int | None = None

    def holds(self, seconds: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Says which of the times (any shape) lie in the range."""
        inside = np.ones(seconds.shape, dtype=np.bool_)
        if self.first is not None:
            inside &= seconds >= self.first
        if self.last is not None:
            inside &= seconds <= self.last
        return inside


@dataclass(frozen=True, slots=True)
class PhotoQuery:
    """What to look for.

    Attributes:
        west: degrees east; not beyond `east`.
        south: degrees north; not beyond `north`.
        east: degrees east.
        north: degrees north. All four edges belong to the box.
        taken: limits of the capture time, on the owners' own clocks.
        uploaded: limits of the upload time (Unix).
        licences: the licence numbers wanted, or None for all.
        least_accuracy: the lowest accuracy wanted, or None for all.
        videos: whether videos are wanted.
        photos: whether photos are wanted.
        contents: the kinds of content wanted, or None for all.
        owner: the one owner wanted, or None for all.
        order: how to sort.
    """

    west: float
    south: float
    east: float
    north: float
    taken: Span = Span()
    uploaded: Span = Span()
    licences: frozenset[int] | None = None
    least_accuracy: int | None = None
    videos: bool = True
    photos: bool = True
    contents: frozenset[int] | None = None
    owner: str | None = None
    order: Order = Order.POSTED_DESCENDING


class BoxTooLargeError(ValueError):
    """The box holds more tiles than the sandbox is willing to make."""


class People:
    """The world's photos: made up from the seed, or those of a table.

    Args:
        seed: the world's seed.
        photos: a Parquet or CSV file whose photos take the place of the made-up ones.
        awkward: share of titles that are awkward, and of places that one owner floods, 0..1.

    Attributes:
        now: Unix time at which this world stands still; no photo is uploaded later.
        changes: what became of photos since.

    Raises:
        ValueError: when the file cannot be used (see `read_photo_table`).
        FileNotFoundError: when there is no such file.
    """

    def __init__(self, seed: int, photos: Path | None = None, *, awkward: float = 0.0) -> None:
        self.changes = PhotoChanges()
        self._seed = seed
        self._awkward = awkward
        self._table = None if photos is None else read_photo_table(photos)
        self._rows = (
            {}
            if self._table is None
            else {name: row for row, name in enumerate(self._table.photo_id.tolist())}
        )
        self._tile = lru_cache(maxsize=_TILES_KEPT)(lambda tile: make_tile(seed, tile, awkward))
        self.now = WORLD_END
        if self._table is not None and len(self._table):
            self.now = max(WORLD_END, int(self._table.uploaded.max()))

    def find(self, photo_id: str) -> Photo | None:
        """Finds a photo by its id.

        Args:
            photo_id: any text.

        Returns:
            The photo; None when there is none.
        """
        if self._table is not None:
            row = self._rows.get(photo_id)
            return None if row is None else self._dress(self._table.photo(row))
        if not (photo_id.isascii() and photo_id.isdigit() and len(photo_id) == 11):
            return None
        tile = find_tile(int(photo_id), self._seed)
        if tile is None:
            return None
        columns = self._tile(tile)
        found = np.flatnonzero(columns.photo_id == photo_id)
        return self._dress(columns.photo(int(found[0]))) if len(found) else None

    def search(self, query: PhotoQuery, start: int, stop: int) -> tuple[int, list[Photo]]:
        """Finds the photos that a query asks for.

        Args:
            query: what to look for.
            start: place of the first photo wanted in the sorted list, 0-based.
            stop: place behind the last photo wanted.

        Returns:
            How many photos there are in all, and the photos of the places asked for.

        Raises:
            BoxTooLargeError: when the box holds more than `MOST_TILES` tiles.
        """
        changes = self.changes
        parts = [
            (part, np.flatnonzero(_match(part, query, changes))) for part in self._parts(query)
        ]
        parts = [(part, rows) for part, rows in parts if len(rows)]
        if not parts:
            return 0, []
        where = np.concatenate([np.full(len(rows), n) for n, (_, rows) in enumerate(parts)])
        row = np.concatenate([rows for _, rows in parts])
        order = _sort(parts, query.order)[start:stop]
        return len(row), [self._dress(parts[where[n]][0].photo(int(row[n]))) for n in order]

    def _dress(self, photo: Photo) -> Photo:
        """Gives a photo its awkward title, if it has one; the columns would not hold 10 kB each."""
        licence = self.changes.licences.get(photo.photo_id)
        if licence is not None:
            photo = replace(photo, licence=licence)
        title = awkward_title(photo.photo_id, self._awkward)
        return photo if title is None else replace(photo, title=title)

    def _parts(self, query: PhotoQuery) -> Iterable[PhotoColumns]:
        if self._table is not None:
            return [self._table]
        rows = _tile_range(query.south + 90.0, query.north + 90.0, TILE_ROWS)
        columns = _tile_range(query.west + 180.0, query.east + 180.0, TILE_COLUMNS)
        if len(rows) * len(columns) > MOST_TILES:
            raise BoxTooLargeError(
                f"the box covers {len(rows) * len(columns)} tiles of {TILE_DEGREES} degrees; "
                f"the sandbox makes at most {MOST_TILES} for one query: ask for a smaller box"
            )
        return [self._tile(row * TILE_COLUMNS + column) for row in rows for column in columns]


def _tile_range(low: float, high: float, count: int) -> range:
    first = min(count - 1, max(0, math.floor(low / TILE_DEGREES)))
    last = min(count - 1, max(0, math.floor(high / TILE_DEGREES)))
    return range(first, last + 1)


def _match(columns: PhotoColumns, query: PhotoQuery, changes: PhotoChanges) -> NDArray[np.bool_]:
    hit = (columns.longitude >= query.west) & (columns.longitude <= query.east)
    hit &= (columns.latitude >= query.south) & (columns.latitude <= query.north)
    hit &= query.taken.holds(columns.taken) & query.uploaded.holds(columns.uploaded)
    hit &= np.where(columns.video, query.videos, query.photos)
    if query.licences is not None:
        hit &= np.isin(_licences(columns, changes), sorted(query.licences))
    if query.least_accuracy is not None:
        hit &= columns.accuracy >= query.least_accuracy
    if query.contents is not None:
        hit &= np.isin(columns.content, sorted(query.contents))
    if query.owner is not None:
        hit &= columns.owner == query.owner
    if changes.hidden:
        hit &= ~np.isin(columns.photo_id, sorted(changes.hidden))
    return hit


def _licences(columns: PhotoColumns, changes: PhotoChanges) -> NDArray[np.int64]:
    """The licences that photos have now."""
    if not changes.licences:
        return columns.licence
    now = columns.licence.copy()
    for row in np.flatnonzero(np.isin(columns.photo_id, sorted(changes.licences))).tolist():
        now[row] = changes.licences[columns.photo_id[row].item()]
    return now


def _sort(parts: list[tuple[PhotoColumns, NDArray[np.intp]]], order: Order) -> NDArray[np.intp]:
    """Sorts the matching rows of all parts; photos of the same rank by scene, so always alike."""
    scene = np.concatenate([part.scene[rows] for part, rows in parts])
    number = np.concatenate([part.photo_id[rows] for part, rows in parts])
    if order in {Order.TAKEN_ASCENDING, Order.TAKEN_DESCENDING}:
        rank = np.concatenate([part.taken[rows] for part, rows in parts])
    elif order in {Order.POSTED_ASCENDING, Order.POSTED_DESCENDING}:
        rank = np.concatenate([part.uploaded[rows] for part, rows in parts])
    else:
        rank = (Chance(order.value.partition("-")[0]).bits(scene) >> np.uint64(1)).astype(np.int64)
    ascending = order in {
        Order.POSTED_ASCENDING,
        Order.TAKEN_ASCENDING,
        Order.INTERESTINGNESS_ASCENDING,
    }
    return np.lexsort((number, rank if ascending else -rank))
