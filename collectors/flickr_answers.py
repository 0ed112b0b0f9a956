"""What Flickr answers, read once into records, and what its failures mean: pure, no network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from collectors.flickr_rows import SERVICE, UnreadableRow, read_row, text
from collectors.records import Photo
from collectors.transport import SetupError, TransientTrouble

if TYPE_CHECKING:
    from collections.abc import Mapping

EXCESSIVE_OFFSET: Final = 20
"""Code of "Excessive photo offset in search": there is nothing at this page or beyond."""

_TRANSIENT_CODES: Final = frozenset({0, 10, 105, 106, 201})
"""Codes of "currently unavailable" and "write operation failed"."""

_KEY_CODES: Final = frozenset({96, 97, 98, 99, 100})
"""Codes of an invalid or missing signature, an invalid token, missing permissions, and an invalid
or disabled API key."""


class FlickrRefusal(ValueError):  # noqa: N818
    """Flickr refuses the request itself: a mistake in this program, not in the set-up.

    Attributes:
        code: Flickr's error code, or the HTTP status.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code

    def __str__(self) -> str:
        return f"Flickr refused the request with code {self.code}: {self.args[1]}"


class ExcessiveOffset(FlickrRefusal):
    """The page lies beyond what Flickr serves of a search."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of a search.

    Attributes:
        photos: The photos in the box, in Flickr's order.
        unreadable: Rows that could not be read.
        ids: The ids of all rows, also of those that are in neither of the above because they lie
            on the far edge of the box.
        total: Results that Flickr announces for the whole search; rough, and not capped.
        pages: Pages that Flickr announces; not capped.
        page: The number of this page, from 1.
        per_page: Rows in a full page, as the service states it.
        exhausted: Whether there is nothing at this page or beyond.
    """

    photos: tuple[Photo, ...]
    unreadable: tuple[UnreadableRow, ...]
    ids: tuple[str, ...]
    total: int
    pages: int
    page: int
    per_page: int
    exhausted: bool


def read_answer(body: bytes) -> dict[str, Any]:
    """Reads the body of an answer with status 200.

    Failures come with status 200 as well: {"stat": "fail", "code": 100, "message": "Invalid API
    Key (Key has expired)"}.

    Raises:
        TransientTrouble: If it is not JSON (an HTML page, XML, a body cut off), or the service says
            that it is unavailable.
        SetupError: If Flickr does not accept the key.
        ExcessiveOffset: If the page lies beyond what Flickr serves.
        FlickrRefusal: For every other code.
    """
    try:
        answer = json.loads(body)
    except ValueError as error:
        start = body[:120].decode("utf-8", "replace")
        raise TransientTrouble(
            SERVICE, f"an answer that is not JSON, beginning {start!r}"
        ) from error
    if not isinstance(answer, dict):
        raise TransientTrouble(SERVICE, f"a JSON answer that is no object but {answer!r:.120}")
    if answer.get("stat") == "ok":
        return answer
    try:
        code = int(answer["code"])
    except (KeyError, TypeError, ValueError) as error:
        raise TransientTrouble(
            SERVICE, f"an answer that neither succeeds nor fails: {answer!r:.120}"
        ) from error
    raise trouble_of(code, str(answer.get("message", "")))


def trouble_of(code: int, message: str) -> Exception:
    """Returns the error that one of Flickr's failure codes stands for."""
    if code in _TRANSIENT_CODES:
        return TransientTrouble(SERVICE, f"code {code}: {message}")
    if code in _KEY_CODES:
        return refused_key(f"code {code}: {message}")
    if code == EXCESSIVE_OFFSET:
        return ExcessiveOffset(code, message)
    return FlickrRefusal(code, message)


def refused_key(seen: str) -> SetupError:
    """Returns the error of a key that Flickr does not accept."""
    return SetupError(
        SERVICE,
        f"the API key was refused with {seen}.",
        "Look at the key and its secret. 'Key has expired' means that Flickr disabled the key for "
        "asking too much: stop everything that uses it and write to Flickr.",
    )


# {"photos": {"page": 1, "pages": "2", "perpage": 250, "total": "310", "photo": [ROW, …]},
#  "stat": "ok"}
#
# No result is {"page": 1, "pages": 0, "perpage": 250, "total": "0", "photo": []}.
def parse_page(answer: Mapping[str, Any]) -> SearchPage:
    """Reads the answer to `flickr.photos.search`.

    Raises:
        TransientTrouble: If it does not have the shape of a page.
        SetupError: If a photo has a licence that is not known.
    """
    try:
        page = answer["photos"]
        rows = page["photo"]
        total, pages, number, per_page = (
            int(page[name]) for name in ("total", "pages", "page", "perpage")
        )
        read = [read_row(row) for row in rows]
        ids = tuple(str(row["id"]) for row in rows if "id" in row)
    except (KeyError, TypeError, ValueError) as error:
        raise TransientTrouble(
            SERVICE, f"an answer that is no page of photos ({error!r}): {answer!r:.120}"
        ) from error
    return SearchPage(
        photos=tuple(row for row in read if isinstance(row, Photo)),
        unreadable=tuple(row for row in read if isinstance(row, UnreadableRow)),
        ids=ids,
        total=total,
        pages=pages,
        page=number,
        per_page=per_page,
        exhausted=not rows,
    )


# {"licenses": {"license": [{"id": "4", "name": "CC BY 2.0", "url": "https://creative…"}, …]}}
def parse_licences(answer: Mapping[str, Any]) -> dict[int, str]:
    """Reads the answer to `flickr.photos.licenses.getInfo`: licence id → its address.

    Raises:
        TransientTrouble: If the answer does not have that shape.
    """
    try:
        entries = answer["licenses"]["license"]
        return {int(entry["id"]): text(entry["url"]) for entry in entries}
    except (KeyError, TypeError, ValueError) as error:
        raise TransientTrouble(
            SERVICE, f"an answer that is no list of licences ({error!r}): {answer!r:.120}"
        ) from error
