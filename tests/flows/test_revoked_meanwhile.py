"""What is made of a version that is revoked while it is made: nothing of it is left or is whole."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from collectors.storage import open_store
from collectors.transport import SetupError
from flows.description.describe import describe_dataset
from flows.excerpts.index_only import write_index
from flows.excerpts.sample import sample_dataset
from flows.products.revoked import left_of_revoked, revoke
from flows.products.versions import version_names
from flows.report.writing import write_report
from flows.samples import sample_tables
from flows.samples.opening import open_samples
from flows.upkeep.sweeping import GRACE, sweep_dataset
from flows.verification.verification import verify_dataset
from tests.flows.small_worlds import small_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from flows.progress import Progress
    from tests.flows.runs import Run

MAKERS: dict[str, Callable[[str, str, Progress], Any]] = {
    "describe": lambda root, _out, progress: describe_dataset(root, progress=progress),
    "describe elsewhere": lambda root, out, progress: describe_dataset(
        root, output=out, progress=progress
    ),
    "index": lambda root, _out, progress: write_index(root, progress=progress),
    "index elsewhere": lambda root, out, progress: write_index(root, out, progress=progress),
    "sample": lambda root, out, progress: sample_dataset(root, out, pairs=4, progress=progress),
    "report": lambda root, out, progress: write_report(
        root, Path(out), version=None, pairs=4, progress=progress
    ),
}


@pytest.fixture(scope="module")
def small(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of one cell with small chips. Not to be changed."""
    folder = tmp_path_factory.mktemp("small")
    small_run(run.sandbox, folder).build(folder / "dataset", regions=("bay",), cells=1)
    return folder / "dataset"


def is_whole(out: Path) -> bool:
    """Says whether anybody would take what lies there for finished."""
    return (out / "index.json").exists() or (out / "report.json").exists() or (
        out.is_dir() and version_names(open_store(str(out), writable=False)) != []
    )  # fmt: skip


@pytest.mark.parametrize("maker", list(MAKERS))
def test_a_version_that_is_revoked_at_any_moment_leaves_nothing(
    maker: str, small: Path, tmp_path: Path
) -> None:
    """It is said, nothing of it stays in the dataset, and what was begun elsewhere is not whole."""
    for moment in count():
        root, out = tmp_path / f"root{moment}", tmp_path / f"out{moment}"
        shutil.copytree(small, root)
        store, left = open_store(str(root)), [moment]

        def progress(*_: Any) -> None:
            left[0] -= 1  # noqa: B023
            if left[0] == -1:  # noqa: B023
                revoke(store, "v0001")  # noqa: B023

        try:
            MAKERS[maker](str(root), str(out), progress)
        except SetupError as error:
            assert "revoked" in str(error)  # noqa: PT017 - at the last moment there is none
            assert left_of_revoked(store) == []
            assert not is_whole(out)
        else:
            break  # it was whole already
        shutil.rmtree(root)
        shutil.rmtree(out, ignore_errors=True)
    assert moment


def test_samples_of_a_version_that_is_revoked_meanwhile_are_refused(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of a file that is not found."""
    root = shutil.copytree(small, tmp_path / "dataset")
    work = sample_tables.samples_of_cell

    def revoked(*tables: Any) -> Any:
        revoke(open_store(str(root)), "v0001")
        return work(*tables)

    monkeypatch.setattr("flows.samples.opening.samples_of_cell", revoked)
    with pytest.raises(SetupError, match="was revoked"):
        open_samples(str(root))


def test_what_a_writer_left_that_died_is_known_and_swept(small: Path, tmp_path: Path) -> None:
    """It wrote into a version and its index while they were revoked, and saw nothing of it."""
    root = shutil.copytree(small, tmp_path / "dataset")
    store = open_store(str(root))
    revoke(store, "v0001")
    late = ["index/v0001/photos/part-00000.parquet", "manifests/v0001/attribution/part-00000.txt"]
    for path in late:
        store.create(path, b"a name")
    store.create("index/v0002/README.md", b"of another version")
    assert [one.path for one in left_of_revoked(store)] == sorted(late, reverse=True)
    found = sweep_dataset(str(root), grace=GRACE * 0 - GRACE, delete=True)
    assert {one.found.path for one in found.waste if one.kind == "revoked"} == set(late)
    assert left_of_revoked(store) == []
    assert store.exists("index/v0002/README.md")
    assert store.exists("manifests/v0001/manifest.json")


def test_verify_sees_it(small: Path, tmp_path: Path) -> None:
    """Even where only the index is concerned."""
    root = shutil.copytree(small, tmp_path / "dataset")
    store = open_store(str(root))
    newer = {path: store.read(path) for path in store.list("manifests/v0001")}
    for path, data in newer.items():
        store.create(path.replace("v0001", "v0002"), data.replace(b"v0001", b"v0002"))
    revoke(store, "v0001")
    store.create("index/v0001/README.md", b"a name")
    broken = [one for found in verify_dataset(str(root)) for one in found.offenders]
    assert any("index/v0001/README.md is still there: run `sweep`" in one for one in broken)
