"""What processes leave in a storage root when they die in the middle of a write."""

from __future__ import annotations

import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from collectors.storage import PROBE, StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.storage import Store

_UNFINISHED: Final = re.compile(r"#\d+$")
"""Ends the name of the file that obstore fills before it links it to where it belongs."""


def storage_time(store: Store) -> datetime:
    """Returns the time by the storage's own clock, UTC: a small object is written and removed."""
    path = f"{PROBE}{secrets.token_hex(8)}"
    store.create(path, path.encode())
    try:
        return store.describe(path).modified_at
    finally:
        store.delete(path)


def probes(store: Store) -> list[StoredObject]:
    """Returns the objects by which a process tried the storage out, and did not live to remove."""
    return [one for one in store.objects(deep=False) if one.path.startswith(PROBE)]


def unfinished_files(store: Store) -> list[StoredObject]:
    """Returns the files of a local root that are being written, or were when a process died.

    No listing shows them. Remote storage has none: there an object is whole or not there.
    """
    return sorted(_walk(store), key=lambda one: one.path)


def discard(store: Store, unfinished: StoredObject) -> None:
    """Removes a file that `unfinished_files` gave; one that is not there counts as removed.

    Raises:
        ValueError: If it is a whole object, or the root is remote.
    """
    if not store.is_local or not _UNFINISHED.search(unfinished.path):
        raise ValueError(f"{unfinished.path!r} is no unfinished file")
    (Path(store.root) / unfinished.path).unlink(missing_ok=True)


def _walk(store: Store) -> Iterator[StoredObject]:
    if not store.is_local:
        return
    for folder, _, names in os.walk(store.root):
        for file in (Path(folder) / name for name in names if _UNFINISHED.search(name)):
            try:
                seen = file.stat()
            except FileNotFoundError:  # finished meanwhile
                continue
            path = file.relative_to(store.root).as_posix()
            yield StoredObject(path, seen.st_size, datetime.fromtimestamp(seen.st_mtime, UTC))
