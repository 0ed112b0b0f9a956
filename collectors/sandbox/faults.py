"""Faults on demand: what goes wrong, where, how often and when.

Whether a fault happens is drawn from the plan's seed, the request itself and how often it came
before, not from the order in which threads send their requests: a failing run can be run again.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from collectors.sandbox.chance import hash_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class FaultKind(StrEnum):
    """What can go wrong."""

    TOO_MANY_REQUESTS = "too_many_requests"
    """429 with the service's own body."""

    SERVER_ERROR = "server_error"
    """500, or another `status`, with the service's own body."""

    UNAVAILABLE = "unavailable"
    """503 with a page of HTML, as a load balancer answers."""

    HTML = "html"
    """A page of HTML with status 200."""

    TRUNCATED = "truncated"
    """The real answer, of which a `share` is sent; the header agrees, so that it looks whole."""

    CUT_OFF = "cut_off"
    """The real answer, of which a `share` is sent; then the connection is closed."""

    HANG = "hang"
    """Nothing for so many `seconds`; then the connection is reset."""

    RESET = "reset"
    """The connection is reset without an answer."""

    SLOW_DRIP = "slow_drip"
    """The real answer in small pieces over so many `seconds`."""

    TOKEN_REFUSED = "token_refused"
    """Earth Engine: 401 although the token is good; at the token service, no token."""

    QUOTA_GONE = "quota_gone"
    """Earth Engine: the real answer, with the header of a project whose month is used up."""

    KEY_EXPIRED = "key_expired"
    """Flickr: code 100, the key has been disabled for asking too much."""

    WRONG_BODY = "wrong_body"
    """Flickr: code 201 as JSON with a comma behind it, called XML."""

    FAILURE = "failure"
    """Flickr: the failure with the given `code`, in the format that was asked for."""

    CLOCK_SKEW = "clock_skew"
    """The real answer of a service whose clock is fast by so many `seconds` (or slow)."""


# Kinds that mean something at some services only; all others go wrong anywhere.
_SERVICES: Final[Mapping[FaultKind, frozenset[str]]] = {
    FaultKind.TOKEN_REFUSED: frozenset({"ee"}),
    FaultKind.QUOTA_GONE: frozenset({"ee"}),
    FaultKind.KEY_EXPIRED: frozenset({"flickr"}),
    FaultKind.WRONG_BODY: frozenset({"flickr"}),
    FaultKind.FAILURE: frozenset({"flickr"}),
    FaultKind.CLOCK_SKEW: frozenset({"ee", "flickr"}),
}
_DEFAULT_SECONDS: Final = {
    FaultKind.HANG: 3600.0,
    FaultKind.SLOW_DRIP: 5.0,
    FaultKind.CLOCK_SKEW: 3600.0,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of a plan. At most one of the four frequencies is given; without one it is always.

    Attributes:
        fault: what goes wrong.
        where: kind of the requests ("flickr.search"), a service ("ee"), or a pattern ("ee.get*").
        match: text that the path, the query or the body of the request holds.
        probability: how often, 0..1, drawn anew for every try of a request.
        every: the n-th matching request, and each n-th after it.
        first: the first n matching requests.
        first_tries: the first n tries of each matching request, so that a later try passes.
        after: so many matching requests pass before any of this counts.
        from_s: seconds after the plan was made known before which nothing happens.
        until_s: seconds after which nothing happens any more.
        seconds: how long it hangs or drips, or how fast the clock is; 0 for the kind's default.
        share: part of the real answer that is sent, 0..1.
        status: HTTP status of `server_error`.
        code: code of `failure`.
    """

    fault: FaultKind
    where: str = "*"
    match: str = ""
    probability: float | None = None
    every: int | None = None
    first: int | None = None
    first_tries: int | None = None
    after: int = 0
    from_s: float = 0.0
    until_s: float | None = None
    seconds: float = 0.0
    share: float = 0.5
    status: int = 500
    code: int = 105

    @property
    def duration_s(self) -> float:
        """The seconds given, or the kind's default."""
        return self.seconds or _DEFAULT_SECONDS.get(self.fault, 0.0)

    def concerns(self, kind: str, text: str) -> bool:
        """Says whether a request of a kind, with this path, query and body, may meet the fault."""
        service = kind.partition(".")[0]
        if service not in _SERVICES.get(self.fault, {service}):
            return False
        return (self.where == service or fnmatchcase(kind, self.where)) and self.match in text

    def strikes(self, number: int, chance: float, tries: int) -> bool:
        """Says whether one of the matching requests meets the fault.

        Args:
            number: place of the request among the matching ones, from 0.
            chance: drawn for it, in [0, 1).
            tries: how often the same request came before.
        """
        if number < self.after:
            return False
        number -= self.after
        if self.probability is not None:
            return chance < self.probability
        if self.every is not None:
            return (number + 1) % self.every == 0
        if self.first is not None:
            return number < self.first
        return self.first_tries is None or tries < self.first_tries


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Everything that is to go wrong.

    Attributes:
        faults: looked at in their order; the first that strikes happens, and no other.
        seed: of chance.
        latency_s: seconds added to every answer, by service or kind.
    """

    faults: tuple[Fault, ...] = ()
    seed: int = 0
    latency_s: Mapping[str, float] = field(default_factory=dict)


class Faults:
    """Draws the faults of a plan; may be used from any thread.

    Args:
        plan: what is to go wrong.
        clock: gives growing seconds.
    """

    def __init__(self, plan: FaultPlan, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.replace(plan)

    def replace(self, plan: FaultPlan) -> None:
        """Puts another plan in the place of the present one; all counts begin anew."""
        with self._lock:
            self._plan = plan
            self._began_at = self._clock()
            self._matched = [0] * len(plan.faults)
            self._tries: Counter[int] = Counter()
            self._done: Counter[str] = Counter()

    def latency_s(self, kind: str) -> float:
        """Gives the seconds that an answer to a request of a kind is held back."""
        added = self._plan.latency_s
        return added.get(kind, added.get(kind.partition(".")[0], 0.0))

    def draw(self, kind: str, read: Callable[[], str]) -> Fault | None:
        """Decides what goes wrong with a request.

        Args:
            kind: what kind of request it is.
            read: gives its path, query and body; not called where nothing is planned.

        Returns:
            The fault; None when all goes well.
        """
        if not self._plan.faults:
            return None
        text = read()
        # The assertion of a token is signed anew each time.
        request = hash_keys(kind, "" if kind == "ee.token" else text)
        with self._lock:
            tries = self._tries[request]
            self._tries[request] += 1
            passed_s = self._clock() - self._began_at
            for place, fault in enumerate(self._plan.faults):
                ended = fault.until_s is not None and passed_s >= fault.until_s
                if passed_s < fault.from_s or ended or not fault.concerns(kind, text):
                    continue
                number = self._matched[place]
                self._matched[place] += 1
                chance = hash_keys(self._plan.seed, place, request, tries) * 2.0**-64
                if fault.strikes(number, chance, tries):
                    self._done[f"{fault.fault} {kind}"] += 1
                    return fault
        return None

    def done(self) -> dict[str, int]:
        """Gives how often each fault happened since the plan was made known.

        Returns:
            For example {"reset photo.get": 3}.
        """
        with self._lock:
            return dict(self._done)
