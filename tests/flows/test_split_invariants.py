"""The check of splits finds what is wrong, also where the rule itself would be."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from pyproj import Geod

import flows.verification.split_invariants
from collectors.cells import COLUMNS, Cell
from filters.splits import Shares, Split, SplitRule, splits_of, strongest
from flows.verification.split_invariants import SplitInvariants
from tests.filters.split_worlds import Made, grid_at, made_world
from tests.flows.split_rows import MadeRows, published
from tests.sensors import NAIP, SENTINEL2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.geo import ChipGrid
    from collectors.sensors import Sensor
    from flows.verification.findings import Finding
    from flows.verification.row_invariants import CellRows

RULE = SplitRule(4, Shares(34, 33, 33), 1)
PLACES = (Cell(118, 55), Cell(75, 0), Cell(75, COLUMNS - 1), Cell(145, 182), Cell(30, 170))


def manifest(*, owner_disjoint: bool = False) -> dict[str, Any]:
    """The part of a version's manifest that says how it was split."""
    splits = {"train_pct": 34, "val_pct": 33, "test_pct": 33, "block_cells": 1}
    return {"seed": 4, "splits": splits | {"owner_disjoint": owner_disjoint, "pairs": {}}}


def checked(cells: Sequence[CellRows], *, owner_disjoint: bool = False) -> Finding:
    """Checks cells as `verify` does."""
    invariants = SplitInvariants(manifest(owner_disjoint=owner_disjoint))
    for rows in cells:
        invariants.check(rows)
    invariants.finish()
    return invariants.apart


def world(a_cell: int = 12) -> tuple[list[MadeRows], list[Split]]:
    """Chips of both sensors in squares of cells, by six owners, and their splits by the rule."""
    cells = {Cell(place.row + i, (place.column + j) % COLUMNS)
             for place in PLACES for i in (0, 1) for j in (0, 1)}  # fmt: skip
    made = made_world(sorted(cells), a_cell, Random(1))
    rows = [MadeRows.of(one, str(number), f"owner {number % 6}") for number, one in enumerate(made)]
    return rows, splits_of([one.grid for one in made], RULE)


def two_chips(first: ChipGrid, second: ChipGrid) -> list[MadeRows]:
    """Rows of two chips, each in the cell of its centre."""
    rows = []
    for name, grid in (("a", first), ("b", second)):
        at = grid.footprint().representative_point()
        sensor = "naip" if grid.scale_m == 1 else "sentinel2"
        rows.append(MadeRows.of(Made(sensor, Cell.at(at.x, at.y), grid), name, name))
    return rows


def test_a_version_split_by_its_rule_is_sound() -> None:
    """Everything is looked at, and nothing is found."""
    rows, splits = world()
    assert set(splits) == set(Split)
    found = checked(published(rows, splits))
    assert found.checked > len(rows)
    assert found.offenders == []


def test_every_pair_moved_is_found() -> None:
    """Any pair, from its split to any other."""
    rows, splits = world(a_cell=2)
    for place, split in enumerate(splits):
        for other in set(Split) - {split}:
            moved = [*splits[:place], other, *splits[place + 1 :]]
            assert checked(published(rows, moved)).broken, (place, other)


@pytest.mark.parametrize(
    ("lon", "lat"), [(-120.005, 37.8), (179.999, -17.0), (17.99, 78.0), (2.5, 0.0)]
)
@pytest.mark.parametrize("sensors", [(SENTINEL2, SENTINEL2), (SENTINEL2, NAIP), (NAIP, NAIP)])
@pytest.mark.parametrize(("share", "broken"), [(0.98, True), (1.02, False)])
def test_ground_is_compared_without_the_rule(
    lon: float, lat: float, sensors: tuple[Sensor, Sensor], share: float, broken: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Were the rule wrong, two chips too near would be found, across cells, zones and 180°."""
    widths = sum(sensor.scale_m * sensor.size_px for sensor in sensors)
    east, south, _ = Geod(ellps="WGS84").fwd(lon, lat, 90.0, share * 1.5 * widths)
    grids = [grid_at(lon, lat, sensors[0]), grid_at(east, south, sensors[1])]
    said = dict(zip(grids, (Split.TRAIN, Split.TEST), strict=True))

    def wrong_rule(some: Sequence[ChipGrid], _rule: SplitRule) -> list[Split]:
        return [said[grid] for grid in some]

    monkeypatch.setattr(flows.verification.split_invariants, "splits_of", wrong_rule)
    found = checked(published(two_chips(*grids), ["train", "test"]))
    assert found.broken == broken
    assert broken == any("m from that of a chip of" in text for text in found.offenders)


def test_a_photo_in_two_splits_is_found() -> None:
    """One of its chips says train, the other test."""
    rows, splits = world()
    (first, *_), (second, *_) = (
        [number for number, one in enumerate(splits) if one is split]
        for split in (Split.TRAIN, Split.TEST)
    )
    here, there = (published([rows[number]], [splits[number]])[0] for number in (first, second))
    moved = replace(there.pairs[0], photo_id=here.photos[0].photo_id)
    both = replace(here, chips=[*here.chips, *there.chips], pairs=[*here.pairs, moved])
    assert any("is in test, train" in text for text in checked([both]).offenders)


def test_owners_are_held_to_one_split_where_that_was_asked() -> None:
    """Six owners who were everywhere: only their pairs of the strongest split may stay."""
    rows, splits = world()
    assert checked(published(rows, splits), owner_disjoint=True).broken
    kept = {
        owner: strongest(split for row, split in zip(rows, splits, strict=True)
                         if row.photo.owner == owner and split is not Split.NONE)
        for owner in {row.photo.owner for row in rows}
    }  # fmt: skip
    disjoint = [
        split if split is kept[row.photo.owner] else Split.NONE
        for row, split in zip(rows, splits, strict=True)
    ]
    assert checked(published(rows, disjoint), owner_disjoint=True).offenders == []
    assert checked(published(rows, disjoint)).broken
    all_none = checked(published(rows, [Split.NONE] * len(rows)), owner_disjoint=True)
    assert any("its owner is in test" in text for text in all_none.offenders)


def test_an_owner_in_two_splits_is_named() -> None:
    """Two of the owner's chips, far from each other."""
    rows, splits = world()
    two = [splits.index(split) for split in (Split.TRAIN, Split.TEST)]
    same = [replace(rows[at], photo=replace(rows[at].photo, owner="somebody")) for at in two]
    found = checked(published(same, ["train", "test"]), owner_disjoint=True)
    assert "owner somebody is in test, train" in found.offenders
