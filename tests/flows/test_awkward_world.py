"""A build on a world with every awkwardness on, with and without faults of the services."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
import shapely

from collectors.earth_engine import EarthEngine, ServiceAccount
from collectors.sandbox import Sandbox
from collectors.sandbox.awkward import AwkwardFile, awkward_file, awkward_title
from collectors.sandbox.geometry import Geometry
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.people import People
from collectors.sandbox.pixels import PixelGrid, SceneReader
from collectors.sandbox.scenes import DAY_MS, SceneWorld
from collectors.sandbox.scenes import Sensor as Collection
from collectors.transport import Patience, Throttle
from flows.verification.verification import verify_dataset
from tests.flows.runs import Run, small_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collectors.sandbox.photo_records import Photo

SEED, SHARE = 3, 0.2
SIZE_PX = 160

REASONS = {
    AwkwardFile.GONE: "gone",
    AwkwardFile.PLACEHOLDER: "placeholder",
    AwkwardFile.EMPTY: "not_jpeg",
    AwkwardFile.PNG: "not_jpeg",
    AwkwardFile.MISLABELLED: "not_jpeg",
    AwkwardFile.PAGE: "not_jpeg",
    AwkwardFile.BROKEN: "broken_image",
    AwkwardFile.OTHER_SIZE: "wrong_size",
    AwkwardFile.BOMB: "too_many_pixels",
}
"""What becomes of a photo whose file is of no use; the other kinds can be used."""

ANYWHERE = (
    {"fault": "too_many_requests"},
    {"fault": "server_error", "status": 500},
    {"fault": "unavailable"},
    {"fault": "cut_off"},
    {"fault": "hang", "seconds": 0.3},
    {"fault": "reset"},
    {"fault": "slow_drip", "seconds": 0.3},
)
"""Faults that pass by themselves, whatever the service."""

UNREADABLE = ({"fault": "html"}, {"fault": "truncated"})
"""They pass as well where it shows that the answer is none; with a JPEG it does not."""

PASSING = {
    "flickr.search": (*ANYWHERE, *UNREADABLE, {"fault": "wrong_body"},
                      {"fault": "failure", "code": 105}),
    "photo.get": ANYWHERE,
    "ee.features": (*ANYWHERE, *UNREADABLE, {"fault": "token_refused"}),
    "ee.get_pixels": (*ANYWHERE, *UNREADABLE, {"fault": "token_refused"}),
}  # fmt: skip

IN_A_ROW = {"flickr.search": 5, "photo.get": 3, "ee.features": 5, "ee.get_pixels": 3}
"""So many faults come one after the other before a request passes; a build asks some things less
often than there are faults."""

PLAN = {
    "seed": 11,
    "faults": [
        {"where": kind, **fault, "first": 1, "after": number // IN_A_ROW[kind]}
        for kind, faults in PASSING.items()
        for number, fault in enumerate(faults)
    ],
}
"""Each fault once at each place."""


@dataclass(frozen=True)
class Asked:
    """What the shipped catalogue asks of a scene, written down once more."""

    collection: Collection
    window_days: int
    cloud_limit: float | None
    needed: frozenset[str]


SENSORS = {
    "sentinel2": Asked(Collection.S2_L2A, 45, 1.0, frozenset({"B2", "B8A", "SCL"})),
    "naip": Asked(Collection.NAIP, 1100, None, frozenset("RGB")),
}


@pytest.fixture(scope="module")
def awkward(weights: Path) -> Iterator[Sandbox]:
    """A sandbox in which a fifth of the photos is awkward."""
    with Sandbox(seed=SEED, weights=weights, awkward=SHARE) as box:
        yield box


@pytest.fixture(scope="module")
def runs(awkward: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs builds against it, with small chips: what happens to them is the same, and quicker."""
    folder = tmp_path_factory.mktemp("awkward")

    def shrink(document: Any) -> None:
        for name in SENSORS:
            document["sources"][name] |= {"size_px": SIZE_PX, "area_px": SIZE_PX // 2}

    return Run(awkward, small_catalogue(folder / "data_catalog.yaml", shrink), folder / "cache")


@pytest.fixture(scope="module")
def calm(runs: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset built without faults."""
    root = tmp_path_factory.mktemp("calm") / "dataset"
    outcome = runs.build(root)
    assert outcome["cells"].get("failed", 0) == 0, outcome
    return root


def query(root: Path, product: str, columns: str) -> list[tuple[Any, ...]]:
    """Rows of a product."""
    files = f"{root}/manifests/v0001/{product}/*.parquet"
    return duckdb.sql(f"SELECT {columns} FROM read_parquet('{files}')").fetchall()


def test_every_awkward_photo_ends_with_its_reason(calm: Path) -> None:
    """What was downloaded is kept, judged or refused for just what is wrong with its file."""
    people = People(SEED, awkward=SHARE)
    seen: Counter[str] = Counter()
    rejected = query(calm, "rejects", "photo_id, stage, reason")
    kept = {name for (name,) in query(calm, "photos", "photo_id")}
    downloaded = [row for row in rejected if row[1] in {"download", "judge"}]
    assert len(downloaded) > 15
    for photo_id, stage, reason in downloaded:
        photo = people.find(photo_id)
        assert photo is not None
        kind = AwkwardFile.PLACEHOLDER if photo.removed else awkward_file(photo_id, SHARE)
        seen[str(kind)] += 1
        if kind in REASONS:
            assert (stage, reason) == ("download", REASONS[kind]), (photo_id, kind)
        else:
            assert (stage, reason) == ("judge", "indoor"), (photo_id, kind)
    for photo_id in kept:
        kind = awkward_file(photo_id, SHARE)
        seen[str(kind)] += 1
        assert kind not in REASONS, (photo_id, kind)
    assert len(set(seen) - {"None"}) >= 10, seen


def defects(photo: Photo) -> list[str]:
    """What the world knows to be wrong with a photo's record, in the catalogue's order of rules."""
    known = {
        "not_photo": photo.video or photo.content != 0,
        "not_public_geo": not photo.geo_public,
        "no_location": photo.accuracy == 0,
        "low_accuracy": photo.accuracy < 16,
        "unknown_date": photo.taken_unknown,
        "coarse_date": photo.granularity != 0,
    }
    return [name for name, there in known.items() if there]


def test_every_screened_photo_ends_with_its_reason(calm: Path) -> None:
    """A photo is screened out for what the world knows to be wrong with it, and never without."""
    people = People(SEED, awkward=SHARE)
    seen: Counter[str] = Counter()
    for photo_id, stage, reason, detail in query(
        calm, "rejects", "photo_id, stage, reason, detail"
    ):
        photo = people.find(photo_id)
        assert photo is not None
        if reason == "burst":
            first = people.find(detail)
            assert first is not None
            assert first.owner == photo.owner
            assert abs(first.taken - photo.taken) <= 60
        else:
            assert defects(photo)[:1] == ([reason] if stage == "screen" else [])
        seen[reason] += 1
    for (photo_id,) in query(calm, "photos", "photo_id"):
        photo = people.find(photo_id)
        assert photo is not None
        assert defects(photo) == []
    assert set(seen) >= {
        "burst", "not_public_geo", "no_location", "low_accuracy", "unknown_date", "coarse_date",
    }  # fmt: skip


def qualifying(world: SceneWorld, chip: dict[str, Any]) -> list[str]:
    """Names the world's scenes that hold a chip in its own CRS, within its window and limit."""
    sensor = SENSORS[chip["sensor"]]
    a, _b, west, _d, e, north = chip["transform"]
    box = shapely.box(west, north + e * SIZE_PX, west + a * SIZE_PX, north)
    day = chip["target_date"]
    middle = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() * 1000
    found = []
    for scene in world.search(
        sensor.collection,
        Geometry(box, chip["crs"]),
        middle - (sensor.window_days + 1) * DAY_MS,
        middle + (sensor.window_days + 1) * DAY_MS,
    ):
        gap = datetime.fromtimestamp(scene.time_ms / 1000, UTC).date() - day
        clear = sensor.cloud_limit is None or (
            scene.properties["CLOUDY_PIXEL_PERCENTAGE"] < sensor.cloud_limit
        )
        if (
            scene.crs == chip["crs"]
            and abs(gap.days) <= sensor.window_days
            and clear
            and scene.footprint.shape_in(scene.crs).covers(box)
            and sensor.needed <= {band.name for band in scene.bands}
        ):
            found.append(scene.index)
    return found


def test_every_scene_ends_with_its_reason(calm: Path) -> None:
    """Where no chip was made no scene would do; a refused one is as cloudy as its pixels say."""
    landcover = Landcover(SEED)
    world = SceneWorld(SEED, landcover)
    seen: Counter[str] = Counter()
    columns = "sensor, outcome, reason, transform, crs, target_date, scene_id, refused"
    for values in query(calm, "chips", columns):
        chip = dict(zip(columns.split(", "), values, strict=True))
        scenes = qualifying(world, chip)
        seen[f"{chip['outcome']} {chip['reason'] or ''}".strip()] += 1
        if chip["outcome"] == "kept":
            assert chip["scene_id"].rpartition("/")[2] in scenes
        else:
            tried = [one["scene_id"].rpartition("/")[2] for one in chip["refused"]]
            assert (chip["reason"], scenes) == ("no_scene", tried)
        for refused in chip["refused"]:
            seen[refused["reason"]] += 1
            scene = world.find(refused["scene_id"])
            assert scene is not None
            a, b, c, d, e, f = chip["transform"]
            grid = PixelGrid(chip["crs"], (a, b, c, d, e, f), SIZE_PX, SIZE_PX)
            classes, valid = SceneReader(scene, grid, landcover).read(
                next(band for band in scene.bands if band.name == "SCL")
            )
            cloudy = 100 * np.isin(classes, (8, 9, 10)).sum() / valid.sum()
            assert refused["reason"] == "cloudy"
            assert refused["cloud_chip_pct"] == pytest.approx(cloudy, abs=1e-9)
            assert cloudy > 1.0
    assert set(seen) >= {"kept", "rejected no_scene", "cloudy"}, seen


def test_awkward_titles_are_stored_as_they_were_written(calm: Path) -> None:
    """Markup, formulas, control characters and 10 kB come through; half a pair is replaced."""
    titles = dict(query(calm, "photos", "photo_id, title"))
    awkward = {name: title for name in titles if (title := awkward_title(name, SHARE))}
    assert len(awkward) >= 5
    for name, title in awkward.items():
        assert titles[name] == title.replace("\ud83d", "\ufffd")


def test_the_dataset_of_an_awkward_world_is_whole(calm: Path) -> None:
    """`verify` finds no invariant broken."""
    findings = verify_dataset(str(calm))
    assert [finding.offenders for finding in findings if finding.broken] == []


def test_faults_change_nothing_in_the_dataset(
    awkward: Sandbox, runs: Run, calm: Path, tmp_path: Path
) -> None:
    """With more than one answer in twenty at fault the build ends with the same manifests."""
    root = tmp_path / "dataset"
    awkward.reset()
    awkward.faults(PLAN)
    try:
        outcome = runs.build(root, settings={"patience_seconds": 60.0})
        done = awkward.faults_done()
    finally:
        awkward.faults([])
    planned = {f"{fault['fault']} {kind}" for kind, faults in PASSING.items() for fault in faults}
    assert planned == set(done), (planned - set(done), awkward.counts())
    assert sum(done.values()) > 0.05 * sum(awkward.counts().values())
    assert outcome["cells"].get("failed", 0) == 0, json.dumps(outcome, default=str)
    files = sorted(path.relative_to(calm) for path in calm.glob("manifests/**/*.*"))
    assert files
    for file in files:
        assert (root / file).read_bytes() == (calm / file).read_bytes(), file
    findings = verify_dataset(str(root))
    assert [finding.offenders for finding in findings if finding.broken] == []


def test_the_start_survives_faults(weights: Path, tmp_path: Path) -> None:
    """Logging in and loading the description of the service go through the same troubles."""
    plan = [
        {"where": kind, **fault, "first": 1}
        for kind in ("ee.token", "ee.discovery", "ee.algorithms")
        # An answer that drips in is an answer: what comes after it is not asked again.
        for fault in (*UNREADABLE, *ANYWHERE)
    ]
    file = tmp_path / "faults.json"
    file.write_text(json.dumps(plan))
    with Sandbox(seed=SEED, weights=weights, faults=file) as box:
        engine = EarthEngine.connect(
            project=box.project,
            credentials=ServiceAccount(json.dumps(box.service_account)),
            url=box.earth_engine_url,
            throttle=Throttle(50, 1.0, slots=2),
            patience=Patience(60.0, 0.1, 0.5),
        )
        done = box.faults_done()
    assert engine is not None
    assert len(done) == len(plan), done
