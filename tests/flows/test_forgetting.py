"""What was forgotten stands nowhere any more, does not come back, and tells nobody who asked."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from collectors.storage import open_store
from collectors.transport import SetupError
from flows.command_line import app
from flows.products.block_list import add_request, begin_block_list
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
    """A dataset of a cell in each of two regions, with small chips, and what built it."""
    folder = tmp_path_factory.mktemp("small")
    mine = small_run(run.sandbox, folder, quota=10)
    mine.build(folder / "dataset", cells=1)
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
    done = forget(root, runs.catalogue, Asked(photos=frozenset({photo})))
    assert (done.photos, done.cells, done.revoked, done.version) == (1, 1, ("v0001",), "v0002")
    assert traces.found_in(root) == []
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
    """Nothing is written without --yes; the key's file is the owner's alone, and is told of."""
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
    done = CliRunner().invoke(app, [*command, "--yes", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["done"], said["photos"], said["version"]) == (True, 1, "v0002")
    assert said["key_file"] == str(key_file)
    assert key_file.stat().st_mode & 0o777 == 0o600
    again = CliRunner().invoke(app, [*command, "--yes"])
    assert again.exit_code == 0, again.output
    assert "no row names them" in again.output
    assert read_version(open_store(str(root))).name == "v0002"


@pytest.mark.parametrize("given", [["--photo", "../x"], ["--owner", "some name"], []])
def test_what_is_no_id_is_refused(root: Path, given: list[str]) -> None:
    """Before anything is looked at, with what an id looks like."""
    refused = CliRunner().invoke(app, ["forget", "--root", str(root), *given, "--yes"])
    assert refused.exit_code == 1
    assert not (root / "blocked").exists()
