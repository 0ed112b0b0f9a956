"""The marks that a sweep leaves, and what they stop: a run must not use what is being removed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from collectors.transport import TroubleRemains

if TYPE_CHECKING:
    from datetime import datetime

    from collectors.storage import Store

SWEEPS: Final = "sweeps"
"""Folder of the marks of sweeps that are going on."""

MARK_LASTS: Final = timedelta(hours=1)
"""A mark older than this was left by a sweep that died; a sweep gives up in half the time."""


def check_sweeps(store: Store, cell_id: str, present: datetime) -> None:
    """Stops a run where a sweep may remove what it would use.

    Args:
        store: The dataset.
        cell_id: The cell that the run begins.
        present: When the run left its sign of life there, by the storage's own clock.

    Raises:
        TroubleRemains: If a sweep is going on.
    """
    for mark in store.objects(SWEEPS):
        if present - mark.modified_at <= MARK_LASTS:
            raise TroubleRemains(
                "storage",
                f"cell {cell_id} cannot be begun while {store.root} is swept; run the same command"
                " again when that has ended",
            )
