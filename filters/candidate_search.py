"""Choosing the centres among many grids, and finding which centre's area holds which photo.

Everything is done in arrays, for all time bins of a cell at once. Positions are rows of (x, y) in
metres. Every array of positions comes once for each CRS in play, because a photo near a zone's
edge may lie in the area of a chip of the next zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from filters.buckets import Buckets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_FIRST_BLOCK: Final = 512
"""Photos of the first block; each later block is as large as all before it together."""

_PAIRS_AT_ONCE: Final = 1 << 21
"""Pairs of neighbours looked at together: about 300 MB at most, whatever the density."""

_PHOTOS_AT_ONCE: Final = 1 << 16
"""Photos whose neighbours are looked up together: what they need stays in the cache."""


Pairs = tuple["NDArray[np.intp]", "NDArray[np.intp]", "NDArray[np.intp]"]
"""(pairs,) each: a grid's place among those asked about, the grid, and a centre near it."""


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

        Two pixels more than half the area: snapping moves a centre from its photo by less than
        one, and the scales of two zones at their edge differ by less than a thousandth.
        """
        return self.area_half_m + 2 * self.scale_m

    def holds(self, corners: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Says whether the areas of the chips with these corners hold these points; half-open.

        The arithmetic is that of `ChipGrid.pixel_of` and `ChipGrid.area_holds`.
        """
        low = (self.size_px - self.area_px) / 2
        high = low + self.area_px
        column = (points[:, 0] - corners[:, 0]) / self.scale_m
        row = (corners[:, 1] - points[:, 1]) / self.scale_m
        held: NDArray[np.bool_] = (low <= column) & (column < high) & (low <= row) & (row < high)
        return held


@dataclass(frozen=True, slots=True, eq=False)
class Grids:
    """Grids as columns: the chips that are there, then each photo's own, in the photos' order.

    Attributes:
        existing: How many chips there are; the photo i has the grid `existing` + i.
        home: (grids,) number of the CRS of each grid.
        bins: (grids,) number of the time bin of each grid.
        corners: (grids, 2) west and north edge in metres of that CRS.
        centres: (systems, grids, 2) the grid's centre in every CRS.
        spots: (systems, photos, 2) the photos in every CRS.
    """

    existing: int
    home: NDArray[np.intp]
    bins: NDArray[np.intp]
    corners: NDArray[np.float64]
    centres: NDArray[np.float64]
    spots: NDArray[np.float64]


class CentreSearch:
    """Looks for neighbours among the grids of one cell and sensor."""

    def __init__(self, grids: Grids, layout: Layout) -> None:
        """Sorts all grids into buckets, in each CRS."""
        self._grids, self._layout = grids, layout
        self._buckets = [Buckets(centres, grids.bins, layout.bucket_m) for centres in grids.centres]

    def choose(self, allowed: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Makes centres of photos, as if one after the other, wherever there is room.

        Photos are taken in blocks that double: what lies near a centre of an earlier block falls
        out at once, so that few are left to be compared among themselves.

        Args:
            allowed: (photos,) whether a photo may become a centre.

        Returns:
            The grids of all centres: those that are there, then those that photos made.
        """
        queue = np.flatnonzero(allowed) + self._grids.existing
        centres = np.arange(self._grids.existing)
        start, size = 0, _FIRST_BLOCK
        while start < len(queue):
            free = queue[start : start + size]
            if len(centres):
                free = free[~self._taken(free, centres)]
            if size > 1 and self._neighbours(free) > _PAIRS_AT_ONCE:
                size //= 2
                continue
            centres = np.concatenate([centres, self._settle(free)])
            start += size
            size = max(start, _FIRST_BLOCK)
        return centres

    def _neighbours(self, grids: NDArray[np.intp]) -> int:
        """Counts the pairs that settling these grids would look at, in the worst of the CRSs."""
        return max(one.members(grids).count(grids) for one in self._buckets)

    def _taken(self, grids: NDArray[np.intp], centres: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Says which of these grids may not be, because of a centre."""
        taken = np.zeros(len(grids), dtype=np.bool_)
        for which, late, early in self._conflicts(grids, centres):
            taken[which[self._clash(late, early)]] = True
        return taken

    def _conflicts(self, grids: NDArray[np.intp], centres: NDArray[np.intp]) -> Iterator[Pairs]:
        """Yields all pairs of a grid and a centre that may be in each other's way, in blocks.

        Two zones are turned against each other, so that a centre may lie in a grid's area though
        it is no neighbour in its own CRS: grids are looked for in theirs as well.
        """
        yield from self._near(grids, centres)
        for system in range(len(self._buckets)) if len(self._buckets) > 1 else ():
            own = self._grids.home[grids] == system
            away = centres[self._grids.home[centres] != system]
            here = np.flatnonzero(own)
            for place, grid, centre in self._near_in(system, grids[here], away):
                yield here[place], grid, centre

    def _near(self, grids: NDArray[np.intp], centres: NDArray[np.intp]) -> Iterator[Pairs]:
        """Yields the pairs that are neighbours in the CRS of the centre."""
        for system in range(len(self._buckets)):
            yield from self._near_in(system, grids, centres[self._grids.home[centres] == system])

    def _near_in(
        self, system: int, grids: NDArray[np.intp], centres: NDArray[np.intp]
    ) -> Iterator[Pairs]:
        members = self._buckets[system].members(centres)
        for start in range(0, len(grids), _PHOTOS_AT_ONCE):
            block = grids[start : start + _PHOTOS_AT_ONCE]
            for place, centre in members.pairs(block, at_most=_PAIRS_AT_ONCE):
                yield place + start, block[place], centre

    def _clash(self, late: NDArray[np.intp], early: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Says of each pair whether the later grid may not be beside the earlier centre.

        It may not if its photo or its centre lies in the area of the centre, or that in its own.
        """
        grids, holds = self._grids, self._layout.holds
        there, here = grids.home[early], grids.home[late]
        corners = grids.corners[early]
        return (
            holds(corners, grids.spots[there, late - grids.existing])
            | holds(corners, grids.centres[there, late])
            | holds(grids.corners[late], grids.centres[here, early])
        )

    def _settle(self, grids: NDArray[np.intp]) -> NDArray[np.intp]:
        """Returns which of these grids become centres, an earlier one before a later one.

        In rounds: a grid without an undecided earlier neighbour in its way becomes a centre, and
        what it is in the way of falls out. That is the same as one after the other (Blelloch,
        Fineman, Shun: Greedy sequential maximal independent set and matching are parallel on
        average, 2012), and takes a few rounds only.
        """
        if not len(grids):
            return grids
        first, last = [], []
        for place, grid, other in self._conflicts(grids, grids):
            clash = other < grid
            clash[clash] = self._clash(grid[clash], other[clash])
            last.append(place[clash])
            first.append(np.searchsorted(grids, other[clash]))
        early, late = np.concatenate(first), np.concatenate(last)
        undecided = np.ones(len(grids), dtype=np.bool_)
        centre = np.zeros(len(grids), dtype=np.bool_)
        while len(early):
            waiting = np.zeros(len(grids), dtype=np.bool_)
            waiting[late] = True
            chosen = undecided & ~waiting
            centre |= chosen
            undecided &= waiting
            undecided[late[chosen[early]]] = False
            open_still = undecided[early] & undecided[late]
            early, late = early[open_still], late[open_still]
        return grids[centre | undecided]

    def covering(
        self, centres: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
        """Returns every (photo, centre) where the centre's area holds the photo.

        Args:
            centres: The grids that are centres.

        Returns:
            Photo; centre, by its place in `centres`; and their squared distance in square metres
            of the centre's CRS.
        """
        grids, layout = self._grids, self._layout
        number = np.empty(len(grids.home), dtype=np.intp)
        number[centres] = np.arange(len(centres))
        found: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]] = []
        photos = np.arange(grids.existing, len(grids.home))
        for photo, grid, centre in self._near(photos, centres):
            system = grids.home[centre]
            spots, corners = grids.spots[system, grid - grids.existing], grids.corners[centre]
            held = layout.holds(corners, spots)
            away = (spots[held] - corners[held]) / layout.scale_m
            away = (np.abs(away) - layout.size_px / 2) * layout.scale_m
            found.append((photo[held], number[centre[held]], (away * away).sum(axis=1)))
        if not found:
            nothing = np.empty(0, dtype=np.intp)
            return nothing, nothing, np.empty(0)
        photo, centre, squared = (np.concatenate(part) for part in zip(*found, strict=True))
        return photo, centre, squared
