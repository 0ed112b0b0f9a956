"""Looks for secrets in every byte of a folder, packed, encoded or stored in tables."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def forms(secret: str) -> set[bytes]:
    """The ways in which a secret may stand in a file: plain, escaped, percent-encoded, base64."""
    raw = secret.encode()
    found = {raw, json.dumps(secret)[1:-1].encode(), quote(secret, "").encode()}
    found |= {quote_plus(secret).encode(), repr(secret)[1:-1].encode()}
    for shift in range(3):  # base64 looks differently after 0, 1 and 2 bytes of something else
        coded = base64.b64encode(bytes(shift) + raw)
        inner = coded[(0, 2, 3)[shift] : -4]  # without what depends on what stands beside it
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def views(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what is in it if it is packed."""
    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if data[:4] == b"PAR1":
        table = pq.read_table(path)
        yield str(table.schema.metadata).encode()
        yield json.dumps(table.to_pylist(), default=str).encode()
    if data[:15] == b"SQLite format 3":
        with sqlite3.connect(path) as base:  # long values lie in pieces on several pages
            yield "\n".join(base.iterdump()).encode()
        base.close()


def find_secrets(folder: Path, secrets: Iterable[str]) -> list[str]:
    """Returns a line for each secret that stands in a file of a folder; they are not shown."""
    wanted = [(number, form) for number, secret in enumerate(secrets) for form in forms(secret)]
    return sorted(
        {
            f"{path.relative_to(folder)}: secret {number}"
            for path in folder.rglob("*") if path.is_file()
            for view in views(path)
            for number, form in wanted if form in view
        }
    )  # fmt: skip
