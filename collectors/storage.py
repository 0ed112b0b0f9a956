"""The storage root: a local folder, S3 or Google Cloud Storage, behind one small interface.

Paths inside the root are relative, with `/` between their parts, on every kind of storage.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore, from_url

from collectors.transport import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore.store import ObjectStore

_REMOTE_SCHEMES: Final = {"s3": "/vsis3/", "gs": "/vsigs/"}
"""URL schemes of remote roots, with GDAL's prefix for the same storage."""


class StorageError(SetupError):
    """The storage cannot be used: the run stops, since nothing could be kept.

    Attributes:
        where: The path or URL that was worked on.
    """

    def __init__(self, where: str, what: str, remedy: str = "") -> None:
        super().__init__("storage", f"{where}: {what}", remedy)
        self.args = (where, what, remedy)
        self.where = where


class Missing(LookupError):  # noqa: N818 (an answer more often than an error)
    """There is nothing at a path of the storage."""


def open_store(
    root: str, *, writable: bool = True, options: Mapping[str, str] | None = None
) -> Store:
    """Opens a storage root.

    Args:
        root: A local path, `file://…`, `s3://bucket/prefix` or `gs://bucket/prefix`. A local folder
            is created if it may be written.
        writable: False for a root that is only read; then nothing is created or tried out.
        options: Settings of a remote store by obstore's names, such as `endpoint`; what is not
            given comes from the usual credentials of the cloud's own tools.

    Raises:
        StorageError: If the root is of another kind, or a local one cannot be written.
    """
    scheme = urlsplit(root).scheme if "://" in root else ""
    if scheme in _REMOTE_SCHEMES:
        settings: Any = dict(options or {})
        client: Any = {"allow_http": settings.get("endpoint", "").startswith("http:")}
        try:
            remote = from_url(root, config=settings, client_options=client)
        except (BaseError, ValueError) as error:
            raise StorageError(root, _first_line(error), "Check the address.") from error
        return Store(root.rstrip("/"), remote, None)
    if scheme not in {"", "file"}:
        raise StorageError(
            root,
            f"{scheme}:// is no storage that is known here.",
            "Give a local path, file://, s3:// or gs://.",
        )
    folder = Path(unquote(urlsplit(root).path) if scheme else root).expanduser().absolute()
    if writable:
        _make_folder(folder)
    try:
        store = Store(str(folder), LocalStore(folder), folder)
    except (BaseError, OSError) as error:
        raise StorageError(str(folder), f"cannot be opened ({_first_line(error)}).") from error
    if writable:
        store.check()
    return store


def _make_folder(folder: Path) -> None:
    """Makes a folder and sees that it takes files; obstore tries for ever on some that do not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StorageError(
            str(folder),
            f"cannot be written ({error.strerror}).",
            "Choose another root, or change who may write there.",
        ) from error


class Store:
    """A storage root. Its methods may be called by several threads at once.

    Every method raises `StorageError` when the storage refuses or cannot be reached, and
    `ValueError` when a path is not a clean relative one.

    Attributes:
        root: The absolute local path, or the URL without a slash at the end.
    """

    def __init__(self, root: str, store: ObjectStore, folder: Path | None) -> None:
        """Use `open_store`."""
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
        try:
            with self._trouble(path, "cannot be written"):
                obstore.put(self._store, checked, data, mode="create")
        except (AlreadyExistsError, PreconditionError):
            return self.read(path) == data
        return True

    def replace(self, path: str, data: bytes) -> None:
        """Writes an object over whatever is there; only for hints that nothing relies on."""
        with self._trouble(path, "cannot be written"):
            obstore.put(self._store, _checked(path), data)

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

        Args:
            prefix: Whole parts of a path: `shards/r1` does not match `shards/r10/…`.
        """
        with self._trouble(prefix or ".", "cannot be listed"):
            pages = obstore.list(self._store, _checked(prefix) if prefix else None)
            return sorted(entry["path"] for page in pages for entry in page)

    def size(self, path: str) -> int:
        """Returns an object's size in bytes.

        Raises:
            Missing: If there is none.
        """
        with self._trouble(path, "cannot be read"):
            return int(obstore.head(self._store, _checked(path))["size"])

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
        return _REMOTE_SCHEMES[scheme] + rest if found else scheme

    def check(self) -> None:
        """Writes, reads and removes a small object, to know that the storage can do it.

        Raises:
            StorageError: If it cannot; a local file system also needs hard links, which is how an
                exclusive write is done there.
        """
        path = f".probe-{secrets.token_hex(8)}"
        if not self.create(path, path.encode()):
            raise StorageError(self.uri(path), "does not hold what was written to it.")
        self.delete(path)

    def _trouble(self, path: str, what: str) -> _StorageTrouble:
        return _StorageTrouble(f"{self.root}/{path}", what)


class _StorageTrouble:
    """Turns what obstore raises into this module's errors; a taken path is let through."""

    def __init__(self, where: str, what: str) -> None:
        self._where = where
        self._what = what

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise Missing(self._where) from error
        if isinstance(error, AlreadyExistsError | PreconditionError):
            return
        if isinstance(error, BaseError | OSError):
            raise StorageError(
                self._where,
                f"{self._what} ({_first_line(error)}).",
                "Look at permissions, free space, credentials and the connection.",
            ) from error


def _first_line(error: BaseException) -> str:
    """Returns an error's first line; obstore adds pages of its inner state."""
    return str(error).strip().split("\n", 1)[0].rstrip(".")


def _checked(path: str) -> str:
    """Returns a path if it is relative and clean.

    Raises:
        ValueError: If it is not.
    """
    if re.search(r"^$|^/|/$|//|\\|(^|/)\.{1,2}(/|$)|[\x00-\x1f#]", path):
        raise ValueError(f"{path!r} is not a clean relative path inside the storage root")
    return path
