"""A sample is a chip with its photos; samples are numbered in the order of their bytes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.storage import open_store
from flows.products.rows import ChipRow, PhotoRow, PublishedPairRow
from flows.products.tables import from_arrow, row_at
from flows.samples.members import MemberPlace
from flows.samples.sample_tables import FIRST_PAIR, PHOTO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from collectors.storage import Store
    from flows.samples.sample_tables import CellSamples, SampleTables

_OF_PAIR: Final = [
    one.name for one in fields(PublishedPairRow)
    if one.name not in {"photo_id", "chip_id", "sensor", "cell"}
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class SamplePhoto:
    """A photo of a chip.

    Attributes:
        photo: Its row, as in the table of photos.
        pair: Where in the chip it was taken, and how long before or after.
        place: Where its bytes are: a JPEG.
    """

    photo: PhotoRow
    pair: PublishedPairRow
    place: MemberPlace


@dataclass(frozen=True, slots=True)
class Sample:
    """A chip with its photos.

    Attributes:
        chip: Its row, as in the table of chips; `crs` and `transform` say where its pixels lie.
        place: Where its bytes are: a GeoTIFF.
        photos: The photos paired with it in the split that was asked for, by id: 1 to 25.
    """

    chip: ChipRow
    place: MemberPlace
    photos: tuple[SamplePhoto, ...]

    @property
    def places(self) -> tuple[MemberPlace, ...]:
        """Where the bytes of the chip are, then those of each photo."""
        return (self.place, *(one.place for one in self.photos))


class Samples:
    """The samples of a version, or some of them; rows are made when they are asked for.

    Their order is that of cells, shards and offsets, the same each time that a version is opened.

    Attributes:
        root: Where the bytes are: places are relative to it.
        version: Name of the version, such as `v0003`.
    """

    def __init__(
        self, root: str, version: str, tables: SampleTables, numbers: NDArray[np.int64] | None
    ) -> None:
        """Use `open_samples`."""
        self.root = root
        self.version = version
        self._tables = tables
        self._numbers = numbers

    def __repr__(self) -> str:
        return f"Samples({self.root!r}, {self.version!r}, {len(self)} samples)"

    def __len__(self) -> int:
        return int(self._tables.starts[-1]) if self._numbers is None else len(self._numbers)

    def __getitem__(self, number: int) -> Sample:
        """Returns a sample.

        Raises:
            IndexError: If there is none of this number.
        """
        if not -len(self) <= number < len(self):
            raise IndexError(f"sample {number} of {len(self)}")
        number %= len(self)
        at = number if self._numbers is None else int(self._numbers[number])
        return _sample(*self._tables.find(at))

    def __iter__(self) -> Iterator[Sample]:
        for number in range(len(self)):
            yield self[number]

    def pick(self, numbers: Sequence[int] | NDArray[np.integer[Any]]) -> Samples:
        """Returns some of these samples, in the order of `numbers`.

        Raises:
            IndexError: If there is none of some number.
        """
        chosen = np.asarray(numbers, dtype=np.int64)
        if chosen.size and not (-len(self) <= chosen.min() and chosen.max() < len(self)):
            raise IndexError(f"samples {chosen.min()} to {chosen.max()} of {len(self)}")
        chosen = chosen % max(1, len(self))
        own = chosen if self._numbers is None else self._numbers[chosen]
        return Samples(self.root, self.version, self._tables, own)

    @property
    def cells(self) -> Sequence[CellSamples]:
        """The tables of all cells, in the order of the samples' numbers, picked or not."""
        return self._tables.cells

    def shard_numbers(self) -> NDArray[np.int64]:
        """Returns for each sample a number of the shard that its chip lies in.

        Samples of one shard lie beside one another, unless they were picked in another order.
        """
        found: list[NDArray[np.int64]] = []
        known = 0
        for cell in self._tables.cells:
            codes = cell.chips["shard"]
            found.append(codes.indices.to_numpy().astype(np.int64) + known)
            known += len(codes.dictionary)
        every = np.concatenate([np.empty(0, np.int64), *found])
        return every if self._numbers is None else every[self._numbers]

    def open_store(self) -> Store:
        """Opens the storage that the bytes are in, to be read."""
        return open_store(self.root, writable=False)


def _sample(cell: CellSamples, at: int) -> Sample:
    chips, pairs = cell.chips, cell.pairs
    chip = row_at(chips, at, ChipRow)
    first = chips[FIRST_PAIR][at].as_py()
    last = chips[FIRST_PAIR][at + 1].as_py() if at + 1 < chips.num_rows else pairs.num_rows
    numbers = pairs[PHOTO].slice(first, last - first)
    if len(numbers) == 1:
        photos = [row_at(cell.photos, numbers[0].as_py(), PhotoRow)]
    else:
        photos = from_arrow(cell.photos.take(numbers), PhotoRow)
    links = pairs.slice(first, last - first)
    apart = links.select(["shard", "offset"]).to_pylist() if "shard" in links.schema.names else None
    found = []
    for place, link in enumerate(links.select(_OF_PAIR).to_pylist()):
        photo = photos[place]
        pair = PublishedPairRow(
            photo_id=photo.photo_id, chip_id=chip.chip_id, sensor=chip.sensor, cell=chip.cell,
            **link,
        )  # fmt: skip
        path, begin = photo.shard, photo.offset
        if apart is not None:
            path, begin = apart[place]["shard"], apart[place]["offset"]
        where = MemberPlace(path, begin, photo.size, photo.sha256)
        found.append(SamplePhoto(photo, pair, where))
    return Sample(chip, place_of_chip(chip), tuple(found))


def place_of_chip(chip: ChipRow) -> MemberPlace:
    """Returns where the bytes of a kept chip are."""
    shard, offset, size, sha256 = chip.shard, chip.offset, chip.size, chip.sha256
    assert shard is not None  # noqa: S101 - a kept chip has bytes
    assert offset is not None  # noqa: S101
    assert size is not None  # noqa: S101
    assert sha256 is not None  # noqa: S101
    return MemberPlace(shard, offset, size, sha256)
