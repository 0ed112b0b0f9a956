"""What can go wrong with a storage, in this project's own words."""

from __future__ import annotations

import re

from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from collectors.transport import SetupError, WrongUse


class StorageError(SetupError):
    """The storage cannot be used: the run stops, since nothing could be kept.

    Attributes:
        where: The path or URL that was worked on.
    """

    def __init__(self, where: str, what: str, remedy: str = "") -> None:
        super().__init__("storage", f"{where}: {what}", remedy)
        self.args = (where, what, remedy)
        self.where = where


class UnusableRoot(StorageError, WrongUse):  # noqa: N818
    """The root that was given is none: there is nothing, or it is of another kind."""


class Missing(LookupError):  # noqa: N818 (an answer more often than an error)
    """There is nothing at a path of the storage."""


class StorageTrouble:
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
                f"{self._what} ({first_line(error)}).",
                "Look at permissions, free space, credentials and the connection.",
            ) from error


def first_line(error: BaseException) -> str:
    """Returns an error's first line; obstore adds pages of its inner state."""
    line = str(error).strip().split("\n", 1)[0].rstrip(".")
    return re.sub(r",\s*max_retries: \d+, retry_timeout: \S+\s*", "", line)
