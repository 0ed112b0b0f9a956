"""What forms have in common that write all of a portion into one file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from flows.exports.forms import SPLITS
from flows.exports.planning import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from filters.splits import Split
    from flows.exports.forms import Group, Portion


@dataclass(frozen=True, slots=True)
class DealtFiles:
    """Samples dealt to files of a size that is asked for, split by split.

    Attributes:
        shard_bytes: Bytes of chips and photos of a file, at most.
        shard_samples: Samples of a file, at most; None for no such limit.
        shuffle: Seed of the order in which samples are dealt to files; None for the dataset's
            order, in which neighbours lie together.
    """

    shard_bytes: int
    shard_samples: int | None = None
    shuffle: int | None = None

    splits: ClassVar[Sequence[Split]] = SPLITS

    def options(self) -> dict[str, Any]:
        """Returns its own options, for the record."""
        return asdict(self)

    def order(self, group: Group, shuffle: Callable[[Group, int], Group]) -> Group:
        """Returns a group in the dataset's order, or shuffled."""
        return group if self.shuffle is None else shuffle(group, self.shuffle)

    def divide(self, group: Group) -> Iterator[Portion]:
        """Divides a group into files."""
        return cut(group, most_bytes=self.shard_bytes, most_samples=self.shard_samples)
