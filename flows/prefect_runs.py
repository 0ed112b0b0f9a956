"""A run from the command line, as a run of its Prefect flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collectors.transport import SetupError
from flows.prefect_surroundings import settle_prefect

if TYPE_CHECKING:
    from flows.runs.running import Surroundings, Task


def run_with_prefect(task: Task, around: Surroundings) -> dict[str, Any]:
    """Runs a task as its Prefect flow; the surroundings never become parameters.

    Returns:
        The outcome of the run. It is there as well if only Prefect's record of it is not, because
        its server went away in between.

    Raises:
        SetupError: If Prefect's server does not answer when the run begins.
        RunFailedError: If some cells failed.
    """
    settle_prefect()
    around.watcher.line("starting Prefect")
    import httpx

    from flows import prefect_flows
    from flows.runs.running import SURROUNDINGS, RunFailedError

    flow = prefect_flows.build if task.kind == "build" else prefect_flows.backfill
    token = SURROUNDINGS.set(around)
    try:
        outcome: dict[str, Any] = flow(**_parameters(task))
    except httpx.HTTPError as error:
        if around.interrupted:
            raise KeyboardInterrupt from None
        if around.outcome is None:
            raise _server_away(type(error).__name__) from error
        around.watcher.line(
            f"Prefect's server went away ({type(error).__name__}): it has no record of how this run"
            " ended; the dataset is not concerned"
        )
        if around.outcome["cells"].get("failed"):
            raise RunFailedError(around.outcome) from None
        return around.outcome
    except Exception as error:
        if around.interrupted:  # Prefect could not tell its server any more that it was stopped
            raise KeyboardInterrupt from None
        if isinstance(error, RuntimeError) and str(error).startswith("Failed to reach API"):
            raise _server_away(str(error)) from error
        if isinstance(error, RuntimeError) and "ephemeral Prefect API server" in str(error):
            raise SetupError(
                "Prefect", "its temporary server did not start in time.",
                "Try again when the machine is less busy, or start one that stays (`prefect server"
                " start`) and set PREFECT_API_URL.",
            ) from error  # fmt: skip
        raise
    finally:
        SURROUNDINGS.reset(token)
    return outcome


def _server_away(seen: str) -> SetupError:
    """Returns the error of a run that cannot begin, or cannot go on, without its server."""
    return SetupError(
        "Prefect", f"its server does not answer ({seen}).",
        "What is finished is kept. See that the server at PREFECT_API_URL runs (`prefect server"
        " start`) and run the same command again.",
    )  # fmt: skip


def _parameters(task: Task) -> dict[str, Any]:
    """Returns the parameters of a task's flow."""
    parameters: dict[str, Any] = {
        "root": task.root, "catalog": task.catalogue_path, "since": task.since,
        "until": task.until, "cells": task.cells, "seed": task.seed,
        "accept_changed_rules": task.accept_changed_rules, "runner": task.runner,
        "scheduler": task.scheduler,
    }  # fmt: skip
    if task.kind == "build":
        return parameters | {"regions": list(task.regions) or None}
    return parameters | {
        "region": task.region, "bbox": task.bbox, "geojson": task.geojson,
        "sensors": list(task.sensors) or None,
    }  # fmt: skip
