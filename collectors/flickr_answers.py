"""What Flickr answers, read once into records: pure, no network.

The service changes the JSON type of a field from call to call and from year to year ("16" and 16,
"57.1" and 57.1, both in one row), so that every field is brought to its type here.
"""

# ruff: noqa: ERA001 (the shapes of the wire stand in comments above their parsers)

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from collectors.geo import wrap_longitude
from collectors.licences import UnknownLicence, licence_by_id
from collectors.records import Media, Photo, PhotoSize
from collectors.transport import SetupError, TransientTrouble

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE: Final = "Flickr"

SIZE_SUFFIXES: Final = ("l", "c", "z", "m")
"""Sizes asked for, by their names in `extras`: 1024, 800, 640 and 500 px on the longer side. Larger
ones have secrets of their own, and are not to be had of free accounts since 2025-05-15."""

EXCESSIVE_OFFSET: Final = 20
"""Code of "Excessive photo offset in search": there is nothing at this page or beyond."""

_TRANSIENT_CODES: Final = frozenset({0, 10, 105, 106, 201})
"""Codes of "currently unavailable" and "write operation failed"."""

_KEY_CODES: Final = frozenset({96, 97, 98, 99, 100})
"""Codes of an invalid or missing signature, an invalid token, missing permissions, and an invalid
or disabled API key."""

_GRANULARITIES: Final = frozenset({0, 4, 6, 8})
"""`datetakengranularity`: exact, month, year, circa (flickr.com/services/api/misc.dates.html)."""

_MOST_ACCURATE: Final = 16
"""Flickr's accuracy of street level (`flickr.photos.search`)."""

_PHOTOGRAPH: Final = 0
"""`content_type` of a photograph in a search row; 1 screenshots, 2 other, 3 virtual."""

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


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
class UnreadableRow:
    """A row of a search that is not a photo with id, owner, place, times and licence.

    Attributes:
        photo_id: Its id, empty if it has none.
        detail: The field, and what it holds.
    """

    photo_id: str
    detail: str


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


def read_row(row: Mapping[str, Any]) -> Photo | UnreadableRow:
    """Reads a row of a search; one that cannot be read is a value, too.

    Raises:
        SetupError: If it has a licence that is not known.
    """
    try:
        return parse_photo(row)
    except UnknownLicence as error:
        raise SetupError(
            SERVICE, f"photo {row.get('id')}: {error}.", "Flickr has changed its licences."
        ) from error
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        if not isinstance(row, dict):
            raise
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        return UnreadableRow(str(row.get("id", "")), reason)


# {"id": "49514337848", "owner": "7478087@N06", "ownername": "…", "pathalias": null, "title": "…",
#  "tags": "…", "media": "photo", "content_type": "0", "license": "1", "dateupload": "1581319011",
#  "datetaken": "2011-11-05 15:54:37", "datetakengranularity": "0", "datetakenunknown": "0",
#  "latitude": "57.133333", "longitude": -2.483333, "accuracy": "16", "context": 0,
#  "geo_is_public": 1, "url_l": "https://live.staticflickr.com/65535/49514337848_bbdbb5f761_b.jpg",
#  "height_l": 1024, "width_l": "660", …}
#
# A photo without a location has latitude, longitude and accuracy 0 and no geo_is_public.
# datetakengranularity is 0 when datetakenunknown is "1". url_* is missing where there is no such
# size, and so is url_l of small originals.
def parse_photo(row: Mapping[str, Any]) -> Photo:
    """Reads a row of a search.

    Raises:
        KeyError: If a field that a photo cannot do without is missing.
        ValueError: If one makes no sense.
        UnknownLicence: If its licence id is not in the table (a ValueError as well).
    """
    photo_id = str(row["id"])
    if not re.fullmatch(r"[0-9]{1,20}", photo_id):  # 11 today; names of files are made of it
        raise ValueError(f"id {photo_id!r:.100}")
    owner = _text(row["owner"]).strip()
    if not owner:
        raise ValueError("owner ''")
    licence = int(row["license"])
    licence_by_id(licence)
    uploaded_at = datetime.fromtimestamp(int(row["dateupload"]), tz=UTC)
    taken_at, taken_known = _taken(row, uploaded_at)
    return Photo(
        photo_id=photo_id,
        owner=owner,
        owner_name=_text(row.get("ownername")),
        path_alias=_text(row.get("pathalias")),
        lon=wrap_longitude(_number(row, "longitude", 180)),
        lat=_number(row, "latitude", 90),
        accuracy=_level(row),
        geo_is_public=int(row.get("geo_is_public", 0)) == 1,
        taken_at=taken_at,
        taken_known=taken_known,
        taken_granularity=_granularity(row),
        uploaded_at=uploaded_at,
        licence=licence,
        title=_text(row.get("title")),
        tags=_text(row.get("tags")),
        media=Media(row["media"]),
        is_photograph=int(row.get("content_type", _PHOTOGRAPH)) == _PHOTOGRAPH,
        sizes=_sizes(row),
    )


def _taken(row: Mapping[str, Any], uploaded_at: datetime) -> tuple[datetime, bool]:
    """Returns the local time of capture, and whether it is known; if not, the time of upload."""
    known = int(row["datetakenunknown"]) == 0
    try:
        taken_at = datetime.strptime(str(row["datetaken"]), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    except ValueError:  # 0000-00-00 00:00:00, and months and days of 0 in a coarse date
        return uploaded_at.replace(tzinfo=None), False
    return taken_at, known


def _granularity(row: Mapping[str, Any]) -> int:
    granularity = int(row["datetakengranularity"])
    if granularity not in _GRANULARITIES:
        raise ValueError(f"datetakengranularity {granularity}")
    return granularity


def _level(row: Mapping[str, Any]) -> int:
    accuracy = int(row["accuracy"])
    if not 0 <= accuracy <= _MOST_ACCURATE:
        raise ValueError(f"accuracy {accuracy}")
    return accuracy


def _number(row: Mapping[str, Any], name: str, limit: float) -> float:
    """Returns a coordinate in degrees, −limit to limit."""
    number = float(row[name])
    if not math.isfinite(number) or abs(number) > limit:
        raise ValueError(f"{name} {row[name]!r}")
    return number


def _sizes(row: Mapping[str, Any]) -> tuple[PhotoSize, ...]:
    """Returns the sizes that a row announces whole, largest first."""
    sizes = []
    for suffix in SIZE_SUFFIXES:
        url, *edges = (row.get(f"{part}_{suffix}") for part in ("url", "width", "height"))
        if not url or not all(edges):
            continue
        width, height = (int(edge) for edge in edges if edge)
        if width > 0 and height > 0:
            sizes.append(PhotoSize(suffix, str(url), width, height))
    return tuple(sorted(sizes, key=lambda size: size.width * size.height, reverse=True))


def _text(value: object) -> str:
    """Returns a text that can be written as UTF-8; null and a missing field are empty."""
    return "" if value is None else _LONE_SURROGATE.sub("\ufffd", str(value))


# {"licenses": {"license": [{"id": "4", "name": "CC BY 2.0", "url": "https://creative…"}, …]}}
def parse_licences(answer: Mapping[str, Any]) -> dict[int, str]:
    """Reads the answer to `flickr.photos.licenses.getInfo`: licence id → its address.

    Raises:
        TransientTrouble: If the answer does not have that shape.
    """
    try:
        entries = answer["licenses"]["license"]
        return {int(entry["id"]): _text(entry["url"]) for entry in entries}
    except (KeyError, TypeError, ValueError) as error:
        raise TransientTrouble(
            SERVICE, f"an answer that is no list of licences ({error!r}): {answer!r:.120}"
        ) from error
