"""Files of a dataset on object storage as DuckDB and pyarrow read them: by ranges of bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fsspec.spec import (  # type: ignore[import-untyped]
    AbstractBufferedFile,
    AbstractFileSystem,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collectors.storage import Store

_READ_AHEAD: Final = 256 * 1024
"""Bytes that are fetched beyond those asked for: the next column is often the next to be read."""


class RemoteFiles(AbstractFileSystem):  # type: ignore[misc]
    """A dataset's files, read only; nothing is copied that is not asked for."""

    cachable = False

    def __init__(self, store: Store, paths: Iterable[str], name: str) -> None:
        """Takes the dataset and what may be read of it.

        Args:
            store: The dataset.
            paths: Files, relative to its root.
            name: What the files' addresses begin with, before `://`: lower case.
        """
        super().__init__(skip_instance_cache=True)
        self.store = store
        self.protocol = name
        self._sizes: dict[str, int | None] = dict.fromkeys(paths)

    def unstrip_protocol(self, name: str) -> str:
        """Returns a file's address."""
        return f"{self.protocol}://{_path(name)}"

    def modified(self, path: str) -> datetime:
        """Returns the same for all: files of a version are never changed."""
        self.info(path)
        return datetime.fromtimestamp(0, UTC)

    def info(self, path: str, **_more: Any) -> dict[str, Any]:
        """Returns a file's size.

        Raises:
            FileNotFoundError: If it is not one of the files.
        """
        name = _path(path)
        if name not in self._sizes:
            raise FileNotFoundError(path)
        size = self._sizes[name]
        if size is None:
            size = self._sizes[name] = self.store.size(name)
        return {"name": name, "size": size, "type": "file"}

    def glob(self, path: str, **_more: Any) -> list[str]:
        """Returns the file of that name, if it is one of the files; there are no patterns."""
        return [_path(path)] if _path(path) in self._sizes else []

    def _open(self, path: str, mode: str = "rb", **_more: Any) -> RangeFile:
        size = self.info(path)["size"]
        return RangeFile(self, _path(path), mode, block_size=_READ_AHEAD, size=size)


def _path(address: str) -> str:
    """Returns a file's path, relative to the root."""
    return address.rpartition("://")[2].lstrip("/")


class RangeFile(AbstractBufferedFile):  # type: ignore[misc]
    """A file of a dataset, of which ranges are fetched."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        found: bytes = self.fs.store.read_range(self.path, start, end - start)
        return found
