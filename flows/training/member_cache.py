"""Keeps bytes that were read lately, up to a bound."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

from flows.samples.members import read_members

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.storage import Store
    from flows.samples.members import MemberPlace


class MemberCache:
    """Bytes of chips and photos as they are stored; what was not asked for longest goes first.

    Threads may share it: `ChipLoader` reads ahead in one of its own. What is sent to another
    process is an empty one of the same bound.
    """

    def __init__(self, limit: int) -> None:
        """Takes the bound.

        Args:
            limit: Bytes; 0 keeps nothing.
        """
        self._limit = limit
        self._held: OrderedDict[MemberPlace, bytes] = OrderedDict()
        self._lock = Lock()
        self.size = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return (MemberCache, (self._limit,))

    def read(self, store: Store, places: Sequence[MemberPlace]) -> list[bytes]:
        """Returns the bytes of places; what is not held is read, in as few requests as possible.

        Checksums are the caller's, by `flows.samples.members.check_member`.
        """
        found = self._look_up(places)
        missing = list(dict.fromkeys(one for one in places if one not in found))
        # Without the lock: others need not wait for the storage.
        read = dict(zip(missing, read_members(store, missing, check=False), strict=True))
        with self._lock:
            for one, data in read.items():
                self._keep(one, data)
        found |= read
        return [found[one] for one in places]

    def _look_up(self, places: Sequence[MemberPlace]) -> dict[MemberPlace, bytes]:
        """Returns the bytes of those places that are held: another thread may drop them next."""
        found = {}
        with self._lock:
            for one in places:
                if one in self._held:
                    self._held.move_to_end(one)
                    found[one] = self._held[one]
        return found

    def _keep(self, place: MemberPlace, data: bytes) -> None:
        """Holds bytes, and drops others for them; the lock has to be held."""
        if len(data) > self._limit or place in self._held:  # another thread read them, too
            return
        self._held[place] = data
        self.size += len(data)
        while self.size > self._limit:
            _, gone = self._held.popitem(last=False)
            self.size -= len(gone)
