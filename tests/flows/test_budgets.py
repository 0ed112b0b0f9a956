"""The month's budget: never overspent, never lost by a crash, and told in time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore
from rich.console import Console

from collectors.storage import Store, open_store
from collectors.transport import SetupError, TroubleRemains
from flows.commands.console import STOPPED, finish, plain_errors
from flows.inspection.budget_view import examine_budget
from flows.limits.budgets import (
    BudgetSpent,
    Ledger,
    Spending,
    forecast,
    monthly_requests,
    read_spending,
    spent_altogether,
)
from flows.settings import read_settings
from tests.flows.runs import small_catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

NOVEMBER = datetime(2026, 11, 20, 12, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def memory() -> Store:
    """Returns a storage that is in memory alone."""
    return Store("memory", MemoryStore(), None)


def spend_all(ledger: Ledger) -> int:
    """Spends until there is no more, and returns how many requests that were."""
    made = 0
    with suppress(BudgetSpent):
        while True:
            ledger.spend()
            made += 1
    return made


@given(
    st.integers(1, 2_000),
    st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=8),
)
@settings(max_examples=40)
def test_runs_that_end_or_crash_never_overspend(allowed: int, runs: list[tuple[int, bool]]) -> None:
    """However many runs begin, end and crash: the budget holds, and what is counted is enough.

    Without a crash what is counted is exactly what was sent.
    """
    store = memory()
    sent = crashes = 0
    for requests, crashed in runs:
        ledger = Ledger(store, allowed, lambda: NOVEMBER)
        with suppress(BudgetSpent):
            for _ in range(requests):
                ledger.spend()
                sent += 1
        crashes += crashed
        if not crashed:
            ledger.close()
    assert sent <= allowed
    counted = read_spending(store, NOVEMBER).used
    assert sent <= counted <= sent + crashes * max(1, allowed // 200)
    assert counted <= allowed
    assert spend_all(Ledger(store, allowed, lambda: NOVEMBER)) == allowed - counted


def test_machines_that_spend_at_once_share_the_budget(tmp_path: Path) -> None:
    """Eight ledgers of one dataset, spent by threads at once, give out just what is allowed."""
    store = open_store(str(tmp_path / "d"))
    ledgers = [Ledger(store, 700, lambda: NOVEMBER) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend_all, ledgers)) == 700


def test_a_new_month_has_a_new_budget() -> None:
    """A run that goes on over the turn of the month counts in both, and hands back the rest."""
    store, now = memory(), [NOVEMBER]
    ledger = Ledger(store, 2_000, lambda: now[0])
    for _ in range(13):
        ledger.spend()
    now[0] = DECEMBER
    for _ in range(5):
        ledger.spend()
    ledger.close()
    assert read_spending(store, NOVEMBER).used == 13
    assert read_spending(store, DECEMBER) == Spending(DECEMBER.date(), 5, DECEMBER)
    assert spent_altogether(store) == 18
    with pytest.raises(TroubleRemains, match="has ended"):
        ledger.spend()


def test_work_is_not_begun_with_too_little_left() -> None:
    """With fewer than 250 requests left, or half of a small budget, no batch is begun."""
    ledger = Ledger(memory(), 1_000, lambda: NOVEMBER)
    for _ in range(750):
        ledger.spend()
    ledger.check()
    ledger.spend()
    with pytest.raises(BudgetSpent):
        ledger.check()
    now = [NOVEMBER]
    small = Ledger(memory(), 10, lambda: now[0])
    for _ in range(6):
        small.spend()
    with pytest.raises(BudgetSpent):
        small.check()
    now[0] = DECEMBER
    small.check()


def test_the_message_says_how_to_go_on() -> None:
    """Whoever meets the end of the budget is told until when, and which setting raises it."""
    ledger = Ledger(memory(), 3, lambda: datetime(2026, 12, 31, 23, tzinfo=UTC))
    for _ in range(3):
        ledger.spend()
    with pytest.raises(BudgetSpent, match=r"December 2026 .* from 2027-01-01 .*_PER_MONTH"):
        ledger.spend()


def test_a_forecast_says_when_it_ends_and_what_is_left_is_good_for() -> None:
    """By the pace since the month's first request, and by the pairs that requests brought."""
    spending = Spending(NOVEMBER.date().replace(day=1), 600, NOVEMBER - timedelta(days=3))
    told = forecast(spending, 1_000, NOVEMBER, pairs=900, requests=600)
    assert told == {
        "month": "2026-11",
        "requests_allowed": 1_000,
        "requests_used": 600,
        "requests_left": 400,
        "requests_a_day": 200.0,
        "spent_on": "2026-11-22",
        "pairs_a_request": 1.5,
        "pairs_left": 600,
    }
    assert forecast(spending, 5_000, NOVEMBER, pairs=0, requests=0)["spent_on"] is None
    assert forecast(spending, None, NOVEMBER, pairs=9, requests=9)["requests_left"] is None


def test_a_budget_of_compute_is_one_of_requests() -> None:
    """It needs the mean of a request; of two budgets the smaller one holds."""
    compute = {"earth_engine_eecu_seconds_per_month": 540_000.0}
    with pytest.raises(SetupError, match="PER_REQUEST"):
        monthly_requests(read_settings(compute))
    compute["earth_engine_eecu_seconds_per_request"] = 2.5
    assert monthly_requests(read_settings(compute)) == 216_000
    assert monthly_requests(read_settings(compute | {"earth_engine_requests_per_month": 9})) == 9
    assert monthly_requests(read_settings({})) is None


def test_flickrs_budget_of_an_hour_slows_the_calls_down() -> None:
    """1,800 calls an hour are one every two seconds; the rate of a second still holds."""
    assert read_settings({"flickr_calls_per_hour": 1_800}).flickr_rate == 0.5
    assert read_settings({"flickr_calls_per_second": 0.25}).flickr_rate == 0.25
    assert read_settings({}).flickr_rate == 1.0


def tables(root: Path) -> dict[str, bytes]:
    """Returns the tables of the newest version."""
    newest = max(root.glob("manifests/v*"))
    return {str(path.relative_to(newest)): path.read_bytes() for path in newest.rglob("*.parquet")}


def test_a_build_stops_before_the_budget_is_spent_and_goes_on_next_month(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped by the budget, a build says so, asks for nothing more, and ends in the new month.

    Its tables are then those of a build that was never stopped, and no request was made twice.
    """
    monkeypatch.setattr(
        "flows.cells.chip_batches.CHIP_BATCH", 4
    )  # or a small cell is begun all at once

    def asked() -> int:  # without what connecting takes, which a process does once
        counts = run.sandbox.counts()
        return counts.get("ee.features", 0) + counts.get("ee.get_pixels", 0)

    def small_chips(document: Any) -> None:
        for sensor in ("sentinel2", "naip"):
            document["sources"][sensor] |= {"size_px": 160, "area_px": 80}

    small = small_catalogue(tmp_path / "small.yaml", small_chips)
    whole, root = tmp_path / "whole", tmp_path / "d"
    run.sandbox.reset()
    run.build(whole, catalogue=small, regions=("bay",), cells=1)
    needed = asked()
    month = NOVEMBER

    def build() -> dict[str, Any]:
        budget = {"earth_engine_requests_per_month": needed}
        return run.build(
            root, catalogue=small, regions=("bay",), cells=1, settings=budget, clock=lambda: month
        )

    run.sandbox.reset()
    outcome = build()
    assert outcome["cells"] == {"stopped": 1}
    assert "is spent" in outcome["stopped"]
    made = asked()
    assert 0 < made < needed
    with pytest.raises(typer.Exit) as left:
        finish(Console(quiet=True), outcome, as_json=False)
    assert left.value.exit_code == STOPPED
    assert build()["stopped"]
    assert asked() == made
    assert examine_budget(str(root), NOVEMBER)["requests_used"] == made
    month = DECEMBER
    outcome = build()
    assert (outcome["cells"], outcome["stopped"]) == ({"committed": 1}, None)
    assert asked() == needed
    assert tables(root) == tables(whole)


def test_a_run_that_cannot_begin_has_its_own_exit_code() -> None:
    """A budget that is spent before the first request is no failure either."""
    with pytest.raises(typer.Exit) as left, plain_errors():
        raise BudgetSpent("Earth Engine", "spent")
    assert left.value.exit_code == STOPPED
