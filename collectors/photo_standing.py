"""What Flickr says of photos that were found before: still there, private, or under which licence.

There is no method for many ids at once. So the photos of one owner in one box are asked for by one
search; what it does not list, and single photos, are asked for one by one. That a search does not
list a photo proves nothing: its index lags behind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from collectors.flickr_answers import FlickrRefusal
from collectors.flickr_requests import GEO_PAGE, PAGE_CAP
from collectors.flickr_rows import SERVICE
from collectors.licences import UnknownLicence, licence_by_id
from collectors.transport import SetupError, TransientTrouble

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from collectors.flickr import Flickr
    from collectors.geo import Box

_NOT_FOUND: Final = 1
"""Code of "Photo not found" (`flickr.photos.getInfo`)."""

_PRIVATE: Final = 2
"""Code of "Photo is private" (recorded of `flickr.photos.getInfo`; its page does not say it)."""

_NO_SUCH_OWNER: Final = frozenset({2, 5})
"""Codes of "Unknown user" and "User deleted" (`flickr.photos.search` with `user_id`)."""


class Standing(StrEnum):
    """Whether everyone may see a photo."""

    PUBLIC = "public"
    GONE = "gone"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class PhotoStanding:
    """What became of a photo.

    Attributes:
        standing: Whether everyone may see it.
        licence: Flickr's id of its licence; None if it is not public.
    """

    standing: Standing
    licence: int | None = None


def ask_photo(flickr: Flickr, photo_id: str) -> PhotoStanding:
    """Asks what became of one photo: one call.

    Raises:
        FlickrRefusal, TroubleRemains, SetupError: As `Flickr.ask` does.
    """
    try:
        return flickr.ask("flickr.photos.getInfo", {"photo_id": photo_id}, parse_info)
    except FlickrRefusal as refusal:
        if refusal.code == _NOT_FOUND:
            return PhotoStanding(Standing.GONE)
        if refusal.code == _PRIVATE:
            return PhotoStanding(Standing.PRIVATE)
        raise


def ask_owner(
    flickr: Flickr,
    owner: str,
    box: Box,
    wanted: Collection[str],
    uploaded: tuple[datetime, datetime],
) -> dict[str, PhotoStanding]:
    """Asks for the photos of one owner in a box, page by page as long as that saves calls.

    Args:
        flickr: The client.
        owner: Flickr's id of the owner.
        box: Where the photos are, degrees.
        wanted: Ids of the photos that are asked about.
        uploaded: Upload of the first and of the last of them, aware.

    Returns:
        Those that are public; of the others nothing is known.

    Raises:
        FlickrRefusal, TroubleRemains, SetupError: As `Flickr.ask` does.
    """
    arguments = {
        "user_id": owner,
        "bbox": ",".join(f"{edge:.6f}" for edge in _around(box)),
        "min_upload_date": str(math.floor(uploaded[0].timestamp())),
        "max_upload_date": str(math.ceil(uploaded[1].timestamp())),
        "extras": "license",
        "per_page": str(GEO_PAGE),
    }
    found: dict[str, PhotoStanding] = {}
    for page in range(1, PAGE_CAP + 1):
        try:
            listed, pages = flickr.ask(
                "flickr.photos.search", arguments | {"page": str(page)}, parse_listed
            )
        except FlickrRefusal as refusal:
            if refusal.code in _NO_SUCH_OWNER:
                return {}
            raise
        found |= {name: one for name, one in listed.items() if name in wanted}
        if page >= pages or len(wanted) - len(found) < 2:
            break
    return found


def _around(box: Box) -> tuple[float, float, float, float]:
    """Returns a box as Flickr takes it, outwards to six decimals."""
    step = 1e6
    return (
        math.floor(box.west * step) / step, math.floor(box.south * step) / step,
        math.ceil(box.east * step) / step, math.ceil(box.north * step) / step,
    )  # fmt: skip


# {"photo": {"id": "49514337848", "license": "4", "visibility": {"ispublic": 1, …}, …}}
def parse_info(answer: Mapping[str, Any]) -> PhotoStanding:
    """Reads the answer to `flickr.photos.getInfo`.

    Raises:
        TransientTrouble: If it does not have that shape.
        SetupError: If the licence's id is not in the table.
    """
    try:
        photo = answer["photo"]
        if not int(photo["visibility"]["ispublic"]):
            return PhotoStanding(Standing.PRIVATE)
        return PhotoStanding(Standing.PUBLIC, _licence(photo["license"]))
    except (KeyError, TypeError, ValueError) as error:
        raise TransientTrouble(
            SERVICE, f"an answer that tells of no photo ({error!r}): {answer!r:.120}"
        ) from error


# {"photos": {"page": 1, "pages": "1", "photo": [{"id": "49514337848", "license": "4", …}, …]}}
def parse_listed(answer: Mapping[str, Any]) -> tuple[dict[str, PhotoStanding], int]:
    """Reads ids, licences and the number of pages of a search.

    Raises:
        TransientTrouble: If it does not have that shape.
        SetupError: If the licence's id is not in the table.
    """
    try:
        photos = answer["photos"]
        return {
            str(row["id"]): PhotoStanding(Standing.PUBLIC, _licence(row["license"]))
            for row in photos["photo"]
        }, int(photos["pages"])
    except (KeyError, TypeError, ValueError) as error:
        raise TransientTrouble(
            SERVICE, f"an answer that is no page of a search ({error!r}): {answer!r:.120}"
        ) from error


def _licence(value: object) -> int:
    number = int(str(value))
    try:
        licence_by_id(number)
    except UnknownLicence as error:
        raise SetupError(SERVICE, f"{error}.", "Nothing was forgotten.") from None
    return number
