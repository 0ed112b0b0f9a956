"""The survey's plan, pure: which boxes and years to search, in which order, and when to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from collectors.geo import Box
from filters.sampling import seeded_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

SPLIT_ABOVE: Final = 3000
"""Announced results above which a probe is split. Flickr serves the first 4000 of a search, and its
totals are rough well below that (`flickr.photos.search`; Openverse stops at the same number)."""

PAGE_CAP: Final = 16
"""Pages of 250, the most that a search with a box gives, in the 4000 results Flickr serves."""

SHORTEST_SIDE_M: Final = 1000.0
"""A probe's box is not cut below this: a city block's photos are one place, not several strata."""

_METRES_PER_DEGREE: Final = 111_195.0
"""Length of a degree of latitude on a sphere of 6371 km; a plan needs no better."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One search to make: a box of ground and a window of local capture dates.

    Attributes:
        box: Degrees, half-open.
        taken_from: First day.
        taken_until: The day after the last (half-open, like the box).
    """

    box: Box
    taken_from: date
    taken_until: date

    def __post_init__(self) -> None:
        """Refuses a probe that holds nothing.

        Raises:
            ValueError: If the window or the box is empty.
        """
        if self.taken_from >= self.taken_until:
            msg = f"empty window: {self.taken_from} to {self.taken_until} (the day after the last)"
            raise ValueError(msg)
        if self.box.west >= self.box.east or self.box.south >= self.box.north:
            msg = f"empty box: {self.box}"
            raise ValueError(msg)

    @property
    def name(self) -> str:
        """A text that names the probe, exact to the last bit of its coordinates."""
        box = self.box
        return (
            f"{box.west!r},{box.south!r},{box.east!r},{box.north!r},"
            f"{self.taken_from},{self.taken_until}"
        )


def split(probe: Probe, *, years: int = 1) -> tuple[Probe, ...]:
    """Cuts a probe into strata that together are exactly the probe.

    The window is cut at calendar years, the box into quarters. A side of the box that would fall
    below `SHORTEST_SIDE_M` is not cut; where neither side can be, and the window lies within one
    stratum of years, the window is halved, down to a day.

    Args:
        probe: What to cut.
        years: Calendar years in one stratum, counted from year 0.

    Returns:
        The strata, oldest first, then south before north, west before east; the probe alone if it
        cannot be cut any further.

    Raises:
        ValueError: If `years` is less than 1.
    """
    if years < 1:
        msg = f"years in a stratum must be 1 or more, not {years}"
        raise ValueError(msg)
    boxes = _cut_box(probe.box)
    days = _year_edges(probe, years)
    if len(boxes) == 1 and len(days) == 2:
        days = _half_edges(probe)
    return tuple(Probe(box, first, last) for first, last in pairwise(days) for box in boxes)


def _year_edges(probe: Probe, years: int) -> list[date]:
    """Returns the window's ends and the first days of strata that lie between them."""
    first = (probe.taken_from.year // years + 1) * years
    starts = (date(year, 1, 1) for year in range(first, probe.taken_until.year + 1, years))
    between = [day for day in starts if day < probe.taken_until]
    return [probe.taken_from, *between, probe.taken_until]


def _half_edges(probe: Probe) -> list[date]:
    """Returns the window's ends and its middle day, where it has more than one day."""
    half = (probe.taken_until - probe.taken_from).days // 2
    middle = [probe.taken_from + timedelta(days=half)] if half else []
    return [probe.taken_from, *middle, probe.taken_until]


def _cut_box(box: Box) -> tuple[Box, ...]:
    """Returns the quarters of a box; halves, or the box itself, where a side is short."""
    widest = max(abs(box.south), abs(box.north))
    width_m = (box.east - box.west) * _METRES_PER_DEGREE * math.cos(math.radians(widest))
    height_m = (box.north - box.south) * _METRES_PER_DEGREE
    lons, lats = [box.west, box.east], [box.south, box.north]
    if width_m >= 2 * SHORTEST_SIDE_M:
        lons.insert(1, (box.west + box.east) / 2)
    if height_m >= 2 * SHORTEST_SIDE_M:
        lats.insert(1, (box.south + box.north) / 2)
    return tuple(
        Box(west, south, east, north)
        for south, north in pairwise(lats)
        for west, east in pairwise(lons)
    )


def order(probes: Iterable[Probe], seed: int) -> tuple[Probe, ...]:
    """Puts probes into an order of chance that depends on the seed and on nothing else."""
    return tuple(sorted(probes, key=lambda probe: (seeded_hash(seed, probe.name), probe.name)))


Ending = Literal["quota", "exhausted", "budget"]
"""Why a survey ended: enough photos kept, nothing left to ask, or no calls left."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """A probe that is being paged through.

    Attributes:
        probe: What is asked.
        page: The page to ask for next, from 1.
        patience: Pages without new ids that may still come. The first page of each probe that this
            one was cut from brought ids that come up here again.
    """

    probe: Probe
    page: int
    patience: int


@dataclass(frozen=True, slots=True)
class Survey:
    """The state of a cell's survey; `answered` returns the next state, nothing changes in place.

    Strata take turns, a page at a time, so that none of them fills the quota alone. The same seed
    and answers give the same questions.

    Attributes:
        queue: The strata still to visit, the next one first.
        seed: Orders the strata.
        quota: Photos to keep in the cell.
        calls_left: Searches that may still be made.
        years: Calendar years in a stratum.
        split_above: Announced results above which a probe is cut.
        page_cap: Pages of a probe that are worth asking for.
    """

    queue: tuple[Stratum, ...]
    seed: int
    quota: int
    calls_left: int
    years: int = 1
    split_above: int = SPLIT_ABOVE
    page_cap: int = PAGE_CAP

    @classmethod
    def start(
        cls,
        probes: Iterable[Probe],
        seed: int,
        quota: int,
        call_budget: int,
        *,
        years: int = 1,
        split_above: int = SPLIT_ABOVE,
        page_cap: int = PAGE_CAP,
    ) -> Survey:
        """Begins a survey.

        Args:
            probes: Where to look first: boxes and windows that do not overlap.
            seed: Orders the strata.
            quota: Photos to keep in the cell.
            call_budget: Searches that may be made.
            years: Calendar years in a stratum.
            split_above: Announced results above which a probe is cut.
            page_cap: Pages of a probe that are worth asking for.
        """
        queue = tuple(Stratum(probe, 1, 0) for probe in order(set(probes), seed))
        return cls(queue, seed, quota, call_budget, years, split_above, page_cap)

    def next(self) -> tuple[Probe, int] | None:
        """Returns the search to make now and its page, or None when there is none."""
        if not self.queue or self.calls_left <= 0:
            return None
        return self.queue[0].probe, self.queue[0].page

    def ending(self, kept: int = 0) -> Ending | None:
        """Says why the survey is over, or None while it is not.

        Args:
            kept: Photos of the cell that were judged and kept so far.
        """
        if kept >= self.quota:
            return "quota"
        if not self.queue:
            return "exhausted"
        return "budget" if self.calls_left <= 0 else None

    def answered(
        self, probe: Probe, page: int, *, total: int, pages: int, new_ids: int, exhausted: bool
    ) -> Survey:
        """Returns the survey after an answer.

        Args:
            probe: What `next` asked for.
            page: The page that it asked for.
            total: Results that Flickr announced for the probe.
            pages: Pages that Flickr announced for it.
            new_ids: Photos on the page that no page of this survey had before.
            exhausted: Whether Flickr said that there is nothing at this page or beyond.

        Raises:
            ValueError: If this is not the answer to `next`.
        """
        if (probe, page) != self.next():
            msg = f"answer to page {page} of {probe.name}, but {self.next()} was asked"
            raise ValueError(msg)
        now, *rest = self.queue
        children: tuple[Probe, ...] = ()
        if page == 1 and total > self.split_above:
            children = split(probe, years=self.years)
        if len(children) > 1:
            strata = (Stratum(child, 1, now.patience + 1) for child in order(children, self.seed))
            rest.extend(strata)
        else:
            patience = now.patience - (new_ids == 0)
            over = exhausted or patience < 0 or page >= min(pages, self.page_cap)
            if not over:
                rest.append(Stratum(probe, page + 1, patience))
        return replace(self, queue=tuple(rest), calls_left=self.calls_left - 1)
