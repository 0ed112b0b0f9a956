"""The catalogue: regions, sources, rules, splits and products, read from `data_catalog.yaml`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator
from shapely.geometry import MultiPolygon, Polygon

from collectors.geo import boxes_of
from flows.catalogue.blocks import (
    Block,
    Column,
    Name,
    PhotosSource,
    Product,
    Region,
    RuleBlock,
    SensorSource,
    Source,
    SplitBlock,
    Weights,
    without_unset,
)
from flows.catalogue.regions import read_polygons, say_nothing
from flows.catalogue.rendering_blocks import Composite, NormalisedDifference, Rendering
from flows.catalogue.series_blocks import ImageBlock, SeriesBlock, StackBlock
from flows.catalogue.text import CatalogueError, explain, line_of, read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.sensors import Sensor

FILE_NAME: Final = "data_catalog.yaml"
SCHEMA: Final = "terrapair/1"


class Catalogue(Block):
    """The whole catalogue."""

    schema_name: Annotated[Literal["terrapair/1"], Field(alias="schema")]
    regions: Annotated[dict[Name, Region], Field(min_length=1)]
    sources: dict[Name, Source]
    rules: RuleBlock
    splits: SplitBlock
    products: dict[str, Product]
    renderings: dict[Name, Rendering] = Field(default_factory=dict)
    series: dict[Name, SeriesBlock] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _renderings_fit(self) -> Catalogue:
        for name, rendering in self.renderings.items():
            sensor = self.sensors.get(rendering.sensor)
            if sensor is None:
                raise ValueError(
                    f"renderings.{name}: there is no sensor {rendering.sensor!r} in `sources`"
                )
            missing = [band for band in rendering.bands if band not in sensor.bands]
            if missing:
                raise ValueError(f"renderings.{name}: {rendering.sensor} has no bands {missing}")
        return self

    @model_validator(mode="after")
    def _series_fit(self) -> Catalogue:
        for name, series in self.series.items():
            for part, image in series.images.items():
                sensor = self.sensors.get(image.source)
                if sensor is None or not set(image.bands) <= set(sensor.bands):
                    raise ValueError(
                        f"series.{name}.images.{part}: no sensor {image.source!r} in `sources` has"
                        f" the bands {list(image.bands)}"
                    )
        return self

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
            "sensors": {
                name: without_unset(asdict(sensor)) for name, sensor in self.sensors.items()
            },
        }
        text = json.dumps(decided, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def polygons(
        self, region: str, folder: Path, tell: Callable[[str], None] = say_nothing
    ) -> Polygon | MultiPolygon:
        """Returns a region's ground in degrees.

        Args:
            region: Name of the region.
            folder: Folder that a GeoJSON path is relative to.
            tell: Called with a line for each polygon that had to be repaired.

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
            return read_polygons(folder / block.geojson, tell)
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
    room = Path(__file__).parents[1]
    shipped = room / FILE_NAME
    return shipped if shipped.is_file() else room.parent / FILE_NAME


def known_keys() -> dict[str, list[str]]:
    """Returns all keys that the blocks of a catalogue may have, by block."""
    blocks: list[type[BaseModel]] = [
        Region, PhotosSource, SensorSource, RuleBlock, Weights, SplitBlock, Column, Product,
        Composite, NormalisedDifference, SeriesBlock, ImageBlock, StackBlock,
    ]  # fmt: skip
    keys = {block.__name__: list(block.model_fields) for block in blocks}
    names = ["schema", "regions", "sources", "rules", "splits", "products", "renderings",
             "series"]  # fmt: skip
    return keys | {"Catalogue": names}


def _plain(node: Any) -> Any:
    """Returns a YAML node as plain dicts and lists, which the models take."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    return [_plain(one) for one in node] if isinstance(node, list) else node
