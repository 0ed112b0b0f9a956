"""What an error from Earth Engine's client means.

The client's `EEException` carries a message alone; the HTTP status is at its context. Broken
connections come as the built-in `ConnectionError` and `TimeoutError`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

import ee
from google.auth.exceptions import GoogleAuthError, TransportError
from googleapiclient.errors import Error as ClientError  # type: ignore[import-untyped]

from collectors.transport import is_transient

CLIENT_ERRORS: Final = (ee.EEException, ClientError, GoogleAuthError, OSError)
"""All that a call through the client raises when something outside is wrong.

`OSError` is the base of `ConnectionError`, of `TimeoutError` and of what `requests` raises.
"""

_TRANSIENT_WORDS: Final = ("too many concurrent", "internal error", "ratelimitexceeded")
_TOO_BIG_WORDS: Final = ("timed out", "memory limit", "payload size exceeds", "too large")
_MISSING_WORDS: Final = ("not found", "does not exist")
"""Parts of Earth Engine's messages, in small letters. Source: its debugging guide, "Errors"."""


class Trouble(Enum):
    """What can be done about an error."""

    TRANSIENT = auto()
    """Try again."""

    TOO_BIG = auto()
    """Ask for less at once."""

    MISSING = auto()
    """What was named is not there."""

    ACCESS = auto()
    """The login or the project does not allow it."""

    REFUSED = auto()
    """Something else that will be the same next time."""


def classify(status: int | None, message: str) -> Trouble:
    """Says what an answer other than success means.

    Args:
        status: HTTP status; None where the client gave up by itself.
        message: Earth Engine's message, with the reason codes if there are any.
    """
    text = message.lower()
    if any(word in text for word in _TRANSIENT_WORDS):
        return Trouble.TRANSIENT
    if status is None or 400 <= status < 500:
        if status != 429 and any(word in text for word in _TOO_BIG_WORDS):
            return Trouble.TOO_BIG
        if status == 404 or (status == 400 and any(word in text for word in _MISSING_WORDS)):
            return Trouble.MISSING
    if status is not None and is_transient(status):
        return Trouble.TRANSIENT
    return Trouble.ACCESS if status in {401, 403} else Trouble.REFUSED


def diagnose(error: BaseException) -> tuple[Trouble, int | None, str]:
    """Returns what an error of the client means, the HTTP status if there is one, and its text."""
    if isinstance(error, GoogleAuthError):
        # The token could not be fetched; only some answers are worth another try.
        again = isinstance(error, TransportError) or getattr(error, "retryable", False)
        kind = Trouble.TRANSIENT if again else Trouble.ACCESS
        return kind, None, str(error.args[0] if error.args else error)
    if isinstance(error, OSError):
        return Trouble.TRANSIENT, None, f"{type(error).__name__}: {error}"
    for one in (error, error.__context__):
        response = getattr(one, "resp", None)
        if response is not None:
            status = int(response.status)
            body = getattr(one, "content", b"")
            reason = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
            return classify(status, f"{error} {reason[:2000]}"), status, f"HTTP {status}: {error}"
    if isinstance(error, ClientError):
        # Not an answer of the service at all, such as a page of HTML where JSON should be.
        return Trouble.TRANSIENT, None, f"{type(error).__name__}: {error}"
    return classify(None, str(error)), None, str(error)
