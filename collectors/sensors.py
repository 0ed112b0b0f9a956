"""What a sensor is: a block of the catalogue in plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

    from collectors.geo import Box

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
