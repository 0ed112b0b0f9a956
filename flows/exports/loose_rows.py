"""The rows of chips, photos and pairs that are exported as files of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from flows.products.tables import to_arrow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flows.exports.forms import LoadedSample
    from flows.samples.samples import SamplePhoto

_PLACES: Final = ("shard", "offset", "size", "sha256")
"""Columns of a version that say where bytes are in the dataset."""

_PATH: Final = pa.field(
    "path", pa.string(), metadata={"unit": "", "meaning": "The file, relative to the export."}
)
_CHIP_PATH: Final = pa.field(
    "chip_path", pa.string(), metadata={"unit": "", "meaning": "The chip's file."}
)
_PHOTO_PATH: Final = pa.field(
    "photo_path", pa.string(), metadata={"unit": "", "meaning": "The photo's file."}
)


def loose_tables(
    samples: Sequence[LoadedSample],
    schemas: Mapping[str, pa.Schema],
    chip_path: Callable[[LoadedSample], str],
    photo_path: Callable[[LoadedSample, SamplePhoto], str],
) -> dict[str, pa.Table]:
    """Returns the version's rows of some samples, with paths in place of places in shards.

    `photos` of a chip counts those exported beside it: with owner-disjoint splits a chip may have
    photos of several splits, and is a sample of each.

    Args:
        samples: The samples.
        schemas: The version's schemas.
        chip_path: Where a chip is written.
        photo_path: Where a photo is written.
    """
    links = [(one, taken) for one in samples for taken in one.sample.photos]
    chips = to_arrow(
        [replace(one.sample.chip, photos=len(one.photos)) for one in samples], schemas["chips"]
    )
    photos = to_arrow([taken.photo for _, taken in links], schemas["photos"])
    pairs = to_arrow([taken.pair for _, taken in links], schemas["pairs"])
    of_chips = pa.array([chip_path(one) for one in samples], pa.string())
    of_pairs = pa.array([chip_path(one) for one, _ in links], pa.string())
    of_photos = pa.array([photo_path(*link) for link in links], pa.string())
    return {
        "chips": chips.drop_columns(list(_PLACES)).append_column(_PATH, of_chips),
        "photos": photos.drop_columns(list(_PLACES)).append_column(_PATH, of_photos),
        "pairs": pairs.append_column(_CHIP_PATH, of_pairs).append_column(_PHOTO_PATH, of_photos),
    }
