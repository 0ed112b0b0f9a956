"""Takes versions back in which something stands that must be forgotten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from flows.products.versions import INDICES, MANIFESTS, REVOKED, read_version, version_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from collectors.storage import Store

LEFT: Final = ("schema", "version", "seed", "cells", "splits", "tables")
"""What a revoked version's manifest still says; none of it names a photo."""


def versions_naming(store: Store, purged: Mapping[str, Collection[int]]) -> list[str]:
    """Returns the versions that were made of purged generations, oldest first.

    Args:
        store: The dataset.
        purged: Generations by cell.
    """
    found = []
    for name in version_names(store):
        version = read_version(store, name, revoked_too=True)
        assert version is not None  # noqa: S101 - it was listed
        cells = version.manifest["cells"].items()
        if version.revoked or any(number in purged.get(cell, ()) for cell, number in cells):
            found.append(name)
    return found


def revoke(store: Store, name: str) -> None:
    """Marks a version as revoked and removes it, and its index, but what is left of its manifest.

    Done again, it changes nothing; stopped, it goes on.
    """
    folder = f"{MANIFESTS}/{name}"
    mark = {"version": name, "why": "Photos in it had to be forgotten. Do not use or pass on copies"
            " of it; take the dataset's newest version."}  # fmt: skip
    store.create(f"{folder}/{REVOKED}", _json(mark))
    text = store.read(f"{folder}/manifest.json")
    manifest = json.loads(text)
    left = _json({key: manifest[key] for key in LEFT if key in manifest})
    if left != text:
        store.replace(f"{folder}/manifest.json", left)
    for path in store.list(folder):
        if path.removeprefix(f"{folder}/") not in {"manifest.json", REVOKED}:
            store.delete(path)
    for path in store.list(f"{INDICES}/{name}"):
        store.delete(path)


def remove_unfinished(store: Store) -> int:
    """Removes the tables of versions that have no manifest; returns how many there were.

    If their publisher lives, it finds afterwards that photos were forgotten meanwhile, and takes
    its version back.
    """
    finished = set(version_names(store))
    paths = [
        path for path in store.list(MANIFESTS)
        if path.count("/") > 1 and path.split("/")[1] not in finished
    ]  # fmt: skip
    for path in paths:
        store.delete(path)
    return len(paths)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
