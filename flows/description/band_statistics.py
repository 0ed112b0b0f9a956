"""Statistics of the bands over the pixels that hold data, from a sample of the chips."""

from __future__ import annotations

import heapq
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rasterio.errors import RasterioError

from collectors.chip_files import decode_chip
from collectors.storage import Missing
from filters.sampling import seeded_hash
from flows.products.table_rows import row_groups
from flows.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from collectors.chips import ChipPixels
    from collectors.storage import Store
    from flows.products.versions import Version
    from flows.progress import Progress

SAMPLE: Final = 512
"""Chips of a sensor that are read, at most: 100 million pixels a band, 0.9 GB of Sentinel-2."""

PERCENTILES: Final = (2, 50, 98)

_AT_ONCE: Final = 8
"""Chips read at the same time, and held."""

_Place = tuple[int, str, str, int, int]
"""Hash, chip, shard, offset and size; the hash is what the sample is chosen by."""


@dataclass(slots=True)
class Histogram:
    """How often each number occurs in a band: exact, and as large whatever is counted.

    Attributes:
        counts: (numbers,) from 0; 256 for bytes, 65,536 for 16 bits.
    """

    counts: NDArray[np.int64]

    @classmethod
    def empty(cls, dtype: np.dtype[Any]) -> Histogram:
        """Returns a histogram of nothing, for unsigned integers of 8 or 16 bits."""
        return cls(np.zeros(np.iinfo(dtype).max + 1, dtype=np.int64))

    def add(self, values: NDArray[Any]) -> None:
        """Counts values of any shape."""
        self.counts += np.bincount(values.ravel(), minlength=self.counts.size)

    def summary(self) -> dict[str, Any]:
        """Returns count, minimum, maximum and percentiles (integers), mean and std (floats).

        `std` is of the pixels themselves (divided by their count). A percentile is the least
        number that so many percent of the pixels do not exceed. Sums are exact, so the figures do
        not depend on the order of the chips.
        """
        numbers = np.flatnonzero(self.counts)
        counts = self.counts[numbers]
        total = int(counts.sum())
        if not total:
            return {"count": 0}
        pairs = list(zip(numbers.tolist(), counts.tolist(), strict=True))
        first = sum(number * count for number, count in pairs)
        second = sum(number * number * count for number, count in pairs)
        running = np.cumsum(counts)
        return {
            "count": total,
            "minimum": int(numbers[0]),
            "maximum": int(numbers[-1]),
            "mean": first / total,
            "std": math.sqrt((total * second - first * first) / (total * total)),
            "percentiles": {
                str(percent): int(numbers[np.searchsorted(running, -(-total * percent // 100))])
                for percent in PERCENTILES
            },
        }


@dataclass(slots=True)
class SensorStatistics:
    """What was read of one sensor's chips.

    Attributes:
        chips: Chips that were read.
        of: Chips with pixels, all of which had the same chance to be read.
        unreadable: Chips of the sample whose bytes are not there, or are no image.
        dtype: Type of the numbers.
        bands: By name, in the order of the files.
        classes: By name of a band of classes, how often each class occurs over all pixels.
    """

    of: int = 0
    chips: int = 0
    unreadable: int = 0
    dtype: str | None = None
    bands: dict[str, Histogram] = field(default_factory=dict)
    classes: dict[str, Histogram] = field(default_factory=dict)

    def add(self, chip: ChipPixels | None) -> None:
        """Counts the pixels of a chip; None is one that cannot be read."""
        if chip is None:
            self.unreadable += 1
            return
        self.chips += 1
        self.dtype = chip.data.dtype.name
        for name, layer in zip(chip.bands, chip.data, strict=True):
            if name not in self.bands:
                self.bands[name] = Histogram.empty(chip.data.dtype)
            self.bands[name].add(layer[chip.valid])
        if chip.quality is not None and chip.quality_band is not None:
            if chip.quality_band not in self.classes:
                self.classes[chip.quality_band] = Histogram.empty(chip.quality.dtype)
            self.classes[chip.quality_band].add(chip.quality)

    def as_json(self) -> dict[str, Any]:
        """Returns what was counted, for JSON."""
        classes = {
            name: {str(number): int(one.counts[number]) for number in np.flatnonzero(one.counts)}
            for name, one in self.classes.items()
        }
        return {
            "chips_with_pixels": self.of,
            "chips_read": self.chips,
            "chips_unreadable": self.unreadable,
            "data_type": self.dtype,
            "bands": {name: one.summary() for name, one in self.bands.items()},
            "classes": classes,
        }


def measure_bands(
    store: Store, version: Version, progress: Progress = no_progress, sample: int = SAMPLE
) -> dict[str, Any]:
    """Measures the bands of a version's chips, sensor by sensor.

    Read are the chips of smallest seeded hash, so every chip has the same chance, and all of them
    where there are few. Memory is a histogram for each band and a few chips.

    Args:
        store: The dataset.
        version: The version; of its manifest, `tables`, `sensors` and `seed` are used.
        progress: Hears how many chips were read.
        sample: Chips of a sensor that are read, at most.

    Returns:
        For JSON: by sensor, what `SensorStatistics.as_json` says.
    """
    seed = int(version.manifest["seed"])
    found = {name: SensorStatistics() for name in version.manifest["sensors"]}
    chosen: dict[str, list[_Place]] = {name: [] for name in found}
    columns = ["chip_id", "sensor", "outcome", "shard", "offset", "size"]
    for table in row_groups(store, version, "chips", columns):
        for row in table.to_pylist():
            if row["outcome"] != "kept":
                continue
            found[row["sensor"]].of += 1
            # A heap keeps the least on top, so hashes are turned around.
            place = (-seeded_hash(seed, row["chip_id"]), row["chip_id"], row["shard"],
                     row["offset"], row["size"])  # fmt: skip
            heap = chosen[row["sensor"]]
            if len(heap) < sample:
                heapq.heappush(heap, place)
            else:
                heapq.heappushpop(heap, place)
    total, done = sum(map(len, chosen.values())), 0
    for name, places in chosen.items():
        for chip in _chips(store, sorted(places, key=lambda one: one[2:])):
            progress("chips measured", done, total)
            found[name].add(chip)
            done += 1
    return {name: one.as_json() for name, one in found.items()}


def _chips(store: Store, places: Sequence[_Place]) -> Iterator[ChipPixels | None]:
    """Yields chips, some read ahead; None for those that are not there, or are no image."""

    def one(place: _Place) -> ChipPixels | None:
        _, _, shard, offset, size = place
        try:
            return decode_chip(store.read_range(shard, offset, size)).pixels
        except (Missing, RasterioError, ValueError):
            return None

    with ThreadPoolExecutor(_AT_ONCE, "statistics") as pool:
        for start in range(0, len(places), _AT_ONCE):
            yield from pool.map(one, places[start : start + _AT_ONCE])
