"""Bands of images: those of scenes, and those computed from others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from collectors.sandbox.geometry import LONLAT, Projection
from collectors.sandbox.pixels import SceneReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from collectors.sandbox.landcover import Landcover
    from collectors.sandbox.pixels import PixelGrid
    from collectors.sandbox.scenes import Band, Scene

Pixels = tuple["NDArray[np.generic]", "NDArray[np.bool_]"]
"""Values and mask, both (height, width); values under a false mask mean nothing."""

EVERYWHERE: Final = Projection(LONLAT)
"""Projection of what has no pixels of its own: a constant, a mosaic."""


@dataclass(slots=True)
class PixelReader:
    """Reads bands on one grid; a scene's shared layers are computed once.

    Attributes:
        grid: The pixels asked for.
        landcover: The ground.
    """

    grid: PixelGrid
    landcover: Landcover
    _scenes: dict[str, SceneReader] = field(default_factory=dict, init=False)

    def read(self, scene: Scene, band: Band) -> Pixels:
        """Return a scene's band on the grid."""
        reader = self._scenes.get(scene.asset_id)
        if reader is None:
            reader = SceneReader(scene, self.grid, self.landcover)
            self._scenes[scene.asset_id] = reader
        return reader.read(band)


class ImageBand(Protocol):
    """One band of an image."""

    @property
    def name(self) -> str:
        """Name of the band."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of its pixels."""

    @property
    def projection(self) -> Projection:
        """Grid of its own pixels."""

    def read(self, reader: PixelReader) -> Pixels:
        """Return its pixels on the reader's grid."""


@dataclass(frozen=True, slots=True)
class SceneBand:
    """A band of a scene as it is stored."""

    scene: Scene
    band: Band

    @property
    def name(self) -> str:
        """See `ImageBand`."""
        return self.band.name

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """See `ImageBand`."""
        return np.dtype(self.band.dtype)

    @property
    def projection(self) -> Projection:
        """See `ImageBand`."""
        size = self.scene.gsd * self.band.step
        transform = (size, 0.0, self.scene.west, 0.0, -size, self.scene.north)
        return Projection(self.scene.crs, transform)

    def read(self, reader: PixelReader) -> Pixels:
        """See `ImageBand`."""
        return reader.read(self.scene, self.band)


@dataclass(frozen=True, slots=True)
class RenamedBand:
    """A band under another name."""

    name: str
    source: ImageBand

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """See `ImageBand`."""
        return self.source.dtype

    @property
    def projection(self) -> Projection:
        """See `ImageBand`."""
        return self.source.projection

    def read(self, reader: PixelReader) -> Pixels:
        """See `ImageBand`."""
        return self.source.read(reader)


@dataclass(frozen=True, slots=True)
class ConstantBand:
    """One value everywhere."""

    name: str
    value: float

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The smallest type that holds the value, as Earth Engine chooses it."""
        if isinstance(self.value, float) and not self.value.is_integer():
            return np.dtype(np.float64)
        return np.min_scalar_type(int(self.value))

    @property
    def projection(self) -> Projection:
        """See `ImageBand`."""
        return EVERYWHERE

    def read(self, reader: PixelReader) -> Pixels:
        """See `ImageBand`."""
        shape = (reader.grid.height, reader.grid.width)
        return np.full(shape, self.value, self.dtype), np.ones(shape, np.bool_)


class _OnTheSource:
    """What a changed band has of the band that it is made of: name and grid."""

    __slots__ = ()
    source: ImageBand

    @property
    def name(self) -> str:
        """See `ImageBand`."""
        return self.source.name

    @property
    def projection(self) -> Projection:
        """See `ImageBand`."""
        return self.source.projection


@dataclass(frozen=True, slots=True)
class CastBand(_OnTheSource):
    """A band in another type; values outside its range are held to it."""

    source: ImageBand
    dtype: np.dtype[np.generic]

    def read(self, reader: PixelReader) -> Pixels:
        """See `ImageBand`."""
        values, valid = self.source.read(reader)
        if self.dtype.kind in "iu" and values.dtype != self.dtype:
            limits = np.iinfo(self.dtype.name)
            held = np.clip(np.trunc(values.astype(np.float64)), limits.min, limits.max)
            return held.astype(self.dtype), valid
        return values.astype(self.dtype), valid


@dataclass(frozen=True, slots=True)
class PairBand:
    """Two bands under an operation, pixel by pixel; masked where either is."""

    left: ImageBand
    right: ImageBand
    operation: Callable[[NDArray[np.generic], NDArray[np.generic]], NDArray[np.generic]]
    dtype: np.dtype[np.generic]

    @property
    def name(self) -> str:
        """The left band names the result."""
        return self.left.name

    @property
    def projection(self) -> Projection:
        """See `ImageBand`."""
        return self.left.projection

    def read(self, reader: PixelReader) -> Pixels:
        """See `ImageBand`."""
        left, left_valid = self.left.read(reader)
        right, right_valid = self.right.read(reader)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            values = self.operation(left.astype(self.dtype), right.astype(self.dtype))
        return values.astype(self.dtype), left_valid & right_valid


@dataclass(frozen=True, slots=True)
class UnmaskedBand(_OnTheSource):
    """A band whose masked pixels show another."""

    source: ImageBand
    filling: ImageBand

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """See `ImageBand`."""
        return np.promote_types(self.source.dtype, self.filling.dtype)

    def read(self, reader: PixelReader) -> Pixels:
        """See `ImageBand`."""
        values, valid = self.source.read(reader)
        filling, filled = self.filling.read(reader)
        joined = np.where(valid, values.astype(self.dtype), filling.astype(self.dtype))
        return joined, valid | filled


@dataclass(frozen=True, slots=True)
class MaskedBand(_OnTheSource):
    """A band masked where another is zero or masked."""

    source: ImageBand
    mask: ImageBand

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """See `ImageBand`."""
        return self.source.dtype

    def read(self, reader: PixelReader) -> Pixels:
        """See `ImageBand`."""
        values, valid = self.source.read(reader)
        mask, known = self.mask.read(reader)
        return values, valid & known & (mask != 0)


@dataclass(frozen=True, slots=True)
class MosaicBand:
    """Bands of one name on top of one another; the last lies on top."""

    sources: tuple[ImageBand, ...]

    @property
    def name(self) -> str:
        """See `ImageBand`."""
        return self.sources[0].name

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """See `ImageBand`."""
        return np.result_type(*(source.dtype for source in self.sources))

    @property
    def projection(self) -> Projection:
        """A mosaic has the default projection: WGS 84 with pixels of a degree."""
        return EVERYWHERE

    def read(self, reader: PixelReader) -> Pixels:
        """See `ImageBand`."""
        values, valid = self.sources[-1].read(reader)
        values = values.astype(self.dtype)
        for source in reversed(self.sources[:-1]):
            if bool(valid.all()):
                break
            below, below_valid = source.read(reader)
            values = np.where(valid, values, below.astype(self.dtype))
            valid = valid | below_valid
        return values, valid
