"""A storage root and what can be done in it; `collectors.storage` opens one."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from collectors.storage_errors import Missing, StorageError, StorageTrouble, UnusableRoot

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from obstore.store import ObjectStore

REMOTE_SCHEMES: Final = {"s3": "/vsis3/", "gs": "/vsigs/"}
"""URL schemes of remote roots, with GDAL's prefix for the same storage."""

PROBE: Final = ".probe-"
"""Begin of the names of the small objects by which a storage is tried out."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing shows it.

    Attributes:
        path: Its path in the root.
        size: Bytes.
        modified_at: When it was written, UTC, by the storage's own clock.
    """

    path: str
    size: int
    modified_at: datetime


class Store:
    """A storage root. Its methods may be called by several threads at once.

    Every method raises `StorageError` when the storage refuses or cannot be reached, and
    `ValueError` when a path is not a clean relative one.

    Attributes:
        root: The absolute local path, or the URL without a slash at the end.
    """

    def __init__(self, root: str, store: ObjectStore, folder: Path | None) -> None:
        """Use `collectors.storage.open_store`."""
        self.root = root
        self._store = store
        self._folder = folder

    def __repr__(self) -> str:
        return f"Store({self.root!r})"

    def create(self, path: str, data: bytes) -> bool:
        """Writes an object that must not exist yet; nobody ever sees a part of it.

        Of several writers at the same time exactly one wins. A writer that finds the path taken
        reads it back: its own content there means that an earlier try of its own went through.

        Returns:
            True if the object now holds `data`; False if it holds something else.
        """
        checked = _checked(path)
        while True:
            try:
                with self._trouble(path, "cannot be written"):
                    obstore.put(self._store, checked, data, mode="create")
            except (AlreadyExistsError, PreconditionError):
                try:
                    return self.read(path) == data
                except Missing:
                    continue  # whoever was first has removed it again: the path is free
            except Missing as error:
                raise self._no_bucket() from error
            return True

    def replace(self, path: str, data: bytes) -> None:
        """Writes an object over whatever is there; only for hints that nothing relies on."""
        try:
            with self._trouble(path, "cannot be written"):
                obstore.put(self._store, _checked(path), data)
        except Missing as error:
            raise self._no_bucket() from error

    def read(self, path: str) -> bytes:
        """Returns the whole object.

        Raises:
            Missing: If there is none.
        """
        with self._trouble(path, "cannot be read"):
            return bytes(obstore.get(self._store, _checked(path)).bytes())

    def read_range(self, path: str, offset: int, size: int) -> bytes:
        """Returns `size` bytes from `offset`, or fewer where the object ends sooner.

        Raises:
            Missing: If there is no such object.
            StorageError: If the object ends before `offset`.
        """
        if size == 0:
            return b""
        with self._trouble(path, f"has no {size} bytes at {offset}"):
            return bytes(obstore.get_range(self._store, _checked(path), start=offset, length=size))

    def list(self, prefix: str = "") -> list[str]:
        """Returns the paths of all objects under a folder, sorted; none if there is no such folder.

        What `check` tries the storage with, here or in another process, is not among them.

        Args:
            prefix: Whole parts of a path: `shards/r1` does not match `shards/r10/…`.
        """
        return [one.path for one in self.objects(prefix) if not one.path.startswith(PROBE)]

    def objects(self, prefix: str = "", *, deep: bool = True) -> tuple[StoredObject, ...]:
        """Returns the objects under a folder, sorted by path; none if there is no such folder.

        Args:
            prefix: Whole parts of a path, as for `list`.
            deep: Whether those in its folders are meant as well.
        """
        folder = _checked(prefix) if prefix else None
        with self._trouble(prefix or ".", "cannot be listed"):
            if deep:
                entries = [one for page in obstore.list(self._store, folder) for one in page]
            else:
                entries = list(obstore.list_with_delimiter(self._store, folder)["objects"])
        return tuple(sorted(map(_described, entries), key=lambda one: one.path))

    def describe(self, path: str) -> StoredObject:
        """Returns an object's size and when it was written.

        Raises:
            Missing: If there is none.
        """
        with self._trouble(path, "cannot be read"):
            return _described(obstore.head(self._store, _checked(path)))

    def size(self, path: str) -> int:
        """Returns an object's size in bytes.

        Raises:
            Missing: If there is none.
        """
        return self.describe(path).size

    def exists(self, path: str) -> bool:
        """Says whether there is an object at the path."""
        try:
            self.size(path)
        except Missing:
            return False
        return True

    def delete(self, path: str) -> None:
        """Removes an object; one that is not there counts as removed."""
        try:
            with self._trouble(path, "cannot be deleted"):
                obstore.delete(self._store, _checked(path))
        except Missing:
            return

    @property
    def is_local(self) -> bool:
        """Whether objects are files of this machine."""
        return self._folder is not None

    def local_path(self, path: str) -> Path | None:
        """Returns the object's file; None on remote storage."""
        checked = _checked(path)
        return self._folder / checked if self._folder else None

    def uri(self, path: str) -> str:
        """Returns the object's address for DuckDB and pyarrow: an absolute path, or a URL."""
        return f"{self.root}/{_checked(path)}"

    def gdal_path(self, path: str) -> str:
        """Returns the object's address for GDAL: an absolute path, `/vsis3/…` or `/vsigs/…`."""
        scheme, found, rest = self.uri(path).partition("://")
        return REMOTE_SCHEMES[scheme] + rest if found else scheme

    def check(self) -> None:
        """Writes, reads and removes a small object, to know that the storage can do it.

        Raises:
            StorageError: If it cannot, or lets a second writer overwrite the first; a local file
                system also needs hard links, which is how an exclusive write is done there.
        """
        path = f"{PROBE}{secrets.token_hex(8)}"
        if not self.create(path, path.encode()):
            raise StorageError(self.uri(path), "does not hold what was written to it.")
        try:
            if self.create(path, b"second"):
                raise StorageError(
                    self.root,
                    "lets a second writer overwrite what a first one wrote.",
                    "Choose storage that honours If-None-Match; without it builds lose work.",
                )
        finally:
            self.delete(path)

    def _no_bucket(self) -> UnusableRoot:
        return UnusableRoot(
            self.root, "there is no such bucket.", "Make it, or look at the name and the endpoint."
        )

    def _trouble(self, path: str, what: str) -> StorageTrouble:
        return StorageTrouble(f"{self.root}/{path}", what)


def _described(entry: Any) -> StoredObject:
    """Returns what obstore says of an object."""
    return StoredObject(entry["path"], int(entry["size"]), entry["last_modified"].astimezone(UTC))


def _checked(path: str) -> str:
    """Returns a path if it is relative and clean.

    Raises:
        ValueError: If it is not.
    """
    if re.search(r"^$|^/|/$|//|\\|(^|/)\.{1,2}(/|$)|[\x00-\x1f#]", path):
        raise ValueError(f"{path!r} is not a clean relative path inside the storage root")
    return path
