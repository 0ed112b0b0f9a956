"""Finding centres near photos fast: square buckets, and which area of interest holds which point.

Positions are rows of (x, y) in metres. Every array of positions comes once for each CRS in play,
because a photo near a zone's edge may lie in the area of a chip of the next zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STRIDE: Final = 1 << 32
"""Bucket (i, j) has the key i · 2³² + j: bucket numbers are far below 2³¹."""

_AROUND: Final = tuple(i * _STRIDE + j for i in (0, -1, 1) for j in (0, -1, 1))
"""From a bucket to itself, where a centre is most likely, and to its neighbours."""

_BLOCK: Final = 1 << 16
"""Photos turned into Python numbers at once: as many as bound the memory."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The measures that all chips of a sensor share.

    Attributes:
        scale_m: Size of a pixel in metres.
        size_px: Rows, and columns.
        area_px: Rows, and columns, of the central area of interest.
    """

    scale_m: float
    size_px: int
    area_px: int

    @property
    def half_m(self) -> float:
        """Half the width of a chip."""
        return self.scale_m * self.size_px / 2

    @property
    def area_half_m(self) -> float:
        """Half the width of the area of interest."""
        return self.scale_m * self.area_px / 2

    @property
    def bucket_m(self) -> float:
        """Width of a bucket: what an area holds lies in the bucket of its centre or next to it.

        Two pixels more than half the area, for the pixel that snapping may move a centre by.
        """
        return self.area_half_m + 2 * self.scale_m

    def holds(self, west: float, north: float, x: float, y: float) -> bool:
        """Says whether the area of the chip with this corner holds a point; half-open.

        The arithmetic is that of `ChipGrid.pixel_of` and `ChipGrid.area_holds`.
        """
        low = (self.size_px - self.area_px) / 2
        return (
            low <= (x - west) / self.scale_m < low + self.area_px
            and low <= (north - y) / self.scale_m < low + self.area_px
        )

    def keys(self, points: NDArray[np.float64]) -> NDArray[np.int64]:
        """Returns the bucket of each point."""
        numbers = np.floor(points / self.bucket_m).astype(np.int64)
        return numbers[..., 0] * _STRIDE + numbers[..., 1]


class CentreIndex:
    """The centres of one time bin, in buckets of each CRS.

    Attributes:
        layout: The measures of the sensor's chips.
        home: For each centre, the number of the CRS of its grid.
        corner: For each centre, the west and north edge of its grid in metres of that CRS.
        places: For each centre, its position (x, y) in every CRS.
    """

    def __init__(self, layout: Layout, systems: int) -> None:
        """Makes an empty index for a number of CRSs."""
        self.layout = layout
        self.home: list[int] = []
        self.corner: list[tuple[float, float]] = []
        self.places: list[list[list[float]]] = []
        self._buckets: list[dict[int, list[int]]] = [{} for _ in range(systems)]

    def add(self, home: int, corner: tuple[float, float], places: list[list[float]]) -> None:
        """Adds a centre."""
        keys = self.layout.keys(np.array(places)).tolist()
        self._put(home, corner, places, keys)

    def _put(
        self, home: int, corner: tuple[float, float], places: list[list[float]], keys: list[int]
    ) -> None:
        number = len(self.home)
        self.home.append(home)
        self.corner.append(corner)
        self.places.append(places)
        for buckets, key in zip(self._buckets, keys, strict=True):
            buckets.setdefault(key, []).append(number)

    def choose(
        self,
        own: NDArray[np.intp],
        spots: NDArray[np.float64],
        corners: NDArray[np.float64],
        centres: NDArray[np.float64],
        allowed: NDArray[np.bool_],
    ) -> list[int]:
        """Makes centres of photos, one after the other, wherever there is room, and adds them.

        Args:
            own: (photos,) number of the CRS of each photo's own grid.
            spots: (systems, photos, 2) the photos.
            corners: (photos, 2) west and north edge of each photo's own grid.
            centres: (systems, photos, 2) the centre of that grid.
            allowed: (photos,) whether a photo may become a centre.

        Returns:
            Those that became centres.
        """
        made: list[int] = []
        candidates = np.flatnonzero(allowed)
        for start in range(0, len(candidates), _BLOCK):
            block = candidates[start : start + _BLOCK]
            rows = zip(
                block.tolist(), own[block].tolist(), corners[block].tolist(),
                np.moveaxis(spots[:, block], 0, 1).tolist(),
                np.moveaxis(centres[:, block], 0, 1).tolist(),
                self.layout.keys(centres[:, block]).T.tolist(),
                strict=True,
            )  # fmt: skip
            for i, home, (west, north), spot, centre, keys in rows:
                corner = (west, north)
                if self._is_free(home, corner, spot, centre, keys):
                    self._put(home, corner, centre, keys)
                    made.append(i)
        return made

    def _is_free(
        self,
        home: int,
        corner: tuple[float, float],
        spot: list[list[float]],
        centre: list[list[float]],
        keys: list[int],
    ) -> bool:
        """Says whether a photo may become a centre beside those that are there."""
        holds = self.layout.holds
        for system, buckets in enumerate(self._buckets):
            key = keys[system]
            for step in _AROUND:
                for other in buckets.get(key + step, ()):
                    if system == home and holds(*corner, *self.places[other][system]):
                        return False
                    if self.home[other] == system:
                        its = self.corner[other]
                        if holds(*its, *spot[system]) or holds(*its, *centre[system]):
                            return False
        return True


def covering(
    index: CentreIndex, spots: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Returns every (photo, centre) where the centre's area holds the photo.

    Args:
        index: The centres.
        spots: (systems, photos, 2) the photos in metres of each CRS.

    Returns:
        Photo, centre, and their squared distance in square metres of the centre's CRS.
    """
    layout = index.layout
    low = (layout.size_px - layout.area_px) / 2
    home = np.array(index.home, dtype=np.intp)
    corner = np.array(index.corner, dtype=np.float64).reshape(-1, 2)
    found: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]] = []
    for system in range(len(spots)):
        here = np.flatnonzero(home == system)
        middle = corner[here] + np.array([layout.half_m, -layout.half_m])
        keys = layout.keys(middle)
        order = np.argsort(keys, kind="stable")
        keys, here = keys[order], here[order]
        photo_keys = layout.keys(spots[system])
        for step in _AROUND:
            first = np.searchsorted(keys, photo_keys + step, side="left")
            count = np.searchsorted(keys, photo_keys + step, side="right") - first
            photo = np.repeat(np.arange(len(photo_keys)), count)
            rank = np.arange(len(photo)) - np.repeat(np.cumsum(count) - count, count)
            centre = here[np.repeat(first, count) + rank]
            x, y = spots[system, photo].T
            column = (x - corner[centre, 0]) / layout.scale_m
            row = (corner[centre, 1] - y) / layout.scale_m
            held = (
                (low <= row) & (row < low + layout.area_px)
                & (low <= column) & (column < low + layout.area_px)
            )  # fmt: skip
            across = (column - layout.size_px / 2) * layout.scale_m
            down = (row - layout.size_px / 2) * layout.scale_m
            squared = across * across + down * down
            found.append((photo[held], centre[held], squared[held]))
    photos, centres, distances = (np.concatenate(part) for part in zip(*found, strict=True))
    return photos, centres, distances
