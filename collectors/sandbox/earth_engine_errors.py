"""Errors as the Earth Engine service words them."""

from __future__ import annotations

from typing import Final

_STATUS: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
}


class EarthEngineError(Exception):
    """A request that is answered with an error.

    Attributes:
        code: HTTP status.
        message: Text for the caller.
    """

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def body(self) -> dict[str, object]:
        """Return the JSON body of the answer."""
        return {"error": {"code": self.code, "message": self.message, "status": _STATUS[self.code]}}


def not_implemented(what: str) -> EarthEngineError:
    """Return the error for something that the real service can do and the sandbox cannot."""
    return EarthEngineError(f"The sandbox does not implement {what}.", 501)
