"""Answers of a service, taken in one piece."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from requests import PreparedRequest, Response
    from urllib3 import BaseHTTPResponse

    class _Stream(Protocol):
        def __call__(self, size: int, /, decode_content: bool | None = None) -> Iterator[bytes]: ...


_PIECE: Final = 64 * 2**20
"""Bytes; Earth Engine's answers have at most 48 MiB of pixels (its guide, "Quotas")."""


class WholeBodies(HTTPAdapter):
    """Reads the body of an answer at once where `requests` takes it in pieces of 10 kB.

    For 5 MB of pixels the pieces take 7 ms, during which no other thread of the process runs
    Python. What is said of bodies that are cut off stays the same.
    """

    def build_response(self, req: PreparedRequest, resp: BaseHTTPResponse) -> Response:
        """Makes the answer; see `requests.adapters.HTTPAdapter.build_response`."""
        resp.stream = partial(_in_one_piece, resp.stream)  # type: ignore[method-assign]
        return super().build_response(req, resp)


def _in_one_piece(
    stream: _Stream, _size: int, /, decode_content: bool | None = None
) -> Iterator[bytes]:
    return stream(_PIECE, decode_content=decode_content)
