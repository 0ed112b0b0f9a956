"""When requests came, and how many were in work at once, by service."""

from __future__ import annotations

from collections import defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

_KEPT: Final = 100_000
"""Times kept for each service; the oldest are forgotten first."""


@dataclass(slots=True)
class _Service:
    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    inside: int = 0
    most_at_once: int = 0


class Traffic:
    """Sees every request come and go; used by the event loop alone.

    Args:
        now: gives the time in seconds, growing.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._services: defaultdict[str, _Service] = defaultdict(_Service)

    @contextmanager
    def inside(self, kind: str) -> Iterator[None]:
        """Holds a request of this kind, from when it came until it is answered."""
        service = self._services[kind.partition(".")[0]]
        service.times_s.append(self._now())
        service.inside += 1
        service.most_at_once = max(service.most_at_once, service.inside)
        try:
            yield
        finally:
            service.inside -= 1

    async def answer(self, _request: Request) -> JSONResponse:
        """Answers with what `read` gives, on the event loop."""
        return JSONResponse(self.read())

    def read(self) -> dict[str, dict[str, Any]]:
        """Gives the most requests at once and the time of each in seconds, by service."""
        return {
            name: {"most_at_once": one.most_at_once, "times_s": list(one.times_s)}
            for name, one in self._services.items()
        }

    def reset(self) -> None:
        """Forgets what was; requests that are in work count on."""
        for name, one in list(self._services.items()):
            if not one.inside:
                del self._services[name]
            one.times_s.clear()
            one.most_at_once = one.inside
