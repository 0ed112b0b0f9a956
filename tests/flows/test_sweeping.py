"""What no commit names is found and removed, and nothing that one names."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import flows.cells.forgetting
import flows.upkeep.sweeping
from collectors.storage import open_store
from collectors.transport import SetupError, TroubleRemains
from flows.cells.sweep_marks import MARK_LASTS, SWEEPS, check_sweeps
from flows.command_line import app
from flows.upkeep.asked import Asked
from flows.upkeep.sweeping import named_objects, sweep_dataset
from flows.verification.verification import verify_dataset
from tests.flows.forgotten_bytes import KEY, forget, rows
from tests.flows.power_cuts import PowerCutError, files
from tests.flows.runs import small_catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

DAY = 86_400.0
CELL = "r118c056"


def lay(root: Path, path: str, *, hours_old: float = 48) -> str:
    """Lays an object into a dataset."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(path.encode())
    then = time.time() - 3600 * hours_old
    os.utime(file, (then, then))
    return path


def grow_old(root: Path) -> None:
    """Makes everything in a dataset two days old."""
    for file in root.rglob("*"):
        if file.is_file():
            os.utime(file, (time.time() - 2 * DAY,) * 2)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset without cells."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "dataset.json").write_text('{"schema": "terrapair/1", "seed": 5}')
    return tmp_path / "d"


def commit(root: Path, generation: int, *, parts: list[str], shards: list[str]) -> None:
    """Lays a commit into a dataset."""
    text = json.dumps({"parts": dict(enumerate(parts)), "shards": shards})
    path = root / lay(root, f"cells/{CELL}/{generation:06d}.json")
    path.write_text(text)


def paths(found: Any) -> set[str]:
    """Returns the paths of what a sweep found."""
    return {one.found.path for one in found.waste}


ORPHANS = {
    "shard": f"shards/{CELL}/aa.tar",
    "part": f"parts/{CELL}/000002-bb-photos.parquet",
    "step": f"steps/{CELL}/000002-cc-search-0000.json.gz",
    "probe": ".probe-dd",
    "unfinished": f"shards/{CELL}/ee.tar#1",
}


def test_every_kind_of_leftover_is_found_said_and_only_then_removed(dataset: Path) -> None:
    """The first look removes nothing; --delete removes just what was said."""
    commit(dataset, 1, parts=[f"parts/{CELL}/000001-x-photos.parquet"], shards=[])
    for path in ORPHANS.values():
        lay(dataset, path)
    before = files(dataset)
    found = sweep_dataset(str(dataset))
    assert {one.kind: one.found.path for one in found.waste} == ORPHANS
    assert (found.removed, files(dataset)) == (False, before)
    assert found.size == sum(len(path) for path in ORPHANS.values())
    removed = sweep_dataset(str(dataset), delete=True)
    assert paths(removed) == set(ORPHANS.values())
    assert removed.removed
    assert before.keys() - files(dataset).keys() == set(ORPHANS.values())


@pytest.mark.parametrize("young", ["shard", "part", "step"])
def test_a_cell_with_anything_young_is_left_as_it_is(dataset: Path, young: str) -> None:
    """A run may be at work there, on what is much older than the grace time."""
    for kind, path in ORPHANS.items():
        lay(dataset, path, hours_old=23 if kind == young else 48)
    other = lay(dataset, "shards/r001c001/ff.tar")
    found = sweep_dataset(str(dataset), delete=True)
    assert paths(found) == {other, ORPHANS["probe"], ORPHANS["unfinished"]}
    assert found.spared == 3
    assert paths(sweep_dataset(str(dataset), grace=timedelta(hours=22))) == {
        ORPHANS[kind] for kind in ("shard", "part", "step")
    }


@settings(max_examples=60)
@given(
    commits=st.lists(st.tuples(st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7))), max_size=3),
    lying=st.sets(st.integers(0, 7)),
    ages=st.just([48] * 16) | st.lists(st.sampled_from([1, 48]), min_size=16, max_size=16),
)
def test_what_any_generation_names_stays(
    tmp_path_factory: pytest.TempPathFactory, commits: list[tuple[set[int], set[int]]],
    lying: set[int], ages: list[int],
) -> None:  # fmt: skip
    """Whatever lies there and whatever is named: the same as by brute force."""
    root = tmp_path_factory.mktemp("any")
    lay(root, "dataset.json")
    shard = [f"shards/{CELL}/{number:02d}.tar" for number in range(8)]
    part = [f"parts/{CELL}/{number:02d}.parquet" for number in range(8)]
    age = dict(zip([*shard, *part], ages, strict=True))
    for number in lying:
        lay(root, shard[number], hours_old=age[shard[number]])
        lay(root, part[number], hours_old=age[part[number]])
    for generation, (parts, shards) in enumerate(commits, start=1):
        commit(root, generation, parts=[part[one] for one in sorted(parts)],
               shards=[shard[one] for one in sorted(shards)])  # fmt: skip
    unnamed = [
        path
        for number in lying
        for which, path in ((0, part[number]), (1, shard[number]))
        if not any(number in one[which] for one in commits)
    ]
    expected = set() if any(age[path] < 24 for path in unnamed) else set(unnamed)
    assert paths(sweep_dataset(str(root), delete=True)) == expected
    assert named_objects(open_store(str(root), writable=False)).isdisjoint(expected)
    assert all((root / path).exists() == (path not in expected)
               for number in lying for path in (shard[number], part[number]))  # fmt: skip


def test_a_commit_that_cannot_be_read_stops_the_sweep(dataset: Path) -> None:
    """Who does not know what is named removes nothing."""
    lay(dataset, ORPHANS["shard"])
    lay(dataset, f"cells/{CELL}/000001.json")
    with pytest.raises(SetupError, match="is no commit that can be read"):
        sweep_dataset(str(dataset), delete=True)
    assert (dataset / ORPHANS["shard"]).exists()
    assert list((dataset / SWEEPS).iterdir()) == []


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    """A mistyped root is not swept."""
    lay(tmp_path, ORPHANS["shard"])
    with pytest.raises(SetupError, match="holds no dataset"):
        sweep_dataset(str(tmp_path), delete=True)
    assert (tmp_path / ORPHANS["shard"]).exists()


def test_only_tables_of_passed_versions_are_removed(dataset: Path) -> None:
    """A publisher may still take the number after the newest version."""
    dead = lay(dataset, "manifests/v0001/photos/part-00000.parquet")
    lay(dataset, "manifests/v0002/photos/part-00000.parquet")
    lay(dataset, "manifests/v0002/manifest.json")
    lay(dataset, "manifests/v0003/photos/part-00000.parquet")
    lay(dataset, "manifests/LATEST")
    assert paths(sweep_dataset(str(dataset), delete=True)) == {dead}


def test_a_sweep_and_a_run_see_each_other(dataset: Path) -> None:
    """While a sweep is marked no cell is begun; the mark of one that died is soon void."""
    store = open_store(str(dataset))
    mark = store.describe(lay(dataset, f"{SWEEPS}/abc", hours_old=0))
    with pytest.raises(TroubleRemains, match=r"while .* is swept"):
        check_sweeps(store, CELL, mark.modified_at)
    check_sweeps(store, CELL, mark.modified_at + MARK_LASTS + timedelta(seconds=1))
    lay(dataset, f"{SWEEPS}/old", hours_old=2)
    sweep_dataset(str(dataset), delete=True)
    assert store.list(SWEEPS) == [f"{SWEEPS}/abc"]


def test_a_sweep_that_takes_too_long_gives_up(dataset: Path) -> None:
    """It stops while its mark still counts."""
    lay(dataset, ORPHANS["shard"])
    seconds = iter([0.0, *[MARK_LASTS.total_seconds()] * 9])
    with pytest.raises(SetupError, match="in time"):
        sweep_dataset(str(dataset), delete=True, elapsed=lambda: next(seconds))
    assert (dataset / ORPHANS["shard"]).exists()


def test_a_run_ends_its_cell_while_a_sweep_goes_on(run: Run, tiny: Path, tmp_path: Path) -> None:
    """The cell fails with the reason, nothing is fetched, and the next run does it."""
    from flows.runs.running import RunFailedError

    root = tmp_path / "d"
    lay(root, f"{SWEEPS}/abc", hours_old=0)
    run.sandbox.reset()
    with pytest.raises(RunFailedError) as caught:
        run.build(root, catalogue=tiny, regions=("bay",), cells=1)
    assert "swept" in str(caught.value.outcome["troubles"])
    assert "flickr.search" not in run.sandbox.counts()
    (root / SWEEPS / "abc").unlink()
    assert run.build(root, catalogue=tiny, regions=("bay",), cells=1)["cells"] == {"committed": 1}


def test_older_versions_verify_after_a_sweep(run: Run, tiny: Path, tmp_path: Path) -> None:
    """Two generations, both published; what a dead process left goes, what they name stays."""
    root = tmp_path / "d"
    order: dict[str, Any] = {"regions": ("alps",), "cells": 1}
    run.build(root, catalogue=tiny, **order)
    larger = small_catalogue(tmp_path / "larger.yaml", _shrink, quota=12)
    run.build(root, catalogue=larger, **order)
    grow_old(root)
    kept = files(root)
    lay(root, f"shards/{next((root / 'shards').iterdir()).name}/{'0' * 32}.tar")
    lay(root, f"parts/{next((root / 'parts').iterdir()).name}/000003-0-photos.parquet")
    result = CliRunner().invoke(app, ["sweep", "--root", str(root), "--delete"])
    assert result.exit_code == 0, result.output
    assert "removed 2 objects" in result.output
    assert files(root) == kept
    for version in ("v0001", "v0002"):
        found = verify_dataset(str(root), version)
        assert [one.offenders for one in found if one.broken] == []


def _shrink(document: Any) -> None:
    for sensor in ("sentinel2", "naip"):
        document["sources"][sensor] |= {"size_px": 160, "area_px": 80}


@pytest.mark.parametrize("first", ["sweep", "forgetting"])
def test_a_sweep_and_a_forgetting_see_each_other(
    run: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Shards of a forgetting that was stopped two days ago are named by the one that goes on."""
    root, work, find = (
        tmp_path / "d",
        flows.cells.forgetting.commit_cell,
        flows.upkeep.sweeping._find,
    )
    run.build(root, catalogue=tiny, regions=("bay",), cells=1)
    shards = set(open_store(str(root)).list("shards"))
    photo = rows(root, "photos")[0]["photo_id"]

    def die(*_: object) -> bool:
        raise PowerCutError

    def sweep_and_commit(*args: Any) -> bool:
        sweep_dataset(str(root), delete=True)
        return work(*args)

    def find_and_forget(*args: Any) -> Any:
        found = find(*args)
        with pytest.raises(TroubleRemains, match=r"while .* is swept"):
            forget(root, tiny, Asked())
        return found

    monkeypatch.setattr(flows.cells.forgetting, "commit_cell", die)
    with pytest.raises(PowerCutError):
        forget(root, tiny, Asked(photos=frozenset({photo})))
    assert set(open_store(str(root)).list("shards")) > shards
    grow_old(root)
    monkeypatch.setattr(flows.cells.forgetting, "commit_cell", work)
    if first == "sweep":
        monkeypatch.setattr(flows.upkeep.sweeping, "_find", find_and_forget)
        sweep_dataset(str(root), delete=True)
    else:
        monkeypatch.setattr(flows.cells.forgetting, "commit_cell", sweep_and_commit)
    forget(root, tiny, Asked())
    assert [one.offenders for one in verify_dataset(str(root), block_key=KEY) if one.broken] == []
    assert open_store(str(root)).list("steps") == []


def test_the_command_says_what_it_would_remove(dataset: Path) -> None:
    """A table and the remedy; the paths as JSON; exit code 0."""
    lay(dataset, ORPHANS["shard"])
    told = CliRunner().invoke(app, ["sweep", "--root", str(dataset)])
    assert told.exit_code == 0
    assert "would remove 1 objects" in told.output
    listed = CliRunner().invoke(app, ["sweep", "--root", str(dataset), "--json"])
    (waste,) = json.loads(listed.output)["waste"]
    assert (waste["kind"], waste["path"]) == ("shard", ORPHANS["shard"])
    spared = CliRunner().invoke(app, ["sweep", "--root", str(dataset), "--grace-hours", "72"])
    assert "nothing to remove; 1 are too young" in " ".join(spared.output.split())
