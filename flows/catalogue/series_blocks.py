"""The catalogue's blocks of series: several sensors and many dates over one footprint."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from collectors.sensors import Quality, Sensor
from collectors.series_records import Pixel, Stack
from flows.catalogue.blocks import Block, Percent

PLACE: Final = "{place}"
"""Stands for the place's name in the paths of files."""

OWN_FOLDERS: Final = ("places", "manifest")
"""Folders of a series in which no part lies."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Bands = Annotated[tuple[str, ...], Field(min_length=1)]
FilePath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*/[A-Za-z0-9_.{}-]+$")]


class _Part(Block):
    bands: Bands
    scale_m: Annotated[float, Field(gt=0)]
    file: FilePath
    products: FilePath

    @field_validator("file", "products")
    @classmethod
    def _one_for_each_place(cls, value: str) -> str:
        if value.count(PLACE) != 1 or set("{}") & set(value.replace(PLACE, "")):
            raise ValueError(f"the path of a file holds {PLACE} once, as in dates/s2/{PLACE}.txt")
        folder = value.partition("/")[0]
        if folder in OWN_FOLDERS:
            raise ValueError(f"{folder}/ holds what is said of places; take another")
        return value

    @staticmethod
    def path_of(pattern: str, place_id: str) -> str:
        """Returns the path of a place's file."""
        return pattern.replace(PLACE, place_id)


class ImageBlock(_Part):
    """One picture of a sensor of `sources`, of the date nearest to the place's photos.

    Attributes:
        source: The sensor; its rules on scenes and missing pixels hold.
        bands: Bands that the scene must have, in file order; its optional bands as well.
        scale_m: Size of a pixel; the sensor's own pixels are averaged to it by area.
        file: Where the picture lies.
        products: Where the name of its scene lies.
    """

    source: str

    def sensor(self, sensor: Sensor, footprint_m: float) -> Sensor:
        """Returns the sensor as this picture wants it."""
        return replace(
            sensor, bands=self.bands, optional_bands=(), scale_m=self.scale_m,
            size_px=round(footprint_m / self.scale_m), area_px=0,
        )  # fmt: skip


class StackBlock(_Part):
    """Many dates of one collection; see `collectors.series_records.Stack` for what keys mean.

    Attributes:
        window_days: Scenes lie at most this many days from the day of the series' anchor.
        quality_file: Where the scene classification of every date lies; None: it is not kept.
    """

    collection: str
    pixel: Pixel = "uint16"
    quality: Literal[Quality.SCL, Quality.ALL_ZERO] = Quality.ALL_ZERO
    resampled: bool = False
    dates: Annotated[int, Field(ge=2, le=200)]
    spares: Annotated[int, Field(ge=0, le=100)] = 0
    window_days: Annotated[int, Field(ge=1, le=400)]
    equal: dict[str, str | float] = Field(default_factory=dict)
    contains: dict[str, str] = Field(default_factory=dict)
    cloud_property: str | None = None
    scene_cloud_limit_pct: Percent | None = None
    cloud_limit_pct: Percent | None = None
    missing_limit_pct: Percent = 0.0
    zone_property: str | None = None
    processing_property: str | None = None
    generated_property: str | None = None
    product_property: str | None = None
    group_property: str | None = None
    groups: tuple[str, ...] = ()
    grid_band: str | None = None
    quality_file: FilePath | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> StackBlock:
        if (self.group_property is None) != (not self.groups):
            raise ValueError("group_property and groups go together: give both")
        if self.groups and self.dates % len(self.groups):
            raise ValueError(
                f"dates ({self.dates}) must be a multiple of {len(self.groups)} groups"
            )
        if self.dates > 2 * self.window_days + 1:
            raise ValueError(f"the window of {2 * self.window_days + 1} days has no {self.dates}")
        if self.scene_cloud_limit_pct is not None and self.cloud_property is None:
            raise ValueError("scene_cloud_limit_pct needs cloud_property: give both")
        if self.quality is not Quality.SCL and (self.cloud_limit_pct, self.quality_file) != (
            None, None,
        ):  # fmt: skip
            raise ValueError("cloud_limit_pct and quality_file need `quality: scl`")
        if self.pixel == "float32" and self.quality is Quality.SCL:
            raise ValueError("`quality: scl` goes with pixel uint16 or uint8")
        if self.quality_file is not None:
            self._one_for_each_place(self.quality_file)
        for path in (self.file, self.quality_file):
            if path is not None and not path.endswith(".tif"):
                raise ValueError(f"{path}: a stack is a GeoTIFF, so its name ends in .tif")
        return self

    def stack(self, name: str) -> Stack:
        """Returns the block as the plain values that the rooms below work with."""
        left_out = {"file", "products", "window_days", "quality_file", "equal", "contains"}
        return Stack(
            name=name, equal=tuple(sorted(self.equal.items())),
            contains=tuple(sorted(self.contains.items())), **self.model_dump(exclude=left_out),
        )  # fmt: skip


class SeriesBlock(Block):
    """What there is at each place of a series.

    Attributes:
        footprint_m: Side of the square that every stack shows; every scale divides it.
        anchor: Name of the image whose day is the middle of the stacks' windows.
        images: One picture each.
        stacks: Many dates each.
    """

    footprint_m: Annotated[float, Field(gt=0, le=5_000)]
    anchor: str
    images: Annotated[dict[Name, ImageBlock], Field(min_length=1)]
    stacks: dict[Name, StackBlock]

    @property
    def parts(self) -> dict[str, ImageBlock | StackBlock]:
        """Images and stacks by name."""
        return {**self.images, **self.stacks}

    def size_px(self, part: ImageBlock | StackBlock) -> int:
        """Returns how many pixels of a part the footprint is wide and high."""
        return round(self.footprint_m / part.scale_m)

    @model_validator(mode="after")
    def _fits_together(self) -> SeriesBlock:
        if self.anchor not in self.images:
            raise ValueError(f"anchor: there is no image {self.anchor!r}; it has {[*self.images]}")
        twice = sorted(set(self.images) & set(self.stacks))
        if twice:
            raise ValueError(f"{twice} are names of an image and of a stack; change one")
        for name, part in self.parts.items():
            if abs(self.size_px(part) * part.scale_m - self.footprint_m) > 1e-9:
                raise ValueError(
                    f"{name}: pixels of {part.scale_m:g} m do not divide {self.footprint_m:g} m"
                )
        paths = [path for part in self.parts.values() for path in (part.file, part.products)]
        paths += [part.quality_file for part in self.stacks.values() if part.quality_file]
        if len(set(paths)) < len(paths):
            raise ValueError("every `file`, `products` and `quality_file` needs a path of its own")
        return self
