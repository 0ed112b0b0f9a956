"""What is left of the month's budget, for a reader."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table

from collectors.storage import open_store
from flows.limits.budgets import forecast, monthly_requests, read_spending, spent_altogether
from flows.products.versions import read_version
from flows.settings import read_settings

if TYPE_CHECKING:
    from rich.console import Console


def examine_budget(root: str, now: datetime) -> dict[str, Any]:
    """Returns what `flows.limits.budgets.forecast` gives for a dataset, by the settings.

    Raises:
        SetupError: If the settings are wrong, or the dataset cannot be read.
    """
    store = open_store(root, writable=False)
    version = read_version(store)
    return forecast(
        read_spending(store, now),
        monthly_requests(read_settings()),
        now,
        pairs=version.rows("pairs") if version else 0,
        requests=spent_altogether(store),
    )


def show_budget(console: Console, root: str, *, as_json: bool) -> None:
    """Prints what was used of the month's budget, what is left, and how long it will last."""
    found = examine_budget(root, datetime.now(UTC))
    if as_json:
        console.print_json(json.dumps(found))
        return
    table = Table(title=f"Earth Engine, {found['month']}", title_justify="left",
                  show_header=False, box=None)  # fmt: skip
    table.add_column(style="bold")
    table.add_column()
    allowed, left = found["requests_allowed"], found["requests_left"]
    table.add_row("requests used", f"{found['requests_used']:,}")
    if allowed is None:
        table.add_row("allowed", "no budget is set (TERRAPAIR_EARTH_ENGINE_REQUESTS_PER_MONTH)")
    else:
        pairs = found["pairs_left"]
        good_for = "" if pairs is None else f", good for about {pairs:,} pairs"
        table.add_row("left", f"{left:,} of {allowed:,}{good_for}")
        if found["requests_a_day"] is not None:
            on = found["spent_on"]
            table.add_row(
                "at this pace",
                f"{found['requests_a_day']:,.0f} a day: "
                + (f"spent on {on}" if on else "lasts until the month turns"),
            )
    console.print(table)
