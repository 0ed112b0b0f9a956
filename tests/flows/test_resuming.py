"""Stopped anywhere and started again, a build ends as one that was never stopped."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import flows.cells.cell
import flows.cells.services
from collectors.chips import SceneGone
from flows.catalogue.catalogue import load_catalogue
from flows.cells.cell import collect_cell
from flows.cells.orders import Order
from flows.cells.state import load_cell
from flows.runs.building import SilentWatcher, collect_guarded
from flows.runs.running import RunFailedError
from flows.upkeep.sweeping import sweep_dataset
from flows.verification.verification import verify_dataset
from tests.flows.made_up_services import CELL, World, memory_store, part_of_cell, services
from tests.flows.power_cuts import PowerCutError, manifests
from tests.flows.runs import small_catalogue
from tests.flows.small_worlds import shrink

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue
    from tests.flows.runs import Run

MONDAY = datetime(2023, 8, 28, tzinfo=UTC)


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Catalogue]:
    """Small chips; those without scene are given up, or asked for again."""
    found = {}
    for no_scene in ("give_up", "ask_again"):

        def change(document: Any, no_scene: str = no_scene) -> None:
            shrink(document)
            document["sources"]["sentinel2"]["no_scene"] = no_scene

        path = tmp_path_factory.mktemp(no_scene) / "data_catalog.yaml"
        found[no_scene] = load_catalogue(small_catalogue(path, change))
    return found


def order_of(now: datetime) -> Order:
    """Returns an order of a day, on photos up to that day, as orders are if nobody says else."""
    return Order(part_of_cell(1), ("sentinel2",), date(2022, 1, 1), now.date(), now, 0)


def stop_before_commit(order: Order, store: Store, catalogue: Catalogue, world: World) -> None:
    """Does all of a cell's work but its commit."""

    def stop(*_: Any, **_more: Any) -> None:
        raise PowerCutError

    with pytest.MonkeyPatch.context() as stopping:
        stopping.setattr(flows.cells.cell, "commit_cell", stop)
        with pytest.raises(PowerCutError):
            collect_cell(order, services(store, catalogue, world))


def test_a_cell_that_others_always_commit_first_fails_alone(
    catalogues: dict[str, Catalogue], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken up by the next run; the other cells of this one go on."""
    monkeypatch.setattr(flows.cells.cell, "commit_cell", lambda *_, **_more: False)
    mine = services(memory_store(), catalogues["give_up"], World(1))
    summary = collect_guarded(order_of(MONDAY), mine, SilentWatcher())
    assert summary.cells == {"failed": 1}
    assert "others committed first" in summary.troubles[CELL.cell_id]
    assert not mine.stop.is_set()


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


@pytest.mark.parametrize("seed", [1, 4])
def test_a_build_taken_up_under_another_order_uses_what_that_one_asks_for(
    catalogues: dict[str, Catalogue], seed: int
) -> None:
    """New photos in a chip give it another day, hence another scene; the rest is used again."""
    catalogue, tuesday = catalogues["give_up"], MONDAY + timedelta(days=1)
    world = World(seed, count=10, crowds=1, cloudy=0)
    for number, photo in enumerate(world.photos):  # a quarter's; three came on Monday night
        taken = photo.taken_at.replace(month=4 + photo.taken_at.month % 3, day=1 + 2 * number)
        late = timedelta(hours=5) if number >= 7 else timedelta(days=-5)
        world.photos[number] = replace(photo, taken_at=taken, uploaded_at=MONDAY + late)
    stopped, same, never = memory_store(), memory_store(), memory_store()
    stop_before_commit(order_of(MONDAY), stopped, catalogue, world)
    stop_before_commit(order_of(tuesday), same, catalogue, world)
    done = {
        name: collect_cell(order_of(tuesday), services(store, catalogue, world))
        for name, store in {"stopped": stopped, "same": same, "never": never}.items()
    }
    expected = load_cell(never, CELL.cell_id)
    assert len(expected.pairs) > 3
    assert load_cell(stopped, CELL.cell_id) == expected
    assert load_cell(same, CELL.cell_id) == expected
    assert done["same"].fetched == 0
    assert done["never"].fetched == done["stopped"].fetched > 0


def test_a_stopped_build_does_not_keep_chips_from_being_asked_for_again(
    catalogues: dict[str, Catalogue],
) -> None:
    """What it found nothing for stands in no later build's way, and is not left over."""
    first = datetime(2025, 1, 1, tzinfo=UTC)
    store, cloudy = memory_store(), World(1, cloudy=1)
    stop_before_commit(order_of(first), store, catalogues["ask_again"], cloudy)
    collect_cell(order_of(first), services(store, catalogues["ask_again"], cloudy))
    before = load_cell(store, CELL.cell_id)
    assert {row.reason for row in before.chips} == {"no_scene"}
    assert set(store.list("shards")) == set(before.shards)
    clear = replace(cloudy, cloudy=0)
    order = order_of(first + timedelta(days=1))
    later = collect_cell(order, services(store, catalogues["ask_again"], clear))
    assert later.fetched == len(before.chips)
    assert {row.reason for row in load_cell(store, CELL.cell_id).chips} == {None}


def test_an_answer_that_was_refused_before_does_not_do_for_a_new_one(
    catalogues: dict[str, Catalogue],
) -> None:
    """A stop leaves refused scenes behind; asked for again, the same scenes are looked at anew."""
    first = datetime(2025, 1, 1, tzinfo=UTC)
    store, world = memory_store(), HazyWorld(1, cloudy=0)
    wanted = catalogues["ask_again"]
    with pytest.MonkeyPatch.context() as keeping:  # it dies before it has tidied up
        keeping.setattr(flows.cells.cell.Batches, "clear", lambda *_: None)
        collect_cell(order_of(first), services(store, wanted, world))
    assert {row.reason for row in load_cell(store, CELL.cell_id).chips} == {"all_refused"}
    world.hazy = False
    collect_cell(order_of(first + timedelta(days=1)), services(store, wanted, world))
    assert {row.reason for row in load_cell(store, CELL.cell_id).chips} == {None}


def test_what_a_build_takes_up_and_commits_counts_as_committed(
    catalogues: dict[str, Catalogue],
) -> None:
    """Though its own time brings nothing new after that."""
    first = datetime(2025, 1, 1, 8, tzinfo=UTC)
    store, world = memory_store(), World(1)
    stop_before_commit(order_of(first), store, catalogues["give_up"], world)
    later = order_of(first + timedelta(hours=1))
    done = collect_cell(later, services(store, catalogues["give_up"], world))
    assert load_cell(store, CELL.cell_id).generation == 1
    assert done.cells == Counter(committed=1)


class HazyWorld(World):
    """A world that has every scene, and pixels of none yet."""

    hazy = True

    def read(self, chip: Any, scene: Any, sensor: Any) -> Any:
        """Gives pixels once the haze is gone."""
        return SceneGone(scene.scene_id, "") if self.hazy else super().read(chip, scene, sensor)
