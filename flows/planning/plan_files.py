"""Plans as they are kept with a dataset, and what has come of them since.

`plans/<key>-<content hash>.json`, created exclusively: the same plan has the same path and bytes.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collectors.storage import Store

PLANS: Final = "plans"

RUNS: Final = "runs"


def write_plan(store: Store, plan: Mapping[str, Any]) -> str:
    """Keeps a plan with a dataset, and returns its path."""
    data = json.dumps(plan, indent=1, sort_keys=True).encode()
    path = f"{PLANS}/{plan['key']}-{hashlib.sha256(data).hexdigest()[:16]}.json"
    store.create(path, data)
    return path


def newest_plan(store: Store, key: str | None = None) -> dict[str, Any] | None:
    """Returns the plan that was made last, of those of a key if one is given; None without any."""
    found = [
        one for one in store.objects(PLANS)
        if key is None or one.path.startswith(f"{PLANS}/{key}-")
    ]  # fmt: skip
    if not found:
        return None
    last = max(found, key=lambda one: (one.modified_at, one.path))
    plan: dict[str, Any] = json.loads(store.read(last.path))
    return plan


def last_run(store: Store) -> str:
    """Returns the path of a dataset's newest record of a run; empty if it has none."""
    return max(store.list(RUNS), default="")


def runs_since(store: Store, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the outcomes of the runs that did what a plan is for, since it was made."""
    later = (path for path in store.list(RUNS) if path > plan["after_run"])
    outcomes = (json.loads(store.read(path)) for path in later)
    return [one for one in outcomes if one.get("plan_key") == plan["key"]]


def compare(plan: Mapping[str, Any], outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sets what came beside what was planned.

    Args:
        plan: The plan.
        outcomes: Of the runs that did it, as `flows.runs.run_report.as_json` gives them.

    Returns:
        For each figure that runs count: low, likely, high, came, and whether it lies within.
    """
    came: dict[str, int] = {}
    for outcome in outcomes:
        for name, count in _came(outcome).items():
            came[name] = came.get(name, 0) + count
    figures = {}
    for name, planned in plan["figures"].items():
        if name in came or (name.startswith("chips_") and outcomes):
            count = came.get(name, 0)
            within = planned["low"] <= count <= planned["high"]
            figures[name] = {**planned, "came": count, "within": within}
    return {"plan": plan["key"], "as_of": plan["as_of"], "runs": len(outcomes), "figures": figures}


def _came(outcome: Mapping[str, Any]) -> dict[str, int]:
    funnel, requests = outcome["funnel"], outcome["requests"]
    pixels, resolve = requests["earth_engine_pixels"], requests["earth_engine_resolve"]
    return {
        "found": funnel["seen"],
        "screened": funnel["screened"],
        "photos": funnel["outdoor"],
        "chips": sum(outcome["chips"].values()),
        "flickr_calls": requests["flickr"],
        "downloads": requests["photo_host"],
        "earth_engine_requests": pixels + resolve,
        "resolve_requests": resolve,
        "pixel_requests": pixels,
    } | {f"chips_{name}": count for name, count in outcome["chips"].items()}
