"""Time series and several sensors at places of a dataset."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import shapely
from typer.testing import CliRunner

from collectors.earth_engine import EarthEngine
from collectors.geo import Box, Zone, transformer
from collectors.storage import Store, open_store
from collectors.transport import SetupError, TroubleRemains
from filters.splits import Shares, SplitRule, splits_of
from flows.catalogue.catalogue import load_catalogue
from flows.catalogue.text import CatalogueError
from flows.command_line import app
from flows.demo import as_environment, sandbox_settings
from flows.products.versions import read_version
from flows.series import places as places_module
from flows.series.places import choose_places
from tests.collectors.s3_server import S3Server
from tests.flows.runs import SHIPPED, small_catalogue
from tests.flows.series_sets import (
    best_shift,
    check_place,
    everything,
    greens,
    listed,
    make,
    places_there,
    rows_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collectors.sandbox import Sandbox
    from flows.series.places import Choice

PLACES = 2


@pytest.fixture(scope="module")
def made(sandbox: Sandbox, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series at two places. Not to be changed."""
    folder = tmp_path_factory.mktemp("series") / "whole"
    make(sandbox, built, folder, places=PLACES)
    return folder


def chosen(built: Path, wanted: int, extents: tuple[Box, ...] = ()) -> Choice:
    """The places of the dataset."""
    store = open_store(str(built), writable=False)
    version = read_version(store)
    assert version is not None
    return choose_places(store, version, 640.0, extents, wanted)


def test_every_place_is_a_row_and_what_is_kept_is_whole(made: Path) -> None:
    """Footprints, dates, bands, cloud and products are what the layout promises."""
    rows = rows_of(made)
    kept = [row for row in rows if row["outcome"] == "kept"]
    assert len(rows) == PLACES
    assert len(kept) >= 2
    for row in kept:
        check_place(made, row)
    for row in rows:
        if row["outcome"] != "kept":
            assert row["reason"]
            assert not [path for path in everything(made) if row["place_id"] in path
                        and not path.startswith("places/")]  # fmt: skip
    for split in ("train", "val", "test"):
        assert listed(made, split) == [one["place_id"] for one in kept if one["split"] == split]


def test_all_sensors_show_the_same_ground_at_the_same_pixel(made: Path) -> None:
    """Averaged to 10 m, the flight looks most like each date of Sentinel-2 where it lies."""
    for row in rows_of(made):
        if row["outcome"] == "kept":
            flight, dates = greens(made, row["place_id"])
            assert {best_shift(flight, one) for one in dates} == {(0, 0)}


def test_every_file_has_its_checksum_and_nothing_else_is_there(made: Path) -> None:
    """The manifest names the table and the lists, documents of places the rest."""
    files = everything(made)
    manifest = json.loads(files["manifest.json"])
    said = {one["path"]: one["sha256"] for one in manifest["files"]}
    for document in places_there(made).values():
        for part in document["parts"]:
            said |= {one["path"]: one["sha256"] for one in part.get("files", [])}
    documents = {path for path in files if path.startswith("places/")}
    assert set(said) | documents | {"manifest.json", "series.json"} == set(files)
    for path, digest in said.items():
        assert hashlib.sha256(files[path]).hexdigest() == digest


def test_the_table_is_geoparquet_with_the_footprints(made: Path) -> None:
    """Outlines in degrees lie where the square does."""
    schema = pq.read_schema(made / "manifest/places.parquet")
    geo = json.loads(schema.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    for row in rows_of(made):
        shape = shapely.from_wkb(row["geometry"])
        x, y = transformer("EPSG:4326", row["crs"]).transform(shape.centroid.x, shape.centroid.y)
        assert (x, y) == pytest.approx((row["west_m"] + 320, row["north_m"] - 320), abs=0.5)
        assert shape.bounds == tuple(row["bbox"][name] for name in ("xmin", "ymin", "xmax", "ymax"))


class StoppedError(Exception):
    """The machine goes down."""


def test_a_series_that_was_stopped_goes_on_and_ends_with_the_same_bytes(
    sandbox: Sandbox, built: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two runs, one of them broken off between two files: no finished place is asked for."""
    output = tmp_path / "series"
    first = make(sandbox, built, output, places=PLACES, limit=1)
    assert (first["finished"], first["new_places"], first["whole"]) == (1, 1, False)
    assert not (output / "manifest.json").exists()

    from collectors.storage import Store

    real = Store.create

    def stop_at_radar(self: Store, path: str, data: bytes) -> bool:
        if path.startswith("dates/s1/"):
            raise StoppedError
        return real(self, path, data)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "create", stop_at_radar)
        with pytest.raises(StoppedError):
            make(sandbox, built, output, places=PLACES, limit=1)
    assert len(places_there(output)) == 1
    sandbox.reset()
    last = make(sandbox, built, output, places=PLACES)
    assert (last["finished"], last["new_places"], last["whole"]) == (PLACES, PLACES - 1, True)
    counts = sandbox.counts()
    assert counts["ee.get_pixels"] <= 2 * (PLACES - 1)
    assert everything(output) == everything(made)
    sandbox.reset()
    again = make(sandbox, built, output, places=PLACES)
    assert (again["new_places"], again["whole"]) == (0, True)
    assert not {"ee.features", "ee.get_pixels", "ee.compute_pixels"} & set(sandbox.counts())
    assert everything(output) == everything(made)


def test_requests_are_one_a_stack_and_few_to_find_the_scenes(
    sandbox: Sandbox, built: Path, tmp_path: Path
) -> None:
    """NAIP, Sentinel-2 and Sentinel-1 are a request each; what the run says is what was sent."""
    sandbox.reset()
    found = make(sandbox, built, tmp_path / "series", places=1)
    counts = sandbox.counts()
    pixels = counts["ee.get_pixels"] + counts["ee.compute_pixels"]
    assert found["requests"]["resolve"] == counts["ee.features"] == 2
    assert found["requests"]["pixels"] == pixels
    assert found["kept"] == 1
    assert pixels == 3


def test_places_are_squares_of_one_split_in_an_order_of_chance(built: Path) -> None:
    """The first of many are those of few; each holds photos, and none overlaps another."""
    many, few = chosen(built, 60), chosen(built, 5)
    assert many.places[:5] == few.places
    assert few.left_out["not_wanted"] > 0
    store = open_store(str(built), writable=False)
    version = read_version(store)
    assert version is not None
    rule = SplitRule(version.manifest["seed"], Shares(57, 10, 33), 1)
    shapes = []
    for place in many.places:
        assert splits_of([place.grid(10.0)], rule) == [place.split]
        assert place.split.value != "none"
        assert place.photos >= 1
        west, south, east, north = place.grid(10.0).bounds
        assert (west % 640, south % 640, east - west, north - south) == (0, 0, 640, 640)
        shapes.append(place.grid(10.0).footprint())
    photos = pq.read_table(built / version.files("photos")[0]).to_pylist()
    tree = shapely.STRtree([shapely.Point(one["lon"], one["lat"]) for one in photos])
    for shape, place in zip(shapes, many.places, strict=True):
        inside = tree.query(shape, predicate="contains")
        assert len(inside) == place.photos
        days = sorted(photos[number]["taken_at"].date() for number in inside)
        assert place.target_date == days[(len(days) - 1) // 2]
    grown = shapely.STRtree(shapes)
    assert all(len(grown.query(shape, predicate="overlaps")) == 0 for shape in shapes)


def test_squares_outside_a_sensor_s_extent_are_left_out(built: Path) -> None:
    """Those of the Alps have no flights, and are counted."""
    america = Box(-124.9, 24.4, -66.9, 49.5)
    everywhere, there = chosen(built, 10_000), chosen(built, 10_000, (america,))
    europe = [one for one in everywhere.places if one.zone.number == 32]
    assert europe
    assert there.left_out["outside_extent"] >= len(europe)
    assert {one.zone.number for one in there.places} == {10}
    with pytest.raises(SetupError, match="no place for a series"):
        chosen(built, 5, (Box(0, 0, 1, 1),))


def test_squares_of_two_zones_do_not_overlap() -> None:
    """At a zone's edge the lattices meet askew; the one that comes second is left out."""
    apart = places_module._Apart()
    taken = []
    for number, lon in ((10, -120.0005), (11, -119.9995)):
        zone = Zone(number, north=True)
        crs = f"EPSG:{32600 + number}"
        x, y = transformer("EPSG:4326", crs).transform(lon, 38.0)
        grid = places_module.Place(
            "", zone, x // 640 * 640, -(-y // 640) * 640, 640.0, date(2020, 1, 1), 1,
            places_module.Split.TRAIN,
        ).grid(640.0)  # fmt: skip
        taken.append(apart.admits(grid))
        neighbour = places_module.ChipGrid(crs, grid.west_m, grid.north_m + 6400, 640.0, 1)
        assert number == 11 or apart.admits(neighbour)
    assert taken == [True, False]


def test_a_place_without_enough_dates_is_a_row_with_its_reason(
    sandbox: Sandbox, built: Path, tmp_path: Path
) -> None:
    """Nothing relaxes by itself: what was tried is said, and no file is there."""

    def hardly_any(document: Any) -> None:
        document["series"]["s2-naip"]["stacks"]["sentinel2"] |= {"window_days": 20}

    catalogue = load_catalogue(small_catalogue(tmp_path / "catalogue.yaml", hardly_any))
    found = make(sandbox, built, tmp_path / "series", catalogue=catalogue, places=1)
    assert found["kept"] == 0
    assert found["refused"] == {"sentinel2: too_few_dates": 1}
    (row,) = rows_of(tmp_path / "series")
    assert "of 16 dates of" in row["detail"]
    assert listed(tmp_path / "series", "train") == []
    assert not (tmp_path / "series" / "sentinel2").exists()


def test_cloudy_dates_are_refused_by_what_is_measured_and_others_are_read(
    sandbox: Sandbox, built: Path, tmp_path: Path
) -> None:
    """Without spares, dates that turn out cloudy cost another request, and the row names them."""

    def no_spares(document: Any) -> None:
        document["series"]["s2-naip"]["stacks"]["sentinel2"] |= {
            "spares": 0, "cloud_limit_pct": 0, "scene_cloud_limit_pct": 95,
            "cloud_property": "CLOUDY_PIXEL_PERCENTAGE",
        }  # fmt: skip

    catalogue = load_catalogue(small_catalogue(tmp_path / "catalogue.yaml", no_spares))
    found = make(sandbox, built, tmp_path / "series", catalogue=catalogue, places=2)
    rows = [row for row in rows_of(tmp_path / "series") if row["outcome"] == "kept"]
    assert rows
    refused = [one for row in rows for one in row["parts"][1]["refused"]]
    assert refused
    assert {one["reason"] for one in refused} <= {"cloudy", "missing"}
    assert all(one["cloud_pct"] > 0 for one in refused if one["reason"] == "cloudy")
    assert found["requests"]["pixels"] > 3 * len(rows)
    for row in rows:
        taken = {one["scene_id"] for one in row["parts"][1]["dates"]}
        assert not taken & {one["scene_id"] for one in row["parts"][1]["refused"]}
        assert all(one["cloud_pct"] == 0 for one in row["parts"][1]["dates"])


def test_trouble_at_one_place_leaves_the_others_alone_and_the_next_run_takes_it_up(
    sandbox: Sandbox, built: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told of, no list is written, and in the end the bytes are the same."""
    unlucky = chosen(built, PLACES, (Box(-124.9, 24.4, -66.9, 49.5),)).places[1].place_id
    real = EarthEngine.read

    def fail(self: EarthEngine, chip: Any, scene: Any, sensor: Any) -> Any:
        if chip.chip_id.startswith(unlucky):
            raise TroubleRemains("Earth Engine", "503 for ever")
        return real(self, chip, scene, sensor)

    with monkeypatch.context() as patched:
        patched.setattr(EarthEngine, "read", fail)
        found = make(sandbox, built, tmp_path / "series", places=PLACES)
    assert set(found["failed"]) == {unlucky}
    assert "503 for ever" in found["failed"][unlucky]
    assert (found["finished"], found["whole"]) == (PLACES - 1, False)
    assert not (tmp_path / "series" / "train.csv").exists()
    assert make(sandbox, built, tmp_path / "series", places=PLACES)["whole"]
    assert everything(tmp_path / "series") == everything(made)


def test_another_series_that_begins_at_the_same_time_keeps_its_folder(
    sandbox: Sandbox, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes first what the folder is of, after this one has looked."""
    create = Store.create

    def second(self: Store, path: str, data: bytes) -> bool:
        if path == "series.json":
            create(self, path, b'{"another series": 1}')
        return create(self, path, data)

    monkeypatch.setattr(Store, "create", second)
    with pytest.raises(SetupError, match="another series was begun"):
        make(sandbox, built, tmp_path / "series", places=PLACES)


def test_an_output_of_another_series_is_refused(
    sandbox: Sandbox, built: Path, made: Path, tmp_path: Path
) -> None:
    """Another number of places, other files in the folder, a file that was changed."""
    with pytest.raises(SetupError, match="another series was begun"):
        make(sandbox, built, made, places=PLACES + 1)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("dear")
    with pytest.raises(SetupError, match="holds other files"):
        make(sandbox, built, tmp_path / "letters", places=1)
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    row = next(row for row in rows_of(made) if row["outcome"] == "kept")
    (copy / f"places/{row['place_id']}.json").unlink()
    (copy / f"dates/s2/{row['place_id']}.txt").write_text("S2A_OTHER\n")
    with pytest.raises(SetupError, match="is there already, made from other scenes"):
        make(sandbox, built, copy, places=PLACES)


def test_from_and_to_object_storage_come_the_same_bytes(
    sandbox: Sandbox, built: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an S3 server, all but what a folder of the dataset itself would get."""
    with S3Server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        source = open_store(f"s3://{server.bucket}/dataset")
        for path, data in everything(built).items():
            if path.startswith("manifests/"):
                source.create(path, data)
        url = f"s3://{server.bucket}/series"
        make(sandbox, source.root, url, places=PLACES)
        target = open_store(url, writable=False)
        assert {path: target.read(path) for path in target.list()} == everything(made)
        with pytest.raises(SetupError, match="lies in the dataset itself"):
            make(sandbox, source.root, f"{source.root}/series", places=PLACES)
    with pytest.raises(SetupError, match="lies in the dataset itself"):
        make(sandbox, built, built / "shards", places=PLACES)


def test_the_month_s_budget_holds(sandbox: Sandbox, built: Path, tmp_path: Path) -> None:
    """Requests of a series count like those of a build, and end it when nothing is left."""
    from flows.limits.budgets import BudgetSpent

    root = tmp_path / "dataset"
    shutil.copytree(built, root)
    budget = {"earth_engine_requests_per_month": 2}
    with pytest.raises(BudgetSpent):
        make(sandbox, root, tmp_path / "series", places=2, settings=budget)
    assert not (tmp_path / "series" / "manifest.json").exists()


def wrong(part: str, **changes: Any) -> Callable[[Any], None]:
    """A change of a part of the series."""

    def change(document: Any) -> None:
        series = document["series"]["s2-naip"]
        block = series[part] if part in series else series["stacks"][part]
        block |= changes

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (wrong("sentinel2", scale_m=11), "pixels of 11 m do not divide 640 m"),
        (wrong("sentinel1", dates=5), "a multiple of 2 groups"),
        (wrong("sentinel1", groups=[]), "group_property and groups go together"),
        (wrong("sentinel1", cloud_limit_pct=5), "need `quality: scl`"),
        (wrong("sentinel1", quality="scl"), "goes with pixel uint16 or uint8"),
        (wrong("sentinel2", cloud_property=None), "scene_cloud_limit_pct needs cloud_property"),
        (wrong("sentinel2", dates=100, window_days=20), "has no 100"),
        (wrong("sentinel2", file="sentinel2/all.tif"), "holds {place} once"),
        (wrong("sentinel2", file="../{place}.tif"), "file"),
        (wrong("sentinel2", file="sentinel1/{place}.tif"), "a path of its own"),
        (wrong("sentinel2", file="places/{place}.tif"), "holds what is said of places"),
        (wrong("sentinel2", file="sentinel2/{place}.png"), "its name ends in .tif"),
        (wrong("sentinel2", quality_file="scl/all.tif"), "holds {place} once"),
        (wrong("sentinel2", clouds=3), "clouds"),
        (wrong("images", naip={"source": "landsat", "bands": ["R"], "scale_m": 1.25,
                               "file": "n/{place}.png", "products": "p/{place}.txt"}),
         "no sensor 'landsat'"),
    ],
)  # fmt: skip
def test_a_series_that_cannot_be_is_refused_with_the_catalogue(
    change: Callable[[Any], None], said: str, tmp_path: Path
) -> None:
    """Each mistake is said in a line."""
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(small_catalogue(tmp_path / "catalogue.yaml", change))
    assert said in str(caught.value)


def test_the_shipped_series_is_the_layout_of_s2_naip() -> None:
    """640 m, 512 px at 1.25 m and 64 px at 10 m; ten bands in groups of 10 m, red edge, SWIR."""
    series = load_catalogue(SHIPPED).series["s2-naip"]
    assert [(name, series.size_px(part)) for name, part in series.parts.items()] == [
        ("naip", 512), ("sentinel2", 64), ("sentinel1", 64),
    ]  # fmt: skip
    assert series.stacks["sentinel2"].bands == (
        "B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B11", "B12",
    )  # fmt: skip
    assert (series.stacks["sentinel2"].dates, series.stacks["sentinel1"].dates) == (16, 4)


def test_the_command_says_what_there_is(
    sandbox: Sandbox, built: Path, made: Path, tmp_path: Path
) -> None:
    """As JSON and as text; a whole series needs no request for pixels."""
    environment = {
        name: str(value) for name, value in as_environment(sandbox_settings(sandbox)).items()
    }
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    asked = ["series", "--root", str(built), "--output", str(copy), "--places", str(PLACES)]
    told = CliRunner().invoke(app, asked, env=environment)
    assert told.exit_code == 0, told.output
    assert "s2-naip of v0001 in " in told.output
    assert "whole       manifest.json" in told.output
    found = json.loads(CliRunner().invoke(app, [*asked, "--json"], env=environment).stdout)
    assert found["whole"]
    assert found["requests"]["pixels"] == 0
    other = [*asked[:-1], "99"]
    refused = CliRunner().invoke(app, other, env=environment)
    assert refused.exit_code == 1
    assert "another series was begun" in refused.output
    unknown = CliRunner().invoke(app, ["series", "s3-naip", *asked[1:]], env=environment)
    assert "has no series 's3-naip'" in unknown.output
