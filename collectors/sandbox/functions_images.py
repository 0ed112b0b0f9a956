"""Earth Engine's functions on images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.sandbox.bands import (
    CastBand,
    ConstantBand,
    MaskedBand,
    MosaicBand,
    RenamedBand,
)
from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.registry import function, loader
from collectors.sandbox.scenes import BANDS, SENSORS
from collectors.sandbox.values import Collection, Image, Moment, scene_image

if TYPE_CHECKING:
    from collectors.sandbox.bands import ImageBand
    from collectors.sandbox.geometry import Projection
    from collectors.sandbox.scenes import SceneWorld


MAX_BANDS: Final = 5_000
"""Most bands of `ImageCollection.toBands` (its description)."""


@loader("Image.load")
def _load(world: SceneWorld, name: str, _version: object) -> Image:
    scene = world.find(name)
    if scene is None:
        message = (
            f"Image.load: Image asset '{name}' not found "
            "(does not exist or caller does not have access)."
        )
        raise EarthEngineError(message)
    return scene_image(scene)


@function("Image.constant")
def _constant(value: object) -> Image:
    values = value if isinstance(value, list) else [value]
    bands: list[ImageBand] = []
    for place, number in enumerate(values):
        if not isinstance(number, int | float):
            message = "Image.constant: The value must be a number or a list of numbers."
            raise EarthEngineError(message)
        name = "constant" if len(values) == 1 else f"constant_{place}"
        bands.append(ConstantBand(name, number))
    return Image({}, None, computed=tuple(bands))


@function("Image.bandNames")
def _band_names(image: Image) -> list[str]:
    if image.scene is not None:
        return [band.name for band in image.scene.bands]
    return [band.name for band in image.bands]


@function("Image.select")
def _select(image: Image, selectors: list[object], names: list[str] | None) -> Image:
    return image.with_bands(select_bands(image, selectors, names))


def select_bands(
    image: Image, selectors: list[Any], names: list[str] | None = None
) -> list[ImageBand]:
    """Return bands by name, by regular expression or by number, in the order asked for.

    Raises:
        EarthEngineError: A selector matches no band, or the new names are of another number.
    """
    bands = image.bands
    chosen: list[ImageBand] = []
    for selector in selectors:
        if isinstance(selector, str):
            found = [band for band in bands if band.name == selector] or [
                band for band in bands if _matches(selector, band.name)
            ]
            if not found:
                message = (
                    f"Image.select: Band pattern '{selector}' was applied to an Image with no "
                    "bands. See https://developers.google.com/earth-engine/guides/debugging#no-bands"
                    if not bands
                    else f"Image.select: Pattern '{selector}' did not match any bands."
                )
                raise EarthEngineError(message)
            chosen.extend(found)
        elif isinstance(selector, int) and -len(bands) <= selector < len(bands):
            chosen.append(bands[selector])
        else:
            message = f"Image.select: Band {selector!r} does not exist."
            raise EarthEngineError(message)
    if names is not None:
        if len(names) != len(chosen):
            message = f"Image.select: Can't rename {len(chosen)} bands with {len(names)} names."
            raise EarthEngineError(message)
        return [RenamedBand(name, band) for name, band in zip(names, chosen, strict=True)]
    return chosen


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.fullmatch(pattern, name) is not None
    except re.error:
        return False


@function("Image.rename")
def _rename(image: Image, names: list[str]) -> Image:
    return image.with_bands(select_bands(image, list(range(len(image.bands))), names))


@function("Image.addBands")
def _add_bands(first: Image, second: Image, names: list[str] | None, overwrite: object) -> Image:
    added = list(second.bands) if names is None else select_bands(second, list(names))
    if overwrite:
        fresh = {band.name: band for band in added}
        kept = [fresh.pop(band.name, band) for band in first.bands]
        return first.with_bands([*kept, *fresh.values()])
    result = list(first.bands)
    for band in added:
        taken = {other.name for other in result}
        number, name = 1, band.name
        while name in taken:
            name, number = f"{band.name}_{number}", number + 1
        result.append(band if name == band.name else RenamedBand(name, band))
    return first.with_bands(result)


@function("Image.projection")
def _projection(image: Image) -> Projection:
    found = {band.projection for band in image.bands}
    if len(found) > 1:
        message = (
            "Image.projection: The bands of the specified image contains different projections. "
            "Use Image.select to pick a single band."
        )
        raise EarthEngineError(message)
    if not found:
        message = "Image.projection: The image has no bands."
        raise EarthEngineError(message)
    return found.pop()


@function("Image.date")
def _date(image: Image) -> Moment:
    time = image.properties.get("system:time_start")
    if not isinstance(time, int | float):
        message = "Image.date: Image has no 'system:time_start' property."
        raise EarthEngineError(message)
    return Moment(time)


@function("ImageCollection.mosaic")
def _mosaic(collection: Collection) -> Image:
    images = [image for image in collection.elements() if isinstance(image, Image)]
    if not images:
        return Image({}, None)
    layers = [{band.name: band for band in image.bands} for image in images]
    names = [name for name in layers[0] if all(name in layer for layer in layers)]
    if any(set(layer) != set(layers[0]) for layer in layers):
        message = (
            "ImageCollection.mosaic: Expected a homogeneous image collection, but an image with "
            f"incompatible bands was encountered: the bands {sorted(names)} are common to all."
        )
        raise EarthEngineError(message)
    stacks = [MosaicBand(tuple(layer[name] for layer in layers)) for name in names]
    return Image({}, None, computed=tuple(stacks))


@function("ImageCollection.toBands")
def _to_bands(collection: Collection) -> Image:
    images = [image for image in collection.elements() if isinstance(image, Image)]
    bands = [
        RenamedBand(f"{image.name or place}_{band.name}", band)
        for place, image in enumerate(images)
        for band in image.bands
    ]
    if len(bands) > MAX_BANDS:
        message = f"ImageCollection.toBands: Too many bands: {len(bands)}, maximum {MAX_BANDS}."
        raise EarthEngineError(message)
    return Image({}, None, computed=tuple(bands))


@function("Image.linkCollection")
def _link(
    image: Image,
    collection: Collection,
    bands: Any,
    properties: Any,
    match: str,
) -> Image:
    if match != "system:index" or collection.load is None or collection.load.filters:
        what = "Image.linkCollection but to a whole collection by system:index"
        raise not_implemented(what)
    linked = collection.load.world.find(f"{collection.load.collection}/{image.name}")
    # "If a matching image is not found, any new or updated bands will be fully masked and any new
    # or updated metadata will be null" (description of the function).
    other = scene_image(linked) if linked else _unmatched(collection.load.collection)
    if bands is not None:
        names = [bands] if isinstance(bands, str) else list(bands)
        image = _add_bands(image, other.with_bands(select_bands(other, names)), None, True)
    if properties is not None:
        wanted = [properties] if isinstance(properties, str) else list(properties)
        kept = {name: value for name, value in image.properties.items() if name not in wanted}
        copied = {name: other.properties[name] for name in wanted if name in other.properties}
        image = image.with_properties({**kept, **copied})
    return image


def _unmatched(collection: str) -> Image:
    """Return an image of a collection's bands without a single valid pixel."""
    nothing = ConstantBand("nothing", 0)
    bands = [
        RenamedBand(band.name, MaskedBand(CastBand(nothing, np.dtype(band.dtype)), nothing))
        for band in BANDS[SENSORS[collection]]
    ]
    return Image({}, None, computed=tuple(bands))
