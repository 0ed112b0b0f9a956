"""Photos laid out chip by chip: where their bytes are, and what happens beside other builds."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from collectors.records import PhotoAbsence
from collectors.shards import read_index, shard_paths
from collectors.storage import open_store
from collectors.transport import TroubleRemains
from flows.catalogue.catalogue import load_catalogue
from flows.cells import photo_layout
from flows.cells.batches import ShardRemovedError
from flows.cells.cell import collect_cell
from flows.cells.chip_stage import ChipStage
from flows.cells.photo_layout import by_place, lay_out
from flows.cells.state import load_cell
from flows.verification.verification import verify_dataset
from tests.flows.made_up_services import CELL as MADE_UP
from tests.flows.made_up_services import World, memory_store, services
from tests.flows.test_resuming import MONDAY, order_of, stop_before_commit

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.sensors import Sensor
    from collectors.storage import Store
    from flows.cells.state import CellState
    from tests.flows.runs import Run

CELL = "r118c055"
PADDING = 1024
"""A member's header and its padding, at most."""


@pytest.fixture
def store(built: Path, tmp_path: Path) -> Store:
    """A copy of a dataset."""
    shutil.copytree(built, tmp_path / "dataset")
    return open_store(str(tmp_path / "dataset"))


@pytest.fixture
def sensors(run: Run) -> dict[str, Sensor]:
    """The catalogue's sensors."""
    return load_catalogue(run.catalogue).sensors


def crowd(state: CellState, photos: int = 4) -> CellState:
    """Deals the photos of each sensor anew to few of its chips, by their hashes, not by place."""
    dealt: dict[str, list[str]] = {}
    pairs = []
    for pair in sorted(state.pairs, key=lambda one: one.photo_id[::-1]):
        of_sensor = dealt.setdefault(pair.sensor, [])
        of_sensor.append(pair.chip_id)
        pairs.append(replace(pair, chip_id=of_sensor[(len(of_sensor) - 1) // photos * photos]))
    return replace(state, pairs=tuple(pairs))


def test_the_photos_of_a_chip_are_one_range(store: Store, sensors: dict[str, Sensor]) -> None:
    """Chips of the widest sensor have theirs side by side; bytes are the same, and all there."""
    before = crowd(load_cell(store, CELL))
    after = lay_out(store, before, (), sensors)
    assert len({row.shard for row in after.photos}) == 1
    places = {row.photo_id: row for row in after.photos}
    for row in before.photos:
        own = places[row.photo_id]
        assert replace(own, shard=row.shard, offset=row.offset) == row
        assert store.read_range(own.shard, own.offset, own.size) == store.read_range(
            row.shard, row.offset, row.size
        )
    crowded = 0
    for chip in after.chips:
        own_rows = [places[pair.photo_id] for pair in after.pairs if pair.chip_id == chip.chip_id]
        own_rows.sort(key=lambda row: row.offset)
        if chip.sensor == "sentinel2":
            crowded += len(own_rows) == 4
            assert all(
                other.offset - (one.offset + one.size) <= PADDING
                for one, other in pairwise(own_rows)
            )
    assert crowded > 2
    index = read_index(store, after.photos[0].shard)
    assert [row["item_id"] for row in index] == [
        row.photo_id for row in sorted(after.photos, key=lambda row: row.offset)
    ]
    assert after.shards == tuple(
        sorted({after.photos[0].shard} | {row.shard for row in after.chips if row.shard})
    )


def test_the_same_rows_give_the_same_shards(store: Store, sensors: dict[str, Sensor]) -> None:
    """The order of the rows does not matter, and a second time writes nothing."""
    state = crowd(load_cell(store, CELL))
    once = lay_out(store, state, (), sensors)
    shards = shard_paths(store, CELL)
    turned = replace(state, photos=state.photos[::-1], pairs=state.pairs[::-1])
    assert lay_out(store, turned, (), sensors) == once
    assert shard_paths(store, CELL) == shards


def test_committed_photos_stay_where_they_are(store: Store, sensors: dict[str, Sensor]) -> None:
    """Older versions name them there."""
    state = crowd(load_cell(store, CELL))
    assert lay_out(store, state, state.shards, sensors) == state.ordered()


def test_neighbours_stand_near_one_another(store: Store, sensors: dict[str, Sensor]) -> None:
    """Photos without a chip are ordered by place: a quarter of the cell after the other."""
    state = load_cell(store, CELL)
    box_rows = by_place(state.photos, (), (), sensors)
    south, north = (min(row.lat for row in box_rows), max(row.lat for row in box_rows))
    step = sum(abs(a.lat - b.lat) for a, b in pairwise(box_rows)) / (len(box_rows) - 1)
    assert step < (north - south) / 4


def test_a_large_cell_has_several_shards(
    store: Store, sensors: dict[str, Sensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shard holds as much as it may, and one photo at least."""
    state = load_cell(store, CELL)
    sizes = sorted(row.size for row in state.photos)
    for most in (sizes[-1] * 3, 1):
        monkeypatch.setattr(photo_layout, "SHARD_BYTES", most)
        photos = lay_out(store, state, (), sensors).photos
        held: dict[str, int] = {}
        for row in photos:
            held[row.shard] = held.get(row.shard, 0) + row.size
        assert len(held) > 1
        assert max(held.values()) <= max(most, sizes[-1])
    assert len(held) == len(photos)


def test_what_is_gone_or_damaged_is_not_laid_out(store: Store, sensors: dict[str, Sensor]) -> None:
    """Nothing is written in its place."""
    state = load_cell(store, CELL)
    path = state.photos[0].shard
    shards = set(shard_paths(store, CELL))
    whole = store.read(path)
    store.replace(path, whole[:-60_000] + bytes(60_000))
    with pytest.raises(TroubleRemains, match="with the checksum"):
        lay_out(store, state, (), sensors)
    store.delete(path)
    with pytest.raises(ShardRemovedError, match=path):
        lay_out(store, state, (), sensors)
    assert set(shard_paths(store, CELL)) == shards - {path}


def test_batches_go_when_the_commit_is_made(run: Run, tiny: Path, tmp_path: Path) -> None:
    """What is left are the shards that the commit names: one of photos for a cell."""
    root = tmp_path / "d"
    run.build(root, catalogue=tiny, regions=("bay",), cells=1)
    store = open_store(str(root))
    (cell,) = {path.split("/")[1] for path in store.list("cells")}
    state = load_cell(store, cell)
    assert set(shard_paths(store, cell)) == set(state.shards)
    assert len({row.shard for row in state.photos}) == 1


def test_another_build_that_was_first_and_tidied_up_is_gone_along_with(
    run: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds its batches gone just before it commits, and begins again from the new."""
    root = tmp_path / "d"
    order: dict[str, Any] = {"catalogue": tiny, "regions": ("bay",), "cells": 1}
    work, others = ChipStage.run, [order]
    first: list[Any] = []

    def meet(self: ChipStage) -> CellState:
        done = work(self)
        if others:
            first.append(run.build(root, **others.pop())["cells"])
        return done

    monkeypatch.setattr(ChipStage, "run", meet)
    assert run.build(root, **order)["cells"] == {"unchanged": 1}
    assert first == [{"committed": 1}]
    assert [path.name for path in root.glob("cells/*/*")] == ["000001.json"]
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []


class Withdrawn(World):
    """A world in which one photo can be found, and no longer downloaded."""

    gone = ""

    def fetch(self, one: Any) -> Any:
        """Gives a picture, but for that photo."""
        if one.photo_id == self.gone:
            return PhotoAbsence("gone", "404")
        return super().fetch(one)


def test_a_photo_that_went_before_its_lost_shard_was_made_again_has_no_pair(tiny: Path) -> None:
    """A file was removed, as the message on a damaged one says: the others are placed anew."""
    catalogue, store, world = load_catalogue(tiny), memory_store(), Withdrawn(1, cloudy=0)
    stop_before_commit(order_of(MONDAY), store, catalogue, world)
    photos = {
        path: [row["item_id"] for row in read_index(store, path) if row["member"]]
        for path in shard_paths(store, MADE_UP.cell_id)
        if read_index(store, path)[0]["verdict"].get("stage")
    }
    for path in photos:
        store.delete(path)
    world.gone = next(iter(photos.values()))[0]
    collect_cell(order_of(MONDAY), services(store, catalogue, world))
    state = load_cell(store, MADE_UP.cell_id)
    (row,) = (row for row in state.rejects if row.photo_id == world.gone)
    assert row.reason == "gone"
    paired = {pair.photo_id for pair in state.pairs}
    assert paired <= {row.photo_id for row in state.photos}
    assert [row for row in state.photos if row.photo_id not in paired and not row.unpaired] == []
