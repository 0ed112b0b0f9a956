"""Where the cells of a run are worked on: threads of this process, or the workers of Dask."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

from collectors.transport import SetupError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prefect.task_runners import TaskRunner

    from flows.settings import Settings

RunnerName = Literal["threads", "dask"]

CONNECT_S: Final = 30.0
"""A Dask scheduler that does not answer for this long is not there, seconds."""


@dataclass(frozen=True, slots=True)
class CellRunner:
    """A task runner of Prefect that is ready for tasks.

    Attributes:
        prefect: The task runner.
        losses: What is raised for a task whose worker or scheduler was lost with it.
    """

    prefect: TaskRunner[Any]
    losses: tuple[type[Exception], ...] = ()


def check_runner(name: RunnerName, scheduler: str | None, settings: Settings) -> None:
    """Checks what can be checked without asking anybody.

    Raises:
        SetupError: If Dask is asked for and not installed, or the choice makes no sense.
    """
    if name == "threads":
        if scheduler is not None:
            raise WrongUse(
                "Dask", f"a scheduler is given ({scheduler}), but cells run on threads.",
                "Add --runner dask, or leave --scheduler away.",
            )  # fmt: skip
        return
    # Not imported to find out: that would import Prefect before it is told how to log.
    if find_spec("prefect_dask") is None:
        raise SetupError(
            "Dask", "prefect-dask is not installed.",
            "Install Terrapair with its extra `dask`, here and on every worker.",
        )  # fmt: skip
    if not (scheduler or settings.dask_scheduler):
        raise WrongUse(
            "Dask", "there is no address of a scheduler.",
            "Give --scheduler tcp://HOST:8786 or set TERRAPAIR_DASK_SCHEDULER; `dask scheduler`"
            " starts one, `dask worker tcp://HOST:8786` a worker.",
        )  # fmt: skip


@contextmanager
def open_runner(
    name: RunnerName, scheduler: str | None, settings: Settings, tell: Callable[[str], None]
) -> Iterator[CellRunner]:
    """Gives a runner for the cells of a run.

    Args:
        name: Which one.
        scheduler: Address of a Dask scheduler; that of the settings by default.
        settings: How many cells at once on threads; a Dask worker takes as many as it has threads.
        tell: Takes a line about the workers that were found.

    Raises:
        SetupError: If Dask is not installed, or its scheduler does not answer.
    """
    check_runner(name, scheduler, settings)
    if name == "threads":
        from prefect.task_runners import ThreadPoolTaskRunner

        threads: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(settings.cells_at_once)
        with threads:
            yield CellRunner(threads)
        return
    address = scheduler or settings.dask_scheduler or ""
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError
    from prefect_dask.task_runners import DaskTaskRunner

    with DaskTaskRunner(address=address, client_kwargs={"timeout": CONNECT_S}) as dask:
        try:
            workers = len(dask.client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, ValueError) as error:
            raise SetupError(
                "Dask", f"the scheduler at {address} does not answer ({error}).",
                "See that `dask scheduler` runs there, and that the address is right.",
            ) from error  # fmt: skip
        tell(f"Dask scheduler at {address}: {workers} workers" + ("" if workers else ", so far"))
        yield CellRunner(dask, (KilledWorker, CancelledError, CommClosedError))
