"""Publishing: what only the whole can know, and versions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.storage import Store, open_store
from flows.catalogue.catalogue import load_catalogue
from flows.cells.state import CellState, commit_cell, load_cell
from flows.products.rows import ChipRow, PairRow, PhotoRow, RefusedScene, RejectRow
from flows.products.tables import (
    LOOKED_UP,
    from_arrow,
    parquet_bytes,
    part_schema,
    read_parquet,
    to_arrow,
)
from flows.products.versions import read_version
from flows.publishing.publish import publish
from tests.flows.runs import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

CATALOGUE = load_catalogue(SHIPPED)
WHEN = datetime(2020, 5, 17, 12, 30)  # noqa: DTZ001 - local time, as Flickr gives it


def photo(photo_id: str, cell: str, **more: Any) -> PhotoRow:
    """A kept photo."""
    values: dict[str, Any] = {
        "photo_id": photo_id, "owner": "1@N01", "lon": -122.4, "lat": 37.7, "accuracy": 16,
        "taken_at": WHEN, "taken_at_utc": WHEN.replace(hour=19, tzinfo=UTC),
        "time_zone": "America/Los_Angeles", "taken_granularity": 0,
        "uploaded_at": WHEN.replace(tzinfo=UTC), "licence": "CC-BY-2.0", "attribution": "x",
        "page_url": "https://www.flickr.com/photos/x/1/", "image_url": "u", "title": "t",
        "tags": "", "cell": cell, "indoor_probability": 0.1, "shard": "s", "offset": 0, "size": 1,
        "sha256": "0", "width": 1, "height": 1, "picture_hash": "",
        "unpaired": {}, "generation": 1,
    }  # fmt: skip
    return PhotoRow(**(values | more))


def reject(photo_id: str, cell: str, **more: Any) -> RejectRow:
    """A photo that was not kept."""
    values: dict[str, Any] = {
        "photo_id": photo_id, "owner": None, "lon": None, "lat": None, "taken_at": None,
        "licence": None, "cell": cell, "outcome": "rejected", "stage": "screen",
        "reason": "low_accuracy", "detail": "", "indoor_probability": None, "generation": 1,
    }  # fmt: skip
    return RejectRow(**(values | more))


def chip(chip_id: str, cell: str, photos: int) -> ChipRow:
    """A chip with pixels."""
    return ChipRow(
        chip_id=chip_id, sensor="sentinel2", cell=cell, time_bin="2020Q2", outcome="kept",
        reason=None, scene_id="x", acquired_at=WHEN.replace(tzinfo=UTC),
        target_date=date(2020, 5, 17), delta_days=0, cloud_scene_pct=0.5, cloud_chip_pct=0.0,
        shadow_pct=0.0, valid_pct=100.0, cover={"vegetation": 62.5, "water": 37.5},
        scene_cloud_limit_pct=1.0, chip_cloud_limit_pct=1.0, missing_limit_pct=1.0,
        refused=(RefusedScene("y", 0, 0.1, 7.5, 100.0, "cloudy"),),
        crs="EPSG:32610", transform=(10.0, 0.0, 550_000.0, 0.0, -10.0, 4_182_240.0), width=448,
        height=448, bands=("B2", "SCL"), scale_m=10.0, source_gsd_m=10.0, processing="05.09",
        photos=photos, shard="s", offset=0, size=1, sha256="0", generation=1,
    )  # fmt: skip


def pair(photo_id: str, chip_id: str, cell: str) -> PairRow:
    """A photo in a chip."""
    return PairRow(photo_id, chip_id, "sentinel2", 224.0, 224.0, 0, 1.0, 4.0, cell, 1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty dataset."""
    return open_store(str(tmp_path / "d"))


def ids(store: Store, product: str, column: str = "photo_id") -> list[Any]:
    """Reads a column of the newest version."""
    version = read_version(store)
    assert version is not None
    return [
        one
        for path in version.files(product)
        for one in pq.read_table(store.local_path(path))[column].to_pylist()
    ]


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
