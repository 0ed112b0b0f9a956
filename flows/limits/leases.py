"""One process's part of a limit that others share: which slots it holds, takes and gives back.

The rate is bound to the slots: whoever holds k of n slots may use k/n of the rate. So only slots
are agreed on, in blocks, and a block serves many calls. Nothing here waits or knows of Prefect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collectors.transport import TroubleRemains
from flows.limits.terms import FULL_PACE, PACE, WAITERS, WAITING, LimitsAwayError, Row

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from flows.limits.terms import Gate, LimitKeeper, Terms


@dataclass(slots=True)
class _Lease:
    """A lease as this process sees it; times are those of its own clock, before it asked."""

    key: str
    name: str
    slots: int
    taken_at: float
    renewed_at: float


@dataclass(slots=True)
class Share:
    """Takes, renews and gives back blocks of one limit, for the calls of one process.

    `step` is called again and again by one thread; it asks the keeper what is due, and returns.

    Attributes:
        terms: How the limit is shared.
        gate: What is opened as far as slots are held.
        keeper: Keeps the limits.
        clock: Seconds, growing.
        chance: Spreads those who wait, so that they do not come together.
        tell: Takes a line for whoever watches.
    """

    terms: Terms
    gate: Gate
    keeper: LimitKeeper
    clock: Callable[[], float]
    chance: random.Random
    tell: Callable[[str], None]
    _held: list[_Lease] = field(default_factory=list)
    _leaving: _Lease | None = None
    _yields: bool = False
    _in_line: _Lease | None = None
    _row: Row | None = None
    _pace: int = FULL_PACE
    _pace_since: float = 0.0
    _refused_at: float | None = None
    _next_look: float = 0.0
    _next_poll: float = 0.0
    _polls: int = 0
    _idle_since: float | None = None
    _away_since: float | None = None
    _ask_again: float = 0.0
    _closed: bool = False
    _opened: tuple[int, float, float] | None = None
    _told: set[str] = field(default_factory=set)

    @property
    def held(self) -> int:
        """Slots that calls may use now."""
        return sum(lease.slots for lease in self._held)

    def step(self) -> None:
        """Does what is due now."""
        now = self.clock()
        self._drop_lapsed(now)
        if self.gate.hand_over_ease():
            self._refused_at = now
            self._pace = max(1, self._pace // 2)
            self._pace_since = now
            self._next_look = now
        if now >= self._ask_again:
            try:
                self._ask(now)
                self._is_there()
            except LimitsAwayError as error:
                self._is_away(now, error)
        self._open_gate()

    def leave(self) -> bool:
        """Gives everything back that has come to its end; called until it returns True."""
        self._closed = True
        leaving = self._leaving
        self._held, gone = [], self._held
        self._open_gate()
        if not self.gate.drained():
            self._held = gone
            return False
        try:
            for lease in (*gone, leaving, self._in_line):
                if lease is not None:
                    self.keeper.give_back(lease.key)
        except LimitsAwayError:
            pass  # the leases end by themselves
        self._leaving = self._in_line = None
        return True

    def _ask(self, now: float) -> None:
        if self._row is None:
            self._begin()
        for lease in [*self._held, self._leaving, self._in_line]:
            if lease is not None and now - lease.renewed_at >= self.terms.renew_s:
                self._renew(lease)
        if self._leaving is not None and self.gate.drained():
            self.keeper.give_back(self._leaving.key)
            self._leaving = None
            if self._yields:  # time for those who wait to find it free
                self._next_poll = now + self.terms.longest_poll_s
        if now >= self._next_look and (self._held or self._refused_at is not None):
            self._next_look = now + self.terms.look_s
            self._follow_pace(now)
            self._make_room(now)
        self._give_back_idle(now)
        while now >= self._next_poll and self._take_more(now):
            pass

    def _begin(self) -> None:
        """Makes the limit, if this is its first use, and sees how many slots it has."""
        self.keeper.ensure(self.terms.name, self.terms.slots)
        row = self._look()
        if row.limit != self.terms.slots:
            self._tell_once(
                f"{self.terms.service}: the shared limit {self.terms.name} has {row.limit} slots,"
                f" the settings say {self.terms.slots}; the lower number holds"
                f" (prefect gcl update {self.terms.name} --limit {self.terms.slots})"
            )

    def _look(self) -> Row:
        row = self.keeper.read(self.terms.name)
        if row is None:  # removed by hand
            self.keeper.ensure(self.terms.name, self.terms.slots)
            row = Row(self.terms.slots, 0)
        self._row = row
        return row

    def _renew(self, lease: _Lease) -> None:
        asked = self.clock()
        if self.keeper.renew(lease.key, self.terms.lease_s):
            if self.clock() < lease.renewed_at + self.terms.lease_s - self.terms.margin_s:
                lease.renewed_at = asked
            return
        # By our clock the lease holds, so it did not end: the keeper was started anew, and has
        # forgotten it, but not that its slots are taken.
        self._forget(lease)
        self.keeper.write_off(lease.name, lease.slots)
        self._tell_once("Prefect's server has forgotten its leases; they are taken anew")

    def _forget(self, lease: _Lease) -> None:
        self._held = [one for one in self._held if one is not lease]
        self._leaving = None if lease is self._leaving else self._leaving
        self._in_line = None if lease is self._in_line else self._in_line
        self._open_gate()

    def _drop_lapsed(self, now: float) -> None:
        """Drops what others may have taken by now; the gate has been closed to it by its time."""
        for lease in [*self._held, self._leaving, self._in_line]:
            if lease is not None and now >= self._end_of(lease):
                self._forget(lease)

    def _end_of(self, lease: _Lease) -> float:
        return lease.renewed_at + self.terms.lease_s - self.terms.margin_s

    def _follow_pace(self, now: float) -> None:
        """Slows down with the others, tells them of a refusal, and doubles the pace after quiet."""
        name = self.terms.name + PACE
        row = self.keeper.read(name)
        shared = FULL_PACE if row is None else min(max(1, row.limit), FULL_PACE)
        if self._refused_at is not None:
            # `_pace` was halved when it happened; calls refused together count once, whoever made
            # them, so a pace that others have lowered so far is not lowered again.
            if self._pace < shared:
                self.keeper.ensure(name, self._pace)
                self.keeper.change(name, self._pace)
            self._pace = min(self._pace, shared)
            self._refused_at = None
            self._tell_slowness()
            return
        if shared != self._pace:
            self._pace, self._pace_since = shared, now
            self._tell_slowness()
        elif shared < FULL_PACE and now - self._pace_since >= self.terms.recovery_s:
            self._pace, self._pace_since = shared * 2, now
            self.keeper.change(name, self._pace)

    def _tell_slowness(self) -> None:
        if self._pace < FULL_PACE:
            self._tell_once(
                f"{self.terms.service} refuses calls for their number: all that share the limit"
                f" go on at 1/{FULL_PACE // self._pace} of the rate until it is quiet"
            )

    def _make_room(self, now: float) -> None:
        """Begins to give a block back, if others wait without one, or there are fewer slots now."""
        if self._leaving is not None or not self._held:
            return
        oldest = min(self._held, key=lambda lease: lease.taken_at)
        # Of many blocks one is given sooner than the last one, which would only begin to wait.
        last_of_many = len(self._held) == 1 and self.terms.block < self.terms.slots
        ripe = now - oldest.taken_at >= self.terms.turn_s * (2 if last_of_many else 1)
        row = self._look()
        if row.active > row.limit:
            self._retire(oldest)
        elif ripe:
            line = self.keeper.read(self.terms.name + WAITING)
            if line is not None and line.active > 0:
                self._retire(oldest, yields=True)

    def _give_back_idle(self, now: float) -> None:
        if self.gate.wanted == 0 and self._in_line is not None:
            self.keeper.give_back(self._in_line.key)
            self._in_line = None
        spare = bool(self._held) and self.held - self._held[-1].slots >= self.gate.wanted
        if not spare or self._leaving is not None:
            self._idle_since = None if not spare else self._idle_since
            return
        if self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since >= self.terms.idle_s:
            self._retire(self._held[-1])

    def _retire(self, lease: _Lease, *, yields: bool = False) -> None:
        """Uses a block no more; it is given back when its calls have come to their end."""
        self._held.remove(lease)
        self._leaving, self._yields = lease, yields
        self._open_gate()

    def _take_more(self, now: float) -> bool:
        """Takes a block if one is needed and free; returns whether it was."""
        wanted = min(self.gate.wanted, self.gate.slots)
        if self._closed or self._leaving is not None or wanted <= self.held:
            return False
        row = self._look()
        room = min(row.limit - row.active, row.limit - self.held, self.gate.slots - self.held)
        slots = min(self.terms.block, room)
        asked = self.clock()
        key = self.keeper.take(self.terms.name, slots, self.terms.lease_s) if slots > 0 else None
        if key is not None:
            self._held.append(_Lease(key, self.terms.name, slots, asked, asked))
            self._polls = 0
            if len(self._held) == 1:
                self._next_look = now  # the pace is not known yet
                self._pace_since = now
                self._follow_pace(now)
            if self._in_line is not None:
                self.keeper.give_back(self._in_line.key)
                self._in_line = None
            self._open_gate()
            return True
        pause = min(self.terms.poll_s * 1.2**self._polls, self.terms.longest_poll_s)
        self._polls += 1
        self._next_poll = now + pause * self.chance.uniform(0.5, 1.0)
        if not self._held and self._in_line is None:
            self._wait_in_line()
        return False

    def _wait_in_line(self) -> None:
        """Lets the others know that somebody waits who holds nothing."""
        name = self.terms.name + WAITING
        self.keeper.ensure(name, WAITERS)
        asked = self.clock()
        key = self.keeper.take(name, 1, self.terms.lease_s)
        if key is not None:
            self._in_line = _Lease(key, name, 1, asked, asked)
        self._tell_once(f"{self.terms.service}: others use the limit now; waiting for a turn")

    def _open_gate(self) -> None:
        row_limit = self._row.limit if self._row else self.terms.slots
        a_slot = self.terms.calls_per_s / max(self.terms.slots, row_limit)
        rate = a_slot * self.held * self._pace / FULL_PACE
        until = min((self._end_of(lease) for lease in self._held), default=0.0)
        if self._opened != (self.held, rate, until):
            self._opened = (self.held, rate, until)
            self.gate.allow(*self._opened)

    def _is_there(self) -> None:
        if self._away_since is not None:
            self._away_since = None
            if not self._closed:
                self.gate.open()

    def _is_away(self, now: float, error: LimitsAwayError) -> None:
        since = self._away_since = self._away_since or now
        self._ask_again = now + self.chance.uniform(0.5, 1.0) * self.terms.longest_poll_s
        if now - since >= self.terms.margin_s:
            how = "going on with what is held" if self._held else "waiting for it"
            self._tell_once(
                f"{self.terms.service}: Prefect's server, which keeps the limit, does not answer;"
                f" {how} ({error})"
            )
        if not self._held and not self._closed and now - since >= self.terms.patience_s:
            what = (
                f"the limit of {self.terms.service} is kept by its server, which has not answered"
                f" for {now - since:.0f} s ({error})"
            )
            self.gate.close(lambda: TroubleRemains("Prefect", what))

    def _tell_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self.tell(line)
