"""How evenly a version covers the ground that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from filters.evenness import coverage, gini, uniqueness
from flows.cells.state import Surveyed

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGITS = 4


def describe_coverage(
    commits: Mapping[str, Mapping[str, Any]], quota_per_cell: int
) -> dict[str, Any]:
    """Describes how kept photos lie over the cells.

    Args:
        commits: The commit of each cell.
        quota_per_cell: Kept photos wanted in a whole cell.

    Returns:
        For JSON: `cells`; `gini` of kept over wanted photos, over the cells (0 is even);
        `coverage`, the mean share of what was wanted that is there; `met` and `exhausted`, cells
        that have their quota and cells in which there is no more; and `uniqueness`, the share of
        new photos on the answers to the first search of a cell, the second, and so on.
    """
    kept: list[float] = []
    wanted: list[float] = []
    met = exhausted = 0
    surveys = []
    for _, commit in sorted(commits.items()):
        done = [Surveyed.parse(one) for one in commit["surveyed"]]
        surveys += [(one.found, one.new) for one in done]
        # Regions may share ground; a cell is never asked for more than its whole quota.
        by_ground = {one.ground: one for one in done}
        quota = min(quota_per_cell, sum(one.quota for one in by_ground.values()))
        kept.append(commit["counts"]["photos"])
        wanted.append(quota)
        met += kept[-1] >= quota
        exhausted += kept[-1] < quota and by_ground != {} and all(
            one.ended == "exhausted" for one in by_ground.values()
        )  # fmt: skip
    shares = [have / want for have, want in zip(kept, wanted, strict=True) if want]
    return {
        "cells": len(commits),
        "gini": round(gini(shares), _DIGITS),
        "coverage": round(coverage(kept, wanted), _DIGITS),
        "met": met,
        "exhausted": exhausted,
        "uniqueness": [round(share, _DIGITS) for share in uniqueness(surveys)],
    }
