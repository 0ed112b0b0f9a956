"""What Prefect's pages show of a run: how far it is, and its funnel when it is done.

Only a server that stays keeps them for anyone to see, so a run with a temporary one makes none.
Nothing that they hold is secret: counts, names of cells, and the address of the dataset.
"""

from __future__ import annotations

import logging
from typing import Any, Final
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.settings import get_current_settings

_LOG = logging.getLogger("terrapair")

STEPS: Final = 20
"""Progress is told at most this often in a run: each time costs a request to the server."""

PROGRESS: Final = "terrapair-progress"
FUNNEL: Final = "terrapair-funnel"


def has_lasting_server() -> bool:
    """Says whether runs are recorded by a server that outlives them."""
    return bool(get_current_settings().api.url)


class RunProgress:
    """The share of a run's cells that are done.

    A server that does not answer is not asked again: it must not hold up the run.
    """

    def __init__(self, cells: int) -> None:
        """Shows a run of so many cells, of which none is done."""
        self._cells, self._done, self._told = cells, 0, 0
        self._artifact: UUID | None = None
        if cells and has_lasting_server():
            try:
                artifact = create_progress_artifact(
                    0.0, key=PROGRESS, description=f"{cells} cells to do"
                )
                assert isinstance(artifact, UUID)  # noqa: S101 - a coroutine in async code alone
                self._artifact = artifact
            except httpx.HTTPError as error:
                _say_away(error)

    def finish(self, cell_id: str) -> None:
        """One more cell is done."""
        self._done += 1
        step = STEPS * self._done // self._cells
        if self._artifact is None or step == self._told:
            return
        self._told = step
        try:
            update_progress_artifact(
                self._artifact, 100.0 * self._done / self._cells,
                description=f"{self._done} of {self._cells} cells, the last one {cell_id}",
            )  # fmt: skip
        except httpx.HTTPError as error:
            self._artifact = None
            _say_away(error)


def show_outcome(outcome: dict[str, Any]) -> None:
    """Shows what a run came to, as a table."""
    if not has_lasting_server():
        return
    try:
        create_table_artifact(
            funnel_rows(outcome), key=FUNNEL,
            description=f"{outcome['root']}: {outcome['version'] or 'no version yet'}",
        )  # fmt: skip
    except httpx.HTTPError as error:
        _say_away(error)


def funnel_rows(outcome: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the rows of a run's table: what was counted, and how many there were."""
    parts = {
        "cells": outcome["cells"],
        "photos": outcome["funnel"],
        "left out": outcome["reasons"],
        "chips": outcome["chips"],
        "unpaired": outcome["unpaired"],
        "requests": outcome["requests"],
        "published": outcome["rows"],
    }
    return [
        {"part": part, "what": name, "count": count}
        for part, counts in parts.items()
        for name, count in counts.items()
        if count is not None
    ]


def _say_away(error: httpx.HTTPError) -> None:
    _LOG.warning("Prefect's server does not take this run's progress (%s)", type(error).__name__)
