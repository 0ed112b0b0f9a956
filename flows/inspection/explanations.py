"""What the reasons in a dataset's rows mean, in plain words."""

from __future__ import annotations

from typing import Final

UNPAIRED: Final = {
    "outside_extent": "the sensor has no scenes there",
    "before_sensor": "it was taken too long before the sensor's first day",
    "after_sensor": "it was taken after the last day for which the sensor is asked",
    "owner_share": "the chips that cover it have room, but their share of this owner's photos",
    "chip_full": "every chip whose central area holds it has all the photos that it may have",
    "chip_without_scene": "only chips without pixels hold it",
    "border": "its own chip would leave the cell, and no other chip's central area holds it",
    "between_chips": "it lies on the very edge of a chip's central area",
    "deferred": "it is so recent that a nearer scene may still appear; a later build takes it up",
    "not_requested": "the sensor was not asked for in this region",
    "no_scene": "no scene in the window qualified for its chip",
    "all_refused": "all scenes that were tried for its chip were refused",
    "gone": "the scene of its chip is no longer to be had",
}
"""Why a photo has no pair of a sensor."""

REJECTED: Final = {
    "unreadable": "Flickr's record of it cannot be read",
    "not_photo": "it is a video, a screenshot or a drawing",
    "not_public_geo": "its owner does not show its location to everyone",
    "no_location": "its coordinates stand for no real location",
    "bad_location": "its coordinates are no place on Earth",
    "low_accuracy": "it is located less exactly than asked for",
    "unknown_date": "its date of capture is not known: Flickr gives that of the upload",
    "coarse_date": "its date is known to the month or the year only",
    "bad_date": "its date is before 1990 or after its upload",
    "licence": "its licence is not one of those that may be kept",
    "outside_window": "it was taken on a day that was not asked for",
    "outside_region": "it lies outside the region's part of the cell",
    "burst": "its owner took another one within a minute and 50 m, which stands for it",
    "over_quota": "its cell had its quota before its turn came",
    "owner_share": "its owner had the share of the cell that one owner may have",
    "same_picture": "another photo shows the same picture and stands for it",
    "indoor": "it was probably taken indoors",
    "placeholder": "the photo host sent its placeholder for photos that are no longer there",
    "gone": "the photo host no longer has it",
    "moved": "the photo host sent elsewhere for it",
    "foreign_host": "its address is not one of the photo host",
    "not_jpeg": "what came is no JPEG",
    "broken_image": "what came cannot be decoded",
    "too_small": "it is too small",
    "too_many_pixels": "it has more pixels than are decoded",
    "too_many_bytes": "it has more bytes than are downloaded",
    "wrong_size": "it has another size than announced",
    "no_size": "Flickr announces no size that can be used",
}
"""Why a photo was not kept."""

CHIP: Final = {
    "no_scene": "no scene in the window qualified: none of that date, zone and cloud share",
    "all_refused": "every scene that was tried was refused",
    "gone": "its scene is no longer to be had",
}
"""Why a chip has no pixels."""

REFUSED: Final = {
    "cloudy": "cloud in the chip itself over the limit",
    "missing": "too many pixels without data",
    "gone": "Earth Engine no longer has it",
    "no_cloud_score": "there is no Cloud Score+ of it",
}
"""Why a scene was refused for a chip."""


def explain(reasons: dict[str, str], reason: str | None) -> str | None:
    """Returns what a reason means; itself, if nothing more is known of it."""
    return None if reason is None else reasons.get(reason, reason)
