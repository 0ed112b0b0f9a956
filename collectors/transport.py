"""The one layer that waits: what trouble with a service is, retries, rate limits, and redaction.

Clients of services raise `TransientTrouble` for what may pass by itself and run their calls through
`retrying`; nothing else in the project repeats a request.
"""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote, quote_plus

from collectors.throttle import Throttle as Throttle  # noqa: PLC0414 - where all of it is found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tenacity import RetryCallState

    from collectors.answers import Answers

Answer = TypeVar("Answer")

_NEVER_TRANSIENT: Final = frozenset({501, 505})
"""Server errors that no waiting heals: RFC 9110, sections 15.6.2 and 15.6.6."""


class ServiceTrouble(Exception):  # noqa: N818 (the families below name what happened)
    """Something went wrong between this program and a service.

    Attributes:
        service: Name of the service, such as `Flickr`.
        what: What was tried and what was seen.
    """

    def __init__(self, service: str, what: str) -> None:
        super().__init__(service, what)
        self.service = service
        self.what = what

    def __str__(self) -> str:
        return f"{self.service}: {self.what}"


class TransientTrouble(ServiceTrouble):
    """Trouble that may pass by itself: 429, 5xx, a reset, a timeout, a cut or unreadable answer.

    Attributes:
        status: The HTTP status, where there was an answer.
    """

    def __init__(self, service: str, what: str, status: int | None = None) -> None:
        super().__init__(service, what)
        self.args = (service, what, status)
        self.status = status


class TroubleRemains(ServiceTrouble):
    """Transient trouble that outlasted the patience: the cell fails, the next run takes it up."""


class SetupError(ServiceTrouble):
    """The set-up is wrong or the world has changed: the whole run stops.

    Attributes:
        remedy: What whoever runs the program can do about it.
    """

    def __init__(self, service: str, what: str, remedy: str = "") -> None:
        super().__init__(service, what)
        self.args = (service, what, remedy)
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.service}: {self.what}" + (f" {self.remedy}" if self.remedy else "")


class WrongUse(SetupError):  # noqa: N818
    """What was asked for is not there, or cannot be: the command has to be mended.

    A command line ends with another exit code for it than for what broke by itself.
    """


def is_transient(status: int) -> bool:
    """Says whether an HTTP status is worth another try.

    408, 425 and 429 are, and 5xx but for 501 and 505; any other 4xx will be the same next time.
    """
    return status in {408, 425, 429} or (500 <= status < 600 and status not in _NEVER_TRANSIENT)


def is_untrusted(error: BaseException) -> bool:
    """Says whether a connection failed at a certificate, which no other try will change."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)  # OpenSSL's name, kept by all that wrap it


def untrusted(service: str, what: str) -> SetupError:
    """Returns the error of a server that cannot show who it is."""
    return SetupError(
        service,
        f"{what}: the server's certificate is not one that this machine trusts; nothing was sent.",
        "Look at the address and at the clock. Behind a proxy that opens TLS, give its certificate"
        " by REQUESTS_CA_BUNDLE.",
    )


@contextmanager
def network_trouble(service: str, what: str) -> Iterator[None]:
    """Turns what `requests` raises on a broken connection into `TransientTrouble`.

    Raises:
        TransientTrouble: On a refused, reset or timed-out connection, or a body cut off.
        SetupError: If the certificate is not one that this machine trusts.
    """
    import requests  # noqa: PLC0415 - commands that ask no service start without it

    try:
        yield
    except (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    ) as error:
        if is_untrusted(error):
            raise untrusted(service, what) from error
        raise TransientTrouble(service, f"{what}: {type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class Patience:
    """How long transient trouble is borne.

    Attributes:
        budget_s: No try begins later than this many seconds after the first one, without the time
            that tries waited for their turn: a long queue is no trouble.
        first_wait_s: Upper end of the first random wait in seconds; it doubles with each try.
        longest_wait_s: Upper end of every random wait in seconds.
        answers: Counts how the tries end, and the waits; None if nobody wants to know.
    """

    budget_s: float
    first_wait_s: float
    longest_wait_s: float
    answers: Answers | None = field(default=None, compare=False, repr=False)


def retrying(
    patience: Patience,
    call: Callable[[], Answer],
    *,
    service: str,
    what: str,
    throttle: AbstractContextManager[object] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Calls, each try in its turn, until the answer is there or the time budget is spent.

    The waits are exponential with full jitter, 0 to min(longest, first · 2ⁿ), so that many callers
    do not come back together. Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture
    Blog, 2015.

    Args:
        patience: Time budget and waits.
        call: One try. It is repeated only on `TransientTrouble`.
        service: Name of the service, for the error.
        what: What is being asked for, for the error.
        throttle: Entered for each try; what it raises is not tried again. None if the tries need no
            turn.
        sleep: Waits the given seconds.
        clock: Seconds, growing.

    Raises:
        TroubleRemains: If the budget is spent; its cause is the last `TransientTrouble`.
    """
    from tenacity import (  # noqa: PLC0415 - as above
        Retrying,
        retry_if_exception_type,
        wait_random_exponential,
    )

    started, queued = clock(), 0.0

    def is_spent(state: RetryCallState) -> bool:
        return clock() - started - queued + state.upcoming_sleep >= patience.budget_s

    def give_up(state: RetryCallState) -> Answer:
        last = state.outcome.exception() if state.outcome else None
        seen = last.what if isinstance(last, ServiceTrouble) else str(last)
        tries = "1 try" if state.attempt_number == 1 else f"{state.attempt_number} tries"
        raise TroubleRemains(
            service,
            f"{what}: given up after {tries} in {clock() - started - queued:.0f} s; last: {seen}",
        ) from last

    def once() -> Answer:
        nonlocal queued
        asked = clock()
        with throttle or nullcontext():
            queued += clock() - asked
            with nullcontext() if patience.answers is None else patience.answers.trying(service):
                return call()

    def wait(seconds: float) -> None:
        if patience.answers is not None:
            patience.answers.wait(service, seconds)
        sleep(seconds)

    attempts = Retrying(
        retry=retry_if_exception_type(TransientTrouble),
        wait=wait_random_exponential(patience.first_wait_s, max=patience.longest_wait_s),
        stop=is_spent,
        sleep=wait,
        retry_error_callback=give_up,
    )
    return attempts(once)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replaces every secret in a text, also percent-encoded, or with the escapes of a literal."""
    forms = {
        form for secret in secrets
        for form in (secret, quote(secret, ""), quote_plus(secret), secret.replace("\n", "\\n"))
    }  # fmt: skip
    for form in sorted(forms - {""}, key=len, reverse=True):
        text = text.replace(form, "[secret]")
    return text


class Redaction(logging.Filter):
    """Removes secrets from log records, tracebacks included.

    Put it on the handlers, not on a logger: a logger's filters do not see what its children log.
    httpx logs whole URLs, and urllib3 paths, where a key may stand.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites the record; it is always kept."""
        record.msg = redact(record.getMessage(), self._secrets)
        record.args = ()
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        for part in ("exc_text", "stack_info"):
            if getattr(record, part):
                setattr(record, part, redact(getattr(record, part), self._secrets))
        return True
