"""The index of a version's chips: an SQLite file with a full-text table (FTS5).

It is kept outside the dataset, in a folder of the user's cache, and made anew whenever it is not
the one of exactly these rows and regions. It gets its name only when it is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from collectors.transport import SetupError
from flows.products.versions import MANIFESTS, REVOKED
from flows.search.queries import separated
from flows.wording.chip_texts import GROUND, words_of
from flows.wording.reading import chip_texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collectors.storage import Store
    from flows.products.versions import Version
    from flows.progress import Progress
    from flows.wording.chip_texts import ChipText
    from flows.wording.reading import Regions

FORMAT: Final = "terrapair-search/1"
"""Goes up whenever the words, the tokenizer or the tables change."""

COLUMNS: Final = ("cover", "season", "date", "place", "title", "tags")
"""Columns of the full-text table."""

_TABLES: Final = f"""
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE chips (
    number INTEGER PRIMARY KEY, chip_id TEXT NOT NULL UNIQUE, sensor TEXT NOT NULL,
    cell TEXT NOT NULL, day TEXT NOT NULL, season TEXT NOT NULL,
    lon REAL NOT NULL, lat REAL NOT NULL,
    place TEXT NOT NULL, regions TEXT NOT NULL, splits TEXT NOT NULL, photos INTEGER NOT NULL,
    cover TEXT, cover_words TEXT NOT NULL, {", ".join(f"{name} REAL NOT NULL" for name in GROUND)}
);
CREATE VIRTUAL TABLE words USING fts5(
    {", ".join(COLUMNS)}, tokenize = 'porter unicode61 remove_diacritics 2'
);
"""

_BATCH: Final = 1_000
"""Chips that are written at a time."""

_LEFT_BEHIND_S: Final = 86_400.0
"""What is not whole after a day was left by a process that was killed."""


def index_key(version: Version, regions: Regions) -> str:
    """Returns what an index is the index of: rows, regions and the form of the index."""
    told = [FORMAT, version.fingerprint, regions.fingerprint]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def dataset_folder(cache: Path, root: str) -> Path:
    """Returns the folder of a dataset's indices."""
    return cache / hashlib.sha256(root.encode()).hexdigest()[:24]


def find_index(
    store: Store, version: Version, regions: Regions, cache: Path, progress: Progress
) -> Path:
    """Returns the index of a version, made now if there is none.

    Args:
        store: The dataset.
        version: The version.
        regions: The catalogue's regions.
        cache: Folder of all indices.
        progress: Hears how far making it is.

    Raises:
        SetupError: If the version was revoked while its index was made, or the cache cannot be
            written.
    """
    folder = dataset_folder(cache, store.root)
    key = index_key(version, regions)
    path = folder / f"{version.name}-{key[:24]}.sqlite"
    for other in folder.glob(f"{version.name}-*.sqlite"):
        if other != path:  # of other regions, or of an earlier release
            other.unlink(missing_ok=True)
    if _is_whole(path, key):
        return path
    part = unfinished(path)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.unlink(missing_ok=True)
        about = {"key": key, "root": store.root, "version": version.name}
        _write(part, chip_texts(store, version, regions, progress), about)
        if is_gone(store, version.name):
            raise SetupError(
                store.root, f"version {version.name} was revoked meanwhile.", "Search again."
            )
        part.replace(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise SetupError(
            str(folder), f"the index cannot be kept there: {error}.",
            "Make room, or name another folder with TERRAPAIR_SEARCH_CACHE.",
        ) from error  # fmt: skip
    finally:
        part.unlink(missing_ok=True)
    return path


def drop_indices(root: str, cache: Path) -> int:
    """Removes all indices and embeddings of a dataset, and returns how many there were."""
    gone = 0
    folder = dataset_folder(cache, root)
    for path in folder.glob("v*-*"):
        _remove(path)
        gone += 1
    for path in folder.glob(".*.part"):
        path.unlink(missing_ok=True)
    return gone


def unfinished(path: Path) -> Path:
    """Returns the name that a file has until it is whole, another one for each writer."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def drop_stale(store: Store, cache: Path) -> None:
    """Removes indices and embeddings of a dataset's versions that are gone or revoked.

    Words of a forgotten photo must not live on in them.
    """
    for path in dataset_folder(cache, store.root).glob("v*-*"):
        if is_gone(store, path.name.partition("-")[0]):
            _remove(path)
    for path in dataset_folder(cache, store.root).rglob(".*.part"):
        with contextlib.suppress(FileNotFoundError):  # its writer has just finished it
            if time.time() - path.stat().st_mtime > _LEFT_BEHIND_S:
                path.unlink()


def is_gone(store: Store, version: str) -> bool:
    """Says whether a version is no more, or revoked."""
    folder = f"{MANIFESTS}/{version}"
    return store.exists(f"{folder}/{REVOKED}") or not store.exists(f"{folder}/manifest.json")


def _is_whole(path: Path, key: str) -> bool:
    """Says whether a file is an index of this key; what is none of any kind is removed."""
    if not path.is_file():
        return False
    try:
        with contextlib.closing(opened(path)) as base:
            (found,) = base.execute("SELECT value FROM about WHERE name = 'key'").fetchone()
            pages = base.execute("PRAGMA page_count").fetchone()[0]
            size = pages * base.execute("PRAGMA page_size").fetchone()[0]
    except (sqlite3.DatabaseError, TypeError):
        found, size = "", -1
    if found == key and size == path.stat().st_size:
        return True
    path.unlink(missing_ok=True)
    return False


def opened(path: Path) -> sqlite3.Connection:
    """Opens an index to be read. Nothing ever writes to it once it has its name."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def _write(path: Path, texts: Iterator[ChipText], about: dict[str, str]) -> None:
    path.touch(mode=0o600)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
        # A file that is not whole is thrown away, so nothing has to be kept for mending it.
        base.execute("PRAGMA journal_mode = OFF")
        base.execute("PRAGMA synchronous = OFF")
        base.executescript(_TABLES)
        base.execute("BEGIN")
        marks = ", ".join("?" * (14 + len(GROUND)))
        number = 0
        while some := list(islice(texts, _BATCH)):
            numbered = list(enumerate(some, start=number))
            into = f"INSERT INTO chips VALUES ({marks})"  # noqa: S608 - marks alone
            base.executemany(into, [_row(*one) for one in numbered])
            base.executemany(
                "INSERT INTO words (rowid, cover, season, date, place, title, tags)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [_words(*one) for one in numbered],
            )
            number += len(some)
        base.executemany("INSERT INTO about VALUES (?, ?)", sorted(about.items()))
        base.execute("INSERT INTO words (words) VALUES ('optimize')")
        base.execute("COMMIT")
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _row(number: int, text: ChipText) -> tuple[Any, ...]:
    splits = sorted({one.split for one in text.photos})
    return (
        number, text.chip_id, text.sensor, text.cell, text.day.isoformat(), text.season_words,
        text.lon, text.lat, text.place_words, json.dumps(text.regions), json.dumps(splits),
        len(text.photos), None if text.cover is None else json.dumps(dict(text.cover)),
        text.cover_words, *((text.cover or {}).get(name, 0.0) for name in GROUND),
    )  # fmt: skip


def _words(number: int, text: ChipText) -> tuple[Any, ...]:
    titles, tags = (" · ".join(words_of(text.photos, name)) for name in ("title", "tags"))
    return (
        number, text.cover_words, text.season_words, text.date_words, text.place_words,
        separated(titles), separated(tags),
    )  # fmt: skip
