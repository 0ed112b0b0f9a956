"""Stopped anywhere and started again, a build ends as one that was never stopped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import flows.services
from flows.running import RunFailedError
from flows.verification import verify_dataset
from tests.flows.power_cuts import manifests

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run


@pytest.fixture(scope="module")
def whole(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The manifests of a build that was never stopped."""
    root = tmp_path_factory.mktemp("whole")
    run.build(root, regions=("bay",), cells=1)
    return manifests(root)


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
