"""Processes that share a limit, played on a clock of their own: keeper, calls, and the world."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import TYPE_CHECKING

from flows.limits.leases import Share
from flows.limits.terms import LimitsAwayError, Row, Terms

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_S = 0.1
LOOP_S = 15
"""Prefect looks for leases that have ended so often."""


@dataclass
class Keeper:
    """Keeps limits as Prefect's server does, with leases in memory."""

    clock: Callable[[], float]
    limits: dict[str, int] = field(default_factory=dict)
    active: dict[str, int] = field(default_factory=dict)
    leases: dict[str, tuple[str, int, float]] = field(default_factory=dict)
    away: bool = False
    asked: int = 0
    swept_at: float = 0.0
    numbers: count = field(default_factory=count)

    def sweep(self) -> None:
        """Takes back what dead processes held, as often as Prefect does."""
        if self.away or self.clock() - self.swept_at < LOOP_S:
            return
        self.swept_at = self.clock()
        for key, (_name, _slots, end) in list(self.leases.items()):
            if end < self.clock():
                self._end(key)

    def restart(self) -> None:
        """Forgets the leases, but not how many slots are taken."""
        self.leases.clear()

    def read(self, name: str) -> Row | None:
        self._ask()
        return Row(self.limits[name], self.active[name]) if name in self.limits else None

    def ensure(self, name: str, limit: int) -> None:
        self._ask()
        self.limits.setdefault(name, limit)
        self.active.setdefault(name, 0)

    def change(self, name: str, limit: int) -> None:
        self._ask()
        self.limits[name] = limit

    def take(self, name: str, slots: int, lease_s: float) -> str | None:
        self._ask()
        assert lease_s >= 60, "Prefect refuses shorter leases"
        if self.active[name] + slots > self.limits[name]:
            return None
        self.active[name] += slots
        key = f"lease-{next(self.numbers)}"
        self.leases[key] = (name, slots, self.clock() + lease_s)
        return key

    def renew(self, lease: str, lease_s: float) -> bool:
        self._ask()
        if lease not in self.leases:
            return False
        name, slots, _end = self.leases[lease]
        self.leases[lease] = (name, slots, self.clock() + lease_s)
        return True

    def give_back(self, lease: str) -> None:
        self._ask()
        if lease in self.leases:
            self._end(lease)

    def write_off(self, name: str, slots: int) -> None:
        self._ask()
        self.active[name] = max(0, self.active[name] - slots)

    def _end(self, lease: str) -> None:
        name, slots, _end = self.leases.pop(lease)
        self.active[name] = max(0, self.active[name] - slots)

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise LimitsAwayError("refused")


@dataclass
class Calls:
    """Calls of one process: as many as are wanted, each of the same length, as fast as may be."""

    clock: Callable[[], float]
    slots: int
    call_s: float
    wanted_calls: int = 0
    began: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    allowed: int = 0
    rate: float = 1.0
    until: float = inf
    next_at: float = 0.0
    refused: bool = False
    trouble: Callable[[], Exception] | None = None

    @property
    def wanted(self) -> int:
        return max(self.wanted_calls, len(self.ends))

    def allow(self, slots: int, calls_per_s: float, until: float) -> None:
        assert 0 <= slots <= self.slots
        self.allowed, self.until = slots, until
        self.rate = calls_per_s or self.rate

    def drained(self) -> bool:
        return len(self.ends) <= self.allowed and (self.allowed > 0 or self.clock() >= self.next_at)

    def hand_over_ease(self) -> bool:
        refused, self.refused = self.refused, False
        return refused

    def close(self, trouble: Callable[[], Exception]) -> None:
        self.trouble = trouble

    def open(self) -> None:
        self.trouble = None

    def go_on(self) -> None:
        """Ends calls that are over, and begins as many as are wanted and allowed."""
        now = self.clock()
        self.ends = [end for end in self.ends if end > now]
        while (
            len(self.ends) < min(self.allowed, self.wanted_calls)
            and self.next_at <= now < self.until
            and self.trouble is None
        ):
            late_s = now - self.next_at
            self.next_at = (self.next_at if late_s <= TICK_S else now) + 1 / self.rate
            self.began.append(now)
            self.ends.append(now + self.call_s)


class World:
    """Processes that share one limit, at a keeper."""

    def __init__(self, terms: Terms, processes: int, call_s: float = 0.3) -> None:
        self.now = 0.0
        self.terms = terms
        self.keeper = Keeper(self.clock)
        self.lines: list[str] = []
        self.calls = [Calls(self.clock, terms.slots, call_s) for _ in range(processes)]
        self.shares = [
            Share(terms, calls, self.keeper, self.clock, random.Random(number), self.lines.append)
            for number, calls in enumerate(self.calls)
        ]
        self.dead: set[int] = set()
        self.most_at_once = 0

    def clock(self) -> float:
        return self.now

    def want(self, number: int, calls: int) -> None:
        """A process wants so many calls at once from now on."""
        self.calls[number].wanted_calls = calls

    def kill(self, number: int) -> None:
        """Ends a process as kill -9 does: its calls are gone, its leases are not."""
        self.dead.add(number)
        self.calls[number].ends = []

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        for _ in range(round(seconds / TICK_S)):
            self.now += TICK_S
            self.keeper.sweep()
            for number, (share, calls) in enumerate(zip(self.shares, self.calls, strict=True)):
                if number not in self.dead:
                    share.step()
                    calls.go_on()
            at_once = sum(len(calls.ends) for calls in self.calls)
            self.most_at_once = max(self.most_at_once, at_once)

    def began(self) -> list[float]:
        """When calls began, of all processes, in order."""
        return sorted(time for calls in self.calls for time in calls.began)


def most_within(times: list[float], seconds: float) -> int:
    """Returns the most of some times, in order, that lie in a stretch of so many seconds."""
    first = most = 0
    for last, time in enumerate(times):
        while time - times[first] >= seconds - 1e-6:
            first += 1
        most = max(most, last - first + 1)
    return most
