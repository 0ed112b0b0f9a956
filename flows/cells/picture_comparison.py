"""The same picture twice in a cell: new pictures against each other and those that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from collectors.storage import Missing
from filters.picture_hashes import as_numbers, near_pictures, picture_hash
from filters.same_picture import agreement, settle
from flows.cells.batches import ShardRemovedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from collectors.records import Photo
    from flows.cells.services import Services
    from flows.products.rows import PhotoRow


@dataclass(frozen=True, slots=True)
class NewPicture:
    """A photo that was downloaded, with the bytes that will be stored."""

    photo: Photo
    jpeg: bytes


def compare(
    new: Sequence[NewPicture], kept: Iterable[PhotoRow], services: Services
) -> tuple[dict[str, str], dict[str, str]]:
    """Finds the new pictures that show what another one shows.

    What is kept stays; among those that arrive together, the earliest upload is kept.

    Args:
        new: Pictures that arrive together.
        kept: Photos of the cell that are kept already.
        services: Gives the rule, and the bytes of kept pictures.

    Returns:
        The hashes of each new picture, and for each that repeats another, that one's id; both by
        photo id.

    Raises:
        ShardRemovedError: If the bytes of a kept picture are gone.
    """
    hashes = {one.photo.photo_id: picture_hash(one.jpeg) for one in new}
    before = sorted((row for row in kept if row.picture_hash), key=by_upload)
    arrived = sorted(
        (one for one in new if hashes[one.photo.photo_id]),
        key=lambda one: by_upload(one.photo),
    )
    numbers = as_numbers(
        [*(row.picture_hash for row in before), *(hashes[one.photo.photo_id] for one in arrived)]
    )

    def jpeg(number: int) -> bytes:
        if number >= len(before):
            return arrived[number - len(before)].jpeg
        row = before[number]
        try:
            return services.store.read_range(row.shard, row.offset, row.size)
        except Missing as error:  # another run of this cell has committed, and tidied up
            raise ShardRemovedError(row.shard) from error

    def same(earlier: int, later: int) -> bool:
        least = services.catalogue.rules.same_picture
        return agreement(jpeg(earlier), jpeg(later)) >= least

    ids = [*(row.photo_id for row in before), *(one.photo.photo_id for one in arrived)]
    repeats = settle(near_pictures(numbers, len(before)), same)
    return hashes, {ids[later]: ids[earlier] for later, earlier in repeats.items()}


def by_upload(photo: Photo | PhotoRow) -> tuple[object, int, str]:
    """Sorts by upload, then by id as a number: ids are digits, shorter ones are older."""
    return (photo.uploaded_at, len(photo.photo_id), photo.photo_id)


def name_of(kept: Iterable[PhotoRow]) -> str:
    """Returns a name of a set of photos: 16 hexadecimal digits, whatever their order."""
    ids = sorted(row.photo_id for row in kept)
    return blake2b(" ".join(ids).encode(), digest_size=8).hexdigest()
