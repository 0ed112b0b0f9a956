"""What a satellite or aerial scene is, and the world's list of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from collectors.sandbox.geometry import Geometry
    from collectors.sandbox.landcover import Landcover

DAY_MS: Final = 86_400_000


class Sensor(StrEnum):
    """The collections of the sandbox; the value is the collection's id."""

    S2_L2A = "COPERNICUS/S2_SR_HARMONIZED"
    S2_L1C = "COPERNICUS/S2_HARMONIZED"
    CLOUD_SCORE = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
    NAIP = "USDA/NAIP/DOQQ"
    S1_GRD = "COPERNICUS/S1_GRD"
    LANDSAT_8 = "LANDSAT/LC08/C02/T1_L2"
    LANDSAT_9 = "LANDSAT/LC09/C02/T1_L2"


LANDSAT: Final = frozenset({Sensor.LANDSAT_8, Sensor.LANDSAT_9})

SENSORS: Final[Mapping[str, Sensor]] = {str(sensor): sensor for sensor in Sensor}
"""The collections by their ids."""


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a scene.

    Attributes:
        name: For example "B4".
        dtype: NumPy name of its type, for example "uint16".
        step: Its pixel size in pixels of the scene's finest band.
    """

    name: str
    dtype: str
    step: int = 1


def _sentinel2_bands(names: str) -> tuple[Band, ...]:
    steps = {"B2": 1, "B3": 1, "B4": 1, "B8": 1, "B1": 6, "B9": 6, "B10": 6}
    return tuple(Band(name, "uint16", steps.get(name, 2)) for name in names.split())


_LANDSAT_BANDS: Final = (
    *(Band(f"SR_B{number}", "uint16") for number in range(1, 8)),
    *(Band(name, "uint16") for name in ("ST_B10", "QA_PIXEL", "QA_RADSAT")),
)

BANDS: Final[Mapping[Sensor, tuple[Band, ...]]] = {
    Sensor.S2_L2A: (
        *_sentinel2_bands("B1 B2 B3 B4 B5 B6 B7 B8 B8A B9 B11 B12"),
        Band("SCL", "uint8", 2),
        Band("MSK_CLDPRB", "uint8", 2),
        Band("QA60", "uint16", 6),
    ),
    Sensor.S2_L1C: (
        *_sentinel2_bands("B1 B2 B3 B4 B5 B6 B7 B8 B8A B9 B10 B11 B12"),
        Band("QA60", "uint16", 6),
    ),
    Sensor.CLOUD_SCORE: (Band("cs", "float32"), Band("cs_cdf", "float32")),
    Sensor.NAIP: tuple(Band(name, "uint8") for name in "RGBN"),
    Sensor.S1_GRD: tuple(Band(name, "float32") for name in ("VV", "VH", "angle")),
    **dict.fromkeys(LANDSAT, _LANDSAT_BANDS),
}
"""Bands of each collection, by the Earth Engine catalogue.

A scene may lack some: MSK_CLDPRB is missing in some products, aerial scenes of prefix n_ lack N,
those of prefix c_ lack B. Of Sentinel-2's bands the sandbox leaves out AOT, WVP, the true colour
image, MSK_SNWPRB and MSK_CLASSI_*; of Landsat's SR_QA_AEROSOL, and all of ST_* but ST_B10.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One image of a collection.

    Attributes:
        sensor: The collection.
        index: Last part of the asset id (`system:index`).
        time_ms: Milliseconds since 1970, UTC.
        crs: CRS of the pixels, for example "EPSG:32610".
        west: Easting of the outer edge of the first column, metres.
        north: Northing of the outer edge of the first row, metres.
        gsd: Size of the finest pixel, metres.
        columns: Width in finest pixels.
        rows: Height in finest pixels.
        footprint: Where there are pixels, in `crs`.
        bands: The bands that this scene has.
        properties: What Earth Engine tells of it, with `system:time_start` and the like.
        cloud_percent: Share of the valid pixels under cloud, per cent.
        seed: Which clouds and which haze; granules of one datatake share it.
    """

    sensor: Sensor
    index: str
    time_ms: int
    crs: str
    west: float
    north: float
    gsd: float
    columns: int
    rows: int
    footprint: Geometry
    bands: tuple[Band, ...]
    properties: Mapping[str, object]
    cloud_percent: float
    seed: int

    @property
    def asset_id(self) -> str:
        """Id of the image in the public catalogue."""
        return f"{self.sensor}/{self.index}"

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Edges of the raster: (west, south, east, north) in `crs`, metres."""
        return (
            self.west,
            self.north - self.rows * self.gsd,
            self.west + self.columns * self.gsd,
            self.north,
        )


class TooManyScenesError(ValueError):
    """A search that would have to list too much of the world."""


class SceneSource(Protocol):
    """A list of scenes that can be searched by place and time."""

    def search(
        self, sensor: Sensor, region: Geometry | None, start_ms: float, end_ms: float
    ) -> list[Scene]:
        """Return the scenes that may touch `region` within [start_ms, end_ms), and few others.

        Raises:
            TooManyScenesError: The list would not end.
        """

    def find(self, sensor: Sensor, index: str) -> Scene | None:
        """Return the scene of that name, or None."""


class SceneWorld:
    """Every scene that the sandbox knows.

    Args:
        seed: Two worlds of one seed hold the same scenes.
        landcover: The ground that the pixels show.
        tables: File or folder of Parquet that replaces the made-up scenes; see
            `collectors.sandbox.scene_tables`.
    """

    def __init__(self, seed: int, landcover: Landcover, tables: Path | None = None) -> None:
        self.seed = seed
        self.landcover = landcover
        self._sources = _open_sources(seed, tables)

    def search(
        self,
        sensor: Sensor,
        region: Geometry | None = None,
        start_ms: float = float("-inf"),
        end_ms: float = float("inf"),
    ) -> list[Scene]:
        """Return scenes that may touch a region in a window of time, ordered by index.

        Args:
            sensor: The collection.
            region: Where; None means everywhere, which only a world from tables can answer.
            start_ms: First instant, milliseconds since 1970.
            end_ms: First instant that no longer belongs to the window.

        Returns:
            All scenes that touch the region, and perhaps a few that do not: the caller tests
            the footprints.

        Raises:
            TooManyScenesError: The list would be far too long.
        """
        found = self._sources[sensor].search(sensor, region, start_ms, end_ms)
        return sorted(found, key=lambda scene: scene.index)

    def find(self, asset_id: str) -> Scene | None:
        """Return the scene of an asset id such as "USDA/NAIP/DOQQ/m_…", or None."""
        collection, _, index = asset_id.rpartition("/")
        sensor = SENSORS.get(collection)
        if sensor is None:
            return None
        return self._sources[sensor].find(sensor, index)


def _open_sources(seed: int, tables: Path | None) -> dict[Sensor, SceneSource]:
    # The tables need pyarrow, which a procedural world does without at its start.
    if tables is not None:
        from collectors.sandbox.scene_tables import TableScenes  # noqa: PLC0415

        source = TableScenes.read(tables)
        return dict.fromkeys(Sensor, source)
    from collectors.sandbox.landsat import LandsatScenes  # noqa: PLC0415
    from collectors.sandbox.naip import NaipScenes  # noqa: PLC0415
    from collectors.sandbox.sentinel1 import Sentinel1Scenes  # noqa: PLC0415
    from collectors.sandbox.sentinel2 import Sentinel2Scenes  # noqa: PLC0415

    satellite = Sentinel2Scenes(seed)
    return {
        Sensor.S2_L2A: satellite,
        Sensor.S2_L1C: satellite,
        Sensor.CLOUD_SCORE: satellite,
        Sensor.NAIP: NaipScenes(seed),
        Sensor.S1_GRD: Sentinel1Scenes(seed),
        **dict.fromkeys(LANDSAT, LandsatScenes(seed)),
    }
