"""What the services answered, counted: the figures that say how a run fared with them."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import requests

from collectors.transport import TransientTrouble

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWERED: Final = "answered"
"""The try brought what was asked for, or the answer that there is no such thing."""

REFUSED: Final = "refused"
"""The answer is one that no other try would change, such as a wrong key or a missing band."""

RETRIES: Final = "retries"
"""Tries that followed another one of the same request."""

WAITED_MS: Final = "waited_ms"
"""Milliseconds waited before them, whole, added up over all threads."""

_SILENCE: Final = (requests.exceptions.Timeout, TimeoutError)
_CUT: Final = (
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
_BROKEN: Final = (requests.exceptions.ConnectionError, ConnectionError)


class Answers:
    """Counts by service and by how each try ended; may be used by several threads.

    A try ends as `answered`, as `refused`, with the HTTP status that was tried again (`429`,
    `503`), or as `timeout`, `connection` (refused or reset), `cut_off`, `unusable` (HTML, half a
    document, a failure told with status 200).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    @contextmanager
    def trying(self, service: str) -> Iterator[None]:
        """Counts how one try of a request to a service ends."""
        how = REFUSED
        try:
            yield
            how = ANSWERED
        except TransientTrouble as trouble:
            how = how_it_ended(trouble)
            raise
        finally:
            with self._lock:
                self._counts[f"{service}: {how}"] += 1

    def wait(self, service: str, seconds: float) -> None:
        """Counts a wait before another try."""
        with self._lock:
            self._counts[f"{service}: {RETRIES}"] += 1
            self._counts[f"{service}: {WAITED_MS}"] += round(1000 * seconds)

    def counts(self) -> Counter[str]:
        """Returns the counts so far, by `service: how`; those of a while are a difference."""
        with self._lock:
            return self._counts.copy()


def how_it_ended(trouble: TransientTrouble) -> str:
    """Returns the status of a try that failed in passing, or what happened in place of one."""
    if trouble.status is not None:
        return str(trouble.status)
    causes: list[BaseException] = []
    cause = trouble.__cause__
    while cause is not None:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(one, _SILENCE) or "timed out" in str(one) for one in causes):
        return "timeout"
    if any(isinstance(one, _CUT) or "IncompleteRead" in str(one) for one in causes):
        return "cut_off"
    return "connection" if any(isinstance(one, _BROKEN) for one in causes) else "unusable"


def by_service(counts: Counter[str]) -> dict[str, dict[str, float]]:
    """Returns counts as a run's outcome shows them: by service, waits in seconds, sorted."""
    found: dict[str, dict[str, float]] = {}
    for name, count in sorted(counts.items()):
        service, _, how = name.rpartition(": ")
        mine = found.setdefault(service, {})
        if how == WAITED_MS:
            mine["waited_s"] = round(count / 1000, 1)
        else:
            mine[how] = count
    return found


def trouble_line(answers: dict[str, dict[str, float]]) -> str:
    """Returns a line on the services that did not answer everything at once; else nothing."""
    said = []
    for service, counts in answers.items():
        if not counts.get(RETRIES):
            continue
        kinds = ", ".join(
            f"{how} {count:,}" for how, count in counts.items()
            if how not in {ANSWERED, REFUSED, RETRIES, "waited_s"}
        )  # fmt: skip
        said.append(
            f"{service}: {kinds} ({counts[RETRIES]:,} tried again after"
            f" {counts.get('waited_s', 0):,.1f} s in all)"
        )
    return "; ".join(said)
