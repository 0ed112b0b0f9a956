"""Splits of published versions: as dealt, kept as the dataset grows, and by owner where asked."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from collectors.cells import Cell
from collectors.storage import Store, open_store
from collectors.transport import SetupError
from filters.splits import Split, splits_of
from flows.catalogue.catalogue import load_catalogue
from flows.catalogue.text import CatalogueError
from flows.cells.state import commit_cell
from flows.products.versions import read_version
from flows.publishing.publish import publish
from tests.filters.split_worlds import made_world
from tests.flows.runs import SHIPPED
from tests.flows.split_rows import MadeRows, states_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flows.catalogue.catalogue import Catalogue
    from flows.products.versions import Version
    from tests.filters.split_worlds import Made

CATALOGUE = load_catalogue(SHIPPED)
SEED = 1
CELLS = [Cell(row, column) for row in range(116, 122) for column in range(50, 56)]


def catalogue(**splits: Any) -> Catalogue:
    """The shipped catalogue with about as much for each split, and other changes."""
    changed = {"train_pct": 40.0, "val_pct": 30.0, "test_pct": 30.0} | splits
    return CATALOGUE.model_copy(
        update={"splits": CATALOGUE.splits.model_copy(update=changed)}
    )  # fmt: skip


def rows_of(made: Sequence[Made], generation: int = 1) -> list[MadeRows]:
    """Rows of chips, one photo each, by owners who are each in two cells side by side."""
    return [
        MadeRows.of(
            one, f"{generation}{number:05d}", f"{one.cell.row} {one.cell.column // 2}", generation
        )
        for number, one in enumerate(made)
    ]


def commit(store: Store, rows: Sequence[MadeRows], generation: int = 1) -> None:
    """Commits the rows of some cells."""
    for state in states_of(rows, generation):
        assert commit_cell(store, state, CATALOGUE, SEED)


def split_of(store: Store, version: Version | None) -> dict[str, str]:
    """Returns the split of each photo's one pair."""
    assert version is not None
    found: dict[str, str] = {}
    for path in version.files("pairs"):
        table = pq.read_table(store.local_path(path))
        found |= dict(
            zip(table["photo_id"].to_pylist(), table["split"].to_pylist(), strict=True)
        )  # fmt: skip
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty dataset."""
    return open_store(str(tmp_path / "d"))


def test_pairs_have_the_split_of_their_chips_and_are_counted(store: Store) -> None:
    """In the table as the rule has it, in the manifest by sensor, on the screen in all."""
    made = made_world(CELLS, 6, Random(1))
    rows = rows_of(made)
    commit(store, rows)
    lines: list[str] = []
    version, _ = publish(store, catalogue(), SEED, lines.append)
    rule = catalogue().splits.rule(SEED)
    expected = dict(
        zip((row.photo.photo_id for row in rows), splits_of([one.grid for one in made], rule),
            strict=True)
    )  # fmt: skip
    assert split_of(store, version) == expected
    assert set(expected.values()) == set(Split)
    assert version is not None
    said = version.manifest["splits"]
    for sensor in ("sentinel2", "naip"):
        of_sensor = [expected[row.photo.photo_id] for row in rows if row.chip.sensor == sensor]
        assert said["pairs"][sensor] == {split: of_sensor.count(split) for split in Split}
    assert (said["train_pct"], said["block_cells"], said["owner_disjoint"]) == (40, 1, False)
    counts = [list(expected.values()).count(split) for split in Split]
    assert lines[-1] == (
        "splits of the pairs: train {}, val {}, test {}, none {}".format(*counts)
    )  # fmt: skip


def test_what_has_a_split_keeps_it_as_the_dataset_doubles(store: Store) -> None:
    """More chips in the same cells, and as many cells again, before, between and beyond."""
    first = rows_of(made_world(CELLS[::2], 6, Random(1)))
    commit(store, first)
    before = split_of(store, publish(store, catalogue(), SEED)[0])
    more = rows_of(made_world(CELLS[::2], 6, Random(2)), generation=2)
    commit(store, first + more, generation=2)
    commit(store, rows_of(made_world(CELLS[1::2], 12, Random(3)), generation=3))
    after = split_of(store, publish(store, catalogue(), SEED)[0])
    assert len(after) == 4 * len(before)
    assert {photo_id: after[photo_id] for photo_id in before} == before


def test_owners_are_in_one_split_where_that_is_asked(store: Store) -> None:
    """Test keeps its pairs, val what test has not; the loss is counted and said."""
    rows = rows_of(made_world(CELLS, 6, Random(1)))
    commit(store, rows)
    plain = split_of(store, publish(store, catalogue(), SEED)[0])
    lines: list[str] = []
    version, new = publish(store, catalogue(owner_disjoint=True), SEED, lines.append)
    assert new
    disjoint = split_of(store, version)
    owners = {row.photo.photo_id: row.photo.owner for row in rows}
    ends = set()
    for owner in set(owners.values()):
        had = {plain[one] for one in plain if owners[one] == owner} - {"none"}
        has = {disjoint[one] for one in plain if owners[one] == owner} - {"none"}
        assert has == {next(split for split in ("test", "val", "train") if split in had)}
        ends.add((*sorted(had), *has))
    assert {("train", "train"), ("train", "val", "val"), ("test", "train", "test")} <= ends
    lost = [plain[one] for one in plain if plain[one] != disjoint[one]]
    assert all(disjoint[one] == "none" for one in plain if plain[one] != disjoint[one])
    assert version is not None
    said = version.manifest["splits"]
    assert said["none_for_owner"] == {name: lost.count(name) for name in ("train", "val", "test")}
    assert said["none_for_owner"]["test"] == 0
    assert lost.count("train") > 0 < lost.count("val")
    assert (
        f"{lost.count('train')} of train and {lost.count('val')} of val are in none for"
        in (lines[-1])
    )


def test_an_owner_in_one_split_loses_nothing(store: Store) -> None:
    """Nor does one whose other pairs are in none anyway."""
    made = made_world(CELLS, 6, Random(1))
    by_ground = splits_of([one.grid for one in made], catalogue().splits.rule(SEED))
    rows = [
        MadeRows.of(one, f"{number:05d}", "nobody" if split is Split.NONE else split)
        for number, (one, split) in enumerate(zip(made, by_ground, strict=True))
    ]
    commit(store, rows)
    version, _ = publish(store, catalogue(owner_disjoint=True), SEED)
    assert list(split_of(store, version).values()) == by_ground
    assert version is not None
    assert set(version.manifest["splits"]["none_for_owner"].values()) == {0}


def test_a_photo_that_is_published_in_another_cell_does_not_count_for_its_owner(
    store: Store,
) -> None:
    """A geotag was moved: the row that is left out says nothing of where its owner is."""
    made = made_world(CELLS, 2, Random(1))
    by_ground = splits_of([one.grid for one in made], catalogue().splits.rule(SEED))
    place = {split: by_ground.index(split) for split in (Split.TRAIN, Split.TEST)}
    train, test = (made[place[split]] for split in (Split.TRAIN, Split.TEST))
    kept, left = (train, test) if train.cell.cell_id < test.cell.cell_id else (test, train)
    commit(store, [MadeRows.of(kept, "moved", "somebody"), MadeRows.of(left, "moved", "somebody"),
                   MadeRows.of(kept, "other", "somebody")])  # fmt: skip
    version, _ = publish(store, catalogue(owner_disjoint=True), SEED)
    split = Split.TRAIN if kept is train else Split.TEST
    assert split_of(store, version) == {"moved": split, "other": split}


def test_switching_owners_on_or_off_makes_a_version_and_nothing_else_does(store: Store) -> None:
    """The cells are the same; the third version is the first again."""
    commit(store, rows_of(made_world(CELLS, 6, Random(1))))
    found = [
        publish(store, catalogue(owner_disjoint=disjoint), SEED)
        for disjoint in (False, False, True, True, False)
    ]
    assert [new for _, new in found] == [True, False, True, False, True]
    first, *_, last = (version for version, _ in found)
    assert split_of(store, first) == split_of(store, last)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"train_pct": 50.0, "test_pct": 20.0}, "train_pct: 40, test_pct: 30"),
        ({"block_cells": 2}, "block_cells: 1"),
    ],
)
def test_other_splits_than_the_first_are_refused(
    store: Store, change: dict[str, Any], said: str
) -> None:
    """The message has both values and the remedy; nothing is published."""
    rows = rows_of(made_world(CELLS[:4], 2, Random(1)))
    commit(store, rows)
    publish(store, catalogue(), SEED)
    commit(store, rows, generation=2)
    with pytest.raises(SetupError, match=said) as caught:
        publish(store, catalogue(**change), SEED)
    for name, value in change.items():
        assert f"{name}: {value:g}" in str(caught.value)
    assert "begin another dataset under another root" in str(caught.value)
    version = read_version(store)
    assert version is not None
    assert version.name == "v0001"


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("train_pct: 80", "train_pct: 70", "add up to 100"),
        ("train_pct: 80", "train_pct: -80", "greater than or equal to 0"),
        ("block_cells: 1 ", "block_cells: 0 ", "greater than or equal to 1"),
        ("owner_disjoint: false", "owners_disjoint: true", "did you mean `owner_disjoint`"),
    ],
)
def test_splits_that_cannot_be_are_refused_with_their_line(
    tmp_path: Path, good: str, bad: str, said: str
) -> None:
    """A catalogue's mistakes are said with the line and what to write."""
    path = tmp_path / "data_catalog.yaml"
    text = SHIPPED.read_text(encoding="utf-8")
    assert good in text
    path.write_text(text.replace(good, bad, 1), encoding="utf-8")
    with pytest.raises(CatalogueError, match=said) as caught:
        load_catalogue(path)
    assert "splits" in str(caught.value)
