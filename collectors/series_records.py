"""What a series is: the dates of one sensor over one footprint, from scenes to a stack of pixels.

Stacks are time-major: (dates, bands, rows, columns), dates ascending, the first row in the north.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import date

    import numpy as np
    from numpy.typing import NDArray

    from collectors.chips import Scene
    from collectors.geo import ChipGrid
    from collectors.sensors import Quality

Pixel = Literal["uint8", "uint16", "float32"]


@dataclass(frozen=True, slots=True)
class Stack:
    """What is asked of one stack; a block of the catalogue in plain values.

    Attributes:
        name: Such as `sentinel1`.
        collection: Earth Engine's id of the image collection.
        bands: Bands of a date, in file order.
        pixel: NumPy's name of the type that they are kept in. Missing pixels of `float32` are not
            a number; of the others 0.
        quality: How cloud and missing pixels are measured; `scl` reads band SCL as well.
        scale_m: Size of a pixel in metres.
        resampled: Whether scenes of any lattice and zone are taken, nearest pixel for pixel; else a
            scene must be in the footprint's CRS and its pixels must be the footprint's own.
        dates: How many dates there are.
        spares: Scenes read beside them, so that those that turn out cloudy need no other request.
        equal: Properties of a scene and the values that they must have.
        contains: Properties that are lists, and what must be in them.
        cloud_property: The property with the scene's cloud share; None where scenes have none.
        scene_cloud_limit_pct: Scenes must be under this cloud share; None: no limit.
        cloud_limit_pct: A date over this cloud share in the footprint is refused; None: no limit.
        missing_limit_pct: A date over this share of missing pixels is refused.
        zone_property: The property that begins with the number of the scene's UTM zone, two digits.
        processing_property: The property with the processing baseline.
        generated_property: The property with the time the product was made, milliseconds.
        product_property: The property with the product's own name; None: its Earth Engine index.
        group_property: The property by whose values the dates are shared out; None: they are not.
        groups: Those values; each gets `dates / len(groups)` dates.
        grid_band: Band whose pixel grid is the scene's own; None: its first one.
    """

    name: str
    collection: str
    bands: tuple[str, ...]
    pixel: Pixel
    quality: Quality
    scale_m: float
    resampled: bool
    dates: int
    spares: int
    equal: tuple[tuple[str, str | float], ...]
    contains: tuple[tuple[str, str], ...]
    cloud_property: str | None
    scene_cloud_limit_pct: float | None
    cloud_limit_pct: float | None
    missing_limit_pct: float
    zone_property: str | None
    processing_property: str | None
    generated_property: str | None
    product_property: str | None
    group_property: str | None
    groups: tuple[str, ...]
    grid_band: str | None


@dataclass(frozen=True, slots=True)
class StackAsk:
    """The question which scenes a stack may be made of.

    Attributes:
        stack: Name of the stack.
        grid: The footprint's pixels.
        first: First day (UTC) of the window.
        last: Last day of the window, which belongs to it.
    """

    stack: str
    grid: ChipGrid
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class DatedScene:
    """A scene that may be a date of a stack.

    Attributes:
        scene: The scene.
        product: The product's own name, such as `S2A_MSIL2A_…` or `S1A_IW_GRDH_…`.
        group: The value of the stack's group property; empty where it has none.
    """

    scene: Scene
    product: str
    group: str

    @property
    def day(self) -> date:
        """The day of the acquisition, UTC."""
        return self.scene.acquired_at.astimezone(UTC).date()


@dataclass(frozen=True, slots=True, eq=False)
class DatePixels:
    """The pixels of one date of a stack.

    Attributes:
        dated: Its scene.
        data: (bands, rows, columns) in the stack's type.
        quality: (rows, columns) scene classification; None where the stack has none.
        valid: (rows, columns), True where every band holds data.
    """

    dated: DatedScene
    data: NDArray[np.generic]
    quality: NDArray[np.uint8] | None
    valid: NDArray[np.bool_]
