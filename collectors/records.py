"""What a photo, a sensor and a chip are: the values that the rooms of the house hand to each other.

Each value is parsed once, where it comes in, and is frozen from there on.
Longitude comes before latitude, degrees are WGS 84, lengths carry their unit in the name, and
arrays are (bands, rows, columns).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

import numpy as np

if TYPE_CHECKING:
    from datetime import date, datetime

    from numpy.typing import NDArray

    from collectors.geo import Box, ChipGrid

_ALIAS: Final = re.compile(r"[A-Za-z0-9_-]+")


class Outcome(StrEnum):
    """How the way of a photo or a chip ended."""

    KEPT = "kept"
    REJECTED = "rejected"
    FAILED = "failed"


class Stage(StrEnum):
    """Where in the story of a photo its way ended."""

    SCREEN = "screen"
    SELECT = "select"
    DOWNLOAD = "download"
    COMPARE = "compare"
    JUDGE = "judge"
    PUBLISH = "publish"


class Media(StrEnum):
    """What Flickr says an item is."""

    PHOTO = "photo"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class PhotoSize:
    """One downloadable size of a photo.

    Attributes:
        suffix: Flickr's name of the size in `extras`: `l` (1024 px), `c` (800), `z` (640),
            `m` (500).
        url: Address of the JPEG on the photo host.
        width: Announced width in pixels.
        height: Announced height in pixels.
    """

    suffix: str
    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo as Flickr's search describes it, before anything was judged.

    Attributes:
        photo_id: Flickr's id, decimal digits.
        owner: Flickr's id of the owner, such as `12345678@N01`.
        owner_name: The owner's name as shown on Flickr; may be empty.
        path_alias: The owner's name in page addresses; may be empty.
        lon: Longitude of the geotag in degrees, −180 ≤ lon < 180.
        lat: Latitude of the geotag in degrees.
        accuracy: Flickr's accuracy level, 1 (world) to 16 (street); 0 means no real location.
        geo_is_public: Whether the owner shows the location to everyone.
        taken_at: Local wall-clock time of the capture, without zone, as Flickr gives it.
        taken_known: False where Flickr says that the capture date is unknown (then `taken_at` is
            really the time of upload).
        taken_granularity: 0 exact, 4 month, 6 year, 8 circa.
        uploaded_at: Time of upload, UTC, aware.
        licence: Flickr's numeric licence id, see `collectors.licences`.
        title: As written by the owner.
        tags: As Flickr gives them, separated by spaces.
        media: Photo or video.
        is_photograph: False for screenshots, drawings and the like.
        sizes: The announced sizes up to 1024 px, largest first.
    """

    photo_id: str
    owner: str
    owner_name: str
    path_alias: str
    lon: float
    lat: float
    accuracy: int
    geo_is_public: bool
    taken_at: datetime
    taken_known: bool
    taken_granularity: int
    uploaded_at: datetime
    licence: int
    title: str
    tags: str
    media: Media
    is_photograph: bool
    sizes: tuple[PhotoSize, ...]

    @property
    def page_url(self) -> str:
        """Address of the photo's page on Flickr, which every use of it must link to.

        An alias that is none (Flickr's are of letters, digits, - and _) could lead elsewhere; the
        owner's id leads to the same page.
        """
        alias = self.path_alias if _ALIAS.fullmatch(self.path_alias) else quote(self.owner, "@")
        return f"https://www.flickr.com/photos/{alias}/{self.photo_id}/"


@dataclass(frozen=True, slots=True)
class PhotoImage:
    """A downloaded photo, decoded, checked and brought to the size that is stored.

    Attributes:
        jpeg: The bytes to store.
        width: Width of the stored picture in pixels.
        height: Height of the stored picture in pixels.
        image_url: The address it came from.
    """

    jpeg: bytes
    width: int
    height: int
    image_url: str


@dataclass(frozen=True, slots=True)
class PhotoAbsence:
    """A photo that could not be had, for good: a value, not an exception.

    Attributes:
        reason: One word, such as `gone`, `placeholder`, `not_jpeg`, `broken_image`, `too_small`.
        detail: What was seen.
    """

    reason: str
    detail: str


SCL_BAND: Final = "SCL"
"""Sentinel-2's scene classification; the last band of a chip whose sensor has one."""

SCORE_BAND: Final = "cs_cdf"
"""Cloud Score+, 0 (not clear) to 1 (clear), kept as whole percent; likewise the last band."""

QA_PIXEL_BAND: Final = "QA_PIXEL"
"""Landsat's pixel quality of Collection 2, a field of bits; likewise the last band."""

QA_PIXEL_FILL: Final = 1
"""Its bit 0: no data. Source: Landsat 8-9 Collection 2 Level 2 Science Product Guide, LSDS-1619,
pixel quality assessment band."""

QUALITY_BANDS: Final = frozenset({SCL_BAND, SCORE_BAND, QA_PIXEL_BAND})
"""All that a chip's last band may be, where it is none of `bands`."""


class Quality(StrEnum):
    """How clouds and missing pixels of a sensor's chip are measured."""

    SCL = "scl"
    """Sentinel-2 scene classification: cloud 8, 9, 10; shadow 3; missing 0."""

    CLOUD_SCORE_PLUS = "cloud_score_plus"
    """Cloud Score+ of the same Sentinel-2 scene: cloud under the sensor's `clear_above`. A pixel is
    missing where every band is 0."""

    QA_PIXEL = "qa_pixel"
    """Landsat's pixel quality: cloud, its rim and cirrus by bits 3, 1 and 2; shadow by bit 4; see
    `filters.qa_pixel`. Missing by bit 0, or where every band is 0."""

    ALL_ZERO = "all_zero"
    """No quality band: a pixel is missing where every band is 0; cloud is unknown."""


class SceneRule(StrEnum):
    """Which of the scenes that qualify is tried first."""

    NEAREST = "nearest"
    """The one nearest to the target date, in whole days, before or after."""

    LATEST = "latest"
    """The one of the latest date, in whole days, however far from the target date."""


class NoScene(StrEnum):
    """What becomes of a chip for which no scene qualified, or of which all were refused."""

    GIVE_UP = "give_up"
    """It stays without pixels, and its photos without a pair."""

    ASK_AGAIN = "ask_again"
    """Every later build asks for it again, by the same limits: archives grow backwards, too."""


class Datum(StrEnum):
    """The family of UTM zones that a sensor's scenes are stored in."""

    WGS84 = "wgs84"
    """EPSG:326zz north and EPSG:327zz south of the equator."""

    WGS84_NORTH = "wgs84_north"
    """EPSG:326zz on both sides: south of the equator y is negative, as in Landsat's scenes."""

    NAD83 = "nad83"
    """EPSG:269zz."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """What is asked of one sensor; a block of the catalogue in plain values.

    Attributes:
        name: Name of its block, such as `sentinel2` or `naip`.
        collection: Earth Engine's id of the image collection, or ids of several that are alike,
            such as those of two satellites of one make; see `collections`.
        bands: Bands of the chip in file order, without the quality band.
        optional_bands: Bands of `bands` that a scene may lack (then the chip lacks them as well).
        quality: How cloud and missing pixels are measured; `scl` adds band SCL at the end, and
            `qa_pixel` QA_PIXEL.
        datum: The family of UTM zones of the scenes.
        scale_m: Size of a chip's pixel in metres.
        size_px: Width and height of a chip in pixels.
        area_px: Width and height of the central area of interest in pixels.
        bin_months: Length of a time bin in months, counted from January of year 0.
        window_days: A scene may lie at most this many whole days from the target date.
        candidates: How many ranked scenes are tried before a chip is given up.
        scene_cloud_limit_pct: Scenes must be under this cloud share; None where scenes have none.
        cloud_property: The scene property that holds it; None where scenes have none.
        zone_property: The scene property that begins with the number of its UTM zone, two digits;
            None where scenes have none.
        processing_property: The scene property with its processing baseline; None where none.
        generated_property: The scene property with the time the product was made, in milliseconds
            since 1970; None where scenes have none.
        chip_cloud_limit_pct: A chip over this measured cloud share is refused; None: not measured.
        missing_limit_pct: A chip over this share of missing pixels is refused.
        area_average: Read at the scene's own resolution and average by area to `scale_m`.
        extent: Where the collection has scenes at all; None for everywhere.
        since: First day of the collection.
        settle_days: A photo younger than this waits, because a nearer scene may still appear.
        grid_band: Band whose pixel grid is taken as the scene's own; None: the first of `bands`.
            Sentinel-2's first band has pixels of 60 m, so one of its 10 m bands is named here.
        until: Photos taken after this day are not paired with the sensor; None: no end.
        scene_rule: Which of the scenes that qualify is tried first.
        no_scene: What becomes of a chip that found no scene.
        clear_above: A pixel whose Cloud Score+ is less is cloud; None where that is not asked for.
        zone_from_grid: Ask only for scenes whose grid is in the chip's CRS: for collections in
            which no property begins with the zone.
        lattice_offset_m: How far the corners of the scenes' pixels lie from whole multiples of
            `scale_m`, in metres, in x as in y. Landsat's lie at 15, for its centres are on them.
    """

    name: str
    collection: str | tuple[str, ...]
    bands: tuple[str, ...]
    optional_bands: tuple[str, ...]
    quality: Quality
    datum: Datum
    scale_m: float
    size_px: int
    area_px: int
    bin_months: int
    window_days: int
    candidates: int
    scene_cloud_limit_pct: float | None
    cloud_property: str | None
    zone_property: str | None
    processing_property: str | None
    generated_property: str | None
    chip_cloud_limit_pct: float | None
    missing_limit_pct: float
    area_average: bool
    extent: Box | None
    since: date
    settle_days: int
    grid_band: str | None = None
    until: date | None = None
    scene_rule: SceneRule = SceneRule.NEAREST
    no_scene: NoScene = NoScene.GIVE_UP
    clear_above: float | None = None
    zone_from_grid: bool = False
    lattice_offset_m: float = 0

    @property
    def collections(self) -> tuple[str, ...]:
        """The collections that scenes are looked for in, at least one."""
        return (self.collection,) if isinstance(self.collection, str) else self.collection

    @property
    def scene_quality_bands(self) -> tuple[str, ...]:
        """The quality band that the scene itself has; none where it has none, or another has it."""
        known = {Quality.SCL: (SCL_BAND,), Quality.QA_PIXEL: (QA_PIXEL_BAND,)}
        return known.get(self.quality, ())

    @property
    def required_bands(self) -> tuple[str, ...]:
        """The bands that a scene must have, the quality band last."""
        needed = tuple(band for band in self.bands if band not in self.optional_bands)
        return (*needed, *self.scene_quality_bands)

    @property
    def quality_band(self) -> str | None:
        """The band that is stored after `bands`; None where there is none."""
        elsewhere = SCORE_BAND if self.quality is Quality.CLOUD_SCORE_PLUS else None
        return next(iter(self.scene_quality_bands), elsewhere)


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip that was placed: where, when and for which sensor; no pixels yet.

    Attributes:
        chip_id: Sensor, zone, grid origin and time bin: the same chip is named alike in every run.
        sensor: Name of the sensor.
        time_bin: `2020Q3` for quarters, else `2019-2021` for years.
        grid: The pixel grid.
        target_date: The local date that its scene should be nearest to.
    """

    chip_id: str
    sensor: str
    time_bin: str
    grid: ChipGrid
    target_date: date


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene that may serve a chip, as Earth Engine describes it.

    Attributes:
        scene_id: Full asset id, such as `COPERNICUS/S2_SR_HARMONIZED/20200803T…_T10SEG`.
        acquired_at: Start of the acquisition, UTC, aware.
        cloud_scene_pct: Cloud share of the whole scene; None where the collection has none.
        processing: Processing baseline or the like; empty where the collection has none.
        generated_at: When the product was made, UTC, aware; None where unknown.
        crs: `EPSG:…` of the scene's own pixel grid.
        transform: (a, b, c, d, e, f) of that grid in rasterio's order, metres.
        bands: Names of all bands that the scene has.
        gsd_m: Size of the scene's own pixels in metres.
    """

    scene_id: str
    acquired_at: datetime
    cloud_scene_pct: float | None
    processing: str
    generated_at: datetime | None
    crs: str
    transform: tuple[float, float, float, float, float, float]
    bands: tuple[str, ...]
    gsd_m: float


@dataclass(frozen=True, slots=True, eq=False)
class ChipPixels:
    """The pixels of a chip as they came from a scene.

    Attributes:
        bands: Names of the bands of `data`, in order, without the quality band.
        data: (bands, rows, columns), the first row in the north.
        quality: (rows, columns) scene classification, Cloud Score+ in whole percent, or Landsat's
            bits; None where the sensor has none of them.
        valid: (rows, columns), True where the chip holds data.
        quality_band: Name of the band `quality`; None where there is none.
    """

    bands: tuple[str, ...]
    data: NDArray[np.uint8] | NDArray[np.uint16]
    quality: NDArray[np.uint8] | NDArray[np.uint16] | None
    valid: NDArray[np.bool_]
    quality_band: str | None

    @classmethod
    def of(
        cls,
        bands: tuple[str, ...],
        data: NDArray[np.uint8] | NDArray[np.uint16],
        quality: NDArray[np.uint8] | NDArray[np.uint16] | None,
        quality_band: str = SCL_BAND,
    ) -> ChipPixels:
        """Makes the record and says which pixels hold data.

        See `holds_data`.
        """
        name = None if quality is None else quality_band
        return cls(bands, data, quality, holds_data(data, quality, name), name)


def holds_data(
    data: NDArray[np.uint8] | NDArray[np.uint16],
    quality: NDArray[np.uint8] | NDArray[np.uint16] | None,
    quality_band: str | None,
) -> NDArray[np.bool_]:
    """Says which pixels hold data, (rows, columns).

    A pixel is missing where the scene classification is 0, and, where there is none, where every
    band is 0: Earth Engine encodes masked pixels as zeros. Landsat's pixel quality is 0 where it
    is masked, and has a bit for fill; a surface reflectance of 0 is one that could not be made.

    Args:
        data: (bands, rows, columns).
        quality: (rows, columns); None where there is no quality band.
        quality_band: Its name; None likewise.
    """
    if quality is not None and quality_band == SCL_BAND:
        return np.asarray(quality != 0)
    seen = np.asarray(data.any(axis=0))
    if quality is not None and quality_band == QA_PIXEL_BAND:
        seen &= (quality != 0) & (quality & QA_PIXEL_FILL == 0)
    return seen


@dataclass(frozen=True, slots=True)
class SceneGone:
    """A scene that Earth Engine no longer has, or has no Cloud Score+ of: a value, no exception.

    Attributes:
        scene_id: Full asset id.
        detail: What Earth Engine said.
        reason: `gone`, or `no_cloud_score` where only that is missing.
    """

    scene_id: str
    detail: str
    reason: Literal["gone", "no_cloud_score"] = "gone"
