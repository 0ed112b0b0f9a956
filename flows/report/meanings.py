"""What stages, reasons and outcomes mean, in words for people who did not write the rules."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from collectors.records import Stage

STAGES: Final = MappingProxyType(
    {
        Stage.SCREEN: "pass the rules",
        Stage.SELECT: "fit the quota",
        Stage.DOWNLOAD: "are downloaded",
        Stage.COMPARE: "repeat none of the cell",
        Stage.JUDGE: "are outdoors",
        Stage.PUBLISH: "repeat none elsewhere",
    }
)
"""What is true of the photos that are left after each stage, in the stages' order."""

PHOTO_REASONS: Final = MappingProxyType(
    {
        "not_photo": "A video, a screenshot or a drawing.",
        "not_public_geo": "The owner does not show the location to everyone.",
        "no_location": "Coordinates without a real location.",
        "bad_location": "Coordinates that are no place on Earth.",
        "low_accuracy": "Located less exactly than asked for.",
        "unknown_date": "The capture date is really that of the upload.",
        "coarse_date": "Known to the month or the year only, or a guess.",
        "bad_date": "Before 1990, or more than a day after the upload.",
        "licence": "A licence that is not asked for.",
        "outside_window": "Taken on a day that is not asked for.",
        "outside_region": "In the box that was searched, not in the region.",
        "burst": "Repeats another shot of the same owner, place and moment.",
        "over_quota": "The cell has its quota without it; a larger quota would look at it again.",
        "owner_share": "Its owner has the largest share of the cell that one owner may have.",
        "gone": "Its file is no longer there.",
        "placeholder": "Its host gave a placeholder instead.",
        "moved": "Its host gave another file instead.",
        "foreign_host": "Its address lies on a host that photos do not come from.",
        "no_size": "No size of up to 1024 px is announced.",
        "too_small": "Smaller than the shortest side asked for.",
        "wrong_size": "The file has another size than announced.",
        "too_many_bytes": "The file is larger than any photo of that size.",
        "too_many_pixels": "The file claims more pixels than it may.",
        "not_jpeg": "The file is no JPEG.",
        "broken_image": "The file cannot be decoded.",
        "unreadable": "Its record or its picture cannot be read.",
        "same_picture": "Another photo shows the same picture.",
        "indoor": "Taken indoors, by the filter's probability.",
    }
)

CHIP_REASONS: Final = MappingProxyType(
    {
        "no_scene": "No scene in the window passes the scene's limits.",
        "all_refused": "Every candidate scene was refused by its pixels.",
        "cloudy": "More cloud in the chip than allowed.",
        "missing": "More missing pixels in the chip than allowed.",
        "gone": "The scene was no longer there.",
        "no_cloud_score": "No cloud score exists for the scene.",
    }
)

PAIR_REASONS: Final = MappingProxyType(
    {
        "not_requested": "The region does not ask for this sensor.",
        "outside_extent": "The sensor has no scenes there.",
        "before_sensor": "Taken before the sensor's first scenes.",
        "after_sensor": "Taken after the last day for which the sensor is asked.",
        "owner_share": "The chip has its share of this owner's photos.",
        "chip_full": "Every chip that covers it has its number of photos.",
        "chip_without_scene": "Only chips without a scene cover it.",
        "border": "Too near to the edge of its cell, and no chip covers it.",
        "between_chips": "On the very edge of a chip's area.",
        "deferred": "So recent that a nearer scene may still appear.",
        "no_scene": "Its chip found no scene.",
        "all_refused": "Every scene for its chip was refused.",
    }
)


def words(name: str) -> str:
    """Returns a name of the tables as words: `low_accuracy` is "low accuracy"."""
    return name.replace("_", " ")
