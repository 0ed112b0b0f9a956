"""Splits: who is dealt what, and that no ground is on two sides, against plain geometry."""

from __future__ import annotations

from dataclasses import astuple, replace
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.cells import COLUMNS, Cell
from filters.splits import (
    Shares,
    Split,
    SplitRule,
    _grown_bounds,
    ground_shares,
    splits_of,
    strongest,
)
from tests.filters.split_worlds import (
    apart,
    grid_at,
    grid_near_corner,
    grown,
    made_world,
    splits_within,
)
from tests.sensors import NAIP, SENSORS, SENTINEL2

if TYPE_CHECKING:
    from collectors.geo import ChipGrid
    from collectors.sensors import Sensor

ASKED = Shares(80, 10, 10)
EVEN = Shares(34, 33, 33)
"""Few neighbours have the same split, so that much happens in a few cells."""

CELLS = st.one_of(
    st.builds(Cell, st.integers(1, 147), st.integers(0, COLUMNS - 1)),
    st.builds(Cell, st.integers(1, 147), st.sampled_from([0, 1, COLUMNS - 1])),  # antimeridian
    st.builds(Cell, st.integers(135, 139), st.integers(176, 186)),  # zone 32V
    st.builds(Cell, st.integers(144, 146), st.integers(174, 216)),  # zones 31X to 37X
    st.builds(Cell, st.integers(73, 75), st.integers(0, COLUMNS - 1)),  # equator
    st.builds(Cell, st.sampled_from([1, 2, 146, 147]), st.integers(0, COLUMNS - 1)),  # 79° to 85°
)
RULES = st.builds(SplitRule, st.integers(0, 99), st.just(EVEN), st.integers(1, 3))


def test_what_was_dealt_stays_dealt() -> None:
    """Written down once: a release that deals otherwise would move test into train."""
    rule = SplitRule(0, ASKED, 1)
    letters = {Split.TRAIN: ".", Split.VAL: "v", Split.TEST: "t"}
    dealt = [
        "".join(letters[rule.split_of(Cell(row, column))] for column in range(50, 66))
        for row in (115, 116, 117, 118)
    ]
    assert dealt == [
        ".v.t.....t..t..t",
        ".v..v...v.t.....",
        "......t.....v..v",
        "v.t.............",
    ]
    assert ground_shares(ASKED, 1) == pytest.approx((0.784134, 0.107933, 0.107933), abs=1e-9)


@pytest.mark.parametrize("side", [2, 4, 8, 16])
def test_every_square_of_blocks_has_all_parts_of_chance(side: int) -> None:
    """In 2ᵏ × 2ᵏ blocks, the shares of any 4ᵏ equal parts are exact, wherever the square is."""
    quarter = Shares(50, 25, 25)
    for seed, row, column in ((0, 0, 0), (7, 64, 96), (8, 128 - side, 320)):
        rule = SplitRule(seed, quarter, 1)
        dealt = [rule.split_of(Cell(row + i, column + j)) for i in range(side) for j in range(side)]
        expected = np.array(ground_shares(quarter, 1)) * side**2
        found = [dealt.count(split) for split in (Split.TRAIN, Split.VAL, Split.TEST)]
        assert np.abs(found - expected).max() < 1


@pytest.mark.parametrize("seed", range(10))
def test_shares_hold_in_any_thousand_cells(seed: int) -> None:
    """Of the ground, and of chips of both sensors that have a split, within 3 points."""
    rule = SplitRule(seed, ASKED, 1)
    random = Random(seed)
    high, wide = random.choice([(25, 40), (40, 25), (20, 50), (10, 100)])
    row, column = random.randrange(40, 100), random.randrange(COLUMNS)
    cells = [Cell(row + i, (column + j) % COLUMNS) for i in range(high) for j in range(wide)]
    of_ground = [rule.split_of(cell) for cell in cells]
    assert_shares(of_ground)
    for sensor in (SENTINEL2, NAIP):
        grids = []
        for cell in cells:
            box = cell.box
            for _ in range(4):
                lon = box.west + random.random() * (box.east - box.west)
                grids.append(grid_at(lon, random.uniform(box.south, box.north), sensor))
        assert_shares([split for split in splits_of(grids, rule) if split is not Split.NONE])


def assert_shares(splits: list[Split]) -> None:
    """Compares the shares of splits with those asked for."""
    for split, share in zip((Split.TRAIN, Split.VAL, Split.TEST), astuple(ASKED), strict=True):
        assert abs(100 * splits.count(split) / len(splits) - share) <= 3, split


@given(st.integers(), st.integers(0, 147), st.integers(0, 347), st.integers(1, 12))
def test_a_block_has_one_split(seed: int, row: int, column: int, block_cells: int) -> None:
    """All cells of a block go together."""
    rule = SplitRule(seed, EVEN, block_cells)
    first = Cell(row // block_cells * block_cells, column // block_cells * block_cells)
    assert rule.split_of(Cell(row, column)) is rule.split_of(first)


def test_the_seed_decides() -> None:
    """Another seed deals otherwise, about as often as chance has it."""
    cells = [Cell(row, column) for row in range(60, 90) for column in range(40)]
    dealt = [[SplitRule(seed, EVEN, 1).split_of(cell) for cell in cells] for seed in (1, 2)]
    same = np.mean([one is other for one, other in zip(*dealt, strict=True)])
    assert 0.28 < same < 0.39


@given(
    st.floats(0, 100).flatmap(
        lambda val: st.floats(0, 100 - val).map(lambda test: Shares(100 - val - test, val, test))
    ),
    st.integers(1, 12),
)
def test_small_splits_are_dealt_somewhat_more(shares: Shares, block_cells: int) -> None:
    """All ground is dealt; nothing asked, nothing dealt; equals are dealt equally."""
    dealt = ground_shares(shares, block_cells)
    asked = np.array(astuple(shares)) / 100
    assert sum(dealt) == pytest.approx(1)
    assert np.abs(dealt - asked).max() < 0.04
    for one, share in zip(dealt, asked, strict=True):
        assert (one < 1e-6) == (share < 5e-7) or share < 2e-6
    small, large = int(asked.argmin()), int(asked.argmax())
    assert dealt[small] >= asked[small] - 2e-6
    assert dealt[large] <= asked[large] + 2e-6


def test_a_split_that_is_not_asked_for_gets_no_ground() -> None:
    """A share of 0 is none at all, and of 100 everything."""
    cells = [Cell(row, column) for row in range(60, 90) for column in range(40)]
    for shares, expected in (
        (Shares(100, 0, 0), {Split.TRAIN}),
        (Shares(0, 100, 0), {Split.VAL}),
        (Shares(0, 0, 100), {Split.TEST}),
        (Shares(90, 0, 10), {Split.TRAIN, Split.TEST}),
        (Shares(0, 50, 50), {Split.VAL, Split.TEST}),
    ):
        assert {SplitRule(3, shares, 1).split_of(cell) for cell in cells} == expected


@pytest.mark.parametrize(
    "shares", [(80, 10, 9), (110, -5, -5), (float("nan"), 50, 50), (80, 10, float("inf"))]
)
def test_shares_that_are_none_are_refused(shares: tuple[float, float, float]) -> None:
    """Percentages that do not add up, below nothing, or no numbers."""
    with pytest.raises(ValueError, match="add up to 100"):
        Shares(*shares)


@settings(max_examples=200)
@given(st.floats(-180, 179.999), st.floats(-84, 84), st.sampled_from([1.0, 10.0, 30.0, 60.0]))
def test_the_box_around_a_chip_holds_all_ground_within_its_width(
    lon: float, lat: float, scale_m: float
) -> None:
    """Of small chips and of large ones, whose edges bulge, and little more than that."""
    grid = grid_at(lon, lat, replace(SENTINEL2, scale_m=scale_m))
    west, south, east, north = grown(grid, 1.0).bounds
    (box,) = _grown_bounds([grid])
    shift = round((box[0] - west) / 360) * 360
    assert box[0] - shift <= west
    assert box[2] - shift >= east
    assert box[1] <= south
    assert box[3] >= north
    assert (box[2] - box[0]) < 1.15 * (east - west)
    assert (box[3] - box[1]) < 1.05 * (north - south)


@settings(max_examples=300)
@given(CELLS, RULES, st.sampled_from([SENTINEL2, NAIP]), st.randoms(use_true_random=False))
def test_a_chip_near_another_split_is_in_none(
    cell: Cell, rule: SplitRule, sensor: Sensor, random: Random
) -> None:
    """Never with other ground within its width; always with none within one and a half widths."""
    grid = grid_near_corner(cell, sensor, random)
    (found,) = splits_of([grid], rule)
    (near,) = splits_within([grid], 1.0, rule)
    (further,) = splits_within([grid], 1.5, rule)
    if len(near) > 1:
        assert found is Split.NONE
    if len(further) == 1:
        assert {found} == further


BORDERS = [
    (row, column) for row in (1, 2, 5, 20, 60, 75, 90, 118, 136, 140, 144, 145, 146)
    for column in (0, 29, 176, 180, 194, 347)
]  # fmt: skip


@pytest.mark.parametrize("sensor", [SENTINEL2, NAIP], ids=lambda sensor: sensor.name)
@pytest.mark.parametrize("east", [True, False])
def test_the_line_is_drawn_at_one_width(sensor: Sensor, east: bool) -> None:
    """Beside the border of two cells, at all latitudes: none just within, and not just outside."""
    for row, column in BORDERS:
        cell = Cell(row, column)
        beside = Cell(row, (column + (1 if east else -1)) % COLUMNS)
        rule = next(
            rule for seed in range(99)
            if (rule := SplitRule(seed, EVEN, 1)).split_of(cell) is not rule.split_of(beside)
        )  # fmt: skip
        border = cell.box.east if east else cell.box.west
        lat = (cell.box.south + cell.box.north) / 2
        for widths, expected in ((1.0, Split.NONE), (1.06, rule.split_of(cell))):
            lon = (cell.box.west + cell.box.east) / 2
            for _ in range(4):  # until the ground within so many widths ends at the border
                around = grown(grid_at(lon, lat, sensor), widths).bounds
                lon += border - (around[2] if east else around[0])
            step = sensor.scale_m * (1e-5 if east else -1e-5)  # about a pixel at the equator
            while widths == 1.0 and not _reaches(grid_at(lon, lat, sensor), border):
                lon += step
            assert splits_of([grid_at(lon, lat, sensor)], rule) == [expected], (row, column)


def _reaches(grid: ChipGrid, border: float) -> bool:
    """Says whether the ground within a chip's width reaches a meridian."""
    west, _, east, _ = grown(grid, 1.0).bounds
    return west <= border <= east


def test_over_the_antimeridian_a_chip_is_in_the_split_of_both_sides() -> None:
    """In the middle of a row of cells, with its pixels in the last and in the first column."""
    rule = SplitRule(1, EVEN, 1)
    kept = 0
    for row in range(20, 130):
        sides = {rule.split_of(Cell(row, column)) for column in (0, COLUMNS - 1)}
        box = Cell(row, 0).box
        grids = [grid_at(lon, (box.south + box.north) / 2, SENTINEL2)
                 for lon in (-179.999, 179.999, 179.98, -179.98)]  # fmt: skip
        expected = sides.copy().pop() if len(sides) == 1 else Split.NONE
        assert set(splits_of(grids, rule)) == {expected}
        kept += expected is not Split.NONE
    assert kept > 20


@settings(max_examples=100)
@given(CELLS, st.integers(0, 99), st.randoms(use_true_random=False))
def test_chips_of_two_splits_are_both_their_widths_apart(
    cell: Cell, seed: int, random: Random
) -> None:
    """Of both sensors, around one corner, where four cells may have three splits."""
    rule = SplitRule(seed, EVEN, 1)
    grids = [grid_near_corner(cell, sensor, random) for sensor in SENSORS.values()
             for _ in range(12)]  # fmt: skip
    by_split: dict[Split, list[int]] = {}
    for number, split in enumerate(splits_of(grids, rule)):
        by_split.setdefault(split, []).append(number)
    by_split.pop(Split.NONE, None)
    for one in by_split:
        for other in set(by_split) - {one}:
            first, second = ([grids[i] for i in by_split[split]] for split in (one, other))
            assert not apart(first, second)


@settings(max_examples=200)
@given(CELLS, st.integers(0, 99), st.randoms(use_true_random=False))
def test_the_chips_of_a_photo_are_not_in_two_splits(cell: Cell, seed: int, random: Random) -> None:
    """A photo lies in a chip of each sensor; one of them may be in none."""
    small = grid_near_corner(cell, NAIP, random, reach=30.0)
    middle = grown(small, 0.0).centroid
    offset = [random.uniform(-0.009, 0.009) for _ in range(2)]
    large = grid_at(middle.x + offset[0], middle.y + offset[1], SENTINEL2)
    rule = SplitRule(seed, EVEN, 1)
    assert len(set(splits_of([small, large], rule)) - {Split.NONE}) <= 1


def test_company_and_order_do_not_matter() -> None:
    """A chip's split is its own, whichever chips are asked about with it."""
    rule = SplitRule(5, EVEN, 1)
    cells = [Cell(row, column) for row in (20, 118, 140) for column in (0, 55, 180, 347)]
    grids = [made.grid for made in made_world(cells, 8, Random(5))]
    alone = [splits_of([grid], rule)[0] for grid in grids]
    assert splits_of(grids, rule) == alone
    assert splits_of(grids[::-1], rule) == alone[::-1]
    assert set(alone) == set(Split)
    assert splits_of([], rule) == []


@pytest.mark.parametrize("lat", [89.95, -89.95])
def test_at_the_poles_all_meridians_meet(lat: float) -> None:
    """A chip that reaches a pole is near to every block of the last row."""
    split = splits_of([grid_at(12.0, lat, SENTINEL2)], SplitRule(0, EVEN, 1))
    assert split == [Split.NONE]


def test_an_owner_in_several_splits_stays_in_the_strongest() -> None:
    """What was in test stays in test."""
    assert strongest([Split.TRAIN, Split.TEST, Split.VAL]) is Split.TEST
    assert strongest([Split.TRAIN, Split.VAL]) is Split.VAL
    assert strongest([Split.TRAIN]) is Split.TRAIN
