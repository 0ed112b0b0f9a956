"""The blocks of the catalogue: regions, sources, rules and products, each checked on its own."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - the models need it when they are made
from pathlib import Path  # noqa: TC003 - as above
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_serializer,
    model_validator,
)

from collectors.geo import Box
from collectors.licences import licence_by_code, licence_id_by_code
from collectors.sensors import Datum, NoScene, Quality, SceneRule, Sensor
from filters.sampling import part_of
from filters.splits import Shares, SplitRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SerializerFunctionWrapHandler

Percent = Annotated[float, Field(ge=0, le=100)]
Positive = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


PLACES365_URL: Final = "http://places2.csail.mit.edu/models_places365/resnet18_places365.pth.tar"
"""The public ResNet18 of the Places project; `indoor_weights: places365` is short for it."""


class Block(BaseModel):
    """A block of the catalogue: no unknown keys, never changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Region(Block):
    """Where to collect: a box or a file of polygons, and which sensors."""

    title: str = ""
    box: tuple[float, float, float, float] | None = None
    geojson: Path | None = None
    sensors: tuple[str, ...] | None = None

    @field_validator("box")
    @classmethod
    def _on_the_globe(
        cls, value: tuple[float, float, float, float] | None
    ) -> tuple[float, float, float, float] | None:
        return None if value is None else checked_box(value)

    @model_validator(mode="after")
    def _one_shape(self) -> Region:
        if (self.box is None) == (self.geojson is None):
            raise ValueError("give either `box: [west, south, east, north]` or `geojson: FILE`")
        return self


def checked_box(value: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Checks a bounding box given as west, south, east, north in degrees.

    A box may cross the antimeridian (west > east) when that is what it says: then it is at most
    180° wide, as a box whose sides were exchanged by mistake seldom is.

    Raises:
        ValueError: If it is not on the globe, empty, or has its sides exchanged.
    """
    west, south, east, north = value
    if not (
        -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= 90 and -90 <= north <= 90
    ):
        raise ValueError(
            "a box is [west, south, east, north] in degrees, longitudes −180 to 180 and latitudes"
            " −90 to 90"
        )
    if south >= north:
        raise ValueError(f"south ({south}) must be less than north ({north}); exchange them")
    if west == east:
        raise ValueError("west and east are the same, so the region is empty; widen it")
    if west > east and west - east < 180:
        raise ValueError(
            f"west ({west}) is east of east ({east}); write [{east}, {south}, {west}, {north}],"
            " or for a box across the antimeridian a west above 0 and an east below 0"
        )
    return value


class PhotosSource(Block):
    """Flickr: since when, and how many searches may be spent."""

    kind: Literal["photos"]
    taken_since: date
    calls_per_cell: Positive = 60
    split_above: Annotated[int, Field(ge=250, le=4000)] = 3000


class SensorSource(Block):
    """A satellite or aerial sensor; see `collectors.sensors.Sensor` for what the keys mean."""

    kind: Literal["sensor"]
    collection: str | tuple[str, ...]
    bands: Annotated[tuple[str, ...], Field(min_length=1)]
    optional_bands: tuple[str, ...] = ()
    quality: Quality
    datum: Datum
    scale_m: Annotated[float, Field(gt=0)]
    size_px: Positive = 448
    area_px: Positive = 224
    bin_months: Positive
    window_days: Positive
    candidates: Annotated[int, Field(ge=1, le=20)] = 4
    scene_cloud_limit_pct: Percent | None = None
    chip_cloud_limit_pct: Percent | None = None
    missing_limit_pct: Percent = 1.0
    cloud_property: str | None = None
    zone_property: str | None = None
    processing_property: str | None = None
    generated_property: str | None = None
    grid_band: str | None = None
    area_average: bool = False
    extent: tuple[float, float, float, float] | None = None
    since: date
    until: date | None = None
    settle_days: Annotated[int, Field(ge=0)] = 0
    scene_rule: SceneRule = SceneRule.NEAREST
    no_scene: NoScene = NoScene.GIVE_UP
    clear_above: Annotated[float, Field(gt=0, le=1)] | None = None
    zone_from_grid: bool = False
    lattice_offset_m: Annotated[float, Field(ge=0)] = 0

    @field_validator("collection", mode="before")
    @classmethod
    def _ids(cls, value: object) -> object:
        ids = [value] if isinstance(value, str) else value
        if not isinstance(ids, list | tuple) or not ids or not all(
            isinstance(one, str) and one for one in ids
        ):  # fmt: skip
            raise ValueError("collection is Earth Engine's id of one, or a list of such ids")
        if len(set(ids)) < len(ids):
            raise ValueError("collection names one of them twice")
        return ids[0] if len(ids) == 1 else tuple(ids)

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return without_unset(values)

    @model_validator(mode="after")
    def _fits_together(self) -> SensorSource:
        if self.area_px > self.size_px or (self.size_px - self.area_px) % 2:
            raise ValueError("area_px must leave the same whole number of pixels on both sides")
        if self.until is not None and self.until < self.since:
            raise ValueError(f"until ({self.until}) is before since ({self.since}); exchange them")
        if self.bin_months > 12 and self.bin_months % 12:
            raise ValueError("bin_months above 12 must be whole years: 24, 36, …")
        if self.bin_months <= 12 and 12 % self.bin_months:
            raise ValueError("bin_months must divide the year: 1, 2, 3, 4, 6 or 12")
        unknown = set(self.optional_bands) - set(self.bands)
        if unknown:
            raise ValueError(f"optional_bands names {sorted(unknown)}, which bands does not")
        if (self.scene_cloud_limit_pct is None) != (self.cloud_property is None):
            raise ValueError("scene_cloud_limit_pct and cloud_property go together: give both")
        if self.chip_cloud_limit_pct is not None and self.quality is Quality.ALL_ZERO:
            raise ValueError(
                "chip_cloud_limit_pct needs `quality: scl`, `qa_pixel` or `cloud_score_plus`;"
                " remove it or set one of these"
            )
        if self.zone_from_grid and self.zone_property is not None:
            raise ValueError("zone_from_grid is for scenes without a zone_property; give one")
        if self.lattice_offset_m >= self.scale_m:
            raise ValueError("lattice_offset_m must be less than scale_m")
        if (self.clear_above is None) != (self.quality is not Quality.CLOUD_SCORE_PLUS):
            raise ValueError(
                "clear_above and `quality: cloud_score_plus` go together: give both, such as 0.6"
            )
        if self.clear_above is not None and abs(self.clear_above * 100 % 1 - 0.5) < 0.499999:
            raise ValueError("clear_above has two decimals at most: scores are kept as percent")
        return self

    def sensor(self, name: str) -> Sensor:
        """Returns the block as the plain values that the rooms below work with."""
        values = self.model_dump(exclude={"kind"})
        return Sensor(
            name=name, **(values | {"extent": Box(*self.extent) if self.extent else None})
        )


LATER_KEYS: Final[Mapping[str, object]] = {"zone_from_grid": False, "lattice_offset_m": 0}
"""Keys of a sensor that came after datasets did, with what they are where nothing is said."""


def without_unset(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves out what is said by a later key of a sensor, where nothing is said.

    So a dataset and its rules have the same bytes, and the same checksum, as before that key.
    """
    return {
        name: value for name, value in values.items()
        if name not in LATER_KEYS or value != LATER_KEYS[name]
    }  # fmt: skip


class Weights(Block):
    """Where the indoor filter's weights come from: one of a path and an address."""

    url: str | None = None
    path: Path | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return {"url": PLACES365_URL} if value == "places365" else value

    @model_validator(mode="after")
    def _one_place(self) -> Weights:
        if (self.url is None) == (self.path is None):
            raise ValueError("give either `url:` or `path:` of the weights")
        return self


class RuleBlock(Block):
    """What is kept."""

    quota_per_cell: Positive
    min_accuracy: Annotated[int, Field(ge=1, le=16)] = 16
    street_uncertainty_m: Annotated[float, Field(gt=0)] = 40
    licences: Annotated[tuple[str, ...], Field(min_length=1)]
    owner_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    owner_share_of_chip: Annotated[float, Field(gt=0, le=1)] = 0.4
    same_picture: Annotated[float, Field(gt=0, le=1.1)] = 0.97
    indoor_rule: Literal["mass", "top10_vote"] = "mass"
    indoor_threshold: Annotated[float, Field(gt=0, le=1)] = 0.5
    photos_per_chip: Positive = 25
    photo_shortest_side_px: Annotated[int, Field(ge=64, le=1024)] = 336
    indoor_weights: Weights

    @field_validator("licences")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for code in value:
            if not licence_by_code(code).adaptable:
                raise ValueError(
                    f"{code} does not let adapted copies be passed on, and the stored photos are"
                    " such copies; remove it"
                )
        return value

    @property
    def owner_photos_per_chip(self) -> int:
        """Photos of one owner in a chip, at most."""
        return part_of(self.photos_per_chip, self.owner_share_of_chip)

    @property
    def licence_ids(self) -> frozenset[int]:
        """Flickr's numeric ids of the licences."""
        return frozenset(licence_id_by_code(code) for code in self.licences)


class SplitBlock(Block):
    """Which share of the pairs is for what; see `filters.splits`."""

    train_pct: Percent
    val_pct: Percent
    test_pct: Percent
    block_cells: Annotated[int, Field(ge=1, le=12)] = 1
    owner_disjoint: bool = False

    @model_validator(mode="after")
    def _adds_up(self) -> SplitBlock:
        self.rule(seed=0)
        return self

    def rule(self, seed: int) -> SplitRule:
        """Returns how ground is dealt; `owner_disjoint` comes on top, version by version."""
        return SplitRule(
            seed, Shares(self.train_pct, self.val_pct, self.test_pct), self.block_cells
        )


class Column(Block):
    """A column of a product."""

    type: Literal[
        "string", "int32", "int64", "float64", "timestamp", "timestamp_utc", "date", "geometry",
        "map", "map_float64", "list", "list_string", "list_float64",
    ]  # fmt: skip
    unit: str
    meaning: Annotated[str, Field(min_length=1)]
    fields: dict[str, Column] | None = None


class Product(Block):
    """A table of the dataset."""

    meaning: Annotated[str, Field(min_length=1)]
    columns: dict[str, Column]


Source = Annotated[PhotosSource | SensorSource, Field(discriminator="kind")]
