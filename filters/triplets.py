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
    from collections.abc import Iterator, Mapping, Sequence

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
        for pool in self._pools(anchor):
            for number in self._drawn(anchor, pool):
                if number in taken:
                    continue
                one = self._judged(anchor, number, found)
                if one is not None:
                    found[one.reason] = one
                    taken.add(number)
                if len(found) == len(Reason):
                    break
        return [found[reason] for reason in Reason if reason in found]

    def _pools(self, anchor: int) -> Iterator[NDArray[np.int64]]:
        yield self._of_cell[int(self._chips.cells[anchor])]
        yield self._of_alike[int(self._alike[anchor])]
        yield self._every

    def _drawn(self, anchor: int, pool: NDArray[np.int64]) -> list[int]:
        """Returns chips of a pool in the order of chance: all of a small one, some of a large."""
        key = np.uint64(seeded_hash(self._seed, f"{self._chips.names[anchor]} negatives"))
        if len(pool) <= WHOLE_POOL:
            order = np.argsort(_mixed(pool.astype(np.uint64) ^ key), kind="stable")
            return [int(one) for one in pool[order]]
        places = _mixed(np.arange(DRAWS, dtype=np.uint64) ^ key) % np.uint64(len(pool))
        return [int(one) for one in pool[places.astype(np.intp)]]

    def _judged(
        self, anchor: int, number: int, found: Mapping[Reason, Negative]
    ) -> Negative | None:
        """Returns a chip as the negative that it may be; None if it may not, or is not wanted."""
        distance = distance_m(self._chips.points[anchor], self._chips.points[number])
        side = max(self._chips.side_m[anchor], self._chips.side_m[number])
        if distance < SAME_PLACE_SIDES * side:
            return None
        said = self._compared(anchor, number, distance)
        differs = tuple(thing for thing in Thing if said[thing] is True)
        if not differs:
            return None
        if len(differs) == 1:
            clear = None not in said.values()
            reasons = [Reason.HARD] if clear else []
        else:
            reasons = [_BY_THING[thing] for thing in differs]
        reason = next((one for one in reasons if one not in found), None)
        if reason is None or self._pictures_near(anchor, number):
            return None
        return Negative(number, reason, differs, distance)

    def _compared(self, one: int, other: int, distance: float) -> dict[Thing, bool | None]:
        """Says of each thing whether two chips differ in it; None where it is not clear."""
        chips = self._chips
        place = True if distance >= FAR_M else (False if distance <= NEAR_M else None)
        season: bool | None
        if (np.abs(chips.points[[one, other], 1]) <= TROPIC).any():
            season = None
        elif chips.season[one] == chips.season[other]:
            season = False
        else:
            apart = abs(int(chips.day_of_year[one]) - int(chips.day_of_year[other]))
            same_side = chips.points[one, 1] * chips.points[other, 1] > 0
            # South of the equator the year is half a turn on.
            apart_days = apart if same_side else abs(apart - _YEAR / 2)
            season = True if min(apart_days, _YEAR - apart_days) >= SEASON_DAYS else None
        return {Thing.PLACE: place, Thing.SEASON: season, Thing.COVER: self._cover(one, other)}

    def _cover(self, one: int, other: int) -> bool | None:
        shares = self._chips.cover[[one, other]]
        if np.isnan(shares).any():
            return None
        common = float(shares.min(axis=0).sum())
        same_kind = self._kind[one] == self._kind[other]
        if common >= COVER_ALIKE_PCT and same_kind:
            return False
        return True if common <= COVER_OTHER_PCT and not same_kind else None

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


def distance_m(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Returns the great-circle distance of two points (longitude, latitude; degrees) in metres.

    By the haversine formula, which keeps its precision for small distances (Sinnott 1984).
    """
    (lon, lat), (lon2, lat2) = np.radians(one), np.radians(other)
    half = (
        np.sin((lat2 - lat) / 2) ** 2
        + np.cos(lat) * np.cos(lat2) * np.sin((lon2 - lon) / 2) ** 2
    )  # fmt: skip
    return float(2 * EARTH_RADIUS_M * np.arcsin(min(1.0, float(np.sqrt(half)))))


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
