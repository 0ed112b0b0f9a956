"""Plans and builds of the same question, and what came beside what was planned."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flows.catalogue.catalogue import load_catalogue
from flows.demo import END_OF_WORLD, sandbox_settings
from flows.planning.miniature import Question
from flows.planning.opening import find_dataset, open_orders, opened, seed_of
from flows.planning.plan_files import compare
from flows.planning.planning import make_plan
from flows.progress import no_progress
from flows.runs.building import plan_orders
from flows.runs.running import Task, wishes_of
from flows.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run


def plan_of(
    run: Run,
    root: Path,
    *,
    probes: int = 6,
    offline: bool = False,
    catalogue: Path | None = None,
    now: datetime = END_OF_WORLD,
    **asked: Any,
) -> dict[str, Any]:
    """Plans what `run.build` with the same arguments does."""
    settings = read_settings(sandbox_settings(run.sandbox) | {"weights_cache": run.cache})
    path = catalogue or run.catalogue
    read = load_catalogue(path)
    given = {"kind": "build", "cells": 2, "seed": 5} | asked
    task = Task(root=str(root), catalogue_path=path, **given)
    store = find_dataset(task.root, settings)
    seed = seed_of(store, task.seed)
    orders = plan_orders(
        wishes_of(task, read, path.parent), taken_from=task.since or read.flickr.taken_since,
        taken_until=task.until or now.date(), now=now, seed=seed, cells=task.cells,
    )  # fmt: skip
    left = open_orders(orders, read, store, lambda _line: None)
    question = Question(orders, left, task.since, task.until, seed, probes)
    more: dict[str, Any] = {
        "store": store, "allowed": None, "left": None, "progress": no_progress,
    }  # fmt: skip
    if offline:
        made = make_plan(question, read, settings, outside=None, **more)
    else:
        with opened(
            settings, read, store, None, lambda: datetime.now(UTC), lambda _line: None
        ) as outside:
            made = make_plan(question, read, settings, outside=outside, **more)
    return made | {"after_run": ""}


def beside(
    plan: dict[str, Any], outcome: dict[str, Any], root: Path, before: int = 0
) -> dict[str, dict[str, Any]]:
    """Sets beside each other what was planned and what came, the bytes of the shards with them.

    Args:
        plan: The plan.
        outcome: What the build came to.
        root: The dataset.
        before: Bytes of the shards that were there before the build.
    """
    figures: dict[str, dict[str, Any]] = compare(plan, [outcome])["figures"]
    came = stored_bytes(root) - before
    planned = plan["figures"]["bytes"]
    within = planned["low"] <= came <= planned["high"]
    figures["bytes"] = planned | {"came": came, "within": within}
    return figures


def stored_bytes(root: Path) -> int:
    """Returns the bytes of a dataset's shards."""
    return sum(one.stat().st_size for one in (root / "shards").rglob("*.tar"))


def outcome_of(root: Path) -> dict[str, Any]:
    """Returns what the first run of a dataset came to."""
    record = min((root / "runs").glob("*.json"))
    found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return found
