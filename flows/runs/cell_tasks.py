"""A cell as a Prefect task. What travels with it is plain, so it may run on another machine.

Dask's workers import this module by its name, which a flow's own file does not have everywhere:
Prefect may load that one by its path.
"""

# Prefect reads the annotations of a task when it is made, so they are not postponed.
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed

from collectors.transport import SetupError
from flows.runs.artifacts import RunProgress, show_outcome
from flows.runs.building import announce, failed
from flows.runs.progress import FlowLog
from flows.runs.runners import check_runner, open_runner
from flows.runs.running import SURROUNDINGS, Surroundings, Task, run_task
from flows.runs.workplaces import WORKPLACES, Assignment, collect_here
from flows.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.cells.orders import Order, Summary
    from flows.cells.services import Services
    from flows.runs.building import Watcher
from flows.runs.runners import CellRunner


@task(name="cell", task_run_name="cell-{orders[0].cell_id}", cache_policy=NO_CACHE, retries=0)
def collect_cell_task(orders: Any, assignment: Any) -> Any:
    """Collects one cell of a run, with the services of the process that it comes to.

    Regions that meet in a cell have an order each. Side by side each would do the other's work as
    well, and lose it to whoever commits first.
    """
    # Dask sends the body of this function, but the name of the one that it calls.
    return [collect_here(order, assignment) for order in orders]


def run_as_tasks(asked: Task) -> "dict[str, Any]":
    """Does what is asked, each cell a task on the runner that is named.

    Returns:
        The outcome; see `flows.runs.running.run_task`, also for what is raised.
    """
    around = SURROUNDINGS.get() or Surroundings(read_settings(), FlowLog(get_run_logger()))
    check_runner(asked.runner, asked.scheduler, around.settings)

    def submit(
        orders: "Sequence[Order]", services: "Services", watcher: "Watcher"
    ) -> "list[Summary]":
        with open_runner(
            asked.runner, asked.scheduler, around.settings, watcher.line
        ) as runner:  # fmt: skip
            return submit_cells(orders, services, watcher, runner)

    token = SURROUNDINGS.set(around)
    try:
        outcome = run_task(asked, submit)
    finally:
        SURROUNDINGS.reset(token)
        if around.outcome is not None:
            show_outcome(around.outcome)
    return outcome


def submit_cells(
    orders: "Sequence[Order]", services: "Services", watcher: "Watcher", runner: "CellRunner"
) -> "list[Summary]":
    """Runs each cell as a task and waits for all of them.

    Args:
        orders: One for each region of each cell.
        services: Those of the process that the run was started in.
        watcher: Hears how it goes.
        runner: Where the tasks run.

    Returns:
        What came of each, in the same order. A cell that was lost with its worker has failed.

    Raises:
        SetupError: The first one. Cells that had not begun are left out.
    """
    assignment = Assignment.of(services)
    done: dict[int, Summary] = {}
    of_cell: defaultdict[str, list[int]] = defaultdict(list)
    for number, order in enumerate(orders):
        of_cell[order.cell_id].append(number)
    progress = RunProgress(len(orders))
    with WORKPLACES.lend(assignment, services, watcher):
        parameters = {"orders": [[orders[number] for number in one] for one in of_cell.values()],
                      "assignment": unmapped(assignment)}  # fmt: skip
        futures: list[Any] = list(runner.prefect.map(collect_cell_task, parameters))
        numbers = dict(zip(futures, of_cell.values(), strict=True))
        try:
            for future in as_completed(futures):
                mine = numbers[future]
                try:
                    summaries = future.result()
                except runner.losses as error:
                    why = (
                        f"its worker was lost ({type(error).__name__}); run the same command again"
                        " to go on"
                    )
                    summaries = [failed(orders[number].cell_id, why) for number in mine]
                except ImportError as error:
                    raise SetupError(
                        "Dask", f"a worker cannot load a cell's task ({error}).",
                        "Install the same version of Terrapair on every worker.",
                    ) from error  # fmt: skip
                for number, summary in zip(mine, summaries, strict=True):
                    done[number] = summary
                    announce(orders[number], summary, watcher)
                    progress.finish(orders[number].cell_id)
        except BaseException:
            services.stop.set()
            for future in futures:
                future.wrapped_future.cancel()
            raise
    return [done[number] for number in range(len(orders))]
