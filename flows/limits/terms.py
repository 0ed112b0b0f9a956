"""What a shared limit is, who keeps it, and by which terms processes share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

FULL_PACE: Final = 64
"""Value of the limit that carries the pace, when nobody was refused; 1 is a 64th of the rate."""

WAITERS: Final = 10_000
"""Value of the limit that counts who waits; no more can wait at once."""

WAITING: Final = "-waiting"
PACE: Final = "-pace"
"""Ends of the names of the two limits that stand beside one, made when they are first needed."""


class LimitsAwayError(Exception):
    """Whoever keeps the limits does not answer; nothing is known of what was asked."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a limit looks like to all.

    Attributes:
        limit: Slots that there are.
        active: Slots that are taken.
    """

    limit: int
    active: int


class LimitKeeper(Protocol):
    """Keeps the limits. Every method may raise `LimitsAwayError`."""

    def read(self, name: str) -> Row | None:
        """Returns a limit; None if there is none of the name."""

    def ensure(self, name: str, limit: int) -> None:
        """Makes a limit, unless there is one of the name."""

    def change(self, name: str, limit: int) -> None:
        """Sets how many slots a limit has."""

    def take(self, name: str, slots: int, lease_s: float) -> str | None:
        """Takes slots, and returns the lease's id; None if so many are not free."""

    def renew(self, lease: str, lease_s: float) -> bool:
        """Makes a lease end so many seconds from now; False if there is no such lease any more."""

    def give_back(self, lease: str) -> None:
        """Ends a lease; one that has ended already is let be."""

    def write_off(self, name: str, slots: int) -> None:
        """Frees slots whose lease was forgotten."""


class Gate(Protocol):
    """What opens and closes for the calls of this process: `collectors.throttle.Throttle`."""

    slots: int

    @property
    def wanted(self) -> int:
        """Calls that are under way or wait."""

    def allow(self, slots: int, calls_per_s: float, until: float) -> None:
        """Changes what is allowed."""

    def drained(self) -> bool:
        """Says whether what is no longer allowed has come to its end."""

    def hand_over_ease(self) -> bool:
        """Says whether the service has refused a call for its rate since this was last asked."""

    def close(self, trouble: Callable[[], Exception]) -> None:
        """Raises trouble in all that wait."""

    def open(self) -> None:
        """Lets calls begin again."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a limit is shared.

    Attributes:
        name: Name of the limit.
        service: What it is a limit of, for lines and errors.
        slots: Slots that it is made with.
        block: Slots that are taken at a time.
        calls_per_s: The rate that belongs to all slots.
        patience_s: How long calls wait, without a slot, for the keeper to answer again.
        lease_s: How long a lease holds; Prefect takes no less than a minute.
        margin_s: A lease is trusted so much less long than it holds.
        renew_s: A lease is renewed when it is so old.
        turn_s: A block is given back at this age, if somebody waits who holds none.
        idle_s: A block that is not needed for so long is given back.
        poll_s: A process without a slot looks again after so long, more or less, and then less
            and less often, up to `longest_poll_s`.
        longest_poll_s: See there.
        look_s: The pace and those who wait are looked at so often.
        recovery_s: After so long without a refusal the pace doubles.
    """

    name: str
    service: str
    slots: int
    block: int
    calls_per_s: float
    patience_s: float = 300.0
    lease_s: float = 60.0
    margin_s: float = 5.0
    renew_s: float = 15.0
    turn_s: float = 20.0
    idle_s: float = 3.0
    poll_s: float = 0.5
    longest_poll_s: float = 2.0
    look_s: float = 4.0
    recovery_s: float = 30.0
