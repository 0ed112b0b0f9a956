"""What clients of a service over HTTP have in common: connections, turns, patience, a count."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self, TypeVar

import requests
from requests.adapters import HTTPAdapter

from collectors.transport import retrying

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from collectors.transport import Patience, Throttle

Answer = TypeVar("Answer")


class HttpClient:
    """A client of one service; may be used by several threads, and closed at the end.

    Attributes:
        service: Name of the service, for errors.
        throttle: Gives each request its turn.
        session: Keeps as many connections as the throttle has slots.
    """

    def __init__(
        self,
        service: str,
        *,
        throttle: Throttle,
        patience: Patience,
        user_agent: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Creates a client; nothing is sent yet.

        Args:
            service: Name of the service, for errors.
            throttle: Shared by everything in this process that uses the same limit.
            patience: For transient trouble.
            user_agent: What this program calls itself; what `requests` says by default.
            sleep: Waits the given seconds between tries.
        """
        self.service = service
        self.throttle = throttle
        self.session = requests.Session()
        if user_agent:
            self.session.headers["User-Agent"] = user_agent
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=throttle.slots))
        self._patience = patience
        self._sleep = sleep
        self._counting = threading.Lock()
        self._sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self.session.close()

    @property
    def sent(self) -> int:
        """Requests sent so far, every try counted."""
        return self._sent

    def send(self, what: str, once: Callable[[], Answer]) -> Answer:
        """Makes a request in its turn, again and again while the trouble is transient.

        Args:
            what: What is asked for, for errors.
            once: One try.

        Raises:
            TroubleRemains: If the service did not answer within the patience.
        """

        def counted() -> Answer:
            with self._counting:
                self._sent += 1
            return once()

        return retrying(
            self._patience, counted, service=self.service, what=what, throttle=self.throttle,
            sleep=self._sleep,
        )  # fmt: skip
