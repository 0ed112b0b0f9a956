"""Rows of what Flickr answers, each read once into a photo: pure, no network.

The service changes the JSON type of a field from call to call and from year to year ("16" and 16,
"57.1" and 57.1, both in one row), so that every field is brought to its type here.
"""

# ruff: noqa: ERA001 (the shapes of the wire stand in comments above their parsers)

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from collectors.geo import wrap_longitude
from collectors.licences import UnknownLicence, licence_by_id
from collectors.records import Media, Photo, PhotoSize
from collectors.transport import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE: Final = "Flickr"

SIZE_SUFFIXES: Final = ("l", "c", "z", "m")
"""Sizes asked for, by their names in `extras`: 1024, 800, 640 and 500 px on the longer side. Larger
ones have secrets of their own, and are not to be had of free accounts since 2025-05-15."""

_GRANULARITIES: Final = frozenset({0, 4, 6, 8})
"""`datetakengranularity`: exact, month, year, circa (flickr.com/services/api/misc.dates.html)."""

_MOST_ACCURATE: Final = 16
"""Flickr's accuracy of street level (`flickr.photos.search`)."""

_PHOTOGRAPH: Final = 0
"""`content_type` of a photograph in a search row; 1 screenshots, 2 other, 3 virtual."""

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of a search that is not a photo with id, owner, place, times and licence.

    Attributes:
        photo_id: Its id, empty if it has none.
        detail: The field, and what it holds.
    """

    photo_id: str
    detail: str


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
    owner = text(row["owner"]).strip()
    if not owner:
        raise ValueError("owner ''")
    licence = int(row["license"])
    licence_by_id(licence)
    uploaded_at = datetime.fromtimestamp(int(row["dateupload"]), tz=UTC)
    taken_at, taken_known = _taken(row, uploaded_at)
    return Photo(
        photo_id=photo_id,
        owner=owner,
        owner_name=text(row.get("ownername")),
        path_alias=text(row.get("pathalias")),
        lon=wrap_longitude(_number(row, "longitude", 180)),
        lat=_number(row, "latitude", 90),
        accuracy=_level(row),
        geo_is_public=int(row.get("geo_is_public", 0)) == 1,
        taken_at=taken_at,
        taken_known=taken_known,
        taken_granularity=_granularity(row),
        uploaded_at=uploaded_at,
        licence=licence,
        title=text(row.get("title")),
        tags=text(row.get("tags")),
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


def text(value: object) -> str:
    """Returns a text that can be written as UTF-8; null and a missing field are empty."""
    return "" if value is None else _LONE_SURROGATE.sub("\ufffd", str(value))
