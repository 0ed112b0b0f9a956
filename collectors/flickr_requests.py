"""What Flickr is asked: its limits, and the arguments of a search. Pure, no network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from collectors.flickr_rows import SIZE_SUFFIXES

if TYPE_CHECKING:
    from datetime import date, datetime

    from collectors.geo import Box

GEO_PAGE: Final = 250
"""Results in a page of a search with a box (`flickr.photos.search`, parameter `bbox`)."""

RESULT_CAP: Final = 4000
"""Results that Flickr serves of one search at most (`flickr.photos.search`, note on top)."""

PAGE_CAP: Final = RESULT_CAP // GEO_PAGE
"""Pages worth asking for; beyond them come repeats of the last page, or code 20."""

SPLIT_ABOVE: Final = 3000
"""Announced results above which a search is better split: the totals are rough, and near the cap
repeats outweigh news (Openverse stops at the same number)."""

EXTRAS: Final = ",".join(
    (
        "geo", "date_taken", "date_upload", "license", "owner_name", "path_alias", "tags", "media",
        "content_type", *(f"url_{suffix}" for suffix in SIZE_SUFFIXES),
    )
)  # fmt: skip

_PLACES: Final = 6
"""Decimals of a degree in Flickr's coordinates."""


@dataclass(frozen=True, slots=True)
class PhotoSearch:
    """What is searched for: photos taken in a box and a window of time.

    Attributes:
        box: Degrees, half-open.
        taken_from: First day of capture, by the owner's local clock.
        taken_until: The day after the last.
        uploaded_until: The first moment of upload that is too late, aware.
        licences: Flickr's ids of the licences that are wanted, at least one.
        uploaded_from: Earliest upload, aware; None for no limit.
    """

    box: Box
    taken_from: date
    taken_until: date
    uploaded_until: datetime
    licences: tuple[int, ...]
    uploaded_from: datetime | None = None

    def arguments(self) -> dict[str, str]:
        """Writes the search, without its page, in Flickr's words.

        Half-open windows become closed ones, of whole days and seconds. The filters `accuracy`
        (whether it means "at least" or "exactly" is not documented) and `geo_context` (practically
        never set) are not sent: rules look at the returned values.

        Raises:
            ValueError: If it asks for nothing.
        """
        last_day = self.taken_until - timedelta(days=1)
        last_upload = math.ceil(self.uploaded_until.timestamp()) - 1
        since = self.uploaded_from
        first_upload = None if since is None else math.ceil(since.timestamp())
        if not self.licences:
            raise ValueError("a search without licences would ask for every licence there is")
        if last_day < self.taken_from or (first_upload is not None and last_upload < first_upload):
            raise ValueError(f"nothing lies in {self.taken_from} to {self.taken_until}, uploaded "
                             f"{since} to {self.uploaded_until}")  # fmt: skip
        arguments = {
            "bbox": _bbox(self.box),
            "has_geo": "1",
            "min_taken_date": f"{self.taken_from} 00:00:00",
            "max_taken_date": f"{last_day} 23:59:59",
            "max_upload_date": str(last_upload),
            "license": ",".join(str(licence) for licence in sorted(self.licences)),
            "media": "photos",
            "content_types": "0",
            "sort": "date-posted-desc",
            "extras": EXTRAS,
            "per_page": str(GEO_PAGE),
        }
        return arguments | ({} if first_upload is None else {"min_upload_date": str(first_upload)})


def _bbox(box: Box) -> str:
    """Writes a box outwards to Flickr's decimals, so that nothing in it is missed."""
    step = 10**_PLACES
    low = (math.floor(edge * step) / step for edge in (box.west, box.south))
    high = (math.ceil(edge * step) / step for edge in (box.east, box.north))
    return ",".join(f"{edge:.{_PLACES}f}" for edge in (*low, *high))
