"""A cell as a Prefect task. What travels with it is plain, so it may run on another machine.

Dask's workers import this module by its name, which a flow's own file does not have everywhere:
Prefect may load that one by its path.
"""

# Prefect reads the annotations of a task when it is made, so they are not postponed.
from typing import TYPE_CHECKING, Any

from prefect import task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed

from collectors.transport import SetupError
from flows.runs.artifacts import RunProgress, show_outcome
from flows.runs.building import announce, failed
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


@task(name="cell", task_run_name="cell-{order.cell_id}", cache_policy=NO_CACHE, retries=0)
def collect_cell_task(order: Any, assignment: Any) -> Any:
    """Collects one cell of a run, with the services of the process that it comes to."""
    # Dask sends the body of this function, but the name of the one that it calls.
    return collect_here(order, assignment)


def run_as_tasks(asked: Task) -> "dict[str, Any]":
    """Does what is asked, each cell a task on the runner that is named.

    Returns:
        The outcome; see `flows.runs.running.run_task`, also for what is raised.
    """
    around = SURROUNDINGS.get() or Surroundings(read_settings())
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
        orders: One for each cell.
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
    progress = RunProgress(len(orders))
    with WORKPLACES.lend(assignment, services, watcher):
        parameters = {"order": list(orders), "assignment": unmapped(assignment)}
        futures: list[Any] = list(runner.prefect.map(collect_cell_task, parameters))
        numbers = {future: number for number, future in enumerate(futures)}
        try:
            for future in as_completed(futures):
                order = orders[numbers[future]]
                try:
                    summary = future.result()
                except runner.losses as error:
                    summary = failed(
                        order.cell_id,
                        f"its worker was lost ({type(error).__name__}); run the same command again"
                        " to go on",
                    )
                except ImportError as error:
                    raise SetupError(
                        "Dask", f"a worker cannot load a cell's task ({error}).",
                        "Install the same version of Terrapair on every worker.",
                    ) from error  # fmt: skip
                done[numbers[future]] = summary
                announce(order, summary, watcher)
                progress.finish(order.cell_id)
        except BaseException:
            services.stop.set()
            for future in futures:
                future.wrapped_future.cancel()
            raise
    return [done[number] for number in range(len(orders))]
