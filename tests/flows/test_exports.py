"""Selections as files: CSV, GeoParquet and GeoJSON that other programs read."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import geopandas as gpd
import pyarrow.parquet as pq
import pytest
import shapely

from collectors.storage import open_store
from flows.cells.state import CellState, commit_cell
from flows.inspection import export
from flows.publishing.publish import publish
from tests.flows.hostile_rows import TITLES
from tests.flows.product_rows import CATALOGUE, photo, reject
from tests.flows.test_command_line import terrapair
from tests.flows.test_selection import rows

if TYPE_CHECKING:
    from pathlib import Path

FORMULAS = ("=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "'=1", " =1", 'a,b\n"c"')


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A version whose titles mean harm, and a reject without a place."""
    titles = [*FORMULAS, *(title for title in TITLES if len(title) < 1000)]
    photos = tuple(
        photo(str(number), "r118c055", title=title, tags="-x", lon=-122.5)
        for number, title in enumerate(titles, start=100)
    )
    state = CellState("r118c055", 1, photos=photos, rejects=(reject("7", "r118c055"),))
    store = open_store(str(tmp_path / "d"))
    assert commit_cell(store, state, CATALOGUE, 0)
    publish(store, CATALOGUE, 0)
    return tmp_path / "d"


def exported(root: Path, product: str, to: Path, *arguments: str) -> Path:
    """Exports a selection through the command line."""
    done = terrapair("catalog", "show", product, "--root", str(root), "--export", str(to),
                     *arguments)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert sorted(to.parent.glob(".*.part")) == []
    return to


def test_no_field_of_csv_is_a_formula(hostile: Path, tmp_path: Path) -> None:
    """A text that begins one gets an apostrophe; numbers and other texts are as they were."""
    path = exported(hostile, "photos", tmp_path / "x.csv")
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    titles = {one["photo_id"]: one["title"] for one in rows(hostile, "photos")}
    assert len(found) == len(titles) > len(FORMULAS)
    for one in found:
        title = titles[one["photo_id"]].replace("\x00", "")
        assert one["title"] in {title, f"'{title}"}
        begins = one["title"][:1]
        assert begins not in {"=", "+", "-", "@", "\t", "\r", "＝"}
        assert one["tags"] == "'-x"
        assert float(one["lon"]) == -122.5
    assert "geometry" not in found[0]


def test_parquet_is_what_the_version_has(built: Path, tmp_path: Path) -> None:
    """All rows and columns with their types, units and meanings; GeoParquet for other readers."""
    for product in ("photos", "rejects", "chips", "pairs"):
        path = exported(built, product, tmp_path / f"{product}.parquet")
        (source,) = built.glob(f"manifests/v0001/{product}/*.parquet")
        one, other = pq.read_table(path), pq.read_table(source)
        assert one.schema.equals(other.schema, check_metadata=False)
        for field in other.schema:
            assert one.schema.field(field.name).metadata == field.metadata
        assert one.equals(other)
        geo = (json.loads(table.schema.metadata.get(b"geo", b"{}")) for table in (one, other))
        assert next(geo) == next(geo)
    frame = gpd.read_parquet(tmp_path / "chips.parquet")
    assert frame.geometry.is_valid.all()


def test_some_columns_of_parquet_leave_no_promise_behind(built: Path, tmp_path: Path) -> None:
    """Without bbox the covering is not named, without geometry it is no GeoParquet."""
    path = exported(built, "photos", tmp_path / "a.parquet", "--columns", "photo_id, geometry")
    geo = json.loads(pq.read_schema(path).metadata[b"geo"])
    assert "covering" not in geo["columns"]["geometry"]
    assert len(gpd.read_parquet(path)) == len(rows(built, "photos"))
    path = exported(built, "photos", tmp_path / "b.parquet", "--columns", "photo_id, lon * 2 AS x")
    assert b"geo" not in (pq.read_schema(path).metadata or {})
    assert pq.read_schema(path).names == ["photo_id", "x"]


def test_geojson_is_read_by_others_and_turns_the_right_way(built: Path, tmp_path: Path) -> None:
    """Features in degrees, outlines counter-clockwise, ids, and values as JSON has them."""
    path = exported(built, "chips", tmp_path / "c.geojson", "--sensor", "naip")
    document = json.loads(path.read_text(encoding="utf-8"))
    assert set(document) == {"type", "features"}
    chips = {one["chip_id"]: one for one in rows(built, "chips") if one["sensor"] == "naip"}
    assert {one["id"] for one in document["features"]} == set(chips)
    for feature in document["features"]:
        shape = shapely.geometry.shape(feature["geometry"])
        assert shapely.get_exterior_ring(shape).is_ccw
        own = shapely.from_wkb(bytes(chips[feature["id"]]["geometry"]))
        assert shape.hausdorff_distance(own) < 1e-6
        assert feature["properties"]["photos"] == chips[feature["id"]]["photos"]
    assert len(gpd.read_file(path)) == len(chips)


def test_geojson_of_pairs_and_of_what_has_no_place(
    built: Path, hostile: Path, tmp_path: Path
) -> None:
    """A pair has the point of its photo; a reject without location has none."""
    path = exported(built, "pairs", tmp_path / "p.geojson")
    where = {one["photo_id"]: (one["lon"], one["lat"]) for one in rows(built, "photos")}
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    assert len(features) == len(rows(built, "pairs"))
    for feature in features:
        lon, lat = where[feature["properties"]["photo_id"]]
        assert feature["geometry"]["coordinates"] == pytest.approx([lon, lat], abs=1e-7)
    path = exported(hostile, "rejects", tmp_path / "r.geojson")
    (feature,) = json.loads(path.read_text(encoding="utf-8"))["features"]
    assert feature["geometry"] is None


def test_an_export_is_whole_whatever_its_batches(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written seven rows at a time it has the same rows; a limit holds if it is given."""
    monkeypatch.setattr(export, "_BATCH", 7)
    monkeypatch.setattr(export, "_GROUP", 10)
    for ending in ("csv", "geojson", "parquet"):
        exported(built, "photos", tmp_path / f"x.{ending}")
    count = len(rows(built, "photos"))
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == count + 1
    assert len(json.loads((tmp_path / "x.geojson").read_text())["features"]) == count
    assert pq.read_metadata(tmp_path / "x.parquet").num_rows == count
    path = exported(built, "photos", tmp_path / "y.csv", "--limit", "5", "--offset", "2")
    assert len(path.read_text().splitlines()) == 6


def test_nothing_is_overwritten_and_no_half_file_stays(built: Path, tmp_path: Path) -> None:
    """A file that is there is left alone; a condition that fails leaves nothing behind."""
    path = tmp_path / "x.csv"
    path.write_text("mine")
    asked = ["catalog", "show", "photos", "--root", str(built), "--export"]
    done = terrapair(*asked, str(path))
    assert done.exit_code == 2
    assert "is there already" in " ".join(done.output.split())
    assert path.read_text() == "mine"
    done = terrapair(*asked, str(tmp_path / "y.csv"), "--columns", "CAST(title AS INTEGER)")
    assert done.exit_code == 2, done.output
    assert [one.name for one in tmp_path.iterdir()] == ["x.csv"]
    assert terrapair(*asked, str(tmp_path / "no" / "y.csv")).exit_code == 2
