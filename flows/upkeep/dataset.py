"""A whole dataset, for those who mend it: its cells one by one, and how it was built."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from collectors.storage import open_store
from collectors.transport import WrongUse
from flows.catalogue.blocks import RuleBlock, SensorSource, SplitBlock
from flows.catalogue.catalogue import find_catalogue, load_catalogue
from flows.cells.state import latest_generations
from flows.products.tables import check_products
from flows.products.versions import IDENTITY, read_version, version_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue
    from flows.products.versions import Version
    from flows.progress import Progress

_WORKERS: Final = 16
"""Cells that are looked at side by side: a remote store takes tens of milliseconds for each."""

Found = TypeVar("Found")


def open_dataset(root: str) -> Store:
    """Opens a dataset that is there already.

    Raises:
        WrongUse: If the root holds none.
    """
    store = open_store(root, writable=False)
    if not store.exists(IDENTITY):
        raise WrongUse(root, "holds no dataset.", "Give --root the root of one.")
    return store


def each_cell(
    store: Store, what: str, work: Callable[[str], Found], progress: Progress
) -> list[Found]:
    """Does the same with every cell that has a commit or begun work, side by side.

    Returns:
        The results, in the order of the cells' names.
    """
    cells = set(latest_generations(store))
    cells |= {path.split("/")[1] for folder in ("steps", "shards", "parts")
              for path in store.list(folder)}  # fmt: skip
    names = sorted(cells)
    found = []
    with ThreadPoolExecutor(_WORKERS, "cells") as pool:
        for number, one in enumerate(pool.map(work, names)):
            progress(what, number, len(names))
            found.append(one)
    progress(what, len(names), len(names))
    return found


def newest_usable(store: Store) -> Version | None:
    """Returns the newest version that was not revoked; None if there is none."""
    for name in reversed(version_names(store)):
        version = read_version(store, name, revoked_too=True)
        if version is not None and not version.revoked:
            return version
    return None


def catalogue_of(store: Store, path: Path | None) -> Catalogue:
    """Returns the catalogue by which a dataset was built, as its newest version says.

    Args:
        store: The dataset.
        path: A catalogue's file, for what a version does not say, and for a dataset without one.
    """
    catalogue = load_catalogue(find_catalogue(path))
    check_products(catalogue)
    version = newest_usable(store)
    if version is None:
        return catalogue
    said = version.manifest
    splits = {name: said["splits"][name] for name in SplitBlock.model_fields}
    sensors = {
        name: SensorSource.model_validate({"kind": "sensor", **block})
        for name, block in said["sensors"].items()
    }
    others = {
        name: block for name, block in catalogue.sources.items()
        if not isinstance(block, SensorSource)
    }  # fmt: skip
    return catalogue.model_copy(
        update={
            "rules": RuleBlock.model_validate(said["rules"]),
            "splits": SplitBlock.model_validate(splits),
            "sources": others | sensors,
        }
    )
