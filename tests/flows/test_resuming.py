"""Stopped anywhere and started again, a build ends as one that was never stopped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import flows.services
from collectors.storage import Store
from flows.running import RunFailedError
from flows.verification import verify_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run


class PowerCutError(BaseException):
    """The machine is gone: nothing that catches exceptions catches this."""


class FailingStore(Store):
    """A storage whose machine dies before or after its n-th write."""

    left = 10**9
    after = False

    def create(self, path: str, data: bytes) -> bool:
        """Writes, or dies."""
        FailingStore.left -= 1
        if FailingStore.left == 0 and not FailingStore.after:
            raise PowerCutError
        done = super().create(path, data)
        if FailingStore.left == 0:
            raise PowerCutError
        return done


def manifests(root: Path) -> dict[str, bytes]:
    """Returns the files of all versions."""
    folder = root / "manifests"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.fixture(scope="module")
def whole(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The manifests of a build that was never stopped."""
    root = tmp_path_factory.mktemp("whole")
    run.build(root, regions=("bay",), cells=1)
    return manifests(root)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives builds the store that dies."""
    import collectors.storage

    opened = collectors.storage.open_store

    def open_failing(root: str, **options: Any) -> Store:
        store = opened(root, **options)
        store.__class__ = FailingStore
        return store

    monkeypatch.setattr(collectors.storage, "open_store", open_failing)


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_power_cut_at_every_third_write_changes_nothing(
    run: Run, whole: dict[str, bytes], tmp_path: Path, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build dies at its 1st write, then at the 4th, the 7th …, each time on the same root."""
    root = tmp_path / "d"
    monkeypatch.setattr(FailingStore, "after", after)
    cuts = 0
    for nth in range(1, 1000, 3):
        monkeypatch.setattr(FailingStore, "left", nth)
        try:
            run.build(root, regions=("bay",), cells=1)
        except PowerCutError:
            cuts += 1
            continue
        break
    assert cuts >= 3
    assert manifests(root) == whole
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []


@pytest.mark.usefixtures("failing")
def test_finished_downloads_are_not_made_twice(
    run: Run, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stood in a shard before the power cut is read from it; only the rest is fetched."""
    run.sandbox.reset()
    run.build(tmp_path / "never", regions=("bay",), cells=1)
    once = run.sandbox.counts()
    root = tmp_path / "d"
    monkeypatch.setattr(FailingStore, "after", False)
    monkeypatch.setattr(FailingStore, "left", 10**9)
    shards = len(list((tmp_path / "never").glob("shards/*/*.tar")))
    assert shards >= 2
    run.sandbox.reset()

    def die_at_the_commit(self: Store, path: str, data: bytes) -> bool:
        if path.startswith("cells/"):
            raise PowerCutError
        return Store.create(self, path, data)

    with monkeypatch.context() as dying:
        dying.setattr(FailingStore, "create", die_at_the_commit)
        with pytest.raises(PowerCutError):
            run.build(root, regions=("bay",), cells=1)
    run.build(root, regions=("bay",), cells=1)
    counts = run.sandbox.counts()
    for kind in ("photo.get", "ee.get_pixels", "ee.features", "flickr.search"):
        assert counts[kind] == once[kind], kind
    assert manifests(root) == whole


def test_nothing_is_left_of_the_way(run: Run, whole: dict[str, bytes], tmp_path: Path) -> None:
    """After a build there are no steps, and no shard that no commit names."""
    root = tmp_path / "d"
    run.build(root, regions=("bay",), cells=1)
    assert [path for path in (root / "steps").rglob("*") if path.is_file()] == []
    assert whole == manifests(root)


def test_a_crash_in_one_cell_leaves_the_others(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crashed cell is a line in the summary, the other is published; a next run mends."""
    root = tmp_path / "d"
    from flows import building

    work = building.collect_cell

    def crash(order: Any, *rest: Any) -> Any:
        if order.cell_id == "r118c055":
            raise RuntimeError("made up")
        return work(order, *rest)

    with monkeypatch.context() as crashing:
        crashing.setattr(building, "collect_cell", crash)
        with pytest.raises(RunFailedError) as caught:
            run.build(root, regions=("bay",), cells=2)
    assert "crashed (RuntimeError: made up)" in caught.value.outcome["troubles"]["r118c055"]
    assert caught.value.outcome["rows"]["photos"] > 0
    outcome = run.build(root, regions=("bay",), cells=2)
    assert outcome["version"] == "v0002"
    assert outcome["cells"] == {"committed": 1, "unchanged": 1}


def test_services_are_opened_before_any_cell(run: Run, tmp_path: Path) -> None:
    """A wrong set-up is found before work begins, so nothing is written but the root."""
    assert flows.services.open_services
    with pytest.raises(Exception, match="API key"):
        run.build(tmp_path / "d", settings={"flickr_key": "f" * 32}, regions=("bay",), cells=1)
    assert list((tmp_path / "d").rglob("shards/*")) == []


def test_a_build_and_a_backfill_meet_in_one_cell(run: Run, tmp_path: Path) -> None:
    """Both start from nothing at the same time; both end, and nothing of either is lost."""
    root = tmp_path / "d"
    with ThreadPoolExecutor(2) as threads:
        build = threads.submit(run.build, root, regions=("bay",), cells=1)
        backfill = threads.submit(
            run.build, root, kind="backfill", region="bay", cells=1, sensors=("naip",)
        )
        build.result()
        backfill.result()
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []
    pairs = duckdb.sql(
        f"SELECT DISTINCT sensor FROM '{max(root.glob('manifests/v*'))}/pairs/*.parquet'"
    ).fetchall()
    assert sorted(pairs) == [("naip",), ("sentinel2",)]
