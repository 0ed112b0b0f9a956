"""A whole build against the sandbox: what comes out, who can read it, and a second run."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio

from collectors.cells import Cell
from collectors.storage import open_store
from collectors.transport import SetupError
from flows.demo import END_OF_WORLD
from flows.products.versions import read_version
from flows.runs.building import SilentWatcher
from flows.verification.verification import verify_dataset
from tests.flows.runs import small_catalogue
from tests.flows.small_worlds import shrink

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run


def rows(root: Path, product: str, columns: str = "*") -> list[tuple]:
    """Reads rows of a product as a user would, with DuckDB."""
    files = f"{root}/manifests/v0001/{product}/*.parquet"
    return duckdb.sql(f"SELECT {columns} FROM read_parquet('{files}')").fetchall()


def test_every_promise_holds(built: Path) -> None:
    """`verify` looks at every invariant and finds none broken."""
    findings = verify_dataset(str(built))
    assert all(finding.checked > 0 for finding in findings)
    assert [finding.offenders for finding in findings if finding.broken] == []


def test_both_sensors_and_all_stages_are_there(built: Path) -> None:
    """The build has photos, chips of both sensors, pairs, and rejects from every stage."""
    assert len(rows(built, "photos")) > 40
    assert set(rows(built, "pairs", "DISTINCT sensor")) == {("sentinel2",), ("naip",)}
    stages = {stage for (stage,) in rows(built, "rejects", "DISTINCT stage")}
    assert {"screen", "select", "judge"} <= stages


def test_geopandas_opens_the_tables(built: Path) -> None:
    """GeoParquet: points in their cells, chips about 4.48 km and 448 m wide."""
    photos = gpd.read_parquet(next(built.glob("manifests/v0001/photos/*.parquet")))
    assert photos.crs.to_epsg() == 4326 or photos.crs.to_string() == "OGC:CRS84"
    for place, cell in zip(photos.geometry, photos["cell"], strict=True):
        assert Cell.at(place.x, place.y).cell_id == cell
    chips = gpd.read_parquet(next(built.glob("manifests/v0001/chips/*.parquet")))
    for sensor, side in (("sentinel2", 4480.0), ("naip", 448.0)):
        area = chips[chips.sensor == sensor].to_crs(6933).area
        assert np.sqrt(area).to_list() == pytest.approx([side] * len(area), rel=2e-3)
    window = gpd.read_parquet(
        next(built.glob("manifests/v0001/photos/*.parquet")), bbox=(-123, 37, -121, 38)
    )
    assert 0 < len(window) < len(photos)


def test_rasterio_opens_chips_inside_their_shards(built: Path) -> None:
    """`/vsitar/` gives each chip with the size, CRS, transform and bands of its row."""
    kept = rows(built, "chips", "chip_id, shard, crs, transform, bands, outcome")
    seen = 0
    for chip_id, shard, crs, transform, bands, outcome in kept:
        if outcome != "kept":
            assert shard is None
            continue
        with rasterio.open(f"/vsitar/{built}/{shard}/{chip_id}.tif") as file:
            assert (file.width, file.height) == (448, 448)
            assert file.crs == rasterio.CRS.from_string(crs)
            assert list(file.transform)[:6] == transform
            assert list(file.descriptions) == bands
        seen += 1
    assert seen > 40


def test_cloud_of_a_chip_is_what_its_pixels_say(built: Path) -> None:
    """The stated cloud is the share of SCL 8, 9, 10 among the pixels that are not 0."""
    for chip_id, shard, stated in rows(built, "chips", "chip_id, shard, cloud_chip_pct"):
        if shard is None or not chip_id.startswith("sentinel2"):
            continue
        with rasterio.open(f"/vsitar/{built}/{shard}/{chip_id}.tif") as file:
            scl = file.read(file.descriptions.index("SCL") + 1)
        assert stated == pytest.approx(100 * np.isin(scl, (8, 9, 10)).sum() / (scl != 0).sum())
        assert stated <= 1.0


def test_duckdb_joins_the_tables(built: Path) -> None:
    """Every pair has its photo and its chip, and dates that agree with both."""
    table = {name: f"read_parquet('{built}/manifests/v0001/{name}/*.parquet')" for name in
             ("photos", "chips", "pairs")}  # fmt: skip
    joined = duckdb.sql(
        f"SELECT count(*), sum(CAST(p.delta_days = date_diff('day', CAST(f.taken_at AS DATE),"
        f" CAST(c.acquired_at AT TIME ZONE 'UTC' AS DATE)) AS INT)) FROM {table['pairs']} p"
        f" JOIN {table['photos']} f USING (photo_id) JOIN {table['chips']} c"
        " ON p.chip_id = c.chip_id"
    ).fetchall()
    assert joined == [(len(rows(built, "pairs")), len(rows(built, "pairs")))]


def test_files_carry_their_schema(built: Path) -> None:
    """Schema name, units and GeoParquet metadata are in every file."""
    for product in ("photos", "chips", "rejects"):
        schema = pq.read_schema(next(built.glob(f"manifests/v0001/{product}/*.parquet")))
        assert json.loads(schema.metadata[b"terrapair"]) == {
            "schema": "terrapair/1", "product": product,
        }  # fmt: skip
        geo = json.loads(schema.metadata[b"geo"])
        assert geo["version"] == "1.1.0"
        assert geo["columns"]["geometry"]["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]


def test_a_second_run_fetches_nothing(run: Run, built: Path) -> None:
    """No photo, no pixels, no new version, no byte changed."""
    before = {
        path: path.stat().st_mtime_ns for path in built.rglob("*.*") if "runs" not in str(path)
    }
    run.sandbox.reset()
    outcome = run.build(built)
    counts = run.sandbox.counts()
    assert counts.get("photo.get", 0) == 0
    assert counts.get("ee.get_pixels", 0) == 0
    assert counts.get("ee.features", 0) == 0
    assert outcome["version"] == "v0001"
    assert outcome["version_is_new"] is False
    after = {
        path: path.stat().st_mtime_ns for path in built.rglob("*.*") if "runs" not in str(path)
    }
    assert after == before


def test_requests_are_counted_as_the_sandbox_counts_them(quick: Run, tmp_path: Path) -> None:
    """The summary's figures are those of the other side."""
    quick.sandbox.reset()
    outcome = quick.build(tmp_path / "d", regions=("bay",), cells=1)
    counts = quick.sandbox.counts()
    requests = outcome["requests"]
    assert requests["flickr"] == counts["flickr.search"]
    assert requests["photo_host"] == counts["photo.get"]
    assert requests["earth_engine_pixels"] == counts["ee.get_pixels"]
    assert requests["earth_engine_resolve"] == counts["ee.features"]
    chips = sum(outcome["chips"].values())
    assert requests["earth_engine_pixels"] == chips + outcome["scenes_refused"]


def test_the_same_inputs_give_the_same_bytes(quick: Run, tmp_path: Path) -> None:
    """A second dataset with the same seed has the same manifests, byte for byte."""
    first, second = tmp_path / "first", tmp_path / "second"
    for root in (first, second):  # not `built`, which may have been made beside another sandbox
        quick.build(root)
    files = sorted(path.relative_to(first) for path in first.glob("manifests/**/*.*"))
    listed = json.loads((first / "manifests/v0001/manifest.json").read_text())["descriptions"]
    assert len(files) == 5 + len(listed)
    for file in files:
        assert (second / file).read_bytes() == (first / file).read_bytes()


def test_a_quota_is_met_exactly_or_said_to_be_short(built: Path) -> None:
    """No cell keeps more than its quota; the commit says how the survey ended."""
    store = open_store(str(built), writable=False)
    version = read_version(store)
    assert version is not None
    for cell_id, generation in version.manifest["cells"].items():
        commit = json.loads(store.read(f"cells/{cell_id}/{generation:06d}.json"))
        (surveyed,) = commit["surveyed"]
        assert commit["counts"]["photos"] <= surveyed["quota"]
        assert (surveyed["ended"] == "quota") == (commit["counts"]["photos"] == surveyed["quota"])


def test_a_version_says_how_evenly_it_covers_the_ground(built: Path) -> None:
    """Its figures are those of the photos that are there and of the searches that were made."""
    store = open_store(str(built), writable=False)
    version = read_version(store)
    assert version is not None
    even = version.manifest["evenness"]
    shares, met, first = [], 0, [0, 0]
    for cell_id, generation in version.manifest["cells"].items():
        commit = json.loads(store.read(f"cells/{cell_id}/{generation:06d}.json"))
        (surveyed,) = commit["surveyed"]
        kept = sum(cell == cell_id for (cell,) in rows(built, "photos", "cell"))
        shares.append(kept / surveyed["quota"])
        met += kept == surveyed["quota"]
        first[0] += surveyed["found"][0]
        first[1] += surveyed["new"][0]
        assert all(new <= found <= 250 for found, new in zip(surveyed["found"], surveyed["new"],
                                                             strict=True))  # fmt: skip
    mean = sum(shares) / len(shares)
    differences = sum(abs(a - b) for a in shares for b in shares)
    assert even["gini"] == pytest.approx(differences / (2 * len(shares) ** 2 * mean), abs=1e-4)
    assert (even["cells"], even["met"]) == (len(shares), met)
    assert even["coverage"] == pytest.approx(mean, abs=1e-4)
    assert even["uniqueness"][0] == pytest.approx(first[1] / first[0], abs=1e-4) == 1.0


def test_a_larger_quota_adds_and_takes_nothing_away(quick: Run, tmp_path: Path) -> None:
    """What is in the dataset stays in: photos, chips, and pairs with their splits."""
    root = tmp_path / "d"
    quick.build(root, regions=("alps",), cells=1)
    larger = small_catalogue(tmp_path / "larger.yaml", shrink, quota=16)
    outcome = quick.build(root, regions=("alps",), cells=1, catalogue=larger)
    assert outcome["version"] == "v0002"
    identity = {
        "photos": "photo_id",
        "chips": "chip_id, scene_id",
        "pairs": "photo_id, chip_id, split",
    }
    for product, names in identity.items():
        both = [
            set(duckdb.sql(
                f"SELECT {names} FROM '{root}/manifests/{version}/{product}/*.parquet'"
            ).fetchall())
            for version in ("v0001", "v0002")
        ]  # fmt: skip
        assert both[0] < both[1], product
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []


def test_other_splits_are_refused_before_anything_is_collected(
    run: Run, built: Path, tmp_path: Path
) -> None:
    """What was in test must stay there, so a build with other shares ends at once."""

    def ask_for_more(document: Any) -> None:
        document["splits"] |= {"train_pct": 80, "test_pct": 10}

    class Idle(SilentWatcher):
        def begin(self, cells: int) -> None:
            pytest.fail("the run began")

    changed = small_catalogue(tmp_path / "changed.yaml", ask_for_more)
    with pytest.raises(SetupError, match="train_pct: 57, test_pct: 33"):
        run.build(built, catalogue=changed, watcher=Idle())


def test_a_backfill_of_another_sensor_pairs_the_photos_that_are_there(
    quick: Run, tmp_path: Path
) -> None:
    """Photos kept without a sensor get its chips later, and no photo is fetched again."""
    root = tmp_path / "d"
    quick.build(root, kind="backfill", region="bay", sensors=("sentinel2",), cells=1)
    quick.sandbox.reset()
    outcome = quick.build(root, kind="backfill", region="bay", sensors=("naip",), cells=1)
    assert quick.sandbox.counts().get("photo.get", 0) == 0
    assert outcome["chips"]["naip"] > 0
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []


def test_young_photos_wait_for_a_nearer_scene(quick: Run, tmp_path: Path) -> None:
    """A photo younger than the sensor's settling time is deferred, and paired by a later build."""
    root = tmp_path / "d"

    def settle_slowly(document: Any) -> None:
        shrink(document)
        document["sources"]["sentinel2"]["settle_days"] = 1500

    slow = small_catalogue(tmp_path / "slow.yaml", settle_slowly, quota=8)
    quick.build(root, regions=("alps",), cells=1, catalogue=slow)
    waiting = [
        photo_id
        for photo_id, reason in duckdb.sql(
            f"SELECT photo_id, unpaired['sentinel2'] FROM '{root}/manifests/v0001/photos/*.parquet'"
        ).fetchall()
        if reason == "deferred"
    ]
    assert waiting
    later = END_OF_WORLD + timedelta(days=1500)
    quick.build(root, regions=("alps",), cells=1, catalogue=slow, now=later)
    now = duckdb.sql(
        "SELECT count(*) FROM"
        f" '{root}/manifests/v0002/photos/*.parquet' WHERE photo_id IN {(*waiting, '')}"
        " AND unpaired['sentinel2'] = 'deferred'"
    ).fetchall()
    assert now == [(0,)]
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []
