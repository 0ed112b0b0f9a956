"""Screening: what a photo's record alone says against it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from collectors.records import Media

if TYPE_CHECKING:
    from collectors.cells import Ground
    from collectors.records import Photo

FIRST_YEAR: Final = 1990
"""No photo taken on the ground and geotagged at street level is older than consumer GPS."""

_CLOCK_SLACK: Final = timedelta(days=1)
"""Capture is local time and upload is UTC: up to 14 hours apart, and clocks are set badly."""

_EXACT: Final = 0
"""Flickr's `datetakengranularity` of a date that is known to the second."""


class Reason(StrEnum):
    """Why a photo is not considered, in the order in which the rules are tried."""

    NOT_PHOTO = "not_photo"
    """A video, a screenshot or a drawing."""

    NOT_PUBLIC_GEO = "not_public_geo"
    """The owner does not show the location to everyone."""

    NO_LOCATION = "no_location"
    """Accuracy 0: coordinates without a real location."""

    BAD_LOCATION = "bad_location"
    """Coordinates that are no place on Earth."""

    LOW_ACCURACY = "low_accuracy"
    """Located less exactly than asked for."""

    UNKNOWN_DATE = "unknown_date"
    """The capture date is really that of the upload."""

    COARSE_DATE = "coarse_date"
    """Known to the month or the year only, or a guess."""

    BAD_DATE = "bad_date"
    """Before 1990, or more than a day after the upload."""

    LICENCE = "licence"
    """A licence that is not asked for."""

    OUTSIDE_WINDOW = "outside_window"
    """Taken on a day that is not asked for."""

    OUTSIDE_REGION = "outside_region"
    """In the box that was searched, but not in the region's part of the cell."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of a photo's record; a block of the catalogue in plain values.

    Attributes:
        min_accuracy: Flickr's accuracy level, 1 to 16; 16 is street level.
        licences: Flickr's numeric licence ids that may be kept.
        taken_from: First local capture day.
        taken_until: The day after the last.
    """

    min_accuracy: int
    licences: frozenset[int]
    taken_from: date
    taken_until: date


def screen(photo: Photo, ground: Ground, rules: Rules) -> Reason | None:
    """Returns the first reason against a photo, in the order of `Reason`, or None."""
    return (
        _against_place(photo, rules)
        or _against_date(photo)
        or _against_wishes(photo, ground, rules)
    )


def _against_place(photo: Photo, rules: Rules) -> Reason | None:
    if photo.media is not Media.PHOTO or not photo.is_photograph:
        return Reason.NOT_PHOTO
    if not photo.geo_is_public:
        return Reason.NOT_PUBLIC_GEO
    if photo.accuracy == 0:
        return Reason.NO_LOCATION
    # Written so that NaN, for which every comparison is false, counts as bad.
    if not (-180 <= photo.lon <= 180 and -90 <= photo.lat <= 90):
        return Reason.BAD_LOCATION
    if photo.accuracy < rules.min_accuracy:
        return Reason.LOW_ACCURACY
    return None


def _against_date(photo: Photo) -> Reason | None:
    if not photo.taken_known:
        return Reason.UNKNOWN_DATE
    if photo.taken_granularity != _EXACT:
        return Reason.COARSE_DATE
    uploaded_at = photo.uploaded_at.replace(tzinfo=None)
    if photo.taken_at.year < FIRST_YEAR or photo.taken_at - uploaded_at > _CLOCK_SLACK:
        return Reason.BAD_DATE
    return None


def _against_wishes(photo: Photo, ground: Ground, rules: Rules) -> Reason | None:
    if photo.licence not in rules.licences:
        return Reason.LICENCE
    if not rules.taken_from <= photo.taken_at.date() < rules.taken_until:
        return Reason.OUTSIDE_WINDOW
    if not ground.holds(photo.lon, photo.lat):
        return Reason.OUTSIDE_REGION
    return None
