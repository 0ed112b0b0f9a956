"""Keeps bytes that were read lately, up to a bound."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from flows.samples.members import read_members

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.storage import Store
    from flows.samples.members import MemberPlace


class MemberCache:
    """Bytes of chips and photos as they are stored; what was not asked for longest goes first."""

    def __init__(self, limit: int) -> None:
        """Takes the bound.

        Args:
            limit: Bytes; 0 keeps nothing.
        """
        self._limit = limit
        self._held: OrderedDict[MemberPlace, bytes] = OrderedDict()
        self.size = 0

    def read(self, store: Store, places: Sequence[MemberPlace]) -> list[bytes]:
        """Returns the bytes of places; what is not held is read, in as few requests as possible.

        Checksums are the caller's, by `flows.samples.members.check_member`.
        """
        missing = list(dict.fromkeys(one for one in places if one not in self._held))
        found = dict(zip(missing, read_members(store, missing, check=False), strict=True))
        every = []
        for one in places:
            if one in found:
                every.append(found[one])
            else:
                self._held.move_to_end(one)
                every.append(self._held[one])
        for one, data in found.items():
            self._keep(one, data)
        return every

    def _keep(self, place: MemberPlace, data: bytes) -> None:
        if len(data) > self._limit:
            return
        self._held[place] = data
        self.size += len(data)
        while self.size > self._limit:
            _, gone = self._held.popitem(last=False)
            self.size -= len(gone)
