"""Bodies that are read at once, over a socket: the same bytes, and the same errors."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
import requests

from collectors.whole_bodies import WholeBodies
from tests.collectors.loopback import Answer, Loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = bytes(range(256)) * 2**12


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session of the kind that Earth Engine's client is given."""
    with requests.Session() as made:
        made.mount("http://", WholeBodies())
        yield made


def test_a_body_comes_in_one_piece(session: requests.Session) -> None:
    """A megabyte is one piece, where pieces of 10 kB were asked for."""
    with (
        Loopback(Answer(200, BODY), Answer(200, BODY)) as server,
        session.get(server.url, stream=True, timeout=10) as response,
    ):
        assert list(response.iter_content(10_240)) == [BODY]
        assert session.get(server.url, timeout=10).content == BODY


def test_a_compressed_body_is_unpacked(session: requests.Session) -> None:
    """As the service sends its lists of functions."""
    packed = Answer(200, gzip.compress(BODY), {"Content-Encoding": "gzip"})
    with Loopback(packed) as server:
        assert session.get(server.url, timeout=10).content == BODY


@pytest.mark.parametrize("sent", [0, 1, len(BODY) - 1])
def test_a_body_that_is_cut_off_is_an_error(session: requests.Session, sent: int) -> None:
    """What `requests` raises on a short body, which is tried again, and never half an answer."""
    with (
        Loopback(Answer(200, BODY, sent=sent)) as server,
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        session.get(server.url, timeout=10)
