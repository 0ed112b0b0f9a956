"""What is done with a batch of photos, and the rows that come of it."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from collectors.licences import attribution, licence_by_id
from collectors.records import Outcome, Photo, PhotoAbsence, PhotoImage, Stage
from collectors.time_zones import to_utc, zone_at
from filters.indoor import Unreadable, is_indoor
from flows.cells.batches import Location, Piece
from flows.cells.picture_comparison import NewPicture, compare
from flows.products.rows import PhotoRow, RejectRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.cells.services import Services


def judge_photos(
    photos: Sequence[Photo], kept: Sequence[PhotoRow], services: Services
) -> list[Piece]:
    """Downloads a batch of photos, drops pictures that the cell has already, judges the others.

    Args:
        photos: The batch.
        kept: The photos that the cell keeps so far.
        services: The outside world.
    """
    rules = services.catalogue.rules
    images = services.in_order(services.photo_pool, services.photo_host.fetch, photos)
    pictures = [
        NewPicture(photo, image.jpeg) for photo, image in zip(photos, images, strict=True)
        if isinstance(image, PhotoImage)
    ]  # fmt: skip
    hashes, repeats = compare(pictures, kept, services)
    jpegs = [one.jpeg for one in pictures if one.photo.photo_id not in repeats]
    scores = iter(services.classifier.probabilities(jpegs))
    pieces = []
    for photo, image in zip(photos, images, strict=True):
        if isinstance(image, PhotoAbsence):
            verdict = _verdict(Outcome.FAILED, Stage.DOWNLOAD, image.reason, image.detail)
            pieces.append(Piece(photo.photo_id, verdict))
            continue
        if photo.photo_id in repeats:
            shown = repeats[photo.photo_id]
            verdict = _verdict(Outcome.REJECTED, Stage.COMPARE, "same_picture", shown)
            pieces.append(Piece(photo.photo_id, verdict))
            continue
        score = next(scores)
        if isinstance(score, Unreadable):
            verdict = _verdict(Outcome.FAILED, Stage.JUDGE, "unreadable", score.reason)
            pieces.append(Piece(photo.photo_id, verdict))
        elif is_indoor(score, rules.indoor_threshold, rules.indoor_rule):
            verdict = _verdict(Outcome.REJECTED, Stage.JUDGE, "indoor", "", probability=score)
            pieces.append(Piece(photo.photo_id, verdict))
        else:
            verdict = _verdict(
                Outcome.KEPT, Stage.JUDGE, "", "", probability=score,
                width=image.width, height=image.height, image_url=image.image_url,
                picture_hash=hashes[photo.photo_id],
            )  # fmt: skip
            pieces.append(Piece(photo.photo_id, verdict, (f"{photo.photo_id}.jpg", image.jpeg)))
    return pieces


def _verdict(
    outcome: Outcome, stage: Stage, reason: str, detail: str, **more: Any
) -> dict[str, Any]:
    """Returns what a shard's index says about a photo."""
    return {"outcome": str(outcome), "stage": str(stage), "reason": reason, "detail": detail,
            "probability": None} | more  # fmt: skip


def kept_verdict(photo: PhotoRow) -> dict[str, Any]:
    """Returns what a shard's index says about a photo that is kept."""
    return _verdict(
        Outcome.KEPT, Stage.JUDGE, "", "", probability=photo.indoor_probability,
        width=photo.width, height=photo.height, image_url=photo.image_url,
        picture_hash=photo.picture_hash,
    )  # fmt: skip


def kept_row(
    photo: Photo, verdict: Mapping[str, Any], location: Location, cell_id: str, generation: int
) -> PhotoRow:
    """Makes the row of a photo that is kept."""
    zone = zone_at(photo.lon, photo.lat)
    return PhotoRow(
        photo_id=photo.photo_id,
        owner=photo.owner,
        lon=photo.lon,
        lat=photo.lat,
        accuracy=photo.accuracy,
        taken_at=photo.taken_at,
        taken_at_utc=to_utc(photo.taken_at, zone),
        time_zone=zone,
        taken_granularity=photo.taken_granularity,
        uploaded_at=photo.uploaded_at.astimezone(UTC),
        licence=licence_by_id(photo.licence).code,
        attribution=attribution(photo),
        page_url=photo.page_url,
        image_url=verdict["image_url"],
        title=photo.title,
        tags=photo.tags,
        cell=cell_id,
        indoor_probability=verdict["probability"],
        shard=location.shard,
        offset=location.offset,
        size=location.size,
        sha256=location.sha256,
        width=verdict["width"],
        height=verdict["height"],
        picture_hash=verdict["picture_hash"],
        unpaired={},
        generation=generation,
    )


def rejected_row(
    photo: Photo,
    stage: Stage,
    reason: str,
    cell_id: str,
    generation: int,
    *,
    detail: str = "",
    outcome: Outcome = Outcome.REJECTED,
    probability: float | None = None,
) -> RejectRow:
    """Makes the row of a photo that is not kept."""
    return RejectRow(
            photo_id=photo.photo_id, owner=photo.owner, lon=photo.lon, lat=photo.lat,
            taken_at=photo.taken_at, licence=licence_by_id(photo.licence).code,
            cell=cell_id, outcome=str(outcome), stage=str(stage), reason=str(reason),
            detail=detail, indoor_probability=probability, generation=generation,
        )  # fmt: skip


def unreadable_row(photo_id: str, detail: str, cell_id: str, generation: int) -> RejectRow:
    """Makes the row of a search result that could not be read."""
    return RejectRow(
            photo_id=photo_id, owner=None, lon=None, lat=None, taken_at=None, licence=None,
            cell=cell_id, outcome=str(Outcome.FAILED), stage=str(Stage.SCREEN),
            reason="unreadable", detail=detail, indoor_probability=None, generation=generation,
        )  # fmt: skip
