"""The values that an Earth Engine expression computes with.

Numbers, strings, lists, dictionaries and null are Python's own; the rest is here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from collectors.sandbox.bands import SceneBand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from collectors.sandbox.bands import ImageBand
    from collectors.sandbox.geometry import Geometry
    from collectors.sandbox.scenes import Scene, SceneWorld


@dataclass(frozen=True, slots=True)
class Moment:
    """An Earth Engine Date: milliseconds since 1970, UTC."""

    ms: float


@dataclass(frozen=True, slots=True)
class MomentRange:
    """An Earth Engine DateRange: milliseconds since 1970; the end is outside."""

    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class ErrorMargin:
    """Tolerance of a geometric operation; the sandbox computes exactly and ignores it."""

    value: float
    unit: str = "meters"


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """A geometry (or none) with properties.

    Attributes:
        geometry: Where, or None.
        properties: What is known of it.
        name: Its id within its collection (`system:index`), or None.
    """

    geometry: Geometry | None
    properties: Mapping[str, object]
    name: str | None = None

    def with_properties(self, properties: Mapping[str, object]) -> Feature:
        """Return a copy with other properties."""
        return replace(self, properties=properties)


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Bands with properties.

    Attributes:
        properties: What is known of it.
        geometry: Its footprint, or None where it is everywhere.
        scene: The scene whose bands it shows unchanged, or None.
        computed: Its bands where there is no scene.
        asset_id: Id in the catalogue, or None where it was computed.
    """

    properties: Mapping[str, object]
    geometry: Geometry | None
    scene: Scene | None = None
    computed: tuple[ImageBand, ...] = ()
    asset_id: str | None = None

    @property
    def bands(self) -> tuple[ImageBand, ...]:
        """The bands, in order."""
        if self.scene is None:
            return self.computed
        return tuple(SceneBand(self.scene, band) for band in self.scene.bands)

    @property
    def name(self) -> str | None:
        """Its id within its collection (`system:index`), or None."""
        index = self.properties.get("system:index")
        return index if isinstance(index, str) else None

    def with_properties(self, properties: Mapping[str, object]) -> Image:
        """Return a copy with other properties."""
        return replace(self, properties=properties)

    def with_bands(self, bands: Sequence[ImageBand]) -> Image:
        """Return a copy with other bands; it is no longer the catalogue's image."""
        return replace(self, scene=None, computed=tuple(bands), asset_id=None)


def scene_image(scene: Scene) -> Image:
    """Return a scene as an image."""
    return Image(scene.properties, scene.footprint, scene=scene, asset_id=scene.asset_id)


class Filter(Protocol):
    """A condition on an element of a collection."""

    def holds(self, element: Element) -> bool:
        """Return whether the element passes."""


@dataclass(slots=True, eq=False)
class Collection:
    """An ordered collection of elements, computed when first needed.

    Attributes:
        of_images: Whether it is an ImageCollection.
        source: Computes the elements.
        load: What the catalogue is asked for, where the collection is a filtered part of it;
            filters added later can then still narrow the question.
    """

    of_images: bool
    source: Callable[[], list[Element]]
    load: CatalogueQuery | None = None
    _elements: list[Element] | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, elements: list[Element], *, of_images: bool | None = None) -> Collection:
        """Return a collection of known elements."""
        if of_images is None:
            of_images = bool(elements) and all(isinstance(item, Image) for item in elements)
        return cls(of_images, lambda: elements)

    def elements(self) -> list[Element]:
        """Return the elements, computing them once."""
        if self._elements is None:
            self._elements = self.source()
        return self._elements


@dataclass(frozen=True, slots=True)
class CatalogueQuery:
    """A collection of the catalogue with the filters put on it so far."""

    world: SceneWorld
    collection: str
    filters: tuple[Filter, ...] = ()


Element: TypeAlias = Feature | Image | Collection


def property_of(element: Element, name: str) -> object:
    """Return a property of an element, or None where it has none of that name."""
    if isinstance(element, Collection):
        return None
    value = element.properties.get(name)
    if value is None and name == "system:index":
        return element.name
    if value is None and name == "system:id" and isinstance(element, Image):
        return element.asset_id
    return value
