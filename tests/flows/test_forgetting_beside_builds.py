"""What is forgotten while a build goes on, or was stopped, does not come in by it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from obstore.store import MemoryStore

import flows.cells.cell
import flows.publishing.publish
import flows.upkeep.forgetting
from collectors.shards import read_index
from collectors.storage import Store, open_store
from collectors.transport import SetupError
from flows.catalogue.catalogue import load_catalogue
from flows.cells.cell import collect_cell
from flows.cells.forgotten_files import find_purge
from flows.cells.state import load_cell
from flows.products.block_list import add_request, begin_block_list, open_requests
from flows.products.versions import read_version, version_names
from flows.upkeep.asked import Asked
from flows.verification.verification import verify_dataset
from tests.collectors.s3_server import S3Server
from tests.flows.forgotten_bytes import KEY, Traces, forget, rows
from tests.flows.made_up_services import CELL, World, memory_store, services
from tests.flows.power_cuts import Machine, PowerCutError
from tests.flows.small_worlds import small_run
from tests.flows.test_resuming import MONDAY, order_of, stop_before_commit

if TYPE_CHECKING:
    from pathlib import Path

    from flows.cells.state import CellState
    from flows.products.block_list import BlockList
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


def test_a_build_that_dies_after_its_commit_has_committed_nothing_forgotten(
    small: tuple[Run, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole forgetting runs when the cell is laid out and no part of it is written yet."""
    root, asked, work = tmp_path / "begun", list[str](), flows.cells.cell.commit_cell

    def commit(store: Store, state: CellState, *args: Any, **options: Any) -> bool:
        if not asked:
            asked.append(state.photos[0].photo_id)
            forget(root, small[0].catalogue, Asked(photos=frozenset(asked)))
        if work(store, state, *args, **options):
            raise PowerCutError
        return False

    monkeypatch.setattr(flows.cells.cell, "commit_cell", commit)
    with pytest.raises(PowerCutError):
        small[0].build(root, **ORDER)
    monkeypatch.setattr(flows.cells.cell, "commit_cell", work)
    small[0].build(root, **ORDER)
    assert len(rows(root, "photos")) >= 8
    assert Traces((asked[0],), "no checksum", b"\0not in any file\0").found_in(root) == []
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


def test_a_publisher_whose_tables_are_removed_says_that_it_has_to_begin_again(
    small: tuple[Run, Path], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole forgetting runs before it describes its version: not the database's own words."""
    photo = rows(root, "photos")[0]["photo_id"]
    traces = Traces.of(root, photo)

    def forget_all(*_: object) -> None:
        done = forget(root, small[0].catalogue, Asked(photos=frozenset({photo})))
        assert done.version == "v0003"

    before("describe_in_place", flows.publishing.publish, forget_all, monkeypatch)
    with pytest.raises(SetupError, match="v0002 was published, so it was taken back"):
        small[0].build(root, **ORDER)
    with pytest.raises(SetupError, match="v0002 was revoked"):
        read_version(open_store(str(root)), "v0002")
    assert traces.found_in(root) == []
    small[0].build(root, **ORDER)
    assert [one.offenders for one in verify_dataset(str(root), block_key=KEY) if one.broken] == []


def test_a_version_that_a_dead_publisher_did_not_take_back_is_revoked_by_the_next(
    small: tuple[Run, Path], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole forgetting ran between its last look at the list and its manifest; then it died."""
    photo, work, done = rows(root, "photos")[0]["photo_id"], Store.create, list[str]()

    def create(store: Store, path: str, data: bytes) -> bool:
        if path != "manifests/v0002/manifest.json" or done:
            return work(store, path, data)
        done.append(forget(root, small[0].catalogue, Asked(photos=frozenset({photo}))).version)
        work(store, path, data)
        raise PowerCutError

    monkeypatch.setattr(Store, "create", create)
    with pytest.raises(PowerCutError):
        small[0].build(root, **ORDER)
    small[0].build(root, **ORDER)
    assert done == ["v0003"]
    with pytest.raises(SetupError, match="v0002 was revoked"):
        read_version(open_store(str(root)), "v0002")
    assert [one.offenders for one in verify_dataset(str(root), block_key=KEY) if one.broken] == []


def test_a_forgetting_leaves_open_what_was_asked_for_meanwhile(
    small: tuple[Run, Path], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one begins when the first has only its record to write, and is stopped."""
    first, second = (row["photo_id"] for row in rows(root, "photos")[:2])
    traces = Traces.of(root, second)
    before("clean_records", flows.upkeep.forgetting, lambda *_: write_request(root, second),
           monkeypatch)  # fmt: skip
    forget(root, small[0].catalogue, Asked(photos=frozenset({first})))
    assert open_requests(open_store(str(root))) == ("000002",)
    assert forget(root, small[0].catalogue, Asked()).unfinished == 1
    assert open_requests(open_store(str(root))) == ()
    assert traces.found_in(root) == []


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


def test_searches_that_are_made_anew_are_not_mixed_with_what_was_placed(
    small: tuple[Run, Path],
) -> None:
    """A rejected photo is forgotten; one that came meanwhile is placed, one that went is not."""
    catalogue = load_catalogue(small[0].catalogue)
    catalogue = catalogue.model_copy(
        update={"rules": catalogue.rules.model_copy(update={"quota_per_cell": 40})}
    )
    world = World(1, cloudy=0)
    for number, photo in enumerate(world.photos):
        world.photos[number] = replace(photo, uploaded_at=MONDAY)
    newcomer, leaver = world.photos[0], world.photos[3]
    store, early = memory_store(), replace(world, photos=world.photos[1:])
    stop_before_commit(order_of(MONDAY), store, catalogue, early)
    forgotten = next(
        row["item_id"] for path in store.list("shards") for row in read_index(store, path)
        if row["verdict"].get("reason") == "indoor"
    )  # fmt: skip
    blocks = begin_block_list(store, KEY)
    blocks = add_request(store, blocks, blocks.entries([forgotten], []))
    paths = find_purge(store, CELL.cell_id, blocks)
    assert len(paths.steps) == 3
    assert len(paths.shards) == 1
    for stopped_after in range(len(paths.steps) + len(paths.shards)):
        left = copy_of(store)
        purge_until(left, blocks, stopped_after)
        find_purge(left, CELL.cell_id, blocks).remove(left)
        assert [path for path in left.list("steps") if path.endswith(".gz")] == []
    find_purge(store, CELL.cell_id, blocks).remove(store)
    assert [path.rsplit("-", 1)[1] for path in store.list("steps")] == ["present"]
    world.photos.remove(leaver)
    mine = services(store, catalogue, world)
    mine.blocks = blocks
    collect_cell(order_of(MONDAY), mine)
    state = load_cell(store, CELL.cell_id)
    paired = {row.photo_id for row in state.pairs}
    kept = {row.photo_id for row in state.photos}
    assert newcomer.photo_id in kept
    assert leaver.photo_id not in kept
    assert [row for row in state.photos if row.photo_id not in paired and not row.unpaired] == []


def copy_of(store: Store) -> Store:
    """Returns a store that holds the same."""
    other = Store("memory:", MemoryStore(), None)
    for path in store.list():
        other.create(path, store.read(path))
    return other


def purge_until(store: Store, blocks: BlockList, deletes: int) -> None:
    """Purges the cell, and is stopped after so many removals."""
    delete, left = store.delete, deletes

    def stop(path: str) -> None:
        nonlocal left
        if not left:
            raise PowerCutError
        left -= 1
        delete(path)

    store.delete = stop  # type: ignore[method-assign]
    with pytest.raises(PowerCutError):
        find_purge(store, CELL.cell_id, blocks).remove(store)
    store.delete = delete  # type: ignore[method-assign]
