"""Points in square buckets, so that the neighbours of each are found without looking at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class Buckets:
    """All points of one CRS, in the buckets of their time bins.

    The occupied buckets are numbered by bin, column and row, so that the three in a column next to
    each other have numbers in a row. Which of them surround a bucket is found once.
    """

    def __init__(self, points: NDArray[np.float64], bins: NDArray[np.intp], width_m: float) -> None:
        """Sorts points into buckets.

        Args:
            points: (points, 2) x and y in metres.
            bins: (points,) number of each point's time bin.
            width_m: Width of a bucket.
        """
        place = np.floor(points / width_m).astype(np.int64)
        place -= place.min(axis=0) - 1
        columns, rows = place.max(axis=0) + 2
        keys = (bins * columns + place[:, 0]) * rows + place[:, 1]
        occupied, number = np.unique(keys, return_inverse=True)
        self._number: NDArray[np.intp] = number
        around = occupied + np.array([[-rows], [0], [rows]])
        self._first = np.searchsorted(occupied, around - 1, side="left")
        self._end = np.searchsorted(occupied, around + 1, side="right")

    def members(self, chosen: NDArray[np.intp]) -> Members:
        """Returns some of the points, ready to be found from any of the points."""
        number = self._number[chosen]
        edges = np.zeros(self._first.shape[1] + 1, dtype=np.intp)
        np.cumsum(np.bincount(number, minlength=self._first.shape[1]), out=edges[1:])
        order = np.argsort(number, kind="stable")
        return Members(self._number, edges[self._first], edges[self._end], chosen[order])


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Some of the points in buckets.

    Attributes:
        number: (points,) the bucket of each point.
        first: (3, buckets) where, in `chosen`, the members in a column around a bucket begin.
        end: (3, buckets) where they end.
        chosen: The members, by bucket.
    """

    number: NDArray[np.intp]
    first: NDArray[np.intp]
    end: NDArray[np.intp]
    chosen: NDArray[np.intp]

    def count(self, points: NDArray[np.intp]) -> int:
        """Counts the pairs that `pairs` yields."""
        number = self.number[points]
        return int((self.end[:, number] - self.first[:, number]).sum())

    def pairs(
        self, points: NDArray[np.intp], *, at_most: int
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yields the members in the bucket of each point and in those around it.

        Args:
            points: Points whose neighbours are wanted.
            at_most: Pairs in one block, unless a single point has more.

        Yields:
            Place in `points`, and member, by place.
        """
        if not len(self.chosen):
            return
        number = self.number[points]
        first = self.first[:, number].T.ravel()
        many = self.end[:, number].T.ravel() - first
        each = many.reshape(-1, 3).sum(axis=1)
        total = np.cumsum(each)
        start = 0
        while start < len(points):
            done = int(total[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(total, done + at_most, side="right")))
            count = many[3 * start : 3 * stop]
            ends = np.cumsum(count)
            offset = first[3 * start : 3 * stop] - ends + count
            member = np.repeat(offset, count) + np.arange(ends[-1])
            yield np.repeat(np.arange(start, stop), each[start:stop]), self.chosen[member]
            start = stop
