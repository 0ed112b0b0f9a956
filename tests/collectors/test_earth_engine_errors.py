"""What errors of Earth Engine's client mean."""

from __future__ import annotations

from types import SimpleNamespace

import ee
import pytest
from google.auth.exceptions import RefreshError, TransportError

from collectors.earth_engine_errors import Trouble, classify, diagnose


@pytest.mark.parametrize(
    ("status", "message", "trouble"),
    [
        (429, "Too Many Requests: Request was rejected", Trouble.TRANSIENT),
        (429, "Quota exceeded: Too many concurrent aggregations.", Trouble.TRANSIENT),
        (500, "An internal error has occurred", Trouble.TRANSIENT),
        (400, "An internal error has occurred", Trouble.TRANSIENT),
        (503, "Ok", Trouble.TRANSIENT),
        (504, "Deadline exceeded: timed out", Trouble.TRANSIENT),
        (403, "Quota exceeded userRateLimitExceeded", Trouble.TRANSIENT),
        (400, "Computation timed out.", Trouble.TOO_BIG),
        (400, "User memory limit exceeded.", Trouble.TOO_BIG),
        (413, "Request payload size exceeds the limit: 10485760 bytes.", Trouble.TOO_BIG),
        (None, "Computation timed out.", Trouble.TOO_BIG),
        (404, "Asset 'x' not found.", Trouble.MISSING),
        (400, "Image asset 'x' not found (does not exist or no access).", Trouble.MISSING),
        (401, "Request had invalid authentication credentials.", Trouble.ACCESS),
        (403, "Caller does not have required permission to use project x.", Trouble.ACCESS),
        (400, "Image.select: Pattern 'B99' did not match any bands.", Trouble.REFUSED),
        (400, "Total request size (56623104 bytes) must be less than or equal to 50331648 bytes.",
         Trouble.REFUSED),
        (501, "Not implemented", Trouble.REFUSED),
        (None, "Invalid argument specified for ee.List()", Trouble.REFUSED),
    ],
)  # fmt: skip
def test_status_and_message_say_what_to_do(
    status: int | None, message: str, trouble: Trouble
) -> None:
    """Busy and broken: again; too much: less; not there, not allowed, wrong: not again."""
    assert classify(status, message) is trouble


def test_the_status_is_found_at_the_errors_context() -> None:
    """`EEException` has only a message; the answer hangs at what was raised before it."""
    before = ee.EEException("inner")
    before.resp = SimpleNamespace(status=503)
    before.content = b"<html>Service Unavailable</html>"
    error = ee.EEException("Ok")
    error.__context__ = before
    trouble, status, text = diagnose(error)
    assert (trouble, status) == (Trouble.TRANSIENT, 503)
    assert "503" in text


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (ConnectionError("reset by peer"), Trouble.TRANSIENT),
        (TimeoutError("read timed out"), Trouble.TRANSIENT),
        (TransportError("no route to the token's host"), Trouble.TRANSIENT),
        (RefreshError("internal failure", retryable=True), Trouble.TRANSIENT),
        (RefreshError("invalid_grant: Invalid JWT Signature.", {}), Trouble.ACCESS),
    ],
)
def test_errors_without_an_answer(error: BaseException, trouble: Trouble) -> None:
    """A broken connection may heal; a refused login does not."""
    assert diagnose(error)[0] is trouble
