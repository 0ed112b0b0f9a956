"""Earth Engine with a run's own limits and budget, for what is made beside the cells."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from collectors.storage import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collectors.earth_engine import EarthEngine
    from flows.settings import Settings


@contextmanager
def connected(
    settings: Settings,
    root: str,
    *,
    tell: Callable[[str], None] = lambda _line: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[tuple[EarthEngine, Callable[[], None]]]:
    """Gives the client, and what is called before each piece of work.

    Requests count against the dataset's budget of the month, where one is set, and share their
    limits with builds that run at the same time, where those are shared.

    Args:
        settings: Login, address and limits.
        root: The dataset, where the budget is kept.
        tell: Takes a line about waiting.
        clock: The time, UTC, aware; budgets are a month's.

    Raises:
        BudgetSpent: If nothing is left of the month's budget.
        SetupError: If there is no login, or the project may not be used.
        TroubleRemains: If the service was not reached.
    """
    from collectors.earth_engine import EarthEngine
    from flows.limits.budgets import Ledger, monthly_requests
    from flows.limits.limits import open_limits

    budget = monthly_requests(settings)
    ledger = None
    if budget is not None:
        store = open_store(root, patience_s=settings.patience_seconds)
        ledger = Ledger(store, budget, clock)
    limits = open_limits(settings, tell, ledger)
    try:
        engine = EarthEngine.connect(
            project=settings.earth_engine_project_name(),
            credentials=settings.earth_engine_credentials(),
            url=settings.earth_engine_url,
            throttle=limits.earth_engine,
            patience=settings.patience,
        )
        yield engine, (lambda: None) if ledger is None else ledger.check
    finally:
        limits.close()
