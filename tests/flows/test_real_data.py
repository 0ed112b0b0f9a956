"""Builds over real photos and real scenes, compared with a computation of its own."""

from __future__ import annotations

import csv
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Transformer

from filters.indoor import IndoorClassifier
from flows.demo import World, run_demo
from flows.runs.building import SilentWatcher
from flows.runs.running import SURROUNDINGS, run_task
from flows.verification.verification import verify_dataset
from tests.flows.runs import small_catalogue
from tests.flows.small_worlds import SIZE_PX, shrink

if TYPE_CHECKING:
    from pathlib import Path

    from flows.runs.running import Surroundings, Task

POINTS = 360
SEED = 20261121


def run_plainly(task: Task, around: Surroundings) -> dict[str, Any]:
    """Runs a task without Prefect."""
    token = SURROUNDINGS.set(around)
    try:
        return run_task(task)
    finally:
        SURROUNDINGS.reset(token)


def demo(root: Path, weights: Path, photos: Path, scenes: Path) -> dict[str, Any]:
    """Runs the demo over tables, with weights that are there already."""
    own = root / "sandbox" / "weights"
    own.mkdir(parents=True)
    (own / "sandbox-resnet18.pth.tar").hardlink_to(weights)
    return run_demo(
        root=root, world=World(photos=photos, scenes=scenes), cells=1, watcher=SilentWatcher(),
        run=run_plainly,
    )  # fmt: skip


def table(root: Path, product: str) -> pd.DataFrame:
    """Reads a published product."""
    return pd.read_parquet(root / "manifests" / "v0001" / product)


def test_every_real_photo_ends_as_one_row(
    shared_data: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """206 real photos, worldwide, over real scenes: each is exactly one row with its reason."""
    monkeypatch.setattr("filters.indoor.BATCH", 1)  # most cells have one photo
    photos = shared_data / "photos" / "real_geotagged_206.parquet"
    outcome = demo(tmp_path / "d", weights, photos, shared_data / "scenes")
    assert outcome["funnel"]["seen"] == 206
    kept, rejects = table(tmp_path / "d", "photos"), table(tmp_path / "d", "rejects")
    ended = pd.concat([kept.photo_id, rejects.photo_id])
    assert sorted(ended) == sorted(pd.read_parquet(photos).photo_id)
    assert (rejects.reason != "").all()
    pairs = set(table(tmp_path / "d", "pairs").photo_id)
    explained = [photo for photo, why in zip(kept.photo_id, kept.unpaired, strict=True) if len(why)]
    assert set(kept.photo_id) == pairs | set(explained)
    assert [one.offenders for one in verify_dataset(str(tmp_path / "d")) if one.broken] == []


def seeded_points(scenes: pd.DataFrame, count: int, rng: np.random.Generator) -> list[list[Any]]:
    """Draws points inside the footprints of scenes, dated within a few days of them."""
    rows = []
    for number, index in enumerate(rng.integers(0, len(scenes), count)):
        scene = scenes.iloc[index]
        shape = shapely.from_wkt(scene.wkt)
        west, south, east, north = shape.bounds
        while True:
            lon, lat = rng.uniform(west, east), rng.uniform(south, north)
            if shape.contains(shapely.Point(lon, lat)):
                break
        taken = scene.datetime + pd.Timedelta(days=float(rng.uniform(-6, 6)))
        rows.append([f"7{SEED}{number:05d}", f"{number}@N00", lat, lon,
                     taken.strftime("%Y-%m-%d %H:%M:%S"), 16])  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def points(shared_data: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of small chips on seeded points inside the footprints of real scenes."""
    rng = np.random.default_rng(SEED)
    sentinel2 = pd.read_parquet(shared_data / "scenes" / "sentinel2_items.parquet")
    clear = sentinel2[
        sentinel2.collection.isin(["sentinel-2-l2a", "sentinel-2-c1-l2a"])
        & (sentinel2.cloud_cover < 1)
        & (sentinel2.maxx - sentinel2.minx < 90)
    ]
    naip = pd.read_parquet(shared_data / "scenes" / "naip_items.parquet")
    rows = seeded_points(clear, POINTS // 2, rng)
    rows += [[f"8{row[0]}", *row[1:]] for row in seeded_points(naip, POINTS - POINTS // 2, rng)]
    folder = tmp_path_factory.mktemp("points")
    with (folder / "points.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["photo_id", "owner", "lat", "lon", "date_taken", "accuracy"])
        writer.writerows(rows)
    small = small_catalogue(folder / "small.yaml", shrink)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.demo.find_catalogue", lambda _given: small)
        # Which photos are indoors is another test's: here each point is to bring its chips.
        patch.setattr(IndoorClassifier, "probabilities", lambda _self, jpegs: [0.1] * len(jpegs))
        demo(folder / "d", weights, folder / "points.csv", shared_data / "scenes")
    return folder / "d"


def test_points_in_real_footprints_give_chips(points: Path) -> None:
    """At least 200 chips, of both sensors, some of them after refused candidates."""
    chips = table(points, "chips")
    kept = chips[chips.outcome == "kept"]
    assert len(kept) >= 200
    assert set(kept.sensor) == {"sentinel2", "naip"}
    assert (kept.refused.map(len) > 0).any()
    assert [one.offenders for one in verify_dataset(str(points)) if one.broken] == []


def test_each_scene_is_the_one_that_brute_force_picks(points: Path, shared_data: Path) -> None:
    """Of all scenes in the tables: own zone, holding the chip, in the window, clear; nearest first.

    The scenes tried before (the refused ones) and the chosen one are exactly the first of that
    list, in its order; a chip without a scene has none in it, or all of the first were refused.
    """
    sentinel2 = pd.read_parquet(shared_data / "scenes" / "sentinel2_items.parquet")
    sentinel2 = sentinel2[sentinel2.collection.isin(["sentinel-2-l2a", "sentinel-2-c1-l2a"])]
    naip = pd.read_parquet(shared_data / "scenes" / "naip_items.parquet")
    compared = 0
    for chip in table(points, "chips").itertuples():
        scenes = sentinel2 if chip.sensor == "sentinel2" else naip
        expected = ranked(chip, scenes)
        tried = [one["scene_id"] for one in chip.refused]
        if chip.outcome == "kept":
            tried.append(chip.scene_id)
        assert [name.rsplit("/", 1)[1] for name in tried] == expected[: len(tried)], chip.chip_id
        if chip.outcome != "kept":
            assert len(tried) == min(4, len(expected)), chip.chip_id
        compared += 1
    assert compared >= 200


shape_of = cache(shapely.from_wkt)
"""The footprints are the same for every chip."""


def ranked(chip: Any, scenes: pd.DataFrame) -> list[str]:
    """Returns the ids of the scenes that qualify for a chip, best first, by a plain loop."""
    code = int(chip.crs.split(":")[1])
    a, _, c, _, e, f = chip.transform
    square = shapely.box(c, f + e * SIZE_PX, c + a * SIZE_PX, f)
    to_degrees = Transformer.from_crs(code, 4326, always_xy=True)
    outline = shapely.transform(
        shapely.segmentize(square, 100.0 * a),
        lambda xy: np.column_stack(to_degrees.transform(xy[:, 0], xy[:, 1])),
    )
    window = 45 if chip.sensor == "sentinel2" else 1100
    found = []
    for scene in scenes.itertuples():
        if zone_code(scene) != code:
            continue
        days = abs((scene.datetime.date() - chip.target_date).days)
        if days > window or (chip.sensor == "sentinel2" and not scene.cloud_cover < 1):
            continue
        if not shape_of(scene.wkt).covers(outline):
            continue
        cloud = scene.cloud_cover if chip.sensor == "sentinel2" else 0.0
        made = getattr(scene, "generation_time", None)
        newer = -pd.Timestamp(made).value if isinstance(made, str) else 0
        baseline = float(getattr(scene, "baseline", None) or 0)
        found.append((days, cloud, -baseline, newer, scene.id))
    return [one[-1] for one in sorted(found)]


def zone_code(scene: Any) -> int:
    """Returns the EPSG code of a scene's grid; where the table has none, by its MGRS tile."""
    if scene.epsg is not None and not pd.isna(scene.epsg):
        return int(scene.epsg)
    tile = scene.mgrs_tile.rjust(5, "0")
    return (32600 if tile[2] >= "N" else 32700) + int(tile[:2])
