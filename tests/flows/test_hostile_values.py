"""Values that mean harm, from a search to the published tables: nothing outside their row changes.

One cell is built twice over sockets, by the real clients, parser, stages and store: once from
innocent rows, once with the hostile ones among them.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from collectors.cells import Cell, grounds_of
from collectors.flickr import Flickr
from collectors.licences import LICENCES
from collectors.photo_files import PhotoHost
from collectors.records import Stage
from collectors.storage import open_store
from collectors.transport import Patience, Throttle
from flows.cells.orders import Order
from flows.cells.services import Services
from flows.inspection.rows_view import Shape, show_rows
from flows.inspection.selection import Selection
from flows.publishing.publish import publish
from flows.runs.building import SilentWatcher, collect_guarded
from flows.verification.verification import verify_dataset
from tests.flows.hostile_rows import HOSTILE, TITLES, Hostile
from tests.flows.product_rows import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from collectors.chips import Chip, Scene
    from flows.cells.orders import Summary

CELL = Cell.at(-121.8, 37.3)
INNOCENT = 4
PLACES = ("shard", "offset", "generation")
"""Columns that say where the bytes lie, beside which others."""


class World(ThreadingHTTPServer):
    """Flickr's search and a photo host on loopback, which note what they are asked for."""

    daemon_threads = False

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.rows: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                page = {"page": 1, "pages": 1, "perpage": 250, "total": str(len(outer.rows)),
                        "photo": outer.rows}  # fmt: skip
                self.answer(200, "application/json",
                            json.dumps({"photos": page, "stat": "ok"}).encode())  # fmt: skip

            def do_GET(self) -> None:
                outer.asked.append(self.path)
                target = {"/to-metadata": "http://169.254.169.254/", "/to-file": "file:///etc/x"}
                if self.path in target:
                    self.answer(302, "image/jpeg", b"", Location=target[self.path])
                else:
                    self.answer(200, "image/jpeg", picture(self.path))

            def answer(self, status: int, kind: str, body: bytes, **headers: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        super().__init__(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server_port}"


def picture(path: str) -> bytes:
    """A JPEG of 448 × 336 px, another one for each path."""
    chance = np.random.default_rng(list(path.encode()))
    noise = Image.fromarray(chance.integers(0, 255, (14, 18, 3), dtype=np.uint8))
    file = io.BytesIO()
    noise.resize((448, 336), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


def row(number: int, host: str, changes: dict[str, Any]) -> dict[str, Any]:
    """A row of a search: an innocent photo at a place and of an owner of its own, and changes."""
    box = CELL.box
    lon = box.west + (box.east - box.west) * (0.1 + 0.8 * (number % 12) / 12)
    lat = box.south + (box.north - box.south) * (0.1 + 0.8 * (number // 12) / 12)
    values = {
        "id": str(53000000000 + number), "owner": f"{7000000 + number}@N06", "ownername": "Ada",
        "pathalias": None, "title": "A pier", "tags": "pier", "media": "photo",
        "content_type": "0", "license": "4", "dateupload": "1581319011",
        "datetaken": f"2019-06-{1 + number % 28:02} 12:00:00", "datetakengranularity": "0",
        "datetakenunknown": "0", "latitude": str(lat), "longitude": str(lon), "accuracy": "16",
        "geo_is_public": 1, "url_m": f"http://{host}/{number}.jpg", "width_m": "448",
        "height_m": 336,
    }  # fmt: skip
    put = {
        field: value.replace("HOST", host) if isinstance(value, str) else value
        for field, value in changes.items()
    }
    return values | put


class Outdoors:
    """Takes every picture for one taken outdoors."""

    fingerprint: dict[str, str] = {}  # noqa: RUF012 - a stand-in for a property

    def probabilities(self, files: Sequence[bytes]) -> Iterator[float]:
        return iter([0.1] * len(files))


class NoScenes:
    """An Earth Engine without scenes."""

    def resolve(self, chips: Sequence[Chip], _: Any) -> dict[str, tuple[Scene, ...]]:
        return {chip.chip_id: () for chip in chips}


def build(world: World, folder: Path) -> Summary:
    """Builds the cell from the rows that the world has, and publishes."""
    (ground,) = grounds_of(CELL.box.polygon())
    throttle, patience = Throttle(10_000, 1.0, 8), Patience(1.0, 0.01, 0.02)
    order = Order(
        ground, ("sentinel2",), date(2018, 1, 1), date(2021, 1, 1),
        datetime(2026, 1, 1, tzinfo=UTC), seed=5,
    )  # fmt: skip
    nothing: Any = NoScenes()
    outdoors: Any = Outdoors()
    pool = ThreadPoolExecutor(4)
    with (
        Flickr("0" * 32, "1" * 16, url=f"http://{world.host}/services/rest/", throttle=throttle,
               patience=patience) as flickr,
        PhotoHost(throttle=throttle, patience=patience, user_agent="tests",
                  allowed_hosts=frozenset({world.host, ".staticflickr.com"})) as host,
    ):  # fmt: skip
        services = Services(
            store=open_store(str(folder)), catalogue=CATALOGUE, flickr=flickr, photo_host=host,
            earth_engine=nothing, classifier=outdoors, weights="0" * 64, photo_pool=pool,
            pixel_pool=pool,
        )  # fmt: skip
        summary = collect_guarded(order, services, SilentWatcher())
        publish(services.store, CATALOGUE, 5)
    pool.shutdown()
    return summary


@dataclass(frozen=True)
class Built:
    """The two datasets.

    Attributes:
        folder: Holds `calm`, `hostile` and nothing else.
        summary: Of the hostile one.
        asked: Paths that the photo host was asked for in the hostile one.
    """

    folder: Path
    summary: Summary
    asked: list[str]

    def rows(self, name: str, product: str) -> dict[str, dict[str, Any]]:
        """The rows of a product by photo."""
        found = duckdb.sql(
            "SELECT * EXCLUDE (geometry) FROM"
            f" '{self.folder}/{name}/manifests/v0001/{product}/*.parquet'"
        )
        return {
            values[0]: dict(zip(found.columns, values, strict=True)) for values in found.fetchall()
        }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Both datasets, built over sockets."""
    folder = tmp_path_factory.mktemp("hostile")
    world = World()
    thread = threading.Thread(target=world.serve_forever, args=(0.02,))
    thread.start()
    try:
        innocent = [row(number, world.host, {}) for number in range(INNOCENT)]
        world.rows = innocent
        assert build(world, folder / "calm").troubles == {}
        world.asked.clear()
        hostile = [
            row(INNOCENT + number, world.host, case.changes) for number, case in enumerate(HOSTILE)
        ]
        world.rows = [*innocent, *hostile]
        yield Built(folder, build(world, folder / "hostile"), list(world.asked))
    finally:
        world.shutdown()
        thread.join()
        world.server_close()


def id_of(case: Hostile) -> str:
    """The id under which the row of a case is found."""
    given = case.changes.get("id", str(53000000000 + INNOCENT + HOSTILE.index(case)))
    return str(given)


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.name)
def test_a_hostile_row_ends_as_it_has_to(case: Hostile, built: Built) -> None:
    """Kept as an ordinary photo with its text as it was written, or a row with its reason."""
    kept, rejected = (built.rows("hostile", name) for name in ("photos", "rejects"))
    photo_id = id_of(case)
    if case.end != "kept":
        found = rejected[photo_id]
        assert f"{found['stage']}: {found['reason']}" == case.end
        assert photo_id not in kept
        assert len(found["detail"]) < 1000
        return
    found = kept[photo_id]
    for field in ("title", "tags", "owner"):
        if isinstance(case.changes.get(field), str):
            assert found[field] == case.changes[field].strip() if field == "owner" else True
            assert found[field].strip() == case.changes[field].strip()
    page = r"https://www\.flickr\.com/photos/[A-Za-z0-9@_%.-]+/[0-9]+/"
    assert re.fullmatch(page, found["page_url"])
    assert "/../" not in found["page_url"]
    assert len(found["attribution"]) < 600
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", found["attribution"])


def test_there_are_enough_of_them() -> None:
    """At least 30, each another."""
    assert len({case.name for case in HOSTILE}) == len(HOSTILE) >= 30


def test_the_cell_is_committed_with_every_row_accounted_for(built: Built) -> None:
    """No row is lost and none breaks the cell; the dataset verifies."""
    assert built.summary.troubles == {}
    assert built.summary.cells == {"committed": 1}
    kept, rejected = (built.rows("hostile", name) for name in ("photos", "rejects"))
    assert set(kept) | set(rejected) == (
        {str(53000000000 + number) for number in range(INNOCENT)} | {id_of(one) for one in HOSTILE}
    )
    findings = verify_dataset(str(built.folder / "hostile"))
    assert [one.offenders for one in findings if one.broken] == []


def test_innocent_rows_are_as_they_would_be_without(built: Built) -> None:
    """Everything but where the bytes lie is the same."""
    calm, beside = built.rows("calm", "photos"), built.rows("hostile", "photos")
    assert len(calm) == INNOCENT
    for photo_id, values in calm.items():
        for column, value in values.items():
            if column not in PLACES:
                assert beside[photo_id][column] == value, column


def test_nothing_else_is_asked_for(built: Built) -> None:
    """The host saw the photos of good rows and the two redirects, each once, and no more."""
    numbers = [*range(INNOCENT), *(
        INNOCENT + number for number, case in enumerate(HOSTILE)
        if case.end in {"kept", "download: wrong_size"}
    )]  # fmt: skip
    wanted = [f"/{number}.jpg" for number in numbers] + ["/to-metadata", "/to-file"]
    assert sorted(built.asked) == sorted(wanted)


def test_no_file_bears_a_name_from_outside(built: Built) -> None:
    """Two folders are there, and in them only paths of the store's own making."""
    assert sorted(path.name for path in built.folder.iterdir()) == ["calm", "hostile"]
    cell = CELL.cell_id
    allowed = re.compile(
        rf"(shards/{cell}/[0-9a-f]+\.tar|parts/{cell}/[0-9a-z-]+\.parquet|cells/{cell}/[0-9]+\.json"
        r"|manifests/(LATEST|v0001/([A-Z]+\.md|[a-z0-9/._-]+))|[a-z]+(\.json)?)"
    )
    files = [path for path in (built.folder / "hostile").rglob("*") if path.is_file()]
    strange = [
        name for path in files
        if not allowed.fullmatch(name := str(path.relative_to(built.folder / "hostile")))
    ]  # fmt: skip
    assert strange == []
    assert len(files) > 5


def test_a_terminal_shows_titles_and_does_not_obey_them(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Escape sequences, turned text and markup come out as they were written, in plain letters."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(console, "pager", lambda **_more: contextlib.nullcontext())
    show_rows(
        console, str(built.folder / "hostile"), Selection("photos", where="length(title) < 1000"),
        Shape(columns="photo_id, title", limit=100), as_json=False,
    )  # fmt: skip
    shown = file.getvalue()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", plain)
    assert "[red]markup[/red]" in plain
    assert "\\x1b]0;owned\\x07\\x1b[2J" in plain
    assert len(TITLES) > 10


def test_stages_are_known() -> None:
    """The ends of the table are stages of the project."""
    stages = {case.end.split(":")[0] for case in HOSTILE} - {"kept"}
    assert stages <= {str(one) for one in Stage}
    assert LICENCES[4].code == "CC-BY-2.0"
