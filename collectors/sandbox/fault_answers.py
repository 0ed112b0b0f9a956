"""What each service answers when something goes wrong, in its own words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.sandbox.faults import FaultKind
from collectors.sandbox.flickr_bodies import Format, write_failure

if TYPE_CHECKING:
    from collectors.sandbox.faults import Fault

TOO_MANY_HTML: Final = (
    b"<html><body><h1>429 Too Many Requests</h1>\n"
    b"You have sent too many requests in a given amount of time.\n</body></html>\n"
)
"""429 of Flickr's API and of its photo host: 117 bytes, as reported of both."""

CURRENTLY_UNAVAILABLE: Final = "Sorry, the Flickr API service is not currently available."
WRONG_BODY: Final = f'{{"stat":"fail","message":"{CURRENTLY_UNAVAILABLE}","code":201}},'.encode()
"""Code 201 as it was recorded: JSON with a comma behind it, where XML was asked for."""

FAILURES: Final = {
    0: CURRENTLY_UNAVAILABLE,
    10: "Sorry, the Flickr search API is not currently available.",
    20: "Excessive photo offset in search",
    98: "Invalid auth token",
    99: "Insufficient permissions. Method requires read privileges; none granted.",
    100: "Invalid API Key (Key has expired)",
    105: "Service currently unavailable",
    106: "Write operation failed",
    201: CURRENTLY_UNAVAILABLE,
}
"""Texts of Flickr's failure codes that no argument brings about."""

_UNAVAILABLE_HTML: Final = (
    b"<html><head><title>503 Service Temporarily Unavailable</title></head>\n"
    b"<body><center><h1>503 Service Temporarily Unavailable</h1></center></body></html>\n"
)
_HTML: Final = (
    b"<!DOCTYPE html>\n<html><head><title>We will be back soon</title></head>\n"
    b"<body><p>We are doing some maintenance.</p></body></html>\n"
)
_TOO_MANY: Final = (
    "Too Many Requests: Request was rejected because the request rate or concurrency limit was "
    "exceeded."
)
_INTERNAL: Final = (
    "An internal error has occurred (request ID 00000000-0000-0000-0000-000000000000)."
)
_UNAUTHENTICATED: Final = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie "
    "or other valid authentication credential."
)
_STATUS: Final = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL",
                  501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: HTTP status, content type and body."""

    status: int
    content_type: str
    body: bytes


def make_answer(fault: Fault, kind: str, form: Format) -> Answer | None:
    """Makes the answer that stands in place of the real one.

    Args:
        fault: what goes wrong.
        kind: the kind of the request.
        form: the format that a call of Flickr asked for.

    Returns:
        The answer; None where the fault is not a matter of another answer.
    """
    service = kind.partition(".")[0]
    match fault.fault:
        case FaultKind.TOO_MANY_REQUESTS:
            if service == "ee":
                return _google(kind, 429, _TOO_MANY, "rate_limit_exceeded")
            return Answer(429, "text/html", TOO_MANY_HTML)
        case FaultKind.SERVER_ERROR:
            if service == "ee":
                return _google(kind, fault.status, _INTERNAL, "internal_failure")
            page = f"<html><body><h1>{fault.status} Server Error</h1>\n</body></html>\n"
            return Answer(fault.status, "text/html", page.encode())
        case FaultKind.UNAVAILABLE:
            return Answer(503, "text/html; charset=utf-8", _UNAVAILABLE_HTML)
        case FaultKind.HTML:
            return Answer(200, "text/html; charset=utf-8", _HTML)
        case FaultKind.TOKEN_REFUSED:
            return _google(kind, 401, _UNAUTHENTICATED, "invalid_client")
        case FaultKind.KEY_EXPIRED:
            return _failure(100, form)
        case FaultKind.FAILURE:
            return _failure(fault.code, form)
        case FaultKind.WRONG_BODY:
            return Answer(200, "text/xml; charset=utf-8", WRONG_BODY)
        case _:
            return None


def _google(kind: str, status: int, message: str, oauth: str) -> Answer:
    """An error of Earth Engine, or of the token service, whose errors have another form."""
    content: dict[str, object]
    if kind == "ee.token":
        content = {"error": oauth, "error_description": message}
    else:
        content = {"error": {"code": status, "message": message,
                             "status": _STATUS.get(status, "UNKNOWN")}}  # fmt: skip
    return Answer(status, "application/json", json.dumps(content).encode())


def _failure(code: int, form: Format) -> Answer:
    body, content_type = write_failure(code, FAILURES.get(code, f"Failure {code}"), form)
    return Answer(200, content_type, body)
