"""Parquet that `datasets` and the Hugging Face hub recognise: a chip with its photos in a row.

    <sensor>/<split>-000000.parquet

Columns of pictures are structs of `bytes` and `path`, and the schema's metadata `huggingface` says
that they are images (datasets' `Features.arrow_schema`); `geo` says where the geometry is
(GeoParquet 1.1). README.md names the files of each split, as the hub asks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from flows.description.cards import size_category
from flows.description.statements import keywords
from flows.exports.dealt_files import DealtFiles
from flows.exports.forms import Written
from flows.exports.sample_rows import CHIP, PAIR, PHOTO, named, photo_record
from flows.exports.true_colour import WHITE, encoded, true_colour
from flows.products.tables import COMPRESSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from flows.exports.forms import Context, Ending, LoadedSample, Portion

_ROWS_OF_A_GROUP: Final = 16
"""Chips of a row group, which readers hold whole: some 50 MB with their photos."""

_IMAGE: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_IMAGES: Final = ("thumbnail", "image")
_PICTURES: Final = ("chip", "thumbnail.bytes", "photos.list.element.image.bytes")
"""Columns, by their paths in Parquet, that compressing does not make smaller."""

_HUB_SPLITS: Final = {"val": "validation"}
"""The hub's names of splits where they differ."""


@dataclass(frozen=True, slots=True)
class HuggingfaceTables(DealtFiles):
    """The form `huggingface`.

    Attributes:
        white: Number of a 16-bit band that becomes 255 in thumbnails.
    """

    white: int = WHITE

    name: ClassVar[str] = "huggingface"
    layout: ClassVar[Sequence[tuple[str, str]]] = (
        ("<sensor>/<split>-000000.parquet", "a row for each chip; its columns:"),
        ("thumbnail", "the chip in true colour, an image"),
        ("chip", "the chip's GeoTIFF: all bands, for rasterio's MemoryFile"),
        ("photos", "a list: `image`, (row, col) in the chip's pixels, dates, words, credits"),
        ("geometry, bbox", "the outline, WGS 84: GeoParquet"),
    )
    notes: ClassVar[Sequence[str]] = (
        (
            '`datasets.load_dataset(FOLDER, "sentinel2", split="train")` reads it. Pairs in the'
            " split `none` are too near to ground of another split: leave them out of training."
        ),
    )

    def front_matter(self, portions: Sequence[Portion]) -> Sequence[str]:
        """Returns the card's front matter, which names the files of each sensor and split."""
        groups = {portion.group.name: portion.group for portion in portions}.values()
        sensors = sorted({group.sensor for group in groups})
        lines = ["---", "license: other", "license_name: per-photo",
                 "annotations_creators:", "- no-annotation", "size_categories:",
                 f"- {size_category(sum(len(group.numbers) for group in groups))}",
                 "task_categories:", "- image-feature-extraction",
                 "- zero-shot-image-classification",
                 "tags:", *(f"- {word.replace(' ', '-')}" for word in keywords(sensors)),
                 "configs:"]  # fmt: skip
        for number, sensor in enumerate(sensors):
            lines.append(f"- config_name: {sensor}")
            lines += ["  default: true"] if not number else []
            lines.append("  data_files:")
            for group in groups:
                if group.sensor == sensor:
                    lines.append(f"  - split: {_HUB_SPLITS.get(str(group.split), group.split)}")
                    lines.append(f"    path: {sensor}/{group.split}-*.parquet")
        return [*lines, "---", ""]

    def write(self, portion: Portion, samples: Sequence[LoadedSample], context: Context) -> Written:
        """Makes a file."""
        schema = table_schema(context.schemas)
        rows = [self._row(one) for one in samples]
        table = pa.Table.from_pylist(rows, schema=schema)
        sink = BytesIO()
        leaves = _leaves(schema)
        pq.write_table(
            table, sink, row_group_size=_ROWS_OF_A_GROUP, write_page_index=True,
            compression={one: "none" if one in _PICTURES else COMPRESSION for one in leaves},
            use_dictionary=[one for one in leaves if one not in _PICTURES],
        )  # fmt: skip
        path = f"{portion.name.replace(f'{portion.group.sensor}-', f'{portion.group.sensor}/', 1)}"
        return Written([(f"{path}.parquet", sink.getvalue())])

    def end(self, _ending: Ending) -> Iterator[tuple[str, bytes]]:
        """Makes nothing more."""
        return iter(())

    def _row(self, one: LoadedSample) -> dict[str, Any]:
        chip = one.sample.chip
        thumbnail = encoded(true_colour(one.chip, chip.bands, self.white), "jpeg")
        bounds = shapely.bounds(chip.shape).tolist()
        cover = None if chip.cover is None else [
            {"class": name, "percent": share} for name, share in chip.cover.items()
        ]  # fmt: skip
        return named(chip, CHIP) | {
            "cover": cover,
            "thumbnail": {"bytes": thumbnail, "path": f"{chip.chip_id}.jpg"},
            "chip": one.chip,
            "photos": [
                {"image": {"bytes": data, "path": f"{taken.photo.photo_id}.jpg"}}
                | photo_record(taken)
                for taken, data in one.pictures
            ],
            "geometry": shapely.to_wkb(chip.shape, flavor="iso"),
            "bbox": dict(zip(("xmin", "ymin", "xmax", "ymax"), bounds, strict=True)),
        }


def table_schema(schemas: Mapping[str, pa.Schema]) -> pa.Schema:
    """Returns the schema of a file, made from those of the version's tables."""
    chips, photos, pairs = (schemas[name] for name in ("chips", "photos", "pairs"))
    of_photo = pa.struct([
        pa.field("image", _IMAGE), *(photos.field(name) for name in PHOTO),
        *(pairs.field(name) for name in PAIR),
    ])  # fmt: skip
    columns = [
        *(_without_maps(chips.field(name)) for name in CHIP if name in chips.names),
        pa.field("thumbnail", _IMAGE), pa.field("chip", pa.binary()),
        pa.field("photos", pa.list_(of_photo)),
        chips.field("geometry"), chips.field("bbox"),
    ]  # fmt: skip
    features = {column.name: _feature(column) for column in columns}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode(),
                b"geo": chips.metadata[b"geo"]}  # fmt: skip
    return pa.schema(columns, metadata=metadata)


def _without_maps(column: pa.Field) -> pa.Field:
    """Returns a column as `datasets` knows it: a list of records in place of a map."""
    if not pa.types.is_map(column.type):
        return column
    record = pa.struct([("class", column.type.key_type), ("percent", column.type.item_type)])
    return column.with_type(pa.list_(record))


def _feature(column: pa.Field) -> Any:
    """Returns a column as `datasets` describes it."""
    if column.name in _IMAGES:
        return {"_type": "Image"}
    kind = column.type
    if pa.types.is_struct(kind):
        return {one.name: _feature(one) for one in kind}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_field), "_type": "List"}
    words = {"double": "float64", "date32[day]": "date32"}
    return {"dtype": words.get(str(kind), str(kind)), "_type": "Value"}


def _leaves(schema: pa.Schema) -> list[str]:
    """Returns the paths of all columns of values, as Parquet names them."""
    found: list[str] = []

    def walk(path: str, kind: pa.DataType) -> None:
        if pa.types.is_struct(kind):
            for one in kind:
                walk(f"{path}.{one.name}", one.type)
        elif pa.types.is_list(kind):
            walk(f"{path}.list.element", kind.value_type)
        else:
            found.append(path)

    for column in schema:
        walk(column.name, column.type)
    return found
