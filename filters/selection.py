"""Who is downloaded next: evenly over the ground of a cell and over the years, by chance within.

What a survey brings lies where people take photos: most of it in one town, much of it of one
summer. Drawn blindly, the sample would be the same. So photos are drawn stratum by stratum, a
stratum being a box of about 10 km and a year of capture, and each time from the box that has least.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from collectors.cells import tile_at
from filters.sampling import part_of, photo_hash

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

BOXES_ACROSS: Final = 10
"""Boxes across a cell: 100 boxes of 99.6 km² in each, the same ground everywhere."""

Box = tuple[int, int]
"""Row and column of a box, counted over the whole Earth."""


class Placed(Protocol):
    """What is read of a photo; a `collectors.records.Photo` is one, and so is a row of it.

    Attributes:
        photo_id: Flickr's id, decimal digits.
        owner: Flickr's id of the owner.
        lon: Longitude in degrees.
        lat: Latitude in degrees.
        taken_at: Local wall-clock time of the capture, without zone.
    """

    @property
    def photo_id(self) -> str: ...  # noqa: D102
    @property
    def owner(self) -> str: ...  # noqa: D102
    @property
    def lon(self) -> float: ...  # noqa: D102
    @property
    def lat(self) -> float: ...  # noqa: D102
    @property
    def taken_at(self) -> datetime: ...  # noqa: D102


def box_of(photo: Placed) -> Box:
    """Returns the box of about 10 km that holds a photo."""
    return tile_at(photo.lon, photo.lat, BOXES_ACROSS)


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A photo that passed the screen and waits to be downloaded; sorts by chance, then by id.

    Attributes:
        rank: Its `photo_hash`.
        photo_id: Flickr's id.
        owner: Flickr's id of the owner.
        box: Where it was taken.
        year: Local year of capture.
    """

    rank: int
    photo_id: str
    owner: str
    box: Box
    year: int

    @classmethod
    def of(cls, photo: Placed, seed: int) -> Candidate:
        """Gives a photo its place in the order of chance, and its stratum."""
        rank = photo_hash(seed, photo.photo_id)
        return cls(rank, photo.photo_id, photo.owner, box_of(photo), photo.taken_at.year)


@dataclass(slots=True)
class Held:
    """What a cell keeps already, counted.

    Attributes:
        total: Photos.
        by_owner: Photos of each owner.
        by_box: Photos of each box.
        by_stratum: Photos of each box and year.
    """

    total: int = 0
    by_owner: Counter[str] = field(default_factory=Counter)
    by_box: Counter[Box] = field(default_factory=Counter)
    by_stratum: Counter[tuple[Box, int]] = field(default_factory=Counter)

    def add(self, photo: Placed) -> None:
        """Counts one photo more."""
        self._count(photo.owner, box_of(photo), photo.taken_at.year)

    def copy(self) -> Held:
        """Returns counts that go their own way from here."""
        return Held(
            self.total, Counter(self.by_owner), Counter(self.by_box), Counter(self.by_stratum)
        )

    def take(self, candidate: Candidate) -> None:
        """Counts one candidate more."""
        self._count(candidate.owner, candidate.box, candidate.year)

    def _count(self, owner: str, box: Box, year: int) -> None:
        self.total += 1
        self.by_owner[owner] += 1
        self.by_box[box] += 1
        self.by_stratum[box, year] += 1


def choose(
    waiting: Iterable[Candidate], held: Held, *, quota: int, owner_share: float, batch: int
) -> list[Candidate]:
    """Picks the photos to download next.

    Each time: from the box that holds least, its year that holds least, the photo of smallest hash;
    of boxes and years that hold equally much, the one with the smallest hash. What is picked counts
    as held for the next pick.

    Args:
        waiting: Photos that may be downloaded, in any order.
        held: What the cell keeps already.
        quota: Photos to keep in the cell.
        owner_share: No owner may have more than this share of the quota, rounded up, at least 1.
        batch: The most to pick.

    Returns:
        At most `batch`, never more than `quota - held.total`, in the order of picking; those passed
        over for their owner's share may come up again once others of that owner were rejected.

    Raises:
        ValueError: If the owner share is not above 0 and up to 1.
    """
    if not 0 < owner_share <= 1:
        msg = f"an owner's share is above 0 up to 1, not {owner_share}"
        raise ValueError(msg)
    room = min(quota - held.total, batch)
    limit = part_of(quota, owner_share)
    taken = held.copy()
    boxes: dict[Box, dict[int, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
    for candidate in sorted(set(waiting), reverse=True):  # so that the smallest is popped
        boxes[candidate.box][candidate.year].append(candidate)

    def entry(box: Box) -> tuple[int, int, Candidate] | None:
        """The next candidate of a box, after how much the box and the candidate's year hold."""
        for years in boxes[box].values():
            while years and taken.by_owner[years[-1].owner] >= limit:
                years.pop()
        best = min(
            (
                (taken.by_stratum[box, year], waiting_there[-1])
                for year, waiting_there in boxes[box].items()
                if waiting_there
            ),
            default=None,
        )
        return None if best is None else (taken.by_box[box], *best)

    heap = [one for box in boxes if (one := entry(box)) is not None]
    heapq.heapify(heap)
    chosen: list[Candidate] = []
    while heap and len(chosen) < room:
        _, _, candidate = heapq.heappop(heap)
        # Its owner's share may have been used up by another box since.
        if taken.by_owner[candidate.owner] < limit:
            boxes[candidate.box][candidate.year].pop()
            taken.take(candidate)
            chosen.append(candidate)
        if (following := entry(candidate.box)) is not None:
            heapq.heappush(heap, following)
    return chosen
