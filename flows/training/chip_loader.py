"""Batches for training, which can be stopped anywhere and gone on with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader

from flows.training.collation import collate_chips

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.training.chip_dataset import ChipDataset, Item
    from flows.training.shard_order import ShardSampler


class ChipLoader:
    """Batches of an epoch after the other; it knows how many of them were handed out.

    A `DataLoader` reads ahead, so its sampler cannot say where training is. This counts what came
    out, and a state that was saved between two batches leads to the same batches again, whatever
    the number of workers.

    A dataset with threads, and without workers, reads the next batch while this one is in use.
    """

    def __init__(
        self,
        dataset: ChipDataset,
        sampler: ShardSampler,
        batch_size: int,
        *,
        drop_last: bool = False,
        **options: Any,
    ) -> None:
        """Takes what is read, in which order, and how.

        Args:
            dataset: The chips.
            sampler: Their order.
            batch_size: Chips of a batch.
            drop_last: Whether an epoch ends before a smaller batch.
            options: What else `DataLoader` takes: `num_workers`, `pin_memory`,
                `multiprocessing_context`, `worker_init_fn` …
        """
        self._sampler = sampler
        self._size = batch_size
        self._identity = {
            "root": dataset.samples.root, "version": dataset.samples.version,
            "samples": len(sampler), "digest": dataset.samples.digest(),
            "batch_size": batch_size, **sampler.identity,
        }  # fmt: skip
        self._loader: DataLoader[Item] = DataLoader(
            dataset, batch_size=batch_size, sampler=sampler, drop_last=drop_last,
            **({"collate_fn": collate_chips} | options),
        )  # fmt: skip
        self._ahead = dataset.threads > 1 and not self._loader.num_workers
        self.epoch = 0
        self.batches = 0

    def __len__(self) -> int:
        """Returns how many batches an epoch has."""
        return len(self._loader)

    def __iter__(self) -> Iterator[Item]:
        """Yields what is left of the epoch, and then stands at the begin of the next one."""
        self.epoch, self.batches = self._next()
        self._sampler.set_epoch(self.epoch, self.batches * self._size)
        batches = iter(self._loader)
        for batch in _read_ahead(batches) if self._ahead else batches:
            self.batches += 1
            yield batch
        self.epoch, self.batches = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Returns where it stands, for JSON: before the batch that comes next."""
        epoch, batches = self._next()
        return self._identity | {"epoch": epoch, "batches": batches}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where another one stood.

        Raises:
            ValueError: If that one read other samples, or in another order.
        """
        other = {key: state.get(key) for key, value in self._identity.items()
                 if state.get(key) != value and key != "root"}  # fmt: skip
        if other:
            raise ValueError(
                f"the state is that of another loader: {other}, and here"
                f" { {key: self._identity[key] for key in other} }"
            )
        self.epoch, self.batches = int(state["epoch"]), int(state["batches"])

    def _next(self) -> tuple[int, int]:
        """Returns the epoch of the batch that comes next, and how many come before it there.

        After its last batch an epoch has nothing left, though nobody may have asked for more yet.
        """
        if self.batches and self.batches >= len(self):
            return self.epoch + 1, 0
        return self.epoch, self.batches


def _read_ahead(batches: Iterator[Item]) -> Iterator[Item]:
    """Yields batches; in a thread of its own, the next one is read meanwhile."""
    with ThreadPoolExecutor(1, "ahead") as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch
