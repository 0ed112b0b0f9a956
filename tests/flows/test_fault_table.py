"""Each fault of the stand-ins alone, at each stage: what is tried again, and what comes of it."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from collectors.answers import RETRIES, WAITED_MS, Answers
from collectors.earth_engine import EarthEngine, ServiceAccount
from collectors.flickr import Flickr, FlickrRefusal, PhotoSearch
from collectors.geo import Box
from collectors.photo_files import PhotoHost
from collectors.storage import open_store
from collectors.transport import Patience, SetupError, Throttle, TroubleRemains
from filters.indoor_weights import WeightsError, WeightsUnreachableError, fetch
from filters.scenes import rank
from flows.cells.chip_work import fetch_chip
from flows.cells.photo_work import judge_photos
from flows.cells.services import Services
from flows.settings import Settings
from flows.verification.verification import verify_dataset
from tests.collectors.test_earth_engine import chip_on
from tests.flows.fault_table import CASES, Case, End, Stage, render
from tests.flows.product_rows import CATALOGUE
from tests.flows.small_worlds import build_one_cell, small_run
from tests.sensors import SENTINEL2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from collectors.chips import Scene
    from collectors.records import Photo
    from collectors.sandbox import Sandbox

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"

LONG = Patience(60.0, 0.01, 0.02)
SHORT = Patience(0.1, 0.01, 0.02)

SMALL = replace(
    SENTINEL2, bands=("B2",), size_px=160, area_px=80, chip_cloud_limit_pct=100.0,
    missing_limit_pct=100.0,
)  # fmt: skip
CHIP = replace(chip_on(-122.27, 37.87, SMALL, date(2019, 7, 1)), sensor="sentinel2")


class Outdoors:
    """Takes every picture for one taken outdoors."""

    def probabilities(self, files: Sequence[bytes]) -> Iterator[float]:
        return iter([0.1] * len(files))


class Bench:
    """The stages' own functions, against the sandbox, each for one small piece of work."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.fresh = count()
        self.pool = ThreadPoolExecutor(2)
        self.photo = self._some_photo()
        self.scenes = self._some_scenes()

    def throttle(self) -> Throttle:
        return Throttle(10_000, 1.0, 8)

    def engine(self, patience: Patience, *, anew: bool = False) -> EarthEngine:
        """Connects; anew with a login that differs by a space, so that everything is sent again."""
        key = json.dumps(self.sandbox.service_account) + " " * (next(self.fresh) if anew else 0)
        return EarthEngine.connect(
            project=self.sandbox.project, credentials=ServiceAccount(key),
            url=self.sandbox.earth_engine_url, throttle=self.throttle(), patience=patience,
        )  # fmt: skip

    def flickr(self, patience: Patience) -> Flickr:
        return Flickr(
            self.sandbox.flickr_key, self.sandbox.flickr_secret, url=self.sandbox.flickr_url,
            throttle=self.throttle(), patience=patience,
        )  # fmt: skip

    def services(self, patience: Patience, engine: EarthEngine | None) -> Services:
        """Services of which only those that the stages need are there."""
        host = PhotoHost(
            throttle=self.throttle(), patience=patience, user_agent="tests",
            allowed_hosts=frozenset({self.sandbox.photo_host}),
        )  # fmt: skip
        nothing: Any = None
        outdoors: Any = Outdoors()
        return Services(
            store=open_store(str(self.folder / "empty")), catalogue=CATALOGUE, flickr=nothing,
            photo_host=host, earth_engine=engine or nothing, classifier=outdoors, weights="",
            photo_pool=self.pool, pixel_pool=self.pool,
        )  # fmt: skip

    def _search(self, patience: Patience) -> Any:
        with self.flickr(patience) as flickr:
            return flickr.search(
                PhotoSearch(
                    Box(-123, 36.6, -121, 38.6), date(2018, 1, 1), date(2021, 1, 1),
                    datetime(2026, 1, 1, tzinfo=UTC), (4, 5),
                )
            )  # fmt: skip

    def _some_photo(self) -> Photo:
        services = self.services(LONG, None)
        for photo in self._search(LONG).photos:
            if judge_photos([photo], [], services)[0].member is not None:
                return photo
        raise AssertionError("the world has no photo that can be kept")

    def _some_scenes(self) -> list[Scene]:
        found = self.engine(LONG).resolve([CHIP], {"sentinel2": SMALL})[CHIP.chip_id]
        return list(rank(found, CHIP, SMALL))

    def work(self, stage: Stage, patience: Patience) -> Callable[[], Any]:
        """Returns what makes the requests of a stage; everything before them is done already."""
        if stage is Stage.SEARCH:
            return lambda: self._search(patience)
        if stage is Stage.DOWNLOAD:
            services = self.services(patience, None)
            return lambda: judge_photos([self.photo], [], services)[0]
        if stage is Stage.WEIGHTS:
            return self._weights
        if stage in {Stage.TOKEN, Stage.DISCOVERY, Stage.ALGORITHMS}:
            return lambda: type(self.engine(patience, anew=True)).__name__
        self.engine(LONG)  # logged in before anything goes wrong
        engine = self.engine(patience)
        if stage is Stage.RESOLVE:
            return lambda: engine.resolve([CHIP], {"sentinel2": SMALL})
        services = self.services(patience, engine)
        return lambda: fetch_chip(CHIP, self.scenes, SMALL, services)

    def _weights(self) -> str:
        """Downloads a file where nothing is yet; what has arrived before is not gone on with."""
        folder = self.folder / f"weights-{next(self.fresh)}"
        path = fetch(self.sandbox.weights_url, folder, sha256=self.digest)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    digest: str


@pytest.fixture(scope="module")
def bench(sandbox: Sandbox, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The stages, ready."""
    made = Bench(sandbox, tmp_path_factory.mktemp("bench"))
    made.digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return made


@pytest.fixture(scope="module")
def calm(bench: Bench) -> dict[Stage, Any]:
    """What each stage gives when nothing goes wrong."""
    return {stage: bench.work(stage, LONG)() for stage in Stage}


def run(work: Callable[[], Any], calm: Any, case: Case) -> tuple[End, str]:
    """Does the work, and says what became of it and what a user is told."""
    try:
        with warnings.catch_warnings(record=True) as warned:  # Earth Engine's client warns so
            warnings.simplefilter("always")
            found = work()
    except TroubleRemains as trouble:
        stops = case.stage in {Stage.TOKEN, Stage.DISCOVERY, Stage.ALGORITHMS}  # before any cell
        return (End.STOPS if stops else End.FAILS), str(trouble)
    except FlickrRefusal as refusal:
        return End.FAILS, str(refusal)
    except (SetupError, WeightsError, WeightsUnreachableError) as trouble:
        return End.STOPS, str(trouble)
    if found == calm:
        return End.SAME, " ".join(str(one.message) for one in warned)
    if case.stage is Stage.SEARCH:
        assert found.exhausted
        assert found.photos == ()
        return End.ROW, "an empty page: there is nothing more"
    verdict = found.verdict
    return End.ROW, f"{verdict['outcome']}, {verdict['stage']}: {verdict['reason']}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_comes_to_what_the_table_says(
    case: Case, bench: Bench, calm: dict[Stage, Any]
) -> None:
    """Tries, end and message are as told; afterwards the same work gives the same result."""
    answers = Answers()
    long = "first" in case.fault or "refused" in case.tries
    work = bench.work(case.stage, replace(LONG if long else SHORT, answers=answers))
    bench.sandbox.reset()
    bench.sandbox.faults([{"where": str(case.stage), **case.fault}])
    try:
        end, said = run(work, calm[case.stage], case)
        done, requests = bench.sandbox.faults_done(), bench.sandbox.counts()
    finally:
        bench.sandbox.faults([])
    happened = done.pop(f"{case.fault['fault']} {case.stage}")
    assert done == {}
    assert end is case.end, said
    assert bool(said) is bool(case.said)
    assert case.said in re.sub(r"http://\S*?(?=:?\s)", "http://…", said), said
    tries = {
        name.partition(": ")[2]: number for name, number in answers.counts().items()
        if not name.endswith((RETRIES, WAITED_MS))
    }  # fmt: skip
    if "first" in case.fault:
        assert happened == case.fault["first"]
        assert tries == case.tries
    else:
        assert set(tries) == set(case.tries)
        assert all(tries[how] >= least for how, least in case.tries.items())
        assert ("refused" not in tries and "answered" not in tries) or sum(tries.values()) == 1
    if case.stage in {Stage.SEARCH, Stage.DOWNLOAD}:
        assert sum(tries.values()) == requests[case.stage]
    assert bench.work(case.stage, LONG)() == calm[case.stage]


def test_a_scene_that_is_gone_gives_way_to_the_next(bench: Bench, calm: dict[Stage, Any]) -> None:
    """The row keeps the chip from the next scene and names the one that is gone."""
    gone = replace(bench.scenes[0], scene_id=f"{bench.scenes[0].scene_id}X")
    services = bench.services(LONG, bench.engine(LONG))
    piece = fetch_chip(CHIP, [gone, *bench.scenes], SMALL, services)
    assert piece.member == calm[Stage.PIXELS].member
    assert [(one["scene_id"], one["reason"]) for one in piece.verdict["refused"]] == [
        (gone.scene_id, "gone")
    ]
    piece = fetch_chip(CHIP, [gone], SMALL, services)
    assert (piece.verdict["outcome"], piece.verdict["reason"]) == ("rejected", "all_refused")


def test_the_table_is_the_page() -> None:
    """`docs/faults.md` says what is tested here, at least 25 rows of it, and every fault is in."""
    from collectors.sandbox.faults import FaultKind

    assert PAGE.read_text("utf-8") == render(), "python -m tests.flows.fault_table > docs/faults.md"
    assert len({case.name for case in CASES}) == len(CASES) >= 25
    assert {case.fault["fault"] for case in CASES} == set(FaultKind)


def test_with_three_answers_in_ten_at_fault_nothing_changes(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build in such a world ends with the manifests of a calm one, and verifies."""
    run = small_run(sandbox, tmp_path, quota=16)
    build_one_cell(run, tmp_path / "calm")
    share = 0.36  # chance is drawn from the seed and the requests: no run differs from another
    kinds = {
        "flickr.search": ("unavailable", "html", "cut_off", "reset", "failure"),
        "photo.get": ("unavailable", "server_error", "cut_off", "reset"),
        "ee.features": ("unavailable", "html", "cut_off", "reset", "truncated"),
        "ee.get_pixels": ("unavailable", "html", "cut_off", "reset", "truncated"),
    }
    lines = []
    for kind, faults in kinds.items():
        each = share / len(faults)
        for place, fault in enumerate(faults):  # drawn where the lines before it did not strike
            chance = each / (1 - each * place)
            lines.append({"where": kind, "fault": fault, "probability": chance})
    sandbox.reset()
    monkeypatch.setattr(Settings, "patience", property(lambda _: LONG))  # as long, short waits
    sandbox.faults({"seed": 5, "faults": lines})
    try:
        outcome = build_one_cell(run, tmp_path / "faulty")
        done, counts = sandbox.faults_done(), sandbox.counts()
    finally:
        sandbox.faults([])
    asked = sum(counts[kind] for kind in kinds)
    assert sum(done.values()) / asked >= 0.3, (done, counts)
    assert outcome["cells"] == {"committed": 1}
    print(f"\n{sum(done.values())} of {asked} answers at fault: {done}")  # noqa: T201
    calm, faulty = tmp_path / "calm", tmp_path / "faulty"
    files = sorted(path.relative_to(calm) for path in calm.glob("manifests/**/*.*"))
    assert len(files) >= 5
    for file in files:
        assert (faulty / file).read_bytes() == (calm / file).read_bytes(), file
    assert [one.offenders for one in verify_dataset(str(faulty)) if one.broken] == []
