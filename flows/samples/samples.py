"""A sample is a chip with its photos; samples are numbered in the order of their bytes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.storage import open_store
from flows.products.rows import ChipRow, PhotoRow, PublishedPairRow
from flows.samples.digests import digest_of
from flows.samples.mapped_rows import MappedRows
from flows.samples.members import MemberPlace
from flows.samples.sample_tables import FIRST_PAIR, PHOTO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from collectors.storage import Store
    from flows.samples.sample_tables import CellSamples, SampleTables

_OF_CHIP: Final = [one.name for one in fields(ChipRow)]
_OF_PHOTO: Final = [one.name for one in fields(PhotoRow)]
_OF_PAIR: Final = [
    one.name for one in fields(PublishedPairRow)
    if one.name not in {"photo_id", "chip_id", "sensor", "cell"}
]  # fmt: skip

_CELLS_KEPT: Final = 512
"""Cells whose columns stay found, 0.5 ms and 50 kB each: an order that is shuffled by shard meets
few of them at a time."""


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
        self._cell_rows = lru_cache(_CELLS_KEPT)(lambda cell: _CellRows(tables.cells[cell]))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Samples, (self.root, self.version, self._tables, self._numbers))

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
        cell, place = self._tables.find(at)
        return self._cell_rows(cell).sample(place)

    def __iter__(self) -> Iterator[Sample]:
        for number in range(len(self)):
            yield self[number]

    def pick(
        self, numbers: Sequence[int] | NDArray[np.integer[Any]] | NDArray[np.bool_]
    ) -> Samples:
        """Returns some of these samples, in the order of `numbers`.

        Args:
            numbers: Numbers of samples, negative ones from the end; or, as NumPy has it, a mask:
                (samples,) bool, True for each sample that is wanted.

        Raises:
            IndexError: If there is none of some number, or a mask is not as long as the samples.
        """
        given = np.asarray(numbers)
        if given.dtype == np.bool_:
            if given.shape != (len(self),):
                raise IndexError(f"a mask of shape {given.shape} for {len(self)} samples")
            given = np.flatnonzero(given)
        chosen = given.astype(np.int64)
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

    def digest(self) -> str:
        """Returns what says which samples these are, by their ids, and in which order.

        The same samples have the same one, wherever the dataset lies; see `digest_of`.
        """
        return digest_of(self._tables.cells, self._numbers, self.shard_numbers())

    def open_store(self) -> Store:
        """Opens the storage that the bytes are in, to be read."""
        return open_store(self.root, writable=False)


class _CellRows:
    """Makes the samples of a cell from the rows of its tables."""

    def __init__(self, cell: CellSamples) -> None:
        self._chips = MappedRows(cell.chips, _OF_CHIP)
        self._photos = MappedRows(cell.photos, _OF_PHOTO)
        self._pairs = MappedRows(cell.pairs, _OF_PAIR)
        self._first: NDArray[np.int32] = np.append(
            cell.chips[FIRST_PAIR].to_numpy(), np.int32(cell.pairs.num_rows)
        )
        self._photo: NDArray[np.int32] = cell.pairs[PHOTO].to_numpy()
        apart = "shard" in cell.pairs.schema.names
        self._places = MappedRows(cell.pairs, ["shard", "offset"]) if apart else None

    def sample(self, at: int) -> Sample:
        """Returns the sample of a chip, by its number among those of the cell."""
        chip = ChipRow(**self._chips[at])
        pairs = range(self._first.item(at), self._first.item(at + 1))
        return Sample(chip, place_of_chip(chip), tuple(self._with(chip, one) for one in pairs))

    def _with(self, chip: ChipRow, at: int) -> SamplePhoto:
        """Returns the photo of a pair with the chip, by the pair's number."""
        photo = PhotoRow(**self._photos[self._photo.item(at)])
        pair = PublishedPairRow(
            photo_id=photo.photo_id, chip_id=chip.chip_id, sensor=chip.sensor, cell=chip.cell,
            **self._pairs[at],
        )  # fmt: skip
        shard, offset = photo.shard, photo.offset
        if self._places is not None:
            shard, offset = self._places[at].values()
        return SamplePhoto(photo, pair, MemberPlace(shard, offset, photo.size, photo.sha256))


def place_of_chip(chip: ChipRow) -> MemberPlace:
    """Returns where the bytes of a kept chip are."""
    shard, offset, size, sha256 = chip.shard, chip.offset, chip.size, chip.sha256
    assert shard is not None  # noqa: S101 - a kept chip has bytes
    assert offset is not None  # noqa: S101
    assert size is not None  # noqa: S101
    assert sha256 is not None  # noqa: S101
    return MemberPlace(shard, offset, size, sha256)
