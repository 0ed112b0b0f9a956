"""The rows of triplets: chips by sensor and split, what is compared of them, and their words."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from collectors.transport import WrongUse
from filters.picture_hashes import as_numbers
from filters.seasons import Season
from filters.splits import Split
from filters.triplets import Chips, block_name, split_of_block, time_block
from flows.description.bands import platform_of
from flows.products.tables import COMPRESSION
from flows.wording.chip_texts import GROUND, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from filters.triplets import Negative
    from flows.products.versions import Version
    from flows.wording.chip_texts import ChipText

Blocks = Literal["quarter", "year", "none"]
FileFormat = Literal["jsonl", "parquet"]

_BYTES: Final = (("shard", pa.string()), ("offset", pa.int64()), ("size", pa.int64()),
                 ("sha256", pa.string()))  # fmt: skip
_WORDS: Final = pa.list_(pa.string())

SCHEMA: Final = pa.schema([
    ("anchor", pa.string()), *((f"anchor_{name}", kind) for name, kind in _BYTES),
    ("anchor_time", pa.string()), ("positive", pa.string()), ("titles", _WORDS), ("tags", _WORDS),
    ("scripts", _WORDS), ("photos", _WORDS), ("negative", pa.string()),
    *((f"negative_{name}", kind) for name, kind in _BYTES), ("negative_time", pa.string()),
    ("negative_text", pa.string()), ("reason", pa.string()), ("differs", _WORDS),
    ("distance_m", pa.int64()), ("sensor", pa.string()), ("split", pa.string()),
])  # fmt: skip
"""Columns of a triplet, whatever the form of the file."""


@dataclass(frozen=True, slots=True)
class TripletForm:
    """How triplets are wanted.

    Attributes:
        file_format: JSON, a line for each triplet, or Parquet.
        blocks: Blocks of time that are dealt to splits; `none` splits by ground alone.
        time_shares: Percent of the blocks for train, val and test.
    """

    file_format: FileFormat = "jsonl"
    blocks: Blocks = "quarter"
    time_shares: tuple[float, float, float] = (60.0, 20.0, 20.0)

    def __post_init__(self) -> None:
        """Checks the shares.

        Raises:
            WrongUse: If they are negative, or do not add up to 100.
        """
        if min(self.time_shares) < 0 or abs(sum(self.time_shares) - 100) > 1e-9:
            raise WrongUse(
                "export triplets",
                f"shares of time are {', '.join(f'{one:g}' for one in self.time_shares)} %.",
                "Give three that add up to 100, such as 60 20 20.",
            )

    def options(self) -> dict[str, Any]:
        """Returns them for the record."""
        shares = None if self.blocks == "none" else list(self.time_shares)
        return {"format": self.file_format, "blocks": self.blocks, "time_shares": shares}

    def split_of(self, text: ChipText, seed: int) -> tuple[Split | None, str]:
        """Returns the split that a chip's triplets are of, or why it has none."""
        grounds = {Split(one.split) for one in text.photos} - {Split.NONE}
        if len(grounds) != 1:
            return None, "ground of no split"
        (ground,) = grounds
        if self.blocks == "none":
            return ground, ""
        if split_of_block(self.block_of(text), seed, self.time_shares) is not ground:
            return None, "time of another split"
        return ground, ""

    def block_of(self, text: ChipText) -> int:
        """Returns the block of time that a chip's scene was taken in."""
        return time_block(text.day.year, text.day.month, quarters=self.blocks != "year")


class Told:
    """All chips by sensor and split: what is compared in memory, their words in a file."""

    def __init__(self, spool: IO[bytes], form: TripletForm, version: Version) -> None:
        """Takes the file that the words are to wait in, and what is wanted of which version."""
        self.form, self.version = form, version
        self.seed = int(version.manifest["seed"])
        self.left_out: Counter[str] = Counter()
        self.groups: dict[tuple[str, Split], list[tuple[Any, ...]]] = {}
        self._spool = spool
        self._names = {
            name: platform_of(block["collection"]).title
            for name, block in version.manifest["sensors"].items()
        }
        self._cells: dict[str, int] = {}

    def add(self, text: ChipText, wanted: Split | None) -> None:
        """Takes a chip, if it has a split."""
        split, why = self.form.split_of(text, self.seed)
        if split is None:
            self.left_out[why] += 1
            return
        if wanted not in {None, split}:
            return
        photos = [one for one in text.photos if one.split == split]
        cover = text.cover
        shares = [np.nan if cover is None else cover.get(name, 0.0) for name in GROUND]
        place = self._spool.tell()
        self._spool.write(json.dumps({
            "name": text.chip_id, **text.place, "time": block_name(self.form.block_of(text)),
            "text": text.sentence(self._names[text.sensor]),
            "titles": list(words_of(photos, "title")), "tags": list(words_of(photos, "tags")),
            "scripts": sorted({script for one in photos for script in one.scripts}),
            "photos": [one.photo_id for one in photos],
        }).encode() + b"\n")  # fmt: skip
        self.groups.setdefault((text.sensor, split), []).append((
            text.chip_id, (text.lon, text.lat), text.side_m, list(Season).index(text.season),
            text.day.timetuple().tm_yday, shares,
            [one.picture_hash for one in text.photos if one.picture_hash],
            self._cells.setdefault(text.cell, len(self._cells)), place,
        ))  # fmt: skip

    def chips(self, key: tuple[str, Split]) -> Chips:
        """Returns the chips of a sensor and split as arrays."""
        rows = self.groups[key]
        names, points, sides, seasons, days, shares, hashes, cells, _ = zip(*rows, strict=True)
        return Chips(
            names=names, points=np.array(points, np.float64).reshape(-1, 2),
            side_m=np.array(sides, np.float64), season=np.array(seasons, np.int64),
            day_of_year=np.array(days, np.int64),
            cover=np.array(shares, np.float64).reshape(len(rows), len(GROUND)),
            hashes=as_numbers([one for some in hashes for one in some]),
            first=np.cumsum([0, *(len(some) for some in hashes)], dtype=np.int64),
            cells=np.array(cells, np.int64),
        )  # fmt: skip

    def words(self, key: tuple[str, Split], number: int) -> dict[str, Any]:
        """Returns what was written down of a chip."""
        self._spool.seek(self.groups[key][number][-1])
        found: dict[str, Any] = json.loads(self._spool.readline())
        return found

    def rows(
        self, key: tuple[str, Split], negatives: Iterable[tuple[int, list[Negative]]]
    ) -> Iterator[dict[str, Any]]:
        """Yields the triplets of some anchors."""
        sensor, split = key
        for anchor, some in negatives:
            mine = self.words(key, anchor)
            for one in some:
                yours = self.words(key, one.number)
                yield {
                    "anchor": mine["name"], "anchor_time": mine["time"], "positive": mine["text"],
                    **{name: mine[name] for name in ("titles", "tags", "scripts", "photos")},
                    **{f"anchor_{name}": mine[name] for name, _ in _BYTES},
                    "negative": yours["name"], "negative_time": yours["time"],
                    "negative_text": yours["text"],
                    **{f"negative_{name}": yours[name] for name, _ in _BYTES},
                    "reason": one.reason.value, "differs": [thing.value for thing in one.differs],
                    "distance_m": round(one.distance_m), "sensor": sensor, "split": split.value,
                }  # fmt: skip


def file_of(rows: list[dict[str, Any]], file_format: FileFormat) -> bytes:
    """Returns triplets as the bytes of a file."""
    if file_format == "jsonl":
        # ASCII, so that no character of an owner's text does anything but be text.
        ordered = ({name: row[name] for name in SCHEMA.names} for row in rows)
        return b"".join(json.dumps(row).encode() + b"\n" for row in ordered)
    sink = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), sink, compression=COMPRESSION)
    return sink.getvalue()
