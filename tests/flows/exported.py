"""What a version holds, read from its files by nothing of the project, to hold exports to."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tests.flows.hostile_rows import TITLES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SENSORS: Final = ("naip", "sentinel2")


@dataclass(frozen=True)
class Truth:
    """A version: rows by id, pairs by (chip, photo)."""

    root: Path
    chips: dict[str, dict[str, Any]]
    photos: dict[str, dict[str, Any]]
    pairs: dict[tuple[str, str], dict[str, Any]]

    @classmethod
    def of(cls, root: Path, version: str = "v0001") -> Truth:
        """Reads a version's tables."""
        chips, photos, pairs = (
            pq.read_table(root / "manifests" / version / product).to_pylist()
            for product in ("chips", "photos", "pairs")
        )
        return cls(
            root,
            {one["chip_id"]: one for one in chips},
            {one["photo_id"]: one for one in photos},
            {(one["chip_id"], one["photo_id"]): one for one in pairs},
        )

    def bytes_of(self, row: dict[str, Any]) -> bytes:
        """Returns the bytes of a chip or a photo."""
        with (self.root / row["shard"]).open("rb") as file:
            file.seek(row["offset"])
            return file.read(row["size"])

    def chosen(self, **columns: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Returns the pairs that have some values."""
        return {
            key: pair for key, pair in self.pairs.items()
            if all(pair[name] == value for name, value in columns.items())
        }  # fmt: skip


def with_hostile_words(built: Path, root: Path) -> Path:
    """Copies a dataset, sharing its shards; every photo gets a title and tags that mean harm."""
    shutil.copytree(built, root, copy_function=os.link)
    titles = [one[:500] for one in TITLES]
    for path in (root / "manifests").glob("*/photos/*.parquet"):
        table = pq.read_table(path)
        words = pa.array([titles[at % len(titles)] for at in range(table.num_rows)])
        for name in ("title", "tags", "attribution"):
            table = table.set_column(
                table.schema.get_field_index(name), table.schema.field(name), words
            )
        path.unlink()
        pq.write_table(table, path)
    return root


def contents(folder: Path) -> dict[str, bytes]:
    """Returns every file of a folder, whoever wrote it."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}  # fmt: skip


def check_record(folder: Path) -> dict[str, Any]:
    """Holds `export.json` to the files that there are, and returns it."""
    found = contents(folder)
    record: dict[str, Any] = json.loads(found.pop("export.json"))
    named = {one["path"]: (one["bytes"], one["sha256"]) for one in record["files"]}
    assert len(named) == len(record["files"])
    assert named == {
        path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in found.items()
    }
    return record


def keys(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns pairs in an order, none dropped."""
    return sorted(pairs)
