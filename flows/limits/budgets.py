"""The month's budget of Earth Engine requests: kept with the dataset, spent in blocks, forecast.

Under `budgets/earth-engine/<month>/` lies one object for each block, named by how many requests
were set apart before it, created exclusively: whoever of two machines comes second takes the next.
A block is written before it is used, so that a crash counts too many rather than too few; what a
run did not use of its last block is written beside it when it ends.
"""

from __future__ import annotations

import calendar
import json
import math
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from collectors.storage import StorageError
from collectors.transport import ServiceTrouble, SetupError, TroubleRemains

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.storage import Store
    from flows.settings import Settings

SERVICE: Final = "Earth Engine"

FOLDER: Final = "budgets/earth-engine"

_BLOCKS: Final = 200
"""Into so many blocks a budget falls: a crash loses half a per cent of it at the most."""

_LARGEST_BLOCK: Final = 1_000

_RESERVE: Final = 250
"""No work is begun with fewer requests left, or with less than half of a small budget: what is
under way then comes to its end, and is not made again. By default four cells have a batch of 32
chips in hand and two more are begun ahead, and some scenes are refused."""


class BudgetSpent(ServiceTrouble):
    """The month's budget is spent: the run stops, and what is finished is kept."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent of a month's budget.

    Attributes:
        month: The first day of the month, by UTC.
        used: Requests, those included that are set apart for runs that go on.
        since: When the first of them was set apart, UTC, aware; None if there is none.
    """

    month: date
    used: int
    since: datetime | None


def monthly_requests(settings: Settings) -> int | None:
    """Returns how many requests a month may take; None without a budget.

    Earth Engine does not tell with its answers how much compute they took. A budget of compute is
    therefore one of requests, by the mean that its monitoring shows for them.

    Raises:
        SetupError: If a budget of compute is set without that mean.
    """
    limits = []
    if settings.earth_engine_requests_per_month is not None:
        limits.append(settings.earth_engine_requests_per_month)
    if settings.earth_engine_eecu_seconds_per_month is not None:
        mean = settings.earth_engine_eecu_seconds_per_request
        if mean is None:
            raise SetupError(
                SERVICE,
                "a budget of compute is set, but not what a request takes.",
                "Set TERRAPAIR_EARTH_ENGINE_EECU_SECONDS_PER_REQUEST to the mean that Google"
                " Cloud's monitoring shows for the workload tags that begin with terrapair-.",
            )
        limits.append(math.floor(settings.earth_engine_eecu_seconds_per_month / mean))
    return min(limits) if limits else None


class Ledger:
    """Counts the requests of a run against the month's budget; for several threads."""

    def __init__(self, store: Store, allowed: int, clock: Callable[[], datetime]) -> None:
        """Sets nothing apart yet.

        Args:
            store: The dataset.
            allowed: Requests in a month.
            clock: The time, UTC, aware.
        """
        self._store = store
        self._allowed = allowed
        self._clock = clock
        self._lock = threading.Lock()
        self._month = date.min
        self._left = 0
        self._beyond = 0  # not known yet
        self._last = ""
        self._closed = False

    def spend(self) -> None:
        """Counts one request, before it is sent.

        Raises:
            BudgetSpent: If the month's budget has no more.
            TroubleRemains: If the run has ended.
        """
        with self._lock:
            if self._closed:
                raise TroubleRemains(SERVICE, "the run has ended")
            if self._left == 0 or _month_of(self._clock()) != self._month:
                self._set_apart()
            self._left -= 1

    def check(self) -> None:
        """Looked at before a piece of work is begun.

        Raises:
            BudgetSpent: If too little is left for it.
        """
        with self._lock:
            if self._left + self._beyond < min(_RESERVE, self._allowed // 2):
                self._see()
                if self._left + self._beyond < min(_RESERVE, self._allowed // 2):
                    raise self._spent()

    def close(self) -> None:
        """Writes down what was not used of the last block."""
        with self._lock:
            self._closed = True
            self._hand_back()

    def _spent(self) -> BudgetSpent:
        following = (self._month.replace(day=28) + timedelta(days=4)).replace(day=1)
        return BudgetSpent(
            SERVICE,
            f"the budget of {self._allowed:,} requests for {self._month:%B %Y} is spent; what is"
            f" finished is kept. Run the same command again from {following} on (UTC), or raise"
            " TERRAPAIR_EARTH_ENGINE_REQUESTS_PER_MONTH or"
            " TERRAPAIR_EARTH_ENGINE_EECU_SECONDS_PER_MONTH.",
        )

    def _see(self) -> int:
        """Sees what is left of the month that it is, and returns where the next block begins."""
        month = _month_of(self._clock())
        if month != self._month:
            self._hand_back()
            self._month = month
        begin, used = _read(self._store, self._month)
        self._beyond = self._allowed - used
        return begin

    def _set_apart(self) -> None:
        block = max(1, min(_LARGEST_BLOCK, self._allowed // _BLOCKS))
        while True:
            begin = self._see()
            size = min(block, self._beyond)
            if size <= 0:
                raise self._spent()
            path = f"{_folder(self._month)}/{begin:012d}.json"
            # The token tells this run's block from another's of the same size and time.
            content = {
                "requests": size, "at": self._clock().isoformat(), "token": secrets.token_hex(8)
            }  # fmt: skip
            if self._store.create(path, json.dumps(content).encode()):
                self._left, self._last = size, f"{begin:012d}"
                self._beyond -= size
                return

    def _hand_back(self) -> None:
        left, self._left = self._left, 0
        if left:
            try:
                self._store.create(
                    f"{_folder(self._month)}/unused/{self._last}-{left}.json",
                    json.dumps({"requests": left}).encode(),
                )
            except StorageError:
                return  # counted as used: too many rather than too few


def read_spending(store: Store, now: datetime) -> Spending:
    """Returns what was spent in the month of a time."""
    month = _month_of(now)
    _begin, used = _read(store, month)
    blocks = _blocks(store.list(_folder(month)))
    since = None
    if blocks:
        first = json.loads(store.read(f"{_folder(month)}/{blocks[0]}.json"))
        since = datetime.fromisoformat(first["at"])
    return Spending(month, used, since)


def spent_altogether(store: Store) -> int:
    """Returns the requests of all months."""
    paths = store.list(FOLDER)
    months = {path.split("/")[2] for path in paths}
    return sum(_read(store, date.fromisoformat(f"{month}-01"))[1] for month in months)


def forecast(
    spending: Spending, allowed: int | None, now: datetime, *, pairs: int, requests: int
) -> dict[str, Any]:
    """Returns what is left, when it will be spent, and what it is good for, as plain values.

    Args:
        spending: Of the month of `now`.
        allowed: The month's budget; None without one.
        now: The time, UTC, aware.
        pairs: Pairs that the dataset has.
        requests: Requests of all months, which they took.

    Returns:
        `spent_on` is the day on which the budget ends if requests go on as they did since the
        month's first; None if it does not end in this month.
    """
    left = None if allowed is None else max(0, allowed - spending.used)
    days = (now - spending.since) / timedelta(days=1) if spending.since else 0.0
    a_day = spending.used / days if days > 0 else None
    spent_on = None
    if left is not None and a_day:
        last = date(now.year, now.month, calendar.monthrange(now.year, now.month)[1])
        ahead = left / a_day
        if ahead <= 31 and (now + timedelta(days=ahead)).date() <= last:
            spent_on = str((now + timedelta(days=ahead)).date())
    a_request = pairs / requests if requests else None
    return {
        "month": f"{spending.month:%Y-%m}",
        "requests_allowed": allowed,
        "requests_used": spending.used,
        "requests_left": left,
        "requests_a_day": None if a_day is None else round(a_day, 1),
        "spent_on": spent_on,
        "pairs_a_request": None if a_request is None else round(a_request, 4),
        "pairs_left": None if left is None or a_request is None else round(left * a_request),
    }


def _read(store: Store, month: date) -> tuple[int, int]:
    """Returns where the next block of a month begins, and how many requests count as used."""
    folder = _folder(month)
    paths = store.list(folder)
    blocks = _blocks(paths)
    if not blocks:
        return 0, 0
    begin = int(blocks[-1]) + int(json.loads(store.read(f"{folder}/{blocks[-1]}.json"))["requests"])
    unused = re.compile(rf"{folder}/unused/\d{{12}}-(\d+)\.json")
    return begin, begin - sum(int(found[1]) for path in paths if (found := unused.fullmatch(path)))


def _blocks(paths: list[str]) -> list[str]:
    names = (path.rsplit("/", 2)[1:] for path in paths)
    return sorted(
        name.removesuffix(".json") for folder, name in names
        if folder != "unused" and re.fullmatch(r"\d{12}\.json", name)
    )  # fmt: skip


def _folder(month: date) -> str:
    return f"{FOLDER}/{month:%Y-%m}"


def _month_of(now: datetime) -> date:
    return now.astimezone(UTC).date().replace(day=1)
