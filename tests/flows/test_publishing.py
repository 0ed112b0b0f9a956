"""Publishing: what only the whole can know, and versions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flows.publishing.publish
from collectors.storage import Store, open_store
from collectors.transport import WrongUse
from flows.cells.state import CellState, commit_cell, load_cell
from flows.products.revoked import revoke
from flows.products.rows import ChipRow, PhotoRow
from flows.products.tables import (
    LOOKED_UP,
    from_arrow,
    parquet_bytes,
    part_schema,
    read_parquet,
    to_arrow,
)
from flows.publishing.publish import publish
from tests.flows.product_rows import CATALOGUE, chip, ids, pair, photo, reject

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty dataset."""
    return open_store(str(tmp_path / "d"))


def test_rows_come_back_from_parquet_as_they_were() -> None:
    """Nulls, maps, lists of records and times survive."""
    for product, row in (
        ("photos", photo("1", "r118c055", unpaired={"naip": "border"})),
        ("rejects", reject("2", "r118c055")),
        ("chips", chip("c", "r118c055", 3)),
        ("pairs", pair("1", "c", "r118c055")),
    ):
        table = to_arrow([row], part_schema(CATALOGUE, product))
        assert from_arrow(read_parquet(parquet_bytes(table)), type(row)) == [row]


def test_tables_from_before_land_cover_was_measured_read_on(store: Store) -> None:
    """Rows of an earlier release have no such column: they are read, and published, without."""
    old, cell = replace(chip("c", "r118c055", 0), cover=None), "r118c055"
    schema = part_schema(CATALOGUE, "chips")
    table = to_arrow([old], schema).drop_columns(["cover"])
    assert from_arrow(read_parquet(parquet_bytes(table)), ChipRow) == [old]
    assert commit_cell(store, CellState(cell, 1, chips=(old,)), CATALOGUE, 0)
    (path,) = (path for path in store.list("parts") if path.endswith("-chips.parquet"))
    store.replace(path, parquet_bytes(table))
    publish(store, CATALOGUE, 0)
    assert ids(store, "chips", "chip_id") == ["c"]
    assert ids(store, "chips", "cover") == [None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.floats(-180, 180),
    st.floats(-90, 90),
    st.dictionaries(st.text("abc", max_size=3), st.text("xyz")),
)  # fmt: skip
def test_any_text_and_place_survives(
    title: str, lon: float, lat: float, unpaired: dict[str, str]
) -> None:
    """Titles are whatever people write."""
    row = photo("1", "r118c055", title=title, lon=lon, lat=lat, unpaired=unpaired)
    table = to_arrow([row], part_schema(CATALOGUE, "photos"))
    assert from_arrow(read_parquet(parquet_bytes(table)), PhotoRow) == [row]


def test_a_sensor_that_the_catalogue_gave_up_stays_described(store: Store) -> None:
    """Its chips are in the dataset: as the version before says, or not without its block."""
    cell, fewer = "r118c055", dict(CATALOGUE.sources)
    rows = {"photos": (photo("1", cell),), "chips": (chip("c", cell, 1),),
            "pairs": (pair("1", "c", cell),)}  # fmt: skip
    del fewer["sentinel2"]
    other = CATALOGUE.model_copy(update={"sources": fewer})
    assert commit_cell(store, CellState(cell, 1, **rows), CATALOGUE, 0)
    with pytest.raises(WrongUse, match=r"r118c055: has chips of sentinel2, .*Put its block back"):
        publish(store, other, 0)
    first, _ = publish(store, CATALOGUE, 0)
    assert commit_cell(store, CellState(cell, 2, **rows), CATALOGUE, 0)
    second, new = publish(store, other, 0)
    assert new
    assert first is not None
    assert second is not None
    assert second.manifest["sensors"] == first.manifest["sensors"]
    revoke(store, second.name)
    assert commit_cell(store, CellState(cell, 3, **rows), CATALOGUE, 0)
    third, _ = publish(store, other, 0)
    assert third is not None
    assert third.manifest["sensors"] == first.manifest["sensors"]


def test_a_photo_in_two_cells_is_published_once(store: Store) -> None:
    """A geotag that was moved: the cell that keeps the photo wins, then the first by name."""
    first = CellState(
        "r118c055", 1, photos=(photo("1", "r118c055"), photo("2", "r118c055")),
        rejects=(reject("3", "r118c055"),), chips=(chip("a", "r118c055", 2),),
        pairs=(pair("1", "a", "r118c055"), pair("2", "a", "r118c055")),
    )  # fmt: skip
    second = CellState(
        "r118c056", 1, photos=(photo("2", "r118c056"), photo("3", "r118c056")),
        rejects=(reject("1", "r118c056"),), chips=(chip("b", "r118c056", 2),),
        pairs=(pair("2", "b", "r118c056"), pair("3", "b", "r118c056")),
    )  # fmt: skip
    for state in (first, second):
        assert commit_cell(store, state, CATALOGUE, 0)
    version, new = publish(store, CATALOGUE, 0)
    assert new
    assert sorted(ids(store, "photos") + ids(store, "rejects")) == ["1", "2", "3"]
    assert sorted(ids(store, "photos")) == ["1", "2", "3"]
    assert sorted(zip(ids(store, "pairs"), ids(store, "pairs", "chip_id"), strict=True)) == [
        ("1", "a"), ("2", "a"), ("3", "b"),
    ]  # fmt: skip
    assert ids(store, "chips", "photos") == [2, 1]
    assert version is not None
    assert version.manifest["settled_duplicates"] == {
        "1": ["r118c056"], "2": ["r118c056"], "3": ["r118c055"],
    }  # fmt: skip


def test_publishing_says_how_far_it_is(store: Store) -> None:
    """Tables by their cells, then what the description reads; each begins at nothing."""
    for name in ("r118c055", "r118c056"):
        state = CellState(name, 1, photos=(photo(name[-1], name),))
        assert commit_cell(store, state, CATALOGUE, 0)
    heard: list[tuple[str, int, int]] = []
    publish(store, CATALOGUE, 0, progress=lambda *far: heard.append(far))
    assert [far for far in heard if far[0] == "cells in photos"] == [
        ("cells in photos", 0, 2), ("cells in photos", 1, 2),
    ]  # fmt: skip
    assert heard[-1][0] != "cells in pairs", "the description is not heard of"


def test_a_version_is_published_only_when_something_is_new(store: Store) -> None:
    """The same state gives no second version; another generation does."""
    state = CellState("r118c055", 1, photos=(photo("1", "r118c055"),))
    assert commit_cell(store, state, CATALOGUE, 0)
    first, _ = publish(store, CATALOGUE, 0)
    again, new = publish(store, CATALOGUE, 0)
    assert (again, new) == (first, False)
    more = CellState("r118c055", 2, photos=(photo("1", "r118c055"), photo("2", "r118c055")))
    assert commit_cell(store, more, CATALOGUE, 0)
    second, new = publish(store, CATALOGUE, 0)
    assert new
    assert second is not None
    assert second.name == "v0002"
    assert store.read("manifests/LATEST") == b"v0002\n"
    assert ids(store, "photos") == ["1", "2"]


def test_a_slower_publisher_does_not_turn_the_hint_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first one describes v0001, a cell grows and a second one publishes v0002."""
    assert commit_cell(
        store, CellState("r118c055", 1, photos=(photo("1", "r118c055"),)), CATALOGUE, 0
    )
    work = flows.publishing.publish.describe_in_place

    def describe(*args: Any) -> Any:
        monkeypatch.setattr(flows.publishing.publish, "describe_in_place", work)
        more = CellState("r118c055", 2, photos=(photo("1", "r118c055"), photo("2", "r118c055")))
        assert commit_cell(store, more, CATALOGUE, 0)
        second, _ = publish(store, CATALOGUE, 0)
        assert second is not None
        assert second.name == "v0002"
        return work(*args)

    monkeypatch.setattr(flows.publishing.publish, "describe_in_place", describe)
    first, _ = publish(store, CATALOGUE, 0)
    assert first is not None
    assert first.name == "v0001"
    assert store.read("manifests/LATEST") == b"v0002\n"


def test_of_two_writers_of_a_cell_one_wins(store: Store) -> None:
    """The second is told, its content is not visible; the same content counts as its own."""
    one = CellState("r118c055", 1, photos=(photo("1", "r118c055"),))
    other = CellState("r118c055", 1, photos=(photo("2", "r118c055"),))
    assert commit_cell(store, one, CATALOGUE, 0)
    assert not commit_cell(store, other, CATALOGUE, 0)
    assert commit_cell(store, one, CATALOGUE, 0)
    assert [row.photo_id for row in load_cell(store, "r118c055").photos] == ["1"]


def test_an_empty_dataset_publishes_nothing(store: Store) -> None:
    """There is no version of nothing."""
    assert publish(store, CATALOGUE, 0) == (None, False)


def test_ids_are_found_by_bloom_filters(store: Store) -> None:
    """Each table rules out ids that it has not, by the columns that rows are looked up by."""
    state = CellState(
        "r118c055", 1, photos=(photo("1", "r118c055"),), rejects=(reject("2", "r118c055"),),
        chips=(chip("a", "r118c055", 1),), pairs=(pair("1", "a", "r118c055"),),
    )  # fmt: skip
    assert commit_cell(store, state, CATALOGUE, 0)
    version, _ = publish(store, CATALOGUE, 0)
    assert version is not None
    for product, names in LOOKED_UP.items():
        (path,) = version.files(product)
        local = str(store.local_path(path))
        for name in names:
            with duckdb.connect() as base:
                ruled_out = base.execute(
                    "SELECT bloom_filter_excludes FROM parquet_bloom_probe(?, ?, 'nobody')",
                    [local, name],
                ).fetchall()
            assert ruled_out == [(True,)], (product, name)
