"""What was decided on the way, written down once, so that a restart goes on with the same.

A step is created exclusively. Whoever comes second reads what the first decided. When the cell is
committed (or turned out to hold nothing new) its steps have done their work and are removed.
"""

from __future__ import annotations

import gzip
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from collectors.chips import Chip, Scene
from collectors.geo import Box, ChipGrid
from collectors.records import Media, Photo, PhotoSize
from collectors.storage import Missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.storage import Store

Decided = TypeVar("Decided")

_NAMES = {
    "Box": Box, "Chip": Chip, "ChipGrid": ChipGrid, "Media": Media, "Photo": Photo,
    "PhotoSize": PhotoSize, "Scene": Scene, "date": date, "datetime": datetime,
}  # fmt: skip
"""Names that the annotations of the records use, which are imported there for checking only."""


@lru_cache(maxsize=64)
def adapter(kind: Any) -> TypeAdapter[Any]:
    """Returns what turns values of a type into JSON and back."""
    made: TypeAdapter[Any] = TypeAdapter(kind)
    made.rebuild(force=True, raise_errors=True, _types_namespace=_NAMES)
    return made


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one piece of work: one cell, one generation to be made, one order.

    Attributes:
        store: The dataset.
        prefix: Begin of the steps' paths.
        moment: What tells the answers as of one time from those as of another.
    """

    store: Store
    prefix: str
    moment: str = ""

    @classmethod
    def of(cls, store: Store, cell_id: str, generation: int, order_key: str) -> Steps:
        """Returns the steps towards a generation under an order."""
        return cls(store, f"steps/{cell_id}/{generation:06d}-{order_key}-")

    def as_of(self, now: datetime) -> Steps:
        """Returns the steps that hold as of a time.

        Answers as of another time, which a run left that was stopped while it tidied up, are not
        mixed with them: what was uploaded in between would never be looked at.
        """
        return replace(self, moment=f"{now:%Y%m%dT%H%M%S%f}-")

    def show_presence(self) -> datetime:
        """Leaves a sign of life, for which a sweep spares the cell.

        Returns:
            When that was, by the storage's own clock, UTC.
        """
        path = f"{self.prefix}present"
        self.store.replace(path, b"")
        try:
            return self.store.describe(path).modified_at
        except Missing:  # another run of the same order has just tidied up
            return self.show_presence()

    def remember(
        self, name: str, kind: Callable[..., Decided], decide: Callable[[], Decided]
    ) -> Decided:
        """Returns what was decided before under this name, or decides now and writes it down.

        Args:
            name: Name of the step, fit for a path.
            kind: Type of the value: records, and tuples, lists and dicts of them.
            decide: Called once, if nothing is written under the name.
        """
        path = f"{self.prefix}{self.moment}{name}.json.gz"
        with suppress(Missing):
            return self._read(path, kind)
        decided = decide()
        # mtime=0: the same decision has the same bytes, so that reading back recognises it.
        data = gzip.compress(adapter(kind).dump_json(decided), compresslevel=5, mtime=0)
        while not self.store.create(path, data):
            # Missing: whoever decided first has finished, and has tidied up.
            with suppress(Missing):
                return self._read(path, kind)
        return decided

    def _read(self, path: str, kind: Callable[..., Decided]) -> Decided:
        found: Decided = adapter(kind).validate_json(gzip.decompress(self.store.read(path)))
        return found

    def clear(self) -> None:
        """Removes the steps, as of whatever time."""
        for path in self.store.list(self.prefix.rsplit("/", 1)[0]):
            if path.startswith(self.prefix):
                self.store.delete(path)
