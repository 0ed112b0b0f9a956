"""How often, and how often at once, a service may be called by this process.

Where a limit is shared with other processes, whoever shares it changes what a throttle allows while
it is in use; the throttle itself knows this process alone.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_LONGEST_EASE_STEPS: Final = 6
"""A throttle is never slowed down more than 2⁶ = 64-fold."""

_LATENESS_S: Final = 0.05
"""A call that begins so much later than its turn does not put off those behind it: a sleep that
lasts a little too long, thirty times a second, would cost a tenth of the rate."""


class Throttle:
    """Holds all threads of this process to a rate and a number of calls at once.

    Calls are spread evenly: each has its turn `period_s / calls` seconds after the last one's,
    without bursts. After `ease` the rate is halved for everyone, and doubles again with every
    `recovery_s` seconds without another `ease`.

    Attributes:
        slots: How many calls may be under way at once, at the very most.
    """

    def __init__(
        self,
        calls: float,
        period_s: float,
        slots: int,
        *,
        recovery_s: float = 30.0,
        count: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Creates a throttle.

        Args:
            calls: Calls per period, more than 0.
            period_s: Length of the period in seconds, more than 0.
            slots: Calls at once, at least 1.
            recovery_s: Seconds of quiet after which an eased rate doubles.
            count: Called for each call before it begins; what it raises keeps the call from it.
            sleep: Waits the given seconds.
            clock: Seconds, growing.

        Raises:
            ValueError: If a limit would let no call through.
        """
        if calls <= 0 or period_s <= 0 or slots < 1 or recovery_s <= 0:
            raise ValueError(
                f"a throttle of {calls} calls in {period_s} s on {slots} slots lets nothing through"
            )
        self.slots = slots
        self._interval_s = period_s / calls
        self._recovery_s = recovery_s
        self._count = count
        self._sleep = sleep
        self._clock = clock
        self._door = threading.Condition()
        self._allowed = slots
        self._until = math.inf
        self._closed: Callable[[], Exception] | None = None
        self._inside = 0
        self._waiting = 0
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._own = threading.local()
        self._next_at = clock()
        self._eased_at = -math.inf
        self._eased = False
        self._steps = 0

    def __enter__(self) -> Self:
        """Waits for a free slot, then for this call's turn.

        Raises:
            Exception: What `close` was told to raise, or what `count` raises.
        """
        counted = False
        while True:
            self._pass_door()
            try:
                if not counted:
                    self._count()
                    counted = True
                if self._wait_for_turn():
                    return self
            except BaseException:
                self._leave()
                raise
            self._leave()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    @property
    def wanted(self) -> int:
        """Calls that are under way or wait for a slot: how many slots this process could use."""
        with self._door:
            return self._inside + self._waiting

    @property
    def slowdown(self) -> int:
        """How many times slower than its limit the throttle runs now: 1, 2, 4 … 64."""
        with self._state:
            return self._slowdown(self._clock())

    def allow(self, slots: int, calls_per_s: float, until: float = math.inf) -> None:
        """Changes what is allowed from now on; calls that are under way go on.

        Args:
            slots: Calls at once, 0 to `self.slots`; with 0, calls wait until there are some.
            calls_per_s: The rate, more than 0 unless `slots` is 0.
            until: From this time of the clock on, no call begins.
        """
        with self._state:
            if slots:
                self._interval_s = 1 / calls_per_s
        with self._door:
            self._allowed = min(slots, self.slots)
            self._until = until
            self._door.notify_all()

    def drained(self) -> bool:
        """Says whether what is no longer allowed has come to its end.

        No more calls are under way than are allowed. If none is allowed, the time has also come at
        which the next one would have begun, so that somebody else may go on at the same rate.
        """
        with self._door:
            inside, allowed = self._inside, self._allowed
        with self._state:
            return inside <= allowed and (allowed > 0 or self._clock() >= self._next_at)

    def close(self, trouble: Callable[[], Exception]) -> None:
        """Lets no call begin: raises what `trouble` makes in all that wait and all that come."""
        with self._door:
            self._closed = trouble
            self._door.notify_all()

    def open(self) -> None:
        """Lets calls begin again after `close`."""
        with self._door:
            self._closed = None
            self._door.notify_all()

    def ease(self) -> None:
        """Halves the rate for everyone; called by the thread whose call a service met with 429.

        Calls that are under way together are refused together: one that began before the last
        `ease` does not count again.
        """
        with self._state:
            now = self._clock()
            if getattr(self._own, "began_at", now) <= self._eased_at:
                return
            slowdown = self._slowdown(now)
            self._steps = min(slowdown.bit_length(), _LONGEST_EASE_STEPS)
            self._eased_at = now
            self._eased = True
            self._next_at = max(self._next_at, now + self._interval_s * 2**self._steps)

    def hand_over_ease(self) -> bool:
        """Says whether `ease` took effect since this was last asked, and ends its effect here.

        For whoever slows down all that share the limit, this process among them.
        """
        with self._state:
            eased, self._eased = self._eased, False
            self._steps = 0 if eased else self._steps
            return eased

    def _pass_door(self) -> None:
        with self._door:
            self._waiting += 1
            try:
                while True:
                    if self._closed is not None:
                        raise self._closed()
                    if self._inside < self._allowed and self._clock() < self._until:
                        break
                    self._door.wait()
            finally:
                self._waiting -= 1
            self._inside += 1

    def _leave(self) -> None:
        with self._door:
            self._inside -= 1
            self._door.notify()

    def _wait_for_turn(self) -> bool:
        """Returns True when the turn has come; False if meanwhile there is no slot any more."""
        with self._turn:  # one waits for the time, the others queue behind it
            while True:
                with self._door:
                    if self._closed is not None:
                        raise self._closed()
                    if self._inside > self._allowed or self._clock() >= self._until:
                        return False
                wait_s = self._reserve()
                if wait_s <= 0:
                    return True
                self._sleep(wait_s)

    def _slowdown(self, now: float) -> int:
        healed = max(0.0, now - self._eased_at) // self._recovery_s
        return int(2 ** max(0.0, self._steps - healed))

    def _reserve(self) -> float:
        """Takes the next place in time if it has come; else returns the seconds until then."""
        with self._state:
            now = self._clock()
            if now < self._next_at:
                return self._next_at - now
            late_s = now - self._next_at
            turn = self._next_at if late_s <= min(_LATENESS_S, self._interval_s / 2) else now
            self._next_at = turn + self._interval_s * self._slowdown(now)
            self._own.began_at = now
            return 0.0
