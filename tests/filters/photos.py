"""Photos made for the tests of the filters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from collectors.records import Media, Photo

PLAIN = Photo(
    photo_id="49514337848",
    owner="12345678@N01",
    owner_name="Someone",
    path_alias="someone",
    lon=7.0,
    lat=46.0,
    accuracy=16,
    geo_is_public=True,
    taken_at=datetime(2020, 6, 1, 12),  # noqa: DTZ001 - capture times have no zone
    taken_known=True,
    taken_granularity=0,
    uploaded_at=datetime(2020, 6, 3, tzinfo=UTC),
    licence=4,
    title="A view",
    tags="alps lake",
    media=Media.PHOTO,
    is_photograph=True,
    sizes=(),
)


def photo(**changes: Any) -> Photo:
    """Returns a photo that every rule accepts, with some fields changed."""
    return replace(PLAIN, **changes)
