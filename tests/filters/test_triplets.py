"""Negatives of triplets, held to definitions written out over all pairs of chips."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.picture_hashes import TOLERANCE, WINDOWS
from filters.splits import Split
from filters.triplets import (
    DRAWS,
    Chips,
    Pools,
    Reason,
    Thing,
    block_name,
    distance_m,
    split_of_block,
    time_block,
)

COVERS = ([100, 0, 0, 0], [0, 100, 0, 0], [80, 20, 0, 0], [45, 40, 15, 0], [np.nan] * 4)
PLACES = (
    (0.0, 46.0),
    (0.02, 46.0),
    (0.2, 46.1),
    (0.9, 46.0),
    (3.0, 46.0),
    (0.0, -46.0),
    (1.0, 9.0),
)
"""Within a side, within 50 km, within 100 km, beyond, in the south, and between the tropics."""


def chips_of(rows: list[tuple[int, int, int, tuple[int, ...]]]) -> Chips:
    """Makes chips of (place, cover, day of the year, pictures); pictures of one number are near."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 2**63, (8, len(WINDOWS)), dtype=np.uint64)
    hashes = [pictures[one] ^ np.uint64(number % 2) for number, row in enumerate(rows)
              for one in row[3]]  # fmt: skip
    points = np.array([PLACES[row[0]] for row in rows], np.float64).reshape(-1, 2)
    return Chips(
        names=[f"chip{number}" for number in range(len(rows))], points=points,
        side_m=np.full(len(rows), 4_480.0),
        season=np.array([season(row[2], PLACES[row[0]][1]) for row in rows], np.int64),
        day_of_year=np.array([row[2] for row in rows], np.int64),
        cover=np.array([COVERS[row[1]] for row in rows], np.float64).reshape(-1, 4),
        hashes=np.array(hashes, np.uint64).reshape(-1, len(WINDOWS)),
        first=np.cumsum([0, *(len(row[3]) for row in rows)], dtype=np.int64),
        cells=np.array([row[0] // 2 for row in rows], np.int64),
    )  # fmt: skip


def season(day: int, lat: float) -> int:
    """Returns the number of a season by quarters of the year that begin on 1 December."""
    north = 0 if day <= 59 or day >= 335 else 1 if day <= 151 else 2 if day <= 243 else 3
    return north if lat > 0 else (north + 2) % 4


def apart(chips: Chips, one: int, other: int) -> dict[Thing, bool | None] | None:
    """Says what two chips differ in, in plain arithmetic; None if they may not be set apart."""
    (lon, lat), (lon2, lat2) = np.radians(chips.points[one]), np.radians(chips.points[other])
    cosine = math.sin(lat) * math.sin(lat2) + math.cos(lat) * math.cos(lat2) * math.cos(lon2 - lon)
    metres = 6_371_008.8 * math.acos(min(1.0, cosine))
    if metres < 2 * 4_480:
        return None
    for mine in chips.hashes[chips.first[one] : chips.first[one + 1]].tolist():
        for yours in chips.hashes[chips.first[other] : chips.first[other + 1]].tolist():
            bits = [(mine[0] ^ window).bit_count() for window in yours]
            bits += [(yours[0] ^ window).bit_count() for window in mine]
            if min(bits) <= TOLERANCE:
                return None
    place = True if metres >= 100_000 else False if metres <= 50_000 else None
    north, north2 = chips.points[one, 1], chips.points[other, 1]
    when: bool | None = False
    if min(abs(north), abs(north2)) < 23.436:
        when = None
    elif chips.season[one] != chips.season[other]:
        turns = [0 if side > 0 else 182.625 for side in (north, north2)]
        mine, yours = (chips.day_of_year[which] for which in (one, other))
        days = abs(mine + turns[0] - yours - turns[1]) % 365.25
        when = True if min(days, 365.25 - days) >= 45 else None
    mine, yours = chips.cover[one].tolist(), chips.cover[other].tolist()
    ground: bool | None = None
    if not any(map(math.isnan, mine + yours)):
        common = sum(map(min, mine, yours))
        same = mine.index(max(mine)) == yours.index(max(yours))
        ground = False if same and common >= 75 else True if not same and common <= 50 else None
    return {Thing.PLACE: place, Thing.SEASON: when, Thing.COVER: ground}


def reasons(told: dict[Thing, bool | None] | None) -> set[Reason]:
    """Returns what a chip might be a negative for."""
    differs = [thing for thing, one in (told or {}).items() if one]
    if told is None or not differs:
        return set()
    if len(differs) == 1:
        return {Reason.HARD} if None not in told.values() else set()
    names = {Thing.PLACE: Reason.FAR, Thing.SEASON: Reason.SEASON, Thing.COVER: Reason.COVER}
    return {names[thing] for thing in differs}


ROWS = st.lists(
    st.tuples(
        st.integers(0, len(PLACES) - 1), st.integers(0, len(COVERS) - 1),
        st.sampled_from([10, 50, 70, 170, 200, 260, 300, 350]),
        st.lists(st.integers(0, 7), max_size=2).map(tuple),
    ),
    min_size=1, max_size=14,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(ROWS, st.integers(0, 5))
def test_negatives_are_what_they_say_and_none_is_missed(rows: list[Any], seed: int) -> None:
    """Never the same place, nor near pictures; and no reason is left out that some chip is for."""
    chips = chips_of(rows)
    pools = Pools(chips, seed)
    for anchor in range(len(chips)):
        found = pools.negatives(anchor)
        taken = {one.number for one in found} | {anchor}
        assert len(taken) == len(found) + 1
        assert len({one.reason for one in found}) == len(found)
        for one in found:
            told = apart(chips, anchor, one.number)
            assert one.reason in reasons(told)
            assert set(one.differs) == {thing for thing, differs in (told or {}).items() if differs}
        missing = set(Reason) - {one.reason for one in found}
        for other in set(range(len(chips))) - taken:
            assert not reasons(apart(chips, anchor, other)) & missing
        assert found == Pools(chips, seed).negatives(anchor)


def test_large_pools_are_drawn_from_and_not_looked_through() -> None:
    """Ten thousand chips: negatives for every reason, and never more than the draws looked at."""
    rng = np.random.default_rng(1)
    rows = [(int(rng.choice([0, 2, 4])), int(rng.integers(0, 2)), int(rng.choice([10, 200])), ())
            for _ in range(10_000)]  # fmt: skip
    chips = chips_of(rows)
    pools = Pools(chips, 0)
    looked: list[int] = []
    compared = pools._compared

    def counting(anchor: int, numbers: Any) -> Any:
        looked.append(len(numbers))
        return compared(anchor, numbers)

    pools._compared = counting  # type: ignore[method-assign]
    for anchor in range(20):
        looked.clear()
        found = pools.negatives(anchor)
        assert {one.reason for one in found} == set(Reason)
        assert all(one.reason in reasons(apart(chips, anchor, one.number)) for one in found)
        assert sum(looked) <= 3 * DRAWS


def test_blocks_of_time_are_dealt_for_good_and_evenly() -> None:
    """Any five quarters in turn have each split, and hardly more than its share."""
    quarters = [time_block(year, month, quarters=True) for year in range(2015, 2031)
                for month in (1, 4, 7, 10)]  # fmt: skip
    assert [block_name(one) for one in quarters[:5]] == [
        "2015Q1", "2015Q2", "2015Q3", "2015Q4", "2016Q1",
    ]  # fmt: skip
    for seed in range(20):
        dealt = [split_of_block(one, seed, (60, 20, 20)) for one in quarters]
        counts = Counter(dealt)
        assert abs(counts[Split.TRAIN] / len(dealt) - 0.6) < 0.05
        for first in range(len(dealt) - 7):
            assert set(dealt[first : first + 8]) == {Split.TRAIN, Split.VAL, Split.TEST}
    assert {split_of_block(2020, seed, (60, 20, 20)) for seed in range(20)} == {
        Split.TRAIN, Split.VAL, Split.TEST,
    }  # fmt: skip
    assert block_name(time_block(2021, 8, quarters=False)) == "2021"
    assert time_block(2021, 12, quarters=True) == 20214


@pytest.mark.parametrize("shares", [(100.0, 0.0, 0.0), (0.0, 0.0, 100.0)])
def test_a_split_with_all_shares_has_all_blocks(shares: tuple[float, float, float]) -> None:
    """Nothing falls off either end."""
    only = {split_of_block(one, 3, shares) for one in range(1990, 2090)}
    assert only == {Split.TRAIN if shares[0] else Split.TEST}


def test_distances_are_those_of_the_sphere() -> None:
    """A degree of the equator, across the antimeridian, and pole to pole."""
    degree = 2 * math.pi * 6_371_008.8 / 360
    one = np.array([179.5, 0.0])
    others = np.array([[-179.5, 0.0], [179.5, 0.0], [-0.5, 0.0], [179.5, -90.0]])
    assert distance_m(one, others) == pytest.approx([degree, 0, 180 * degree, 90 * degree])
