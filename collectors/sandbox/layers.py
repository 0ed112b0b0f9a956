"""What lies on the ground of a scene and above it, and how bright that is in each band."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from collectors.sandbox.backscatter import backscatter, incidence, speckle_of
from collectors.sandbox.chance import hash_keys
from collectors.sandbox.clouds import NODE_STEP, CloudCover, thickness
from collectors.sandbox.frames import WindowFrame
from collectors.sandbox.geometry import LONLAT, reproject
from collectors.sandbox.ground_colour import COLOUR_SPACING_M, brighten, show
from collectors.sandbox.landcover import Cover, classify, stretch, stretch_coarse
from collectors.sandbox.landsat_pixels import (
    MSI_BAND,
    quality_bits,
    stored_reflectance,
    stored_temperature,
)
from collectors.sandbox.noise import uniform
from collectors.sandbox.scenes import LANDSAT, Sensor
from collectors.sandbox.sentinel1 import LEAN, SWATH_M
from collectors.sandbox.surface import (
    CLOUD_REFLECTANCE,
    aerial_brightness,
    reflectance,
    season,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.sandbox.frames import Frame
    from collectors.sandbox.landcover import Landcover
    from collectors.sandbox.scenes import Band, Scene

_FIELD_SPACING_M: Final = 5.0
_SCL_OF_COVER: Final = np.array([6, 4, 4, 5, 5, 5, 11], dtype=np.uint8)
_SHADOW, _CLOUD_MEDIUM, _CLOUD_HIGH, _CIRRUS = 3, 8, 9, 10


class SceneLayers:
    """What lies on the ground and above it, at the pixels of a frame.

    Args:
        scene: Whose pixels.
        frame: Which pixels.
        landcover: The ground.
        parent: Layers of every pixel of the window that these take each `step`th of, or None.
        step: See `parent`.
    """

    def __init__(
        self,
        scene: Scene,
        frame: Frame,
        landcover: Landcover,
        parent: SceneLayers | None = None,
        step: int = 1,
    ) -> None:
        self._scene = scene
        self._frame = frame
        self._landcover = landcover
        self._parent = parent
        self._step = step
        self._thin: dict[int, SceneLayers] = {}

    def thinned(self, step: int) -> SceneLayers:
        """Return the layers of a window's every `step`th pixel."""
        if step == 1:
            return self
        if step not in self._thin:
            frame = WindowFrame(self._scene, self._frame.rows[::step], self._frame.columns[::step])
            self._thin[step] = SceneLayers(self._scene, frame, self._landcover, self, step)
        return self._thin[step]

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """Whether the scene has a pixel there."""
        scene, frame = self._scene, self._frame
        x = scene.west + (frame.columns + 0.5) * scene.gsd
        y = scene.north - (frame.rows + 0.5) * scene.gsd
        if isinstance(frame, WindowFrame):
            shape = (frame.rows.size, frame.columns.size)
            window = shapely.box(x[0], y[-1], x[-1], y[0])
            if shapely.contains_properly(scene.footprint.shape, window):
                return np.ones(shape, np.bool_)
            x, y = np.broadcast_to(x, shape), np.broadcast_to(y[:, None], shape)
        shapely.prepare(scene.footprint.shape)
        inside: NDArray[np.bool_] = shapely.intersects_xy(scene.footprint.shape, x, y)
        return inside

    @cached_property
    def cover(self) -> NDArray[np.uint8]:
        """The `Cover` of each pixel."""
        if self._parent is not None:
            return self._parent.cover[:: self._step, :: self._step]
        step = max(1, int(_FIELD_SPACING_M / self._scene.gsd)) if self._scene.gsd < 5.0 else 2
        return classify(self._frame.place_field(step, self._landcover.fields))

    @cached_property
    def colour(self) -> NDArray[np.float32]:
        """How the ground's colour differs from the usual, (3, rows, columns)."""
        if self._parent is not None:
            return self._parent.colour[:, :: self._step, :: self._step]
        step = max(1, int(COLOUR_SPACING_M / self._scene.gsd))
        return show(self._frame.place_field(step, self._landcover.colour_fields), self.cover)

    @cached_property
    def texture(self) -> NDArray[np.float32]:
        """Fine brightness, 0 to 1."""
        if self._parent is not None:
            return self._parent.texture[:: self._step, :: self._step]
        x, y = self._frame.mercator()
        if self._scene.sensor is Sensor.NAIP:
            step = max(1, int(_FIELD_SPACING_M / self._scene.gsd))
            coarse = self._frame.place_field(step, self._landcover.coarse_texture)
            return stretch(coarse + self._landcover.fine_texture(x, y))
        return stretch_coarse(self._landcover.coarse_texture(x, y))

    @cached_property
    def clouds(self) -> NDArray[np.float32]:
        """Excess of the cloud field over its threshold."""
        if self._parent is not None:
            return self._parent.clouds[:: self._step, :: self._step]
        return self._frame.pixel_field(NODE_STEP, CloudCover(self._scene).excess)

    @cached_property
    def shadows(self) -> NDArray[np.bool_]:
        """Whether a cloud's shadow lies there."""
        if self._parent is not None:
            return self._parent.shadows[:: self._step, :: self._step]
        excess = self._frame.pixel_field(NODE_STEP, CloudCover(self._scene).shadow_excess)
        return (excess > 0.0) & (self.clouds <= 0.0)

    @cached_property
    def opacity(self) -> NDArray[np.float32] | None:
        """Thickness of the clouds, or None under a clear sky."""
        if not bool((self.clouds > 0.0).any()):
            return None
        return thickness(self.clouds)

    def band(self, band: Band) -> NDArray[np.generic]:
        """Return the values of a band at the frame's pixels."""
        if self._scene.sensor is Sensor.NAIP:
            return self._aerial(band)
        if self._scene.sensor is Sensor.CLOUD_SCORE:
            haze = np.float32(0.04) * self.texture
            clear = np.clip(np.float32(0.98) - haze - thickness(self.clouds), 0.0, 1.0)
            clear_share: NDArray[np.float32] = clear.astype(np.float32)
            return clear_share
        if self._scene.sensor is Sensor.S1_GRD:
            return self._radar(band)
        if self._scene.sensor in LANDSAT:
            return self._landsat(band)
        if band.name == "SCL":
            return self._classes()
        if band.name == "MSK_CLDPRB":
            return (thickness(self.clouds) * np.float32(100.0)).astype(np.uint8)
        if band.name == "QA60":
            return np.where(self.clouds > 0.0, np.uint16(1024), np.uint16(0))
        return self._reflectance(band)

    def _classes(self) -> NDArray[np.uint8]:
        classes = _SCL_OF_COVER[self.cover]
        classes[self.shadows] = _SHADOW
        if self.opacity is not None:
            cloudy = self.clouds > 0.0
            cirrus = uniform(self._scene.seed, 1) < 0.2
            classes[cloudy] = _CIRRUS if cirrus else _CLOUD_MEDIUM
            classes[self.opacity > 0.7] = _CLOUD_HIGH
        return classes

    def _landsat(self, band: Band) -> NDArray[np.uint16]:
        if band.name == "QA_RADSAT":
            return np.zeros(self.cover.shape, np.uint16)
        if band.name == "QA_PIXEL":
            cirrus = uniform(self._scene.seed, 1) < 0.2
            return quality_bits(self.cover, self.clouds, self.opacity, self.shadows, cirrus=cirrus)
        if band.name == "ST_B10":
            return stored_temperature(self.cover, self._greenness, self.opacity)
        return stored_reflectance(self._brightness(MSI_BAND[band.name]))

    def _reflectance(self, band: Band) -> NDArray[np.uint16]:
        values = self._brightness(band.name)
        stored: NDArray[np.uint16] = np.maximum(values, np.float32(1.0)).astype(np.uint16)
        return stored

    def _brightness(self, name: str) -> NDArray[np.float32]:
        """Return the reflectance x 10,000 in a band of Sentinel-2."""
        scene = self._scene
        haze = uniform(scene.seed, 2) + (1.0 if scene.sensor is Sensor.S2_L1C else 0.0)
        table = reflectance(name, self._greenness, haze)
        values = table[self.cover] * self._shade * brighten(name, self.colour)
        if bool(self.shadows.any()):
            values[self.shadows] *= np.float32(0.45)
        if self.opacity is not None:
            values += (np.float32(CLOUD_REFLECTANCE[name]) - values) * self.opacity
        brightness: NDArray[np.float32] = values
        return brightness

    def _aerial(self, band: Band) -> NDArray[np.uint8]:
        table = aerial_brightness(band.name, self._greenness, self._scene.seed)
        values = table[self.cover] * self._shade * brighten(band.name, self.colour)
        stored: NDArray[np.uint8] = np.clip(values, 1.0, 255.0).astype(np.uint8)
        return stored

    def _radar(self, band: Band) -> NDArray[np.float32]:
        scene, rows, columns = self._scene, self._frame.rows, self._frame.columns
        if isinstance(self._frame, WindowFrame):
            rows, columns = np.meshgrid(rows, columns, indexing="ij")
        west, south, east, north = scene.box
        ascending = scene.properties["orbitProperties_pass"] == "ASCENDING"
        up = (north - (rows + 0.5) * scene.gsd - (south + north) / 2.0) * LEAN
        x = west + (columns + 0.5) * scene.gsd - (west + east) / 2.0
        angle = incidence((x + (up if ascending else -up)) / (SWATH_M / 2.0), ascending=ascending)
        if band.name == "angle":
            return angle
        seeds = [hash_keys(scene.seed, band.name, number) for number in range(3)]
        return backscatter(
            band.name, self.cover, self.texture, self._greenness, angle,
            speckle_of(rows, columns, *seeds),
        )  # fmt: skip

    @cached_property
    def _shade(self) -> NDArray[np.float32]:
        shade = np.float32(0.65) + np.float32(0.7) * self.texture
        # Open water is smooth.
        return np.where(self.cover == Cover.WATER, np.float32(0.9) + np.float32(0.1) * shade, shade)

    @cached_property
    def _greenness(self) -> float:
        west, south, east, north = self._scene.box
        middle = np.array([(west + east) / 2.0]), np.array([(south + north) / 2.0])
        _, lat = reproject(*middle, self._scene.crs, LONLAT)
        return season(self._scene.time_ms, float(lat[0]))
