"""Takes versions back in which something stands that must be forgotten."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from collectors.transport import SetupError
from flows.products.block_list import request_names
from flows.products.revoked import LEFT, revoke
from flows.products.rows import ROWS
from flows.products.versions import MANIFESTS, REVOKED, manifest_bytes, read_version, version_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from collectors.storage import Store

_FIRST_FILE: Final = re.compile(rf"{MANIFESTS}/(v\d{{4,}})/([a-z]+)/part-00000\.parquet")
"""Each table of a version has one, be it without rows."""


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


def remove_unfinished(store: Store) -> int:
    """Removes the tables of versions that have no manifest; returns how many there were.

    If their publisher lives, it finds afterwards that photos were forgotten meanwhile, and takes
    its version back. If it dies before that, the version is known as torn (`revoke_torn`): the
    first file of each table goes first.
    """
    finished = set(version_names(store))
    paths = [
        path for path in store.list(MANIFESTS)
        if path.count("/") > 1 and path.split("/")[1] not in finished
    ]  # fmt: skip
    for path in sorted(paths, key=lambda path: _FIRST_FILE.fullmatch(path) is None):
        store.delete(path)
    return len(paths)


def revoke_torn(store: Store) -> None:
    """Revokes the versions whose tables a forgetting removed while they were published.

    Their publisher died between their manifest and taking them back.
    """
    if not request_names(store):
        return
    paths = set(store.list(MANIFESTS))
    whole = {found.groups() for path in paths if (found := _FIRST_FILE.fullmatch(path))}
    for name in version_names(store):
        marked = f"{MANIFESTS}/{name}/{REVOKED}" in paths
        if not marked and any((name, product) not in whole for product in ROWS):
            revoke(store, name)


@contextmanager
def taken_back_if_forgotten(
    store: Store, asked: tuple[str, ...], manifest: Mapping[str, Any]
) -> Iterator[Callable[[], None]]:
    """Takes a version back that is being made, if photos are forgotten meanwhile.

    Who forgets removes parts and tables that are read here, so any error may come of that.

    Args:
        store: The dataset.
        asked: The requests that were there when the state of the cells was read.
        manifest: What is known of the version so far; it may grow. It has no tables as long as
            none are being written.

    Yields:
        What looks whether it has to be taken back, and ends the work if so.

    Raises:
        SetupError: If photos were forgotten meanwhile.
    """
    name = manifest["version"]
    folder = f"{MANIFESTS}/{name}"

    def is_forgotten() -> bool:
        paths = {one["path"] for files in manifest["tables"].values() for one in files}
        return request_names(store) != asked or not paths <= set(store.list(folder))

    def check() -> None:
        if is_forgotten():
            raise forgotten_meanwhile(store, name)

    try:
        yield check
    except Exception as error:
        if not is_forgotten():
            raise
        # Its tables may name what was asked for. The number goes with them, so that nobody takes
        # what is removed for the begin of another version; if somebody has it already, it is theirs
        # to look at the list.
        left = {key: manifest[key] for key in LEFT if key in manifest}
        if left["tables"] and store.create(f"{folder}/manifest.json", manifest_bytes(left)):
            revoke(store, name)
        raise forgotten_meanwhile(store, name) from error


def forgotten_meanwhile(store: Store, name: str) -> SetupError:
    """Returns what a publisher says whose version was taken back."""
    return SetupError(
        store.root,
        f"photos were forgotten while {name} was published, so it was taken back.",
        "Nothing else is lost: run the same command again.",
    )
