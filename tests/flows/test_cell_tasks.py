"""Cells as tasks: where they may run, and what becomes of one that is lost."""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import CancelledError, Future
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from collectors.transport import SetupError
from flows.catalogue.catalogue import load_catalogue
from flows.cells.orders import Summary
from flows.runs import cell_tasks, runners
from flows.runs.cell_tasks import submit_cells
from flows.runs.runners import CellRunner, check_runner, open_runner
from flows.runs.running import Task as Asked
from flows.runs.running import wishes_of
from flows.settings import read_settings
from tests.flows.runs import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("name", "scheduler", "said"),
    [
        ("dask", None, "TERRAPAIR_DASK_SCHEDULER"),
        ("threads", "tcp://127.0.0.1:8786", "Add --runner dask"),
    ],
)
def test_a_runner_that_makes_no_sense_is_refused(name: Any, scheduler: Any, said: str) -> None:
    """Dask without a scheduler, and a scheduler without Dask; each with its remedy."""
    with pytest.raises(SetupError, match=said):
        check_runner(name, scheduler, read_settings())


def test_the_scheduler_may_stand_in_the_settings() -> None:
    """TERRAPAIR_DASK_SCHEDULER is enough for --runner dask, and is no trouble for threads."""
    settings = read_settings({"dask_scheduler": "tcp://127.0.0.1:8786"})
    check_runner("dask", None, settings)
    check_runner("threads", None, settings)


def test_dask_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra."""
    monkeypatch.setitem(sys.modules, "prefect_dask", None)
    with pytest.raises(SetupError, match="with its extra `dask`"):
        check_runner("dask", "tcp://127.0.0.1:8786", read_settings())


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://127.0.0.1"])
def test_a_scheduler_that_is_not_there_is_said(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the address; nobody waits for ever."""
    monkeypatch.setattr(runners, "CONNECT_S", 0.2)
    with (
        pytest.raises(SetupError, match=f"scheduler at {address} does not answer"),
        open_runner("dask", address, read_settings(), lambda _line: None),
    ):
        pass


def test_tasks_and_flows_can_be_sent() -> None:
    """Dask sends them by value; what they refer to has a name that every worker knows."""
    import cloudpickle

    from flows.prefect_flows import backfill, build

    for one in (cell_tasks.collect_cell_task, build, backfill):
        assert cloudpickle.loads(cloudpickle.dumps(one)).name == one.name


class Task(SimpleNamespace):
    """A task of a runner that was submitted, as Prefect's futures are."""

    _final_state = None
    __hash__ = object.__hash__

    def __init__(self, end: Callable[[Future[Any]], Any]) -> None:
        super().__init__(wrapped_future=Future())
        end(self.wrapped_future)

    def add_done_callback(self, call: Callable[[Any], None]) -> None:
        self.wrapped_future.add_done_callback(lambda _future: call(self))

    def result(self) -> Any:
        return self.wrapped_future.result(timeout=0)


class Watcher:
    """Remembers which cells were announced."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def finish(self, cell_id: str, summary: Summary) -> None:
        self.told.append(f"{cell_id} {next(iter(summary.cells))}")


class LostError(Exception):
    """What a runner raises for a task whose worker is gone."""


@pytest.fixture
def submit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Submits cells to a runner on which tasks end as they are told to."""
    monkeypatch.setattr(cell_tasks.Assignment, "of", lambda _services: SimpleNamespace(run="1"))

    def run(*ends: Callable[[Future[Any]], Any], cells: str | None = None) -> SimpleNamespace:
        tasks = [Task(end) for end in ends]
        orders = [
            SimpleNamespace(cell_id=f"cell{name}", region=number)
            for number, name in enumerate(cells or "012"[: len(ends)])
        ]
        mapped: list[Any] = []

        def submitted(_task: Any, values: dict[str, Any]) -> list[Task]:
            mapped.extend(values["orders"])
            return tasks

        services = SimpleNamespace(stop=SimpleNamespace(set=lambda: stopped.append(True)))
        stopped: list[bool] = []
        watcher = Watcher()
        runner = CellRunner(SimpleNamespace(map=submitted), (LostError,))  # type: ignore[arg-type]
        told = SimpleNamespace(
            tasks=tasks, watcher=watcher, stopped=stopped, error=None, mapped=mapped
        )
        try:
            told.summaries = submit_cells(orders, services, watcher, runner)  # type: ignore[arg-type]
        except SetupError as error:
            told.error = error
        return told

    return run


def committed(future: Future[Any]) -> None:
    """Ends a task well."""
    future.set_result([Summary(cells=Counter(committed=1))])


def test_a_cell_that_is_lost_with_its_worker_has_failed(submit: Callable[..., Any]) -> None:
    """The others are done; the lost one is a line that says to run again."""
    told = submit(committed, lambda future: future.set_exception(LostError("gone")), committed)
    assert [dict(one.cells) for one in told.summaries] == [
        {"committed": 1}, {"failed": 1}, {"committed": 1}
    ]  # fmt: skip
    assert "run the same command again" in told.summaries[1].troubles["cell1"]
    assert sorted(told.watcher.told) == ["cell0 committed", "cell1 failed", "cell2 committed"]
    assert told.stopped == []


def test_regions_that_meet_in_a_cell_take_turns(submit: Callable[..., Any]) -> None:
    """One task has all orders of a cell; what came of each stands where its order stood."""

    def both(future: Future[Any]) -> None:
        future.set_result([Summary(seen=1, cells=Counter(committed=1)),
                           Summary(seen=3, cells=Counter(unchanged=1))])  # fmt: skip

    told = submit(both, committed, cells="aba")
    assert [[one.region for one in task] for task in told.mapped] == [[0, 2], [1]]
    assert [one.seen for one in told.summaries] == [1, 0, 3]
    assert sorted(told.watcher.told) == ["cella committed", "cella unchanged", "cellb committed"]
    lost = submit(lambda future: future.set_exception(LostError("gone")), committed, cells="aba")
    assert [dict(one.cells) for one in lost.summaries] == [
        {"failed": 1}, {"committed": 1}, {"failed": 1}
    ]  # fmt: skip


def test_a_wrong_setup_drops_what_has_not_begun(submit: Callable[..., Any]) -> None:
    """The error comes out, the run's services stop, and waiting cells are cancelled."""
    wrong = SetupError("Flickr", "there is no API key.")
    told = submit(lambda future: future.set_exception(wrong), lambda _future: None)
    assert told.error is wrong
    assert told.stopped == [True]
    assert told.tasks[1].wrapped_future.cancelled()
    with pytest.raises(CancelledError):
        told.tasks[1].result()


def test_a_worker_without_terrapair_is_said(submit: Callable[..., Any]) -> None:
    """A task that cannot be loaded is a wrong set-up, with its remedy."""
    missing = ModuleNotFoundError("No module named 'flows'")
    told = submit(lambda future: future.set_exception(missing))
    assert "No module named 'flows'" in str(told.error)
    assert "Install the same version of Terrapair" in str(told.error)


def test_a_region_that_is_named_twice_is_collected_once() -> None:
    """Else it is counted twice, and asks for everything twice."""
    names = ("western-alps", "bay-area", "western-alps")
    asked = Asked("build", "dataset", regions=names)
    wishes = wishes_of(asked, load_catalogue(SHIPPED), SHIPPED.parent)
    assert [one.name for one in wishes] == ["western-alps", "bay-area"]
