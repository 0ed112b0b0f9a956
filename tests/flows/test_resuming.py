"""Stopped anywhere and started again, a build ends as one that was never stopped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import flows.cells.services
from flows.runs.running import RunFailedError
from flows.upkeep.sweeping import sweep_dataset
from flows.verification.verification import verify_dataset
from tests.flows.power_cuts import manifests

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run


@pytest.fixture(scope="module")
def whole(quick: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The manifests of a build that was never stopped."""
    root = tmp_path_factory.mktemp("whole")
    quick.build(root, regions=("bay",), cells=1)
    return manifests(root)


def test_nothing_is_left_of_the_way(quick: Run, whole: dict[str, bytes], tmp_path: Path) -> None:
    """After a build there are no steps, and no shard that no commit names."""
    root = tmp_path / "d"
    quick.build(root, regions=("bay",), cells=1)
    assert [path for path in (root / "steps").rglob("*") if path.is_file()] == []
    assert whole == manifests(root)


def test_a_crash_in_one_cell_leaves_the_others(
    quick: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crashed cell is a line in the summary, the other is published; a next run mends."""
    root = tmp_path / "d"
    from flows.runs import building

    work = building.collect_cell

    def crash(order: Any, *rest: Any) -> Any:
        if order.cell_id == "r118c055":
            raise RuntimeError("made up")
        return work(order, *rest)

    with monkeypatch.context() as crashing:
        crashing.setattr(building, "collect_cell", crash)
        with pytest.raises(RunFailedError) as caught:
            quick.build(root, regions=("bay",), cells=2)
    assert "crashed (RuntimeError: made up)" in caught.value.outcome["troubles"]["r118c055"]
    assert caught.value.outcome["rows"]["photos"] > 0
    outcome = quick.build(root, regions=("bay",), cells=2)
    assert outcome["version"] == "v0002"
    assert outcome["cells"] == {"committed": 1, "unchanged": 1}


def test_services_are_opened_before_any_cell(run: Run, tmp_path: Path) -> None:
    """A wrong set-up is found before work begins, so nothing is written but the root."""
    assert flows.cells.services.open_services
    with pytest.raises(Exception, match="API key"):
        run.build(tmp_path / "d", settings={"flickr_key": "f" * 32}, regions=("bay",), cells=1)
    assert list((tmp_path / "d").rglob("shards/*")) == []


def test_a_build_and_a_backfill_meet_in_one_cell(quick: Run, tmp_path: Path) -> None:
    """Both start from nothing at the same time; both end, and nothing of either is lost."""
    root = tmp_path / "d"
    with ThreadPoolExecutor(2) as threads:
        build = threads.submit(quick.build, root, regions=("bay",), cells=1)
        backfill = threads.submit(
            quick.build, root, kind="backfill", region="bay", cells=1, sensors=("naip",)
        )
        build.result()
        backfill.result()
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []
    pairs = duckdb.sql(
        f"SELECT DISTINCT sensor FROM '{max(root.glob('manifests/v*'))}/pairs/*.parquet'"
    ).fetchall()
    assert sorted(pairs) == [("naip",), ("sentinel2",)]


def test_a_publisher_that_died_keeps_nobody_from_publishing(
    run: Run, tiny: Path, tmp_path: Path
) -> None:
    """Its tables hold an older state: the next one takes the next number, and they are swept up."""
    root = tmp_path / "d"
    dead = root / "manifests" / "v0001" / "photos" / "part-00000.parquet"
    dead.parent.mkdir(parents=True)
    dead.write_bytes(b"of another state")
    outcome = run.build(root, catalogue=tiny, regions=("bay",), cells=1)
    assert (outcome["version"], outcome["version_is_new"]) == ("v0002", True)
    assert (root / "manifests" / "LATEST").read_text() == "v0002\n"
    swept = sweep_dataset(str(root), grace=timedelta(0), delete=True)
    assert [one.found.path for one in swept.waste] == ["manifests/v0001/photos/part-00000.parquet"]
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []


def test_a_shard_that_vanishes_while_its_cell_is_in_work_is_not_named(
    run: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell fails with the reason instead of committing what is gone; the next run mends it."""
    from flows.cells.chip_stage import ChipStage

    root = tmp_path / "d"
    work = ChipStage.run

    def lose(self: ChipStage) -> Any:
        done = work(self)
        next(root.glob("shards/*/*.tar")).unlink()
        return done

    with monkeypatch.context() as losing:
        losing.setattr(ChipStage, "run", lose)
        with pytest.raises(RunFailedError) as caught:
            run.build(root, catalogue=tiny, regions=("bay",), cells=1)
    (trouble,) = caught.value.outcome["troubles"].values()
    assert "was removed while cell" in trouble
    assert not list(root.glob("cells/*/*"))
    run.build(root, catalogue=tiny, regions=("bay",), cells=1)
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []
