"""A photo to vary in tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from collectors.records import Media, Photo, PhotoSize

PHOTO = Photo(
    photo_id="53012345678",
    owner="12345678@N01",
    owner_name="Ada",
    path_alias="ada",
    lon=-122.4,
    lat=37.8,
    accuracy=16,
    geo_is_public=True,
    taken_at=datetime(2020, 8, 1, 12, 30),  # noqa: DTZ001 (local, as Flickr gives it)
    taken_known=True,
    taken_granularity=0,
    uploaded_at=datetime(2020, 8, 2, tzinfo=UTC),
    licence=4,
    title="Bridge",
    tags="bridge fog",
    media=Media.PHOTO,
    is_photograph=True,
    sizes=(PhotoSize("z", "https://live.staticflickr.com/1/53012345678_a_z.jpg", 640, 480),),
)


def make_photo(**changes: Any) -> Photo:
    """Returns the photo with some of its fields changed."""
    return replace(PHOTO, **changes)
