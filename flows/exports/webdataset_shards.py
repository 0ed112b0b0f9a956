"""Tar shards for WebDataset: a chip, its photos and what is known of them, side by side.

    shards/<sensor>-<split>-000000.tar
        <chip_id>.chip.tif      the chip
        <chip_id>.photo00.jpg   its photos, in the order of the JSON's `photos`
        <chip_id>.json          the rows
    tables/{chips,photos,pairs}-00000.parquet

WebDataset takes what stands before the first dot of a name for the key of a sample, and the rest
for the name of the field (webdataset's `base_plus_ext`). The tables are those of the version, with
places in these shards: a row group for each shard, in the order of the shards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

import pyarrow as pa

from collectors.shards import pack
from flows.exports.dealt_files import DealtFiles
from flows.exports.forms import Written
from flows.exports.sample_rows import as_json, sample_record
from flows.exports.table_files import joined, table_piece
from flows.products.tables import to_arrow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from collectors.shards import Place
    from flows.exports.forms import Context, Ending, LoadedSample, Portion

TABLES: Final = ("chips", "photos", "pairs")

_OF_PAIRS: Final = (
    pa.field("shard", pa.string(), metadata={"unit": "", "meaning": "File with its bytes."}),
    pa.field("offset", pa.int64(), metadata={"unit": "byte", "meaning": "Where they begin."}),
    pa.field("size", pa.int64(), metadata={"unit": "byte", "meaning": "How many there are."}),
    pa.field("sha256", pa.string(), metadata={"unit": "", "meaning": "SHA-256 of the bytes."}),
)  # fmt: skip
"""Columns that the pairs of an export have besides those of a version: a photo of two chips lies
beside each of them."""


@dataclass(frozen=True, slots=True)
class WebDatasetShards(DealtFiles):
    """The form `webdataset`: a file is a shard."""

    name: ClassVar[str] = "webdataset"
    layout: ClassVar[Sequence[tuple[str, str]]] = (
        ("shards/<sensor>-<split>-000000.tar", "WebDataset's shards; in each, for each sample:"),
        ("<chip_id>.chip.tif", "the chip, a GeoTIFF of all bands as they are"),
        ("<chip_id>.photo00.jpg …", "its photos, in the order of `photos` in the JSON"),
        ("<chip_id>.json", "the rows; (row, col) are pixels from the chip's top left corner"),
        ("tables/*.parquet", "the same rows, with shard, offset and size of the bytes"),
    )

    notes: ClassVar[Sequence[str]] = (
        '`webdataset.WebDataset("shards/sentinel2-train-{000000..000003}.tar")` reads it.',
    )

    def front_matter(self, _portions: Sequence[Portion]) -> Sequence[str]:
        """Returns nothing: no program reads it."""
        return ()

    def write(self, portion: Portion, samples: Sequence[LoadedSample], context: Context) -> Written:
        """Makes a shard, and its rows of the tables."""
        packed = pack([member for one in samples for member in _members(one)], [])
        path = f"shards/{portion.name}.tar"
        tables = _tables(path, samples, packed.places, context.schemas)
        return Written(
            [(path, packed.data)], {name: table_piece(table) for name, table in tables.items()}
        )

    def end(self, ending: Ending) -> Iterator[tuple[str, bytes]]:
        """Makes the tables, a row group for each shard."""
        for product in TABLES:
            yield from joined(ending, product, f"tables/{product}")


def _members(one: LoadedSample) -> Iterator[tuple[str, bytes]]:
    key = one.sample.chip.chip_id
    yield f"{key}.chip.tif", one.chip
    for number, data in enumerate(one.photos):
        yield f"{key}.{_photo(number)}", data
    yield f"{key}.json", as_json(sample_record(one))


def _photo(number: int) -> str:
    """Returns the field of a photo: two digits, for a chip has 25 photos at most."""
    return f"photo{number:02d}.jpg"


def _tables(
    path: str, samples: Sequence[LoadedSample], places: Mapping[str, Place],
    schemas: Mapping[str, pa.Schema],
) -> dict[str, pa.Table]:  # fmt: skip
    """Returns the rows of a shard with where their bytes are in it."""
    chips, photos, pairs, of_pairs = [], [], [], []
    for one in samples:
        chip = one.sample.chip
        place = places[f"{chip.chip_id}.chip.tif"]
        chips.append(replace(chip, shard=path, offset=place.offset, photos=len(one.photos)))
        for number, (taken, _) in enumerate(one.pictures):
            place = places[f"{chip.chip_id}.{_photo(number)}"]
            photos.append(replace(taken.photo, shard=path, offset=place.offset))
            pairs.append(taken.pair)
            of_pairs.append((path, place.offset, place.size, place.sha256))
    paired = to_arrow(pairs, schemas["pairs"])
    for field, values in zip(_OF_PAIRS, zip(*of_pairs, strict=True), strict=True):
        paired = paired.append_column(field, pa.array(values, field.type))
    return {
        "chips": to_arrow(chips, schemas["chips"]),
        "photos": to_arrow(photos, schemas["photos"]),
        "pairs": paired,
    }
