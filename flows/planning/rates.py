"""What becomes of photos and chips, as shares that were counted, and sizes that were weighed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

ASSUMED: Final = {
    "download_failed": (0.1, 9.9),
    "same_picture": (0.1, 9.9),
    "indoor": (1.0, 3.0),
    "no_scene": (0.4, 7.6),
    "refused": (0.8, 11.2),
}
"""What is believed of a share before anything is counted, as if so many of so many had been seen
(no, yes). Indoors: GRAFT and the stand-ins have a quarter to a third. Scenes: the stand-ins' demo
has 2 to 5 % of chips without one, and 6 % of those that are fetched refused. They weigh as much as
4 to 12 photos or chips, so that what is counted soon outweighs them."""

PHOTO_BYTES: Final = 45_000
"""A stored photo with a shortest side of 336 px: JPEGs of photographs take 1.5 to 2.5 bits a pixel
at that size (the stand-ins' smooth pictures take 16 kB)."""

PHOTO_SIDE_PX: Final = 336

BYTES_A_SAMPLE: Final = 0.9
"""Bytes of a band's pixel in a chip: ZSTD leaves 0.7 of the stand-ins' Sentinel-2 chips and about 1
of photographs; sixteen-bit pixels with a sensor's noise take up to 1.4."""

SIZE_DOUBT: Final = 0.5
"""Standard deviation of the logarithm of a size that nobody has weighed."""


@dataclass(slots=True)
class Share:
    """A share that was counted.

    Attributes:
        name: Which one, as in `ASSUMED`.
        yes: How many it was true of.
        no: How many it was not true of.
    """

    name: str
    yes: float = 0.0
    no: float = 0.0

    def count(self, yes: float, no: float) -> None:
        """Counts more."""
        self.yes += yes
        self.no += no

    @property
    def mean(self) -> float:
        """The share that is to be expected."""
        yes, no = self._belief
        return yes / (yes + no)

    def draw(self, rng: np.random.Generator) -> float:
        """Draws a share that could be the true one (a Beta distribution)."""
        return float(rng.beta(*self._belief))

    @property
    def _belief(self) -> tuple[float, float]:
        yes, no = ASSUMED[self.name]
        return yes + self.yes, no + self.no


@dataclass(slots=True)
class Sizes:
    """Sizes of stored pictures or chips, bytes.

    Attributes:
        assumed: What is taken where none was weighed.
        seen: Those that were weighed.
    """

    assumed: float
    seen: list[int] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """The mean size."""
        return sum(self.seen) / len(self.seen) if self.seen else self.assumed

    def draw(self, rng: np.random.Generator) -> float:
        """Draws a mean that could be the true one."""
        if not self.seen:
            return self.assumed * math.exp(rng.normal(0, SIZE_DOUBT))
        picked = rng.choice(self.seen, len(self.seen))
        return float(picked.mean()) * math.exp(rng.normal(0, SIZE_DOUBT / (1 + len(self.seen))))


@dataclass(slots=True)
class SensorRates:
    """What becomes of a sensor's chips.

    Attributes:
        no_scene: Share of the placed chips for which no scene qualifies.
        refused: Share of the fetched scenes that are refused.
        candidates: Scenes that qualified, for each chip that had some.
        bytes: Sizes of chips.
    """

    bytes: Sizes
    no_scene: Share = field(default_factory=lambda: Share("no_scene"))
    refused: Share = field(default_factory=lambda: Share("refused"))
    candidates: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Rates:
    """All of it.

    Attributes:
        sensors: By the sensor's name.
        failed: Share of the downloads that bring no picture.
        repeats: Share of the pictures that the cell has already.
        indoor: Share of the other pictures that are judged to be indoors.
        photo_bytes: Sizes of stored photos.
    """

    sensors: dict[str, SensorRates]
    photo_bytes: Sizes
    failed: Share = field(default_factory=lambda: Share("download_failed"))
    repeats: Share = field(default_factory=lambda: Share("same_picture"))
    indoor: Share = field(default_factory=lambda: Share("indoor"))


@dataclass(frozen=True, slots=True)
class DrawnSensor:
    """A sensor's rates, one possible truth."""

    no_scene: float
    refused: float
    candidates: tuple[int, ...]
    bytes: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """Rates of which each is one number: one possible truth."""

    sensors: dict[str, DrawnSensor]
    failed: float
    repeats: float
    indoor: float
    photo_bytes: float


def draw(rates: Rates, rng: np.random.Generator) -> Drawn:
    """Draws one possible truth from what is known."""
    return Drawn(
        {
            name: DrawnSensor(
                one.no_scene.draw(rng), one.refused.draw(rng), tuple(one.candidates),
                one.bytes.draw(rng),
            )
            for name, one in rates.sensors.items()
        },
        rates.failed.draw(rng),
        rates.repeats.draw(rng),
        rates.indoor.draw(rng),
        rates.photo_bytes.draw(rng),
    )  # fmt: skip
