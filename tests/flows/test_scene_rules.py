"""Builds with other settings for scenes: the latest flight, and older Sentinel-2."""

from __future__ import annotations

import json
import shutil
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from flows.verification.verification import verify_dataset
from tests.flows.runs import small_catalogue
from tests.flows.small_worlds import SIZE_PX, shrink

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

LEVEL_1C = {
    "kind": "sensor", "collection": "COPERNICUS/S2_HARMONIZED",
    "bands": ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12"],
    "quality": "cloud_score_plus", "clear_above": 0.6, "chip_cloud_limit_pct": 40,
    "datum": "wgs84", "scale_m": 10, "bin_months": 3, "window_days": 45,
    "scene_cloud_limit_pct": 20, "cloud_property": "CLOUDY_PIXEL_PERCENTAGE",
    "zone_property": "MGRS_TILE", "processing_property": "PROCESSING_BASELINE",
    "generated_property": "GENERATION_TIME", "grid_band": "B2", "since": "2015-06-23",
    "until": "2017-02-10",
}  # fmt: skip


def broken(root: Path) -> dict[str, list[str]]:
    """Returns the invariants that are broken, with their first offenders."""
    return {one.name: one.offenders for one in verify_dataset(str(root)) if one.broken}


def test_older_photos_and_latest_flights_are_paired_where_the_catalogue_says_so(
    run: Run, tmp_path: Path
) -> None:
    """Photos of 2016: Level-1C chips by Cloud Score+, no Level-2A; of NAIP the newest flight."""

    def change(document: Any) -> None:
        shrink(document)
        document["sources"]["flickr"]["taken_since"] = "2016-01-01"
        small = {"size_px": SIZE_PX, "area_px": SIZE_PX // 2}
        document["sources"]["sentinel2-l1c"] = LEVEL_1C | small
        document["sources"]["naip"] |= {"scene_rule": "latest", "window_days": 9000}

    catalogue = small_catalogue(tmp_path / "catalogue.yaml", change, quota=12)
    root = tmp_path / "d"
    run.build(root, catalogue=catalogue, cells=1, regions=("bay",), until=date(2017, 1, 31))
    chips, photos, pairs = (
        pd.read_parquet(root / "manifests" / "v0001" / product)
        for product in ("chips", "photos", "pairs")
    )
    assert broken(root) == {}
    assert set(chips.sensor) == {"sentinel2-l1c", "naip"}
    assert {dict(why)["sentinel2"] for why in photos.unpaired} == {"before_sensor"}
    older = chips[(chips.sensor == "sentinel2-l1c") & (chips.outcome == "kept")]
    assert len(older) > 0
    assert older.scene_id.str.startswith("COPERNICUS/S2_HARMONIZED/2016").any()
    assert older.cloud_chip_pct.between(0, 40).all()
    assert older.shadow_pct.isna().all()
    assert {tuple(bands)[-2:] for bands in older.bands} == {("B12", "cs_cdf")}
    assert (pairs.sensor == "sentinel2-l1c").any()
    flights = chips[(chips.sensor == "naip") & (chips.outcome == "kept")]
    assert len(flights) > 0
    assert (flights.acquired_at.dt.year >= 2020).all()


def test_verify_holds_scenes_to_the_rule_that_the_version_states(
    built: Path, tmp_path: Path
) -> None:
    """A later scene tried before the one taken breaks one rule, and is what the other asks for."""
    root = shutil.copytree(built, tmp_path / "dataset")
    path = root / "manifests/v0001/chips/part-00000.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    row = next(row for row in rows if row["sensor"] == "naip" and row["shard"])
    row["refused"] = [
        {"scene_id": "X", "delta_days": 1090, "cloud_scene_pct": None, "cloud_chip_pct": None,
         "valid_pct": 50.0, "reason": "missing"}
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    assert "not tried nearest first" in broken(root)["nearest-scene"][0]
    manifest = root / "manifests/v0001/manifest.json"
    document = json.loads(manifest.read_text(encoding="utf-8"))
    document["sensors"]["naip"]["scene_rule"] = "latest"
    manifest.write_text(json.dumps(document), encoding="utf-8")
    assert "nearest-scene" not in broken(root)


def test_chips_without_a_scene_are_asked_for_again_where_the_catalogue_says_so(
    run: Run, tmp_path: Path
) -> None:
    """Nothing qualified at first; once something does, one setting pairs the photos.

    The other leaves them alone, and asking again without any news commits nothing.
    """

    def rules(cloud: float, what: str) -> Any:
        def change(document: Any) -> None:
            shrink(document)
            document["sources"]["sentinel2"] |= {"scene_cloud_limit_pct": cloud, "no_scene": what}

        return small_catalogue(tmp_path / f"{cloud}-{what}.yaml", change, quota=12)

    def build(root: Path, catalogue: Path) -> tuple[dict[str, Any], pd.DataFrame]:
        outcome = run.build(
            root, catalogue=catalogue, cells=1, regions=("alps",), accept_changed_rules=True
        )
        version = root / "manifests" / outcome["version"]
        return outcome, pd.read_parquet(version / "chips")

    root = tmp_path / "d"
    _, chips = build(root, rules(0, "give_up"))
    assert set(chips.outcome) == {"rejected"}
    assert set(chips.reason) == {"no_scene"}
    given_up = shutil.copytree(root, tmp_path / "given up")

    _, later = build(given_up, rules(20, "give_up"))
    assert set(later[later.chip_id.isin(chips.chip_id)].outcome) == {"rejected"}

    _, found = build(root, rules(20, "ask_again"))
    kept = found[found.chip_id.isin(chips.chip_id) & (found.outcome == "kept")]
    assert len(kept) > 0
    assert (kept.photos > 0).all()
    assert (kept.generation == 1).all()
    before = chips.set_index("chip_id").target_date
    assert (kept.set_index("chip_id").target_date == before[kept.chip_id]).all()
    assert broken(root) == {}
    outcome, _ = build(root, rules(20, "ask_again"))
    assert outcome["cells"].get("committed", 0) == 0
