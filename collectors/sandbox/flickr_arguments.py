"""The arguments of `flickr.photos.search`, parsed as the service parses them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from collectors.sandbox.people import Order, PhotoQuery, Span

if TYPE_CHECKING:
    from collections.abc import Mapping

# "Geo (or bounding box) queries will only return 250 results per page" (the method's own page).
MOST_PER_PAGE: Final = 250
_DEFAULT_PER_PAGE: Final = 100
# Without a limiting argument a geo query finds only what was uploaded in the last 12 hours.
_RECENT_SECONDS: Final = 12 * 3600
_LIMITING: Final = (
    "min_taken_date",
    "max_taken_date",
    "min_upload_date",
    "max_upload_date",
    "user_id",
)
_KNOWN: Final = frozenset(
    {
        "method", "format", "nojsoncallback", "jsoncallback", "api_key", "bbox", "accuracy",
        "has_geo", "geo_context", "license", "media", "content_type", "content_types",
        "safe_search", "sort", "extras", "per_page", "page", *_LIMITING,
    }
)  # fmt: skip
# The older numbering of `content_type`, as sets of the newer one.
_CONTENT_TYPE: Final = {
    "1": {0},
    "2": {1},
    "3": {2},
    "4": {0, 1},
    "5": {1, 2},
    "6": {0, 2},
    "7": {0, 1, 2, 3},
}
_MEDIA: Final = {"all": (True, True), "photos": (True, False), "videos": (False, True)}
_CLOCK: Final = re.compile(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2})?")
_NSID: Final = re.compile(r"[0-9a-f]+@N\d\d")
_UNIX: Final = re.compile(r"-?\d{1,12}")

Meaning = TypeVar("Meaning")


class RefusalError(Exception):
    """The service's own answer to a call that it does not carry out.

    Args:
        code: the service's error code.
        message: the service's text.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Search:
    """A parsed search.

    Attributes:
        query: what to look for; None when nothing can match.
        page: 1-based, as asked.
        per_page: 1..250.
        extras: the extra fields wanted.
    """

    query: PhotoQuery | None
    page: int
    per_page: int
    extras: frozenset[str]


def parse_search(arguments: Mapping[str, str], now: int) -> Search:
    """Parses a search.

    Args:
        arguments: the call's arguments as they came.
        now: Unix time that counts as the present.

    Returns:
        The search.

    Raises:
        RefusalError: code 3 without a box, 4 for a box that is none (not four numbers, out of
            range, west beyond east), 2 for an owner that is none, 18 for values the service could
            make no sense of, for a range that ends before it begins, and for arguments that the
            sandbox does not know, so that nothing is ignored silently.
    """
    unknown = sorted(
        name for name in arguments if name not in _KNOWN and not name.startswith("oauth_")
    )
    if unknown:
        raise _illogical(f"the sandbox does not know {', '.join(unknown)}")
    if not arguments.get("bbox"):
        raise RefusalError(3, "Parameterless searches have been disabled")
    west, south, east, north = _parse_box(arguments["bbox"])
    uploaded = _parse_span(arguments, "upload")
    if not any(arguments.get(name) for name in _LIMITING):
        uploaded = Span(now - _RECENT_SECONDS, None)
    photos, videos = _parse_choice(arguments, "media", _MEDIA, "all")
    query = PhotoQuery(
        west=west,
        south=south,
        east=east,
        north=north,
        taken=_parse_span(arguments, "taken"),
        uploaded=uploaded,
        licences=_parse_numbers(arguments, "license", 16),
        least_accuracy=_parse_accuracy(arguments),
        photos=photos,
        videos=videos,
        contents=_parse_contents(arguments),
        owner=_parse_owner(arguments),
        order=_parse_choice(
            arguments, "sort", {order.value: order for order in Order}, "date-posted-desc"
        ),
    )
    # No recorded photo has another context than 0 ("not defined").
    nothing = arguments.get("has_geo") == "0" or arguments.get("geo_context", "0") in {"1", "2"}
    return Search(
        query=None if nothing else query,
        page=max(1, _parse_count(arguments, "page", 1)),
        per_page=min(MOST_PER_PAGE, _parse_count(arguments, "per_page", _DEFAULT_PER_PAGE) or 1),
        extras=frozenset(name for name in arguments.get("extras", "").split(",") if name),
    )


def _illogical(reason: str) -> RefusalError:
    return RefusalError(18, f"Illogical arguments ({reason})")


def _parse_box(text: str) -> tuple[float, float, float, float]:
    refusal = RefusalError(4, "Not a valid bounding box")
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise refusal from None
    if not all(math.isfinite(edge) for edge in (west, south, east, north)):
        raise refusal
    if not (-180.0 <= west <= east <= 180.0 and -90.0 <= south <= north <= 90.0):
        raise refusal
    return west, south, east, north


def _parse_span(arguments: Mapping[str, str], kind: str) -> Span:
    first, last = (_parse_moment(arguments, f"{end}_{kind}_date") for end in ("min", "max"))
    if first is not None and last is not None and first > last:
        raise _illogical(f"min_{kind}_date is later than max_{kind}_date")
    return Span(first, last)


def _parse_moment(arguments: Mapping[str, str], name: str) -> int | None:
    text = arguments.get(name, "")
    if not text:
        return None
    if _UNIX.fullmatch(text):
        return int(text)
    if not _CLOCK.fullmatch(text):
        raise _illogical(f"{name}={text}")
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise _illogical(f"{name}={text}") from None


def _parse_choice(
    arguments: Mapping[str, str], name: str, meanings: Mapping[str, Meaning], default: str
) -> Meaning:
    value = arguments.get(name) or default
    if value not in meanings:
        raise _illogical(f"{name}={value}")
    return meanings[value]


def _parse_numbers(arguments: Mapping[str, str], name: str, most: int) -> frozenset[int] | None:
    text = arguments.get(name, "")
    if not text:
        return None
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and int(part) <= most for part in parts):
        raise _illogical(f"{name}={text}")
    return frozenset(int(part) for part in parts)


def _parse_contents(arguments: Mapping[str, str]) -> frozenset[int] | None:
    if arguments.get("content_types"):
        return _parse_numbers(arguments, "content_types", 3)
    if arguments.get("content_type"):
        return frozenset(_parse_choice(arguments, "content_type", _CONTENT_TYPE, "7"))
    return None


def _parse_accuracy(arguments: Mapping[str, str]) -> int | None:
    """Parses the accuracy as a lower limit; whether it is one or an exact value is not known."""
    text = arguments.get("accuracy", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 16):
        raise _illogical(f"accuracy={text}")
    return int(text)


def _parse_owner(arguments: Mapping[str, str]) -> str | None:
    """Parses the one owner wanted; a name instead of an id is an unknown user, as on the service.

    Raises:
        RefusalError: code 2.
    """
    owner = arguments.get("user_id") or None
    if owner is not None and not _NSID.fullmatch(owner):
        raise RefusalError(2, "Unknown user")
    return owner


def _parse_count(arguments: Mapping[str, str], name: str, default: int) -> int:
    text = arguments.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default
