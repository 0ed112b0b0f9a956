"""Which chips may stand against which: negatives for triplets, each with what makes it one.

Three things are compared: place, season and land cover. Each is alike, different, or neither
clearly; what is not clear is never claimed. Chips of the same place, and chips with pictures that
are near each other, are never each other's negatives.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from filters.picture_hashes import TOLERANCE
from filters.sampling import seeded_hash
from filters.seasons import TROPIC, Season
from filters.splits import Split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius (IUGG)."""

SAME_PLACE_SIDES: Final = 2.0
"""Centres nearer than this many sides of the larger chip are one place. Footprints that overlap
have centres less than √2 sides apart, whatever their zones."""

NEAR_M: Final = 50_000.0
"""Up to here two places are alike."""

FAR_M: Final = 100_000.0
"""From here on they are different."""

SEASON_DAYS: Final = 45
"""Two seasons are different if their days are this far apart in the year: half a season."""

COVER_ALIKE_PCT: Final = 75.0
"""Ground that two chips have in common, from which on their land cover is alike."""

COVER_OTHER_PCT: Final = 50.0
"""Up to here it is different, if what covers most is, too."""

DRAWS: Final = 64
"""Chips that are looked at from each pool for a triplet, unless the pool has no more than
`WHOLE_POOL`."""

WHOLE_POOL: Final = 256
"""Pools of so many chips are looked through wholly."""

_YEAR: Final = 365.25
_LAST_YEAR: Final = 9_999
_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2⁶⁴ divided by the golden ratio."""


class Reason(StrEnum):
    """Why a chip is a negative."""

    FAR = "far"
    SEASON = "other season"
    COVER = "other land cover"
    HARD = "hard"


class Thing(StrEnum):
    """What two chips may differ in."""

    PLACE = "place"
    SEASON = "season"
    COVER = "land cover"


_BY_THING: Final = {
    Thing.PLACE: Reason.FAR, Thing.SEASON: Reason.SEASON, Thing.COVER: Reason.COVER,
}  # fmt: skip


_BITS: Final = {reason: 1 << number for number, reason in enumerate(Reason)}


@dataclass(frozen=True, slots=True, eq=False)
class Chips:
    """Chips of one sensor and split, as arrays of one length.

    Attributes:
        names: Ids.
        points: (chips, 2) longitude and latitude of the centre, degrees.
        side_m: Length of a side, metres.
        season: Number of the season, in the order of `Season`.
        day_of_year: 1 to 366.
        cover: (chips, classes) percent of each class of ground; NaN where it is not known.
        hashes: (photos, windows) hashes of all photos, those of a chip together.
        first: (chips + 1,) where the photos of each chip begin.
        cells: Number of each chip's cell.
    """

    names: Sequence[str]
    points: NDArray[np.float64]
    side_m: NDArray[np.float64]
    season: NDArray[np.int64]
    day_of_year: NDArray[np.int64]
    cover: NDArray[np.float64]
    hashes: NDArray[np.uint64]
    first: NDArray[np.int64]
    cells: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Negative:
    """A chip that stands against another.

    Attributes:
        number: The chip.
        reason: Why.
        differs: All that it clearly differs in; of a hard one, the one thing.
        distance_m: Between the centres.
    """

    number: int
    reason: Reason
    differs: tuple[Thing, ...]
    distance_m: float


def time_block(year: int, month: int, *, quarters: bool) -> int:
    """Returns the block of time of a month: `20213` for the third quarter of 2021, or `2021`."""
    return 10 * year + (month + 2) // 3 if quarters else year


def block_name(block: int) -> str:
    """Returns a block's name, such as `2021Q3` or `2021`."""
    return f"{block // 10}Q{block % 10}" if block > _LAST_YEAR else str(block)


def split_of_block(block: int, seed: int, shares: tuple[float, float, float]) -> Split:
    """Returns what a block of time is for: by its number and the seed alone, so it never changes.

    Blocks are dealt in turn by steps of the golden ratio, from where the seed says: of any few that
    follow one another each split has about its share (Weyl's sequence; Knuth, volume 3, 6.4).

    Args:
        block: The block.
        seed: The dataset's seed.
        shares: Percent of the blocks for train, val and test; they add up to 100.
    """
    turn = block // 10 * 4 + block % 10 if block > _LAST_YEAR else block
    dealt = (seeded_hash(seed, "blocks of time") + turn * _GOLDEN) % 2**64
    place = 100.0 * dealt / 2**64
    train, val, _ = shares
    if place < train:
        return Split.TRAIN
    return Split.VAL if place < train + val else Split.TEST


class Pools:
    """Chooses negatives for the chips of one sensor and split."""

    def __init__(self, chips: Chips, seed: int) -> None:
        """Sorts the chips into pools: all, those of a cell, those of a season and main class."""
        self._chips, self._seed = chips, seed
        self._every = np.arange(len(chips))
        self._of_cell = _grouped(chips.cells)
        known = ~np.isnan(chips.cover).any(axis=1)
        kind = np.where(known, np.nan_to_num(chips.cover, nan=-1.0).argmax(axis=1), -1)
        self._kind = kind
        self._alike = kind * len(Season) + chips.season
        self._of_alike = _grouped(self._alike)

    def negatives(self, anchor: int) -> list[Negative]:
        """Returns a negative for each reason that there is one for, in the order of the reasons.

        No chip is taken for two reasons. Which of several is taken is a matter of seeded hashes.
        """
        found: dict[Reason, Negative] = {}
        taken: set[int] = {anchor}
        wanted = sum(_BITS.values())
        for pool in self._pools(anchor):
            if not wanted:
                break
            numbers = self._drawn(anchor, pool)
            distances, differs, fits = self._compared(anchor, numbers)
            while (open_ := np.flatnonzero(fits & wanted)).size:
                place = int(open_[0])
                bits, fits[place] = int(fits[place]) & wanted, 0
                number = int(numbers[place])
                if number in taken or self._pictures_near(anchor, number):
                    continue
                reason = next(one for one in Reason if bits & _BITS[one])
                things = tuple(
                    one for one, other in zip(Thing, differs[place], strict=True) if other
                )
                found[reason] = Negative(number, reason, things, float(distances[place]))
                taken.add(number)
                wanted &= ~_BITS[reason]
        return [found[reason] for reason in Reason if reason in found]

    def _pools(self, anchor: int) -> Iterator[NDArray[np.int64]]:
        yield self._of_cell[int(self._chips.cells[anchor])]
        yield self._of_alike[int(self._alike[anchor])]
        yield self._every

    def _drawn(self, anchor: int, pool: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns chips of a pool in the order of chance: all of a small one, some of a large."""
        key = np.uint64(seeded_hash(self._seed, f"{self._chips.names[anchor]} negatives"))
        if len(pool) <= WHOLE_POOL:
            return pool[np.argsort(_mixed(pool.astype(np.uint64) ^ key), kind="stable")]
        places = _mixed(np.arange(DRAWS, dtype=np.uint64) ^ key) % np.uint64(len(pool))
        return pool[places.astype(np.intp)]

    def _compared(
        self, anchor: int, numbers: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.uint8]]:
        """Compares a chip with others.

        Returns:
            Distances in metres; (chips, things) what each clearly differs in; and, as bits, the
            reasons that each may be a negative for.
        """
        chips = self._chips
        distances = distance_m(chips.points[anchor], chips.points[numbers])
        seasons, covers = self._seasons(anchor, numbers), self._covers(anchor, numbers)
        differs = np.stack([distances >= FAR_M, seasons == 1, covers == 1], axis=1)
        clear = ((distances >= FAR_M) | (distances <= NEAR_M)) & (seasons >= 0) & (covers >= 0)
        count = differs.sum(axis=1)
        fits = np.where((count == 1) & clear, _BITS[Reason.HARD], 0)
        of_thing = np.array([_BITS[_BY_THING[thing]] for thing in Thing])
        fits = np.where(count > 1, (differs * of_thing).sum(axis=1), fits)
        sides = np.maximum(chips.side_m[anchor], chips.side_m[numbers])
        fits[distances < SAME_PLACE_SIDES * sides] = 0
        return distances, differs, fits.astype(np.uint8)

    def _seasons(self, anchor: int, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Says of each chip whether its season is another (1), the same (0), or not clear (−1)."""
        chips = self._chips
        lat, lats = chips.points[anchor, 1], chips.points[numbers, 1]
        apart = np.abs(chips.day_of_year[anchor] - chips.day_of_year[numbers]).astype(np.float64)
        # South of the equator the year is half a turn on.
        apart = np.where(lat * lats > 0, apart, np.abs(apart - _YEAR / 2))
        far = np.minimum(apart, _YEAR - apart) >= SEASON_DAYS
        found = np.where(far, 1, -1)
        found[chips.season[numbers] == chips.season[anchor]] = 0
        found[(np.abs(lats) <= TROPIC) | (abs(lat) <= TROPIC)] = -1
        return found

    def _covers(self, anchor: int, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Says of each chip whether its land cover is another (1), alike (0), or not clear (−1)."""
        cover = self._chips.cover
        common = np.minimum(cover[anchor], cover[numbers]).sum(axis=1)  # NaN where not known
        same = self._kind[numbers] == self._kind[anchor]
        found = np.full(len(numbers), -1)
        found[(common >= COVER_ALIKE_PCT) & same] = 0
        found[(common <= COVER_OTHER_PCT) & ~same] = 1
        return found

    def _pictures_near(self, one: int, other: int) -> bool:
        """Says whether a photo of one chip is near a photo of the other, whole to any window."""
        first, hashes = self._chips.first, self._chips.hashes
        mine = hashes[first[one] : first[one + 1]]
        yours = hashes[first[other] : first[other + 1]]
        if not len(mine) or not len(yours):
            return False
        forth = np.bitwise_count(mine[:, None, :1] ^ yours[None, :, :])
        back = np.bitwise_count(mine[:, None, :] ^ yours[None, :, :1])
        return bool(min(forth.min(), back.min()) <= TOLERANCE)


def distance_m(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the great-circle distance from a point to others, in metres.

    Points are longitude and latitude in degrees: (2,) and (points, 2).

    By the haversine formula, which keeps its precision for small distances (Sinnott 1984).
    """
    lon, lat = np.radians(one)
    lon2, lat2 = np.radians(others).T
    half = (
        np.sin((lat2 - lat) / 2) ** 2
        + np.cos(lat) * np.cos(lat2) * np.sin((lon2 - lon) / 2) ** 2
    )  # fmt: skip
    found: NDArray[np.float64] = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(1.0, np.sqrt(half)))
    return found


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns numbers in disorder, always the same one: SplitMix64's finaliser (Steele 2014)."""
    mixed = numbers + np.uint64(_GOLDEN)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result


def _grouped(keys: NDArray[Any]) -> dict[int, NDArray[np.int64]]:
    """Returns the places of each key."""
    order = np.argsort(keys, kind="stable")
    values, first = np.unique(keys[order], return_index=True)
    parts = np.split(order, first[1:])
    return {int(key): part for key, part in zip(values.tolist(), parts, strict=True)}
