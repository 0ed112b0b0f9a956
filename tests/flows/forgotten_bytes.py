"""Looks for anything of a photo in every byte of a dataset."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq

from collectors.shards import list_members, read_member
from collectors.storage import open_store
from flows.cells.state import latest_generations, read_commit
from flows.settings import read_settings
from flows.upkeep.forgetting import Forgetting, open_forgetter

if TYPE_CHECKING:
    from pathlib import Path

    from flows.settings import Settings
    from flows.upkeep.asked import Asked

KEY = "a key of the tests, long enough"


@dataclass(frozen=True, slots=True)
class Traces:
    """What must not be found of a photo.

    Attributes:
        texts: Its id and addresses, its owner if that one goes, and chips that are its alone: their
            names are its place.
        sha256: Of its picture.
        run: A run of bytes from the middle of its picture.
    """

    texts: tuple[str, ...]
    sha256: str
    run: bytes

    @classmethod
    def of(cls, root: Path, photo_id: str, *, with_owner: bool = False) -> Traces:
        """Reads them from the newest version, before the photo is forgotten."""
        (row,) = rows(root, "photos", f"photo_id = '{photo_id}'")
        picture = read_member(open_store(str(root)), row["shard"], row["offset"], row["size"])
        texts = [photo_id, row["page_url"], row["image_url"], row["picture_hash"]]
        texts += [row["owner"]] if with_owner else []
        chips = {one["chip_id"] for one in rows(root, "pairs", f"photo_id = '{photo_id}'")}
        texts += [
            one["chip_id"] for one in rows(root, "chips", "photos = 1") if one["chip_id"] in chips
        ]
        middle = len(picture) // 2
        return cls(tuple(texts), row["sha256"], picture[middle : middle + 64])

    def found_in(self, root: Path) -> list[str]:
        """Returns every file in which something of it stands, with what."""
        store = open_store(str(root))
        found = []
        for path in store.list():
            data = store.read(path)
            if self.run in data:
                found.append(f"{path}: its picture")
            text = _text(path, data)
            found += [f"{path}: {one}" for one in (*self.texts, self.sha256) if one in text]
            if path.endswith(".tar"):
                found += [
                    f"{path}: {one.name}"
                    for one in list_members(store, path)
                    if hashlib.sha256(read_member(store, path, one.offset, one.size)).hexdigest()
                    == self.sha256
                ]
        return found


def _text(path: str, data: bytes) -> str:
    """Returns what a file says: Parquet is compressed, and so are steps."""
    if path.endswith(".parquet"):
        table = pq.read_table(BytesIO(data))
        return json.dumps([*table.to_pylist(), str(table.schema)], default=str)
    if path.endswith(".gz"):
        return gzip.decompress(data).decode()
    return data.decode("utf-8", "replace")


def rows(root: Path, product: str, where: str = "true") -> list[dict[str, Any]]:
    """Returns rows of the newest version that was published."""
    newest = max(path.parent for path in root.glob("manifests/v*/manifest.json"))
    with duckdb.connect() as base:
        found = base.sql(f"SELECT * FROM '{newest}/{product}/*.parquet' WHERE {where}")
        return [dict(zip(found.columns, one, strict=True)) for one in found.fetchall()]


def settings(**more: Any) -> Settings:
    """Returns settings with the tests' key."""
    return read_settings({"block_key": KEY} | more)


def forget(root: Path | str, catalogue: Path, asked: Asked, **more: Any) -> Forgetting:
    """Forgets without asking."""
    forgetter = open_forgetter(str(root), settings(**more), asked, catalogue_path=catalogue)
    return forgetter.carry_out(forgetter.plan())


def pair_bytes(root: Path) -> dict[tuple[str, str], tuple[str, str, str]]:
    """Returns for each pair its row, and what its photo and its chip hold, by their checksums."""
    store = open_store(str(root))
    digests: dict[str, str] = {}
    found = {}
    for cell, generation in latest_generations(store).items():
        parts = read_commit(store, cell, generation)["parts"]
        for product, name in (("photos", "photo_id"), ("chips", "chip_id")):
            for row in pq.read_table(BytesIO(store.read(parts[product]))).to_pylist():
                if row["shard"]:
                    data = read_member(store, row["shard"], row["offset"], row["size"])
                    digests[row[name]] = hashlib.sha256(data).hexdigest()
        for row in pq.read_table(BytesIO(store.read(parts["pairs"]))).to_pylist():
            key = (row["photo_id"], row["chip_id"])
            found[key] = (repr(row), digests[key[0]], digests[key[1]])
    return found
