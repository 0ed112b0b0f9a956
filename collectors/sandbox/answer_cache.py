"""Files that were made once are kept, so that they are not made again."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class AnswerCache:
    """Keeps files in a temporary file without a name; may be used from any thread.

    A world is for ever the same, so what its pictures and pixels are depends on the question alone.
    Who makes many builds against one sandbox asks for the same files again and again.

    Args:
        limit_bytes: of all that is kept together; what comes when it is full is not kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._places: dict[Hashable, tuple[int, int]] = {}
        self._end = 0
        # It ends with the process, however that ends.
        self._file = tempfile.TemporaryFile() if limit_bytes else None  # noqa: SIM115
        if self._file is not None:
            weakref.finalize(self, self._file.close)

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """Gives what is kept under a key, or else makes it.

        Args:
            key: everything that the file depends on, besides the world.
            make: makes it; two threads that ask at once may both do so.
        """
        if self._file is None:
            return make()
        place = self._places.get(key)
        if place is not None:
            offset, size = place
            return os.pread(self._file.fileno(), size, offset)
        content = make()
        with self._lock:
            if key not in self._places and self._end + len(content) <= self._limit_bytes:
                with suppress(OSError):  # a full disk: it is made anew the next time
                    if os.pwrite(self._file.fileno(), content, self._end) == len(content):
                        self._places[key] = (self._end, len(content))
                        self._end += len(content)
        return content
