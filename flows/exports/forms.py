"""What a form of export is: how samples become portions, and what is written of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from filters.splits import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from flows.products.versions import Version
    from flows.samples.samples import Sample, SamplePhoto

SPLITS: Final = (Split.TRAIN, Split.VAL, Split.TEST, Split.NONE)
"""The order in which splits are exported."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The samples of one sensor and split, in the order in which they are exported.

    Attributes:
        sensor: The sensor.
        split: The split; None for all pairs, whatever their split.
        numbers: (samples,) numbers of the samples in the version.
        sizes: (samples,) bytes of chip and photos of each.
        before: Samples of the same sensor in the groups before it.
    """

    sensor: str
    split: str | None
    numbers: NDArray[np.int64]
    sizes: NDArray[np.int64]
    before: int

    @property
    def name(self) -> str:
        """Such as `naip-train`, or the sensor alone."""
        return self.sensor if self.split is None else f"{self.sensor}-{self.split}"


@dataclass(frozen=True, slots=True, eq=False)
class Portion:
    """Samples that are written together: what is read at once, and the step of resuming.

    Attributes:
        name: Names its journal, and its file where it is one; unique in the export.
        group: Of which it is a part.
        first: Its first sample, counted in the group.
        end: The sample after its last one.
    """

    name: str
    group: Group
    first: int
    end: int

    @property
    def numbers(self) -> list[int]:
        """Numbers of its samples in the version."""
        return [int(one) for one in self.group.numbers[self.first : self.end]]


@dataclass(frozen=True, slots=True)
class LoadedSample:
    """A sample, or the part of it that is of one split, with its bytes.

    Attributes:
        number: Its number among the export's samples of its sensor, from 0.
        sample: The chip and the photos of the portion's split.
        chip: The chip's GeoTIFF.
        photos: The JPEG of each photo, in the sample's order.
    """

    number: int
    sample: Sample
    chip: bytes
    photos: tuple[bytes, ...]

    @property
    def pictures(self) -> Iterator[tuple[SamplePhoto, bytes]]:
        """Each photo with its JPEG."""
        return zip(self.sample.photos, self.photos, strict=True)


@dataclass(frozen=True, slots=True)
class Context:
    """What a form knows of the version.

    Attributes:
        version: The version.
        schemas: Schema of its tables `chips`, `photos` and `pairs`, units and meanings included.
    """

    version: Version
    schemas: Mapping[str, pa.Schema]


@dataclass(frozen=True, slots=True)
class Written:
    """What a form makes of a portion.

    Attributes:
        files: Path and content of each file.
        pieces: Its part of the files that are written last, by what they are pieces of.
    """

    files: Iterable[tuple[str, bytes]]
    pieces: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ending:
    """What the last files of an export are made from.

    Attributes:
        portions: All portions, in order.
        pieces: Yields the pieces that some portions have of a file.
    """

    portions: Sequence[Portion]
    pieces: Callable[[Iterable[Portion], str], Iterator[bytes]]


class Form(Protocol):
    """A form of export."""

    @property
    def name(self) -> str:
        """What the command calls it."""

    @property
    def layout(self) -> Sequence[tuple[str, str]]:
        """Paths and what they are, for the export's README."""

    @property
    def splits(self) -> Sequence[Split] | None:
        """The splits that are exported apart; None if all pairs of a chip stay together."""

    @property
    def notes(self) -> Sequence[str]:
        """Paragraphs of Markdown for the export's README."""

    def front_matter(self, portions: Sequence[Portion]) -> Sequence[str]:
        """Returns lines that stand before the README's text, for programs; often none."""

    def options(self) -> dict[str, Any]:
        """Returns its own options, for the record."""

    def order(self, group: Group, shuffle: Callable[[Group, int], Group]) -> Group:
        """Returns a group in the order in which it is exported."""

    def divide(self, group: Group) -> Iterator[Portion]:
        """Divides a group into portions."""

    def write(self, portion: Portion, samples: Sequence[LoadedSample], context: Context) -> Written:
        """Makes the files of a portion; the same samples give the same bytes."""

    def end(self, ending: Ending) -> Iterator[tuple[str, bytes]]:
        """Makes the files that are written last."""
