"""What a photo is, and what may become of it: values that the rooms of the house hand on.

Each value is parsed once, where it comes in, and is frozen from there on. Longitude comes before
latitude, degrees are WGS 84. Sensors stand in `collectors.sensors`, chips in `collectors.chips`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from datetime import datetime

_ALIAS: Final = re.compile(r"[A-Za-z0-9_-]+")


class Outcome(StrEnum):
    """How the way of a photo or a chip ended."""

    KEPT = "kept"
    REJECTED = "rejected"
    FAILED = "failed"


class Stage(StrEnum):
    """Where in the story of a photo its way ended."""

    SCREEN = "screen"
    SELECT = "select"
    DOWNLOAD = "download"
    COMPARE = "compare"
    JUDGE = "judge"
    PUBLISH = "publish"


class Media(StrEnum):
    """What Flickr says an item is."""

    PHOTO = "photo"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class PhotoSize:
    """One downloadable size of a photo.

    Attributes:
        suffix: Flickr's name of the size in `extras`: `l` (1024 px), `c` (800), `z` (640),
            `m` (500).
        url: Address of the JPEG on the photo host.
        width: Announced width in pixels.
        height: Announced height in pixels.
    """

    suffix: str
    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo as Flickr's search describes it, before anything was judged.

    Attributes:
        photo_id: Flickr's id, decimal digits.
        owner: Flickr's id of the owner, such as `12345678@N01`.
        owner_name: The owner's name as shown on Flickr; may be empty.
        path_alias: The owner's name in page addresses; may be empty.
        lon: Longitude of the geotag in degrees, −180 ≤ lon < 180.
        lat: Latitude of the geotag in degrees.
        accuracy: Flickr's accuracy level, 1 (world) to 16 (street); 0 means no real location.
        geo_is_public: Whether the owner shows the location to everyone.
        taken_at: Local wall-clock time of the capture, without zone, as Flickr gives it.
        taken_known: False where Flickr says that the capture date is unknown (then `taken_at` is
            really the time of upload).
        taken_granularity: 0 exact, 4 month, 6 year, 8 circa.
        uploaded_at: Time of upload, UTC, aware.
        licence: Flickr's numeric licence id, see `collectors.licences`.
        title: As written by the owner.
        tags: As Flickr gives them, separated by spaces.
        media: Photo or video.
        is_photograph: False for screenshots, drawings and the like.
        sizes: The announced sizes up to 1024 px, largest first.
    """

    photo_id: str
    owner: str
    owner_name: str
    path_alias: str
    lon: float
    lat: float
    accuracy: int
    geo_is_public: bool
    taken_at: datetime
    taken_known: bool
    taken_granularity: int
    uploaded_at: datetime
    licence: int
    title: str
    tags: str
    media: Media
    is_photograph: bool
    sizes: tuple[PhotoSize, ...]

    @property
    def page_url(self) -> str:
        """Address of the photo's page on Flickr, which every use of it must link to.

        An alias that is none (Flickr's are of letters, digits, - and _) could lead elsewhere; the
        owner's id leads to the same page.
        """
        alias = self.path_alias if _ALIAS.fullmatch(self.path_alias) else quote(self.owner, "@")
        return f"https://www.flickr.com/photos/{alias}/{self.photo_id}/"


@dataclass(frozen=True, slots=True)
class PhotoImage:
    """A downloaded photo, decoded, checked and brought to the size that is stored.

    Attributes:
        jpeg: The bytes to store.
        width: Width of the stored picture in pixels.
        height: Height of the stored picture in pixels.
        image_url: The address it came from.
    """

    jpeg: bytes
    width: int
    height: int
    image_url: str


@dataclass(frozen=True, slots=True)
class PhotoAbsence:
    """A photo that could not be had, for good: a value, not an exception.

    Attributes:
        reason: One word, such as `gone`, `placeholder`, `not_jpeg`, `broken_image`, `too_small`.
        detail: What was seen.
    """

    reason: str
    detail: str
