"""What is known of a sample, as records of JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from flows.products.rows import ChipRow, PhotoRow, PublishedPairRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flows.exports.forms import LoadedSample
    from flows.samples.samples import SamplePhoto

_NOT_OF_AN_EXPORT: Final = frozenset({
    "shard", "offset", "size", "generation", "picture_hash", "unpaired", "refused", "outcome",
    "reason", "photos",
})  # fmt: skip
"""Columns that say where bytes are in the dataset, how it was built, or what the record shows."""

CHIP: Final = tuple(one.name for one in fields(ChipRow) if one.name not in _NOT_OF_AN_EXPORT)
PHOTO: Final = tuple(one.name for one in fields(PhotoRow) if one.name not in _NOT_OF_AN_EXPORT)
PAIR: Final = tuple(
    one.name for one in fields(PublishedPairRow)
    if one.name not in _NOT_OF_AN_EXPORT | {"photo_id", "chip_id", "sensor", "cell"}
)  # fmt: skip


def sample_record(one: LoadedSample) -> dict[str, Any]:
    """Returns the chip's columns and, as `photos`, those of each photo and its pair."""
    return {
        **named(one.sample.chip, CHIP),
        "photos": [photo_record(photo) for photo in one.sample.photos],
    }


def photo_record(one: SamplePhoto) -> dict[str, Any]:
    """Returns the columns of a photo and of its pair."""
    return named(one.photo, PHOTO) | named(one.pair, PAIR)


def as_json(record: Mapping[str, Any]) -> bytes:
    """Writes a record in one way only, in ASCII; times are ISO 8601.

    Escapes keep every character of an owner's text from doing anything but being text.
    """
    return json.dumps(record, sort_keys=True, separators=(",", ":"), default=_plain).encode()


def named(row: Any, names: Iterable[str]) -> dict[str, Any]:
    """Returns some fields of a row by their names."""
    return {name: getattr(row, name) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{value!r} is no value of a row")
