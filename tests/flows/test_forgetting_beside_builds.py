"""What is forgotten while a build goes on, or was stopped, does not come in by it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

import flows.cells.cell
import flows.publishing.publish
from collectors.shards import read_index
from collectors.storage import open_store
from collectors.transport import SetupError
from flows.cells.state import load_cell
from flows.products.block_list import add_request, begin_block_list
from flows.products.versions import read_version, version_names
from flows.upkeep.asked import Asked
from flows.verification.verification import verify_dataset
from tests.collectors.s3_server import S3Server
from tests.flows.forgotten_bytes import KEY, Traces, forget, rows
from tests.flows.power_cuts import Machine, PowerCutError
from tests.flows.small_worlds import small_run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

ORDER: dict[str, Any] = {"regions": ("bay",), "cells": 1, "settings": {"block_key": KEY}}


@pytest.fixture(scope="module")
def small(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A dataset of one cell with small chips, and a run that wants more photos of it."""
    folder = tmp_path_factory.mktemp("small")
    small_run(run.sandbox, folder).build(folder / "dataset", **ORDER)
    return small_run(run.sandbox, folder, quota=9), folder / "dataset"


@pytest.fixture
def root(small: tuple[Run, Path], tmp_path: Path) -> Path:
    """A dataset that may be changed."""
    return shutil.copytree(small[1], tmp_path / "dataset")


def write_request(root: Path, photo_id: str) -> None:
    """Does what a forgetting does first, and nothing more: it is slow, or was stopped."""
    store = open_store(str(root))
    blocks = begin_block_list(store, KEY)
    add_request(store, blocks, blocks.entries([photo_id], []))


def before(name: str, module: Any, act: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has something done once, just before a function of a module does its work."""
    work = getattr(module, name)
    left = [act]

    def then(*args: Any, **options: Any) -> Any:
        if left:
            left.pop()(*args)
        return work(*args, **options)

    monkeypatch.setattr(module, name, then)


@pytest.mark.parametrize("moment", ["names_blocked", "commit_cell"])
def test_a_build_that_is_about_to_commit_a_photo_does_not_keep_it(
    small: tuple[Run, Path], root: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Asked for before its last look at the list, or after it: the cell ends without it."""
    photo = rows(root, "photos")[0]["photo_id"]
    traces = Traces.of(root, photo)
    (cell,) = {row["cell"] for row in rows(root, "photos")}
    before(moment, flows.cells.cell, lambda *_: write_request(root, photo), monkeypatch)
    with pytest.raises(SetupError, match="being forgotten"):  # it does not publish beside it
        small[0].build(root, **ORDER)
    state = load_cell(open_store(str(root)), cell)
    assert len(state.photos) >= 8  # it has done its work
    assert photo not in {row.photo_id for row in (*state.photos, *state.rejects)}
    assert version_names(open_store(str(root))) == ["v0001"]
    with pytest.raises(SetupError, match="being forgotten"):  # and none begins
        small[0].build(root, **ORDER)
    done = forget(root, small[0].catalogue, Asked())
    assert (done.unfinished, done.version) == (1, "v0002")
    assert traces.found_in(root) == []
    assert [one.offenders for one in verify_dataset(str(root), block_key=KEY) if one.broken] == []


def test_a_version_that_was_published_meanwhile_is_taken_back(
    small: tuple[Run, Path], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold what was asked for; the number is gone, and the forgetting publishes the next."""
    photo = rows(root, "photos")[0]["photo_id"]
    traces = Traces.of(root, photo)
    before("_write_tables", flows.publishing.publish, lambda *_: write_request(root, photo),
           monkeypatch)  # fmt: skip
    with pytest.raises(SetupError, match="v0002 was published, so it was taken back"):
        small[0].build(root, **ORDER)
    with pytest.raises(SetupError, match="v0002 was revoked"):
        read_version(open_store(str(root)))
    assert forget(root, small[0].catalogue, Asked()).version == "v0003"
    assert traces.found_in(root) == []
    small[0].build(root, **ORDER)
    assert [one.offenders for one in verify_dataset(str(root), block_key=KEY) if one.broken] == []


@pytest.mark.parametrize("folder", ["shards", "parts"])
def test_what_a_stopped_build_left_is_looked_through(
    small: tuple[Run, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Searches, shards and parts that nothing names yet; the build then goes on without it."""
    root = tmp_path / "begun"
    machine = Machine(monkeypatch)
    with machine.dying_at(folder), pytest.raises(PowerCutError):
        small[0].build(root, **ORDER)
    store = open_store(str(root))
    kept = [row for path in store.list("shards") for row in read_index(store, path)
            if row["member"] and row["member"].endswith(".jpg")]  # fmt: skip
    photo = kept[0]["item_id"]
    traces = Traces((photo, kept[0]["verdict"]["image_url"]), "no checksum", b"\0not in any file\0")
    assert len(traces.found_in(root)) >= 2
    forget(root, small[0].catalogue, Asked(photos=frozenset({photo})))
    assert traces.found_in(root) == []
    small[0].build(root, **ORDER)
    assert traces.found_in(root) == []
    assert [row["reason"] for row in rows(root, "rejects", "photo_id LIKE 'forgotten-%'")] == [
        "forgotten"
    ]
    assert [one.offenders for one in verify_dataset(str(root), block_key=KEY) if one.broken] == []


def test_it_is_done_on_s3_as_on_a_disk(
    small: tuple[Run, Path], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same objects are left, but for what the key's salt makes of the ids."""
    photo = rows(root, "photos")[0]["photo_id"]
    with S3Server() as server:
        for name, text in server.environment.items():
            monkeypatch.setenv(name, text)
        there = f"s3://{server.bucket}/dataset"
        far, near = open_store(there), open_store(str(root))
        for path in near.list():
            far.create(path, near.read(path))
        forget(there, small[0].catalogue, Asked(photos=frozenset({photo})))
        forget(root, small[0].catalogue, Asked(photos=frozenset({photo})))
        assert sorted(map(shape, far.list())) == sorted(map(shape, near.list()))
        assert [path for path in far.list() if photo.encode() in far.read(path)] == []


def shape(path: str) -> str:
    """Returns a path without the hash of a part in which there are tokens."""
    return "-".join(one for one in path.split("-") if len(one) != 16 or path[0] != "p")


def test_a_crashed_run_names_no_photo_in_its_record(small: tuple[Run, Path], root: Path) -> None:
    """What a trouble said of a photo under runs/ is taken out as well."""
    photo = rows(root, "photos")[0]["photo_id"]
    record = root / "runs" / "20990101T000000000000-build.json"
    record.write_text(f'{{"troubles": {{"r1": "photo host: /photos/1/{photo}_ab.jpg: 503"}}}}')
    forget(root, small[0].catalogue, Asked(photos=frozenset({photo})))
    assert record.read_text().count("…_ab.jpg") + record.read_text().count("\\u2026_ab.jpg") == 1
