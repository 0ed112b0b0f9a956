"""Takes a version back, and tells those who were reading or writing it meanwhile."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from flows.products.versions import INDICES, MANIFESTS, REVOKED, manifest_bytes, published_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.storage import Store, StoredObject

LEFT: Final = ("schema", "version", "seed", "cells", "splits", "tables", "sensors")
"""What a revoked version's manifest still says; none of it names a photo."""


def revoke(store: Store, name: str) -> None:
    """Marks a version as revoked and removes it, and its index, but what is left of its manifest.

    Done again, it changes nothing; stopped, it goes on.
    """
    folder = f"{MANIFESTS}/{name}"
    mark = {"version": name, "why": "Photos in it had to be forgotten. Do not use or pass on copies"
            " of it; take the dataset's newest version."}  # fmt: skip
    store.create(f"{folder}/{REVOKED}", manifest_bytes(mark))
    text = store.read(f"{folder}/manifest.json")
    manifest = json.loads(text)
    left = manifest_bytes({key: manifest[key] for key in LEFT if key in manifest})
    if left != text:
        store.replace(f"{folder}/manifest.json", left)
    for path in store.list(folder):
        if path.removeprefix(f"{folder}/") not in {"manifest.json", REVOKED}:
            store.delete(path)
    for path in store.list(f"{INDICES}/{name}"):
        store.delete(path)


def left_of_revoked(store: Store) -> list[StoredObject]:
    """Returns what lies in the place of revoked versions, but the mark and what is left of them.

    Somebody wrote it while the version was revoked, and died before seeing that.
    """
    lying = store.objects(MANIFESTS)
    revoked = {one.path.split("/")[1] for one in lying if one.path.endswith(f"/{REVOKED}")}
    if not revoked:
        return []
    stay = {f"{MANIFESTS}/{name}/{one}" for name in revoked for one in (REVOKED, "manifest.json")}
    lying += store.objects(INDICES)
    return [one for one in lying if one.path.split("/")[1] in revoked and one.path not in stay]


@contextmanager
def while_published(store: Store, name: str, *, within: bool = False) -> Iterator[None]:
    """Is wrapped around what is made of a version, up to where it would be taken for whole.

    A forgetting may revoke the version and remove its files at any moment. What was read before may
    name what had to go, and what is read after is not there, which shows in any error.

    Args:
        store: The dataset.
        name: The version.
        within: Whether what is made lies in the dataset itself, in the version's folder or its
            index. It is removed then: who forgets looked there before it was written.

    Raises:
        SetupError: If the version was revoked meanwhile.
    """
    try:
        yield
    except BaseException:
        _see(store, name, within=within)
        raise
    _see(store, name, within=within)


def _see(store: Store, name: str, *, within: bool) -> None:
    if within and store.exists(f"{MANIFESTS}/{name}/{REVOKED}"):
        revoke(store, name)
    published_version(store, name)
