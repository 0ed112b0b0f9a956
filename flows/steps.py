"""What was decided on the way, written down once, so that a restart goes on with the same.

A step is created exclusively. Whoever comes second reads what the first decided. When the cell is
committed (or turned out to hold nothing new) its steps have done their work and are removed.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from collectors.geo import Box, ChipGrid
from collectors.records import Chip, Media, Photo, PhotoSize, Scene
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
    """

    store: Store
    prefix: str

    @classmethod
    def of(cls, store: Store, cell_id: str, generation: int, order_key: str) -> Steps:
        """Returns the steps towards a generation under an order."""
        return cls(store, f"steps/{cell_id}/{generation:06d}-{order_key}-")

    def remember(
        self, name: str, kind: Callable[..., Decided], decide: Callable[[], Decided]
    ) -> Decided:
        """Returns what was decided before under this name, or decides now and writes it down.

        Args:
            name: Name of the step, fit for a path.
            kind: Type of the value: records, and tuples, lists and dicts of them.
            decide: Called once, if nothing is written under the name.
        """
        path = f"{self.prefix}{name}.json.gz"
        try:
            return self._read(path, kind)
        except Missing:
            pass
        decided = decide()
        # mtime=0: the same decision has the same bytes, so that reading back recognises it.
        data = gzip.compress(adapter(kind).dump_json(decided), compresslevel=5, mtime=0)
        return decided if self.store.create(path, data) else self._read(path, kind)

    def _read(self, path: str, kind: Callable[..., Decided]) -> Decided:
        found: Decided = adapter(kind).validate_json(gzip.decompress(self.store.read(path)))
        return found

    def clear(self) -> None:
        """Removes the steps."""
        for path in self.store.list(self.prefix.rsplit("/", 1)[0]):
            if path.startswith(self.prefix):
                self.store.delete(path)
