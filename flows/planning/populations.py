"""Photos of a cell, made up so that they resemble those that a search has shown.

A search shows 250 photos of thousands. The rest is made of copies of what was seen: whole outings
(one owner's photos of one day in one cell), so that bursts stay bursts, moved in time and place.
How often a copy stands on new ground, or is another owner's, is the chance that the next photo is
of a kind not seen before, by Good and Turing: the share of kinds that were seen once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from collectors.geo import Box
    from collectors.records import Photo

PLACE_DEGREES: Final = 0.01
"""Outings within about a kilometre of latitude count as one place."""

STRAY_DEGREES: Final = 0.0007
"""A copy on known ground strays so far from what it copies, one standard deviation: 80 m."""

NEIGHBOURS: Final = 5
"""A copy on new ground stands between what it copies and one of so many nearest outings."""

_TRIES: Final = 8

Outing = tuple["Photo", ...]


@dataclass(frozen=True, slots=True)
class Uploads:
    """Which share of the photos had been uploaded by when; both rise.

    Attributes:
        times: Seconds since 1970, UTC.
        shares: 0 to 1.
    """

    times: tuple[float, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, first: datetime, last: datetime, seen: Sequence[tuple[datetime, float]]) -> Uploads:
        """Makes the curve that passes through what was seen, in order.

        Args:
            first: Before this nothing was uploaded, aware.
            last: Until then everything was, aware.
            seen: Times, and the shares that had been uploaded by then.
        """
        middle = sorted((min(max(at, first), last).timestamp(), share) for at, share in seen)
        shares = np.sort(np.clip([share for _, share in middle], 0.0, 1.0)).tolist()
        times = [first.timestamp(), *(at for at, _ in middle), last.timestamp()]
        return cls(tuple(times), (0.0, *shares, 1.0))

    def after(self, moment: datetime) -> Uploads:
        """Returns the curve of what was uploaded from a moment on."""
        start = min(moment.timestamp(), self.times[-1])
        gone = float(np.interp(start, self.times, self.shares))
        later = [
            (at, (share - gone) / (1 - gone))
            for at, share in zip(self.times, self.shares, strict=True)
            if at > start and gone < 1
        ]
        later = later or [(self.times[-1], 1.0)]
        return Uploads((start, *(at for at, _ in later)), (0.0, *(share for _, share in later)))

    def draw(self, rng: np.random.Generator) -> datetime:
        """Draws the time of an upload."""
        at = float(np.interp(rng.random(), self.shares, self.times))
        return datetime.fromtimestamp(round(at), UTC)


def outings_of(photos: Sequence[Photo]) -> list[Outing]:
    """Returns photos by owner and day, in a fixed order."""
    found: defaultdict[tuple[str, date], list[Photo]] = defaultdict(list)
    for photo in sorted(photos, key=lambda one: one.photo_id):
        found[photo.owner, photo.taken_at.date()].append(photo)
    return [tuple(outing) for _, outing in sorted(found.items())]


def moved(photo: Photo, old: Box, new: Box) -> Photo:
    """Returns a photo at the same place of another box."""
    across = (photo.lon - old.west) / (old.east - old.west)
    up = (photo.lat - old.south) / (old.north - old.south)
    return replace(
        photo,
        lon=new.west + across * (new.east - new.west),
        lat=new.south + up * (new.north - new.south),
    )


def populate(
    outings: Sequence[Outing],
    count: int,
    holds: Callable[[float, float], bool],
    window: tuple[date, date],
    uploads: Uploads,
    rng: np.random.Generator,
) -> list[Photo]:
    """Makes up the photos of a piece of ground.

    Args:
        outings: What was seen there, or of the like.
        count: Photos that there are.
        holds: Says whether a place, in degrees, is on the ground.
        window: First and last local day of capture.
        uploads: When photos were uploaded.
        rng: Chance.
    """
    if not outings or count <= 0:
        return []
    places = np.array([[one[0].lon, one[0].lat] for one in outings])
    new_place = _unseen(Counter(map(tuple, np.floor(places / PLACE_DEGREES).astype(int).tolist())))
    new_owner = _unseen(Counter(one[0].owner for one in outings))
    made: list[Photo] = []
    number = 0
    while len(made) < count:
        number += 1
        which = int(rng.integers(len(outings)))
        shift = _shift(which, places, new_place, holds, rng)
        later = _later(outings[which], window, uploads, rng)
        owner = f"model-{number}@N00" if rng.random() < new_owner else outings[which][0].owner
        for photo in outings[which][: count - len(made)]:
            made.append(
                replace(
                    photo,
                    photo_id=f"9{len(made):011d}",
                    owner=owner,
                    lon=photo.lon + shift[0],
                    lat=photo.lat + shift[1],
                    taken_at=photo.taken_at + later,
                    uploaded_at=photo.uploaded_at + later,
                )
            )
    return made


def _unseen(counts: Counter[tuple[int, ...]] | Counter[str]) -> float:
    """Returns the chance that the next is of a kind that was not seen (Good and Turing)."""
    once = sum(count == 1 for count in counts.values())
    return once / counts.total()


def _shift(
    which: int,
    places: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    new_place: float,
    holds: Callable[[float, float], bool],
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Returns how far a copy is moved, degrees east and north; not off the ground."""
    here = places[which]
    for _ in range(_TRIES):
        to = here + rng.normal(0, STRAY_DEGREES, 2)
        if len(places) > 1 and rng.random() < new_place:
            distances = np.hypot(*(places - here).T)
            near = np.argsort(distances, kind="stable")[1 : NEIGHBOURS + 1]
            to = to + rng.random() * (places[rng.choice(near)] - here)
        if holds(float(to[0]), float(to[1])):
            return float(to[0] - here[0]), float(to[1] - here[1])
    return 0.0, 0.0


def _later(
    outing: Outing, window: tuple[date, date], uploads: Uploads, rng: np.random.Generator
) -> timedelta:
    """Returns how much later a copy was taken and uploaded; within the window of capture."""
    for _ in range(_TRIES):
        later = uploads.draw(rng) - outing[0].uploaded_at
        days = [(photo.taken_at + later).date() for photo in outing]
        if window[0] <= min(days) and max(days) <= window[1]:
            return later
    return timedelta(0)
