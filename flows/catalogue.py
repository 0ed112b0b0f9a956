"""The catalogue: regions, sources, rules and products, read from `data_catalog.yaml`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import date  # noqa: TC003 - the models need it when they are made
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from shapely.geometry import MultiPolygon, Polygon

from collectors.geo import Box, boxes_of
from collectors.licences import licence_by_code, licence_id_by_code
from collectors.records import Datum, Quality, Sensor
from flows.catalogue_text import CatalogueError, explain, line_of, read_yaml
from flows.regions import read_polygons

FILE_NAME: Final = "data_catalog.yaml"
SCHEMA: Final = "terrapair/1"

Percent = Annotated[float, Field(ge=0, le=100)]
Positive = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class _Block(BaseModel):
    """A block of the catalogue: no unknown keys, never changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Region(_Block):
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


class PhotosSource(_Block):
    """Flickr: since when, and how many searches may be spent."""

    kind: Literal["photos"]
    taken_since: date
    calls_per_cell: Positive = 60
    split_above: Annotated[int, Field(ge=250, le=4000)] = 3000


class SensorSource(_Block):
    """A satellite or aerial sensor; see `collectors.records.Sensor` for what the keys mean."""

    kind: Literal["sensor"]
    collection: str
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
    settle_days: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _fits_together(self) -> SensorSource:
        if self.area_px > self.size_px or (self.size_px - self.area_px) % 2:
            raise ValueError("area_px must leave the same whole number of pixels on both sides")
        if self.bin_months > 12 and self.bin_months % 12:
            raise ValueError("bin_months above 12 must be whole years: 24, 36, …")
        if self.bin_months <= 12 and 12 % self.bin_months:
            raise ValueError("bin_months must divide the year: 1, 2, 3, 4, 6 or 12")
        unknown = set(self.optional_bands) - set(self.bands)
        if unknown:
            raise ValueError(f"optional_bands names {sorted(unknown)}, which bands does not")
        if (self.scene_cloud_limit_pct is None) != (self.cloud_property is None):
            raise ValueError("scene_cloud_limit_pct and cloud_property go together: give both")
        if self.chip_cloud_limit_pct is not None and self.quality is not Quality.SCL:
            raise ValueError("chip_cloud_limit_pct needs `quality: scl`; remove one of them")
        return self

    def sensor(self, name: str) -> Sensor:
        """Returns the block as the plain values that the rooms below work with."""
        values = self.model_dump(exclude={"kind"})
        return Sensor(
            name=name, **(values | {"extent": Box(*self.extent) if self.extent else None})
        )


class Weights(_Block):
    """Where the indoor filter's weights come from: one of a path and an address."""

    url: str | None = None
    path: Path | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Weights:
        if (self.url is None) == (self.path is None):
            raise ValueError("give either `url:` or `path:` of the weights")
        return self


class RuleBlock(_Block):
    """What is kept."""

    quota_per_cell: Positive
    min_accuracy: Annotated[int, Field(ge=1, le=16)] = 16
    licences: Annotated[tuple[str, ...], Field(min_length=1)]
    owner_share: Annotated[float, Field(gt=0, le=1)] = 0.2
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
    def licence_ids(self) -> frozenset[int]:
        """Flickr's numeric ids of the licences."""
        return frozenset(licence_id_by_code(code) for code in self.licences)


class Column(_Block):
    """A column of a product."""

    type: Literal[
        "string", "int32", "int64", "float64", "timestamp", "timestamp_utc", "date", "geometry",
        "map", "list", "list_string", "list_float64",
    ]  # fmt: skip
    unit: str
    meaning: Annotated[str, Field(min_length=1)]
    fields: dict[str, Column] | None = None


class Product(_Block):
    """A table of the dataset."""

    meaning: Annotated[str, Field(min_length=1)]
    columns: dict[str, Column]


Source = Annotated[PhotosSource | SensorSource, Field(discriminator="kind")]


class Catalogue(_Block):
    """The whole catalogue."""

    schema_name: Annotated[Literal["terrapair/1"], Field(alias="schema")]
    regions: Annotated[dict[Name, Region], Field(min_length=1)]
    sources: dict[Name, Source]
    rules: RuleBlock
    products: dict[str, Product]

    @model_validator(mode="after")
    def _sensors_exist(self) -> Catalogue:
        if not isinstance(self.sources.get("flickr"), PhotosSource):
            raise ValueError("`sources` needs a block `flickr` of `kind: photos`")  # noqa: TRY004
        if not self.sensors:
            raise ValueError("`sources` needs at least one block of `kind: sensor`")
        return self

    @property
    def flickr(self) -> PhotosSource:
        """The photo source."""
        source = self.sources["flickr"]
        assert isinstance(source, PhotosSource)  # noqa: S101 - held by the validator above
        return source

    @property
    def sensors(self) -> dict[str, Sensor]:
        """The sensors by name, in the order of the file."""
        return {
            name: source.sensor(name)
            for name, source in self.sources.items()
            if isinstance(source, SensorSource)
        }

    @property
    def judgement(self) -> str:
        """SHA-256 of all that decides what a kept photo and a good chip are.

        Regions, quota and budgets are left out: collecting more is not judging differently.
        """
        decided = {
            "rules": self.rules.model_dump(
                mode="json", exclude={"quota_per_cell", "indoor_weights"}
            ),
            "sensors": {name: asdict(sensor) for name, sensor in self.sensors.items()},
        }
        text = json.dumps(decided, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def polygons(self, region: str, folder: Path) -> Polygon | MultiPolygon:
        """Returns a region's ground in degrees.

        Args:
            region: Name of the region.
            folder: Folder that a GeoJSON path is relative to.

        Raises:
            CatalogueError: If there is no such region or its file has no polygons.
        """
        if region not in self.regions:
            raise CatalogueError(
                f"there is no region {region!r} in the catalogue; it has"
                f" {', '.join(sorted(self.regions))}"
            )
        block = self.regions[region]
        if block.geojson is not None:
            return read_polygons(folder / block.geojson)
        assert block.box is not None  # noqa: S101 - held by Region
        boxes = [one.polygon() for one in boxes_of(*block.box)]
        return boxes[0] if len(boxes) == 1 else MultiPolygon(boxes)


def load_catalogue(path: Path) -> Catalogue:
    """Reads and checks a catalogue.

    Raises:
        CatalogueError: With a line for each thing that is wrong, and what to write instead.
    """
    document = read_yaml(path)
    try:
        catalogue = Catalogue.model_validate(_plain(document))
    except ValidationError as error:
        raise explain(error, document, path, known_keys()) from None
    except ValueError as error:
        raise CatalogueError(f"{path}: {error}") from None
    for name, region in catalogue.regions.items():
        line = line_of(document, ["regions", name, "geojson"])
        try:
            catalogue.polygons(name, path.parent)
        except CatalogueError as error:
            raise CatalogueError(f"{path}, line {line}: regions.{name}: {error}") from None
        unknown = sorted(set(region.sensors or ()) - set(catalogue.sensors))
        if unknown:
            line = line_of(document, ["regions", name, "sensors"])
            raise CatalogueError(
                f"{path}, line {line}: regions.{name}.sensors asks for {unknown}; `sources` has"
                f" {sorted(catalogue.sensors)}"
            )
    return catalogue


def find_catalogue(given: Path | None) -> Path:
    """Returns the catalogue to use: the one given, the one here, or the one that is shipped."""
    if given is not None:
        return given
    here = Path(FILE_NAME)
    if here.is_file():
        return here
    shipped = Path(__file__).parent / FILE_NAME
    return shipped if shipped.is_file() else Path(__file__).parent.parent / FILE_NAME


def known_keys() -> dict[str, list[str]]:
    """Returns all keys that the blocks of a catalogue may have, by block."""
    blocks: list[type[BaseModel]] = [
        Region, PhotosSource, SensorSource, RuleBlock, Weights, Column, Product,
    ]  # fmt: skip
    keys = {block.__name__: list(block.model_fields) for block in blocks}
    return keys | {"Catalogue": ["schema", "regions", "sources", "rules", "products"]}


def _plain(node: Any) -> Any:
    """Returns a YAML node as plain dicts and lists, which the models take."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    return [_plain(one) for one in node] if isinstance(node, list) else node
