"""What was forgotten stands nowhere any more, does not come back, and tells nobody who asked."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from collectors.shards import pack, read_index, read_member, shard_paths, write_shard
from collectors.storage import open_store
from collectors.transport import SetupError
from flows.catalogue.catalogue import load_catalogue
from flows.cells.forgetting import find_gone
from flows.cells.state import commit_cell, latest_generations, load_cell
from flows.command_line import app
from flows.excerpts.index_only import write_index
from flows.products.block_list import BlockList, add_request, begin_block_list
from flows.products.revoked import revoke
from flows.products.versions import read_version
from flows.upkeep.asked import Asked
from flows.verification.verification import verify_dataset
from tests.flows.forgotten_bytes import KEY, Traces, forget, pair_bytes, rows
from tests.flows.power_cuts import files
from tests.flows.small_worlds import small_run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run


@pytest.fixture(scope="module")
def small(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A dataset of a cell in each of two regions, with small chips and an index; what built it."""
    folder = tmp_path_factory.mktemp("small")
    mine = small_run(run.sandbox, folder, quota=10)
    mine.build(folder / "dataset", cells=1)
    write_index(str(folder / "dataset"))
    return mine, folder / "dataset"


@pytest.fixture
def root(small: tuple[Run, Path], tmp_path: Path) -> Path:
    """A dataset that may be changed."""
    return shutil.copytree(small[1], tmp_path / "dataset")


@pytest.fixture
def runs(small: tuple[Run, Path]) -> Run:
    """Builds on it."""
    return small[0]


def test_a_forgotten_photo_stands_nowhere_and_does_not_come_back(runs: Run, root: Path) -> None:
    """No byte, no id, no link; a build finds it again and leaves it; other pairs stay the same."""
    photo = next(row["photo_id"] for row in rows(root, "photos") if len(row["unpaired"]) == 0)
    traces, before = Traces.of(root, photo), pair_bytes(root)
    assert len(traces.found_in(root)) >= 5
    store = open_store(str(root))
    (cell,) = {row["cell"] for row in rows(root, "photos", f"photo_id = '{photo}'")}
    shards = set(shard_paths(store, cell))
    done = forget(root, runs.catalogue, Asked(photos=frozenset({photo})))
    assert (done.photos, done.cells, done.revoked, done.version) == (1, 1, ("v0001",), "v0002")
    assert traces.found_in(root) == []
    for shard in set(shard_paths(store, cell)) - shards:  # the photo's day went into that name
        assert {row["beside"] for row in read_index(store, shard)} == {""}
    left = {key: one for key, one in before.items() if key[0] != photo}
    assert pair_bytes(root) == left
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []

    outcome = runs.build(root, cells=1, settings={"block_key": KEY})
    assert outcome["cells"]["committed"] >= 1  # the cell's quota is one short, so it is searched
    assert traces.found_in(root) == []
    after = pair_bytes(root)
    assert {key: after[key] for key in left} == left
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []
    (row,) = rows(root, "rejects", "reason = 'forgotten'")
    said = {name for name, value in row.items() if value not in {None, ""}}
    assert said == {"photo_id", "cell", "outcome", "stage", "reason", "generation"}
    assert photo not in row["photo_id"]


def test_an_owner_goes_with_all_their_photos(runs: Run, root: Path) -> None:
    """Kept and rejected ones, in every cell; what they upload later is a row without them."""
    kept = rows(root, "photos")
    owner = max(
        {row["owner"] for row in kept}, key=lambda one: sum(row["owner"] == one for row in kept)
    )
    mine = {row["photo_id"] for row in kept if row["owner"] == owner}
    seen = {row["photo_id"] for row in rows(root, "rejects", f"owner = '{owner}'")}
    traces = Traces.of(root, min(mine), with_owner=True)
    done = forget(root, runs.catalogue, Asked(owners=frozenset({owner})))
    assert (done.photos - done.copies, done.seen) == (len(mine), len(seen))
    assert done.chips_gone >= 1
    assert traces.found_in(root) == []
    assert not set(rows_of(root)) & (mine | seen)
    runs.build(root, cells=1, settings={"block_key": KEY})
    assert traces.found_in(root) == []
    forgotten = {row["photo_id"] for row in rows(root, "rejects", "reason = 'forgotten'")}
    assert len(forgotten) >= len(mine | seen)
    assert [one.offenders for one in verify_dataset(str(root), block_key=KEY) if one.broken] == []


def rows_of(root: Path) -> list[str]:
    """Returns the ids of all photos that a row names."""
    return [row["photo_id"] for name in ("photos", "rejects") for row in rows(root, name)]


def test_who_asked_cannot_be_read_from_the_dataset(runs: Run, root: Path) -> None:
    """The same photo has other hashes in another dataset; a row's token is none of the list."""
    photo = rows(root, "photos")[0]["photo_id"]
    other = shutil.copytree(root, root.parent / "other")
    for one in (root, other):
        forget(one, runs.catalogue, Asked(photos=frozenset({photo})))
    lists = [json.loads((one / "blocked/list/000001.json").read_text()) for one in (root, other)]
    assert set(lists[0]["hashes"]).isdisjoint(lists[1]["hashes"])
    (row,) = rows(root, "rejects", "reason = 'forgotten'")
    assert not any(row["photo_id"].removeprefix("forgotten-") in one for one in lists[0]["hashes"])
    record = (root / "blocked/records/000001.json").read_text()
    assert photo not in record
    assert json.loads(record)["photos"] == 1


def test_a_build_without_the_right_key_stops(runs: Run, root: Path, tmp_path: Path) -> None:
    """Before anything is asked; the message says what to set. So does one with another key."""
    forget(root, runs.catalogue, Asked(photos=frozenset({rows(root, "photos")[0]["photo_id"]})))
    runs.sandbox.reset()
    nowhere = {"block_key_file": str(tmp_path / "none")}
    for given in (nowhere, {"block_key": "another key, long enough"}):
        with pytest.raises(SetupError, match="TERRAPAIR_BLOCK_KEY"):
            runs.build(root, cells=1, settings=given)
    assert "flickr.search" not in runs.sandbox.counts()


def test_older_versions_say_that_they_were_revoked(runs: Run, root: Path) -> None:
    """Whoever names one is told; the newest is read as ever; verify names it."""
    forget(root, runs.catalogue, Asked(photos=frozenset({rows(root, "photos")[0]["photo_id"]})))
    store = open_store(str(root))
    with pytest.raises(SetupError, match="v0001 was revoked"):
        read_version(store, "v0001")
    newest = read_version(store)
    assert newest is not None
    assert newest.name == "v0002"
    assert [path for path in store.list("manifests/v0001") if path.endswith(".parquet")] == []
    notes = [note for one in verify_dataset(str(root), block_key=KEY) for note in one.notes]
    assert notes == ["revoked versions: v0001"]
    shown = CliRunner().invoke(app, ["catalog", "show", "photos", "--root", str(root),
                                     "--version", "v0001"])  # fmt: skip
    assert shown.exit_code != 0
    assert "v0001 was revoked" in shown.output


def test_verify_finds_what_is_on_the_block_list(root: Path) -> None:
    """A photo that came back by another way (a copy put back) is named; without the key, not."""
    photo = rows(root, "photos")[0]["photo_id"]
    blocks = begin_block_list(open_store(str(root)), KEY)
    add_request(open_store(str(root)), blocks, blocks.entries([photo], []))
    found = {one.name: one for one in verify_dataset(str(root), block_key=KEY)}["forgotten"]
    assert any(photo in one for one in found.offenders)
    blind = {one.name: one for one in verify_dataset(str(root))}["forgotten"]
    assert blind.offenders == ["request 000001 was not brought to its end: run `forget`"]
    assert "not compared" in blind.notes[0]


def test_the_command_says_first_and_asks(
    runs: Run, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written without --yes; the key's file is the owner's alone, and is told of.

    What a search keeps of the dataset's words on this machine goes with the photo.
    """
    monkeypatch.setenv("TERRAPAIR_SEARCH_CACHE", str(tmp_path / "cache"))
    looked = CliRunner().invoke(app, ["search", "all -nothing", "--root", str(root)])
    assert looked.exit_code == 0, looked.output
    row = rows(root, "photos")[0]
    key_file = tmp_path / "config" / "block.key"
    monkeypatch.setenv("TERRAPAIR_BLOCK_KEY_FILE", str(key_file))
    asked = tmp_path / "asked.txt"
    asked.write_text(f"{row['photo_id']}\n\n")
    command = [
        "forget",
        "--file",
        str(asked),
        "--root",
        str(root),
        "--catalog",
        str(runs.catalogue),
    ]
    before = files(root)
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    assert "would be forgotten" in told.output
    assert files(root) == before
    assert not key_file.exists()
    assert len(list((tmp_path / "cache").rglob("*.sqlite"))) == 1
    done = CliRunner().invoke(app, [*command, "--yes", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["done"], said["photos"], said["version"]) == (True, 1, "v0002")
    assert said["key_file"] == str(key_file)
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert list((tmp_path / "cache").rglob("*.sqlite")) == []
    again = CliRunner().invoke(app, [*command, "--yes"])
    assert again.exit_code == 0, again.output
    assert "no row names them" in again.output
    assert read_version(open_store(str(root))).name == "v0002"


@pytest.mark.parametrize("given", [["--photo", "../x"], ["--owner", "some name"], []])
def test_what_is_no_id_is_refused(root: Path, given: list[str]) -> None:
    """Before anything is looked at, with what an id looks like."""
    refused = CliRunner().invoke(app, ["forget", "--root", str(root), *given, "--yes"])
    assert refused.exit_code == 2
    assert not (root / "blocked").exists()


def test_the_same_picture_goes_too(runs: Run, root: Path) -> None:
    """Another photo with the same bytes, of another cell; else a copy would come in its place."""
    store = open_store(str(root))
    first, second = (load_cell(store, cell) for cell in sorted(latest_generations(store))[:2])
    photo, copy = first.photos[0], second.photos[0]
    picture = read_member(store, photo.shard, photo.offset, photo.size)
    name = f"{copy.photo_id}.jpg"
    item = {"item_id": copy.photo_id, "member": name, "verdict": {}, "beside": "", "work_key": ""}
    packed = pack([(name, picture)], [item])
    copied = replace(
        copy, shard=write_shard(store, second.cell_id, packed), sha256=photo.sha256,
        offset=packed.places[name].offset, size=photo.size,
    )  # fmt: skip
    state = replace(second, generation=second.generation + 1, photos=(copied, *second.photos[1:]))
    assert commit_cell(store, state, load_catalogue(runs.catalogue), 5)
    traces = Traces.of(root, photo.photo_id)
    assert sum(one.endswith(": its picture") for one in traces.found_in(root)) == 2
    done = forget(root, runs.catalogue, Asked(photos=frozenset({photo.photo_id})))
    assert (done.photos, done.copies) == (2, 1)
    assert traces.found_in(root) == []


def test_a_chip_without_a_scene_goes_with_its_only_photo(runs: Run, root: Path) -> None:
    """Its name is the photo's place as well; with another photo in its area it stays."""
    store, catalogue = open_store(str(root)), load_catalogue(runs.catalogue)
    (state, *_) = (load_cell(store, cell) for cell in sorted(latest_generations(store)))
    chip = next(one for one in state.chips if one.kept and one.photos == 1)
    (photo_id,) = (pair.photo_id for pair in state.pairs if pair.chip_id == chip.chip_id)
    bare = replace(chip, outcome="rejected", reason="no_scene", photos=0, shard=None)
    without = replace(
        state,
        chips=tuple(bare if one is chip else one for one in state.chips),
        pairs=tuple(one for one in state.pairs if one.chip_id != chip.chip_id),
        photos=tuple(
            replace(one, unpaired={**one.unpaired, chip.sensor: "no_scene"})
            if one.photo_id == photo_id else one for one in state.photos
        ),
    )  # fmt: skip
    blocks = BlockList("a key that is long enough")
    blocks = blocks.with_hashes(blocks.entries([photo_id], []))
    assert chip.chip_id in find_gone(store, without, blocks, catalogue.sensors).chips
    (photo,) = (one for one in without.photos if one.photo_id == photo_id)
    beside = replace(photo, photo_id="1")
    shared = replace(without, photos=(*without.photos, beside))
    assert chip.chip_id not in find_gone(store, shared, blocks, catalogue.sensors).chips


def test_a_revoked_manifest_names_no_photo(root: Path) -> None:
    """What a version said of photos in two cells is cut away with its tables."""
    path = root / "manifests" / "v0001" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"settled_duplicates": {"10494770564": ["r1c1"]}}))
    revoke(open_store(str(root)), "v0001")
    assert "10494770564" not in path.read_text()
    assert sorted(one.name for one in path.parent.rglob("*.*")) == ["REVOKED.json", "manifest.json"]
