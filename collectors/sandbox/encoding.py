"""Writes values of an expression, and images of the catalogue, as the service's JSON."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.functions_geometry import geojson
from collectors.sandbox.geometry import LONLAT, Geometry, Projection
from collectors.sandbox.values import (
    Collection,
    ErrorMargin,
    Feature,
    Image,
    Moment,
    MomentRange,
    scene_image,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectors.sandbox.bands import ImageBand
    from collectors.sandbox.scenes import Scene

PUBLIC_ASSETS: Final = "projects/earthengine-public/assets/"
MAX_ELEMENTS: Final = 5_000
"""Most elements of a collection that a computed value may hold."""


def encode(value: object) -> Any:
    """Return a value as JSON can hold it.

    Raises:
        EarthEngineError: The value cannot be sent, for example a function.
    """
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return _encode_float(value)
        case list():
            return [encode(item) for item in value]
        case dict():
            return {key: encode(item) for key, item in value.items()}
        case Moment(ms=ms):
            return {"type": "Date", "value": _encode_float(float(ms))}
        case MomentRange():
            return {
                "type": "DateRange",
                "dates": [_encode_float(float(ms)) for ms in (value.start_ms, value.end_ms)],
            }
        case Geometry():
            return geojson(value)
        case Projection():
            return {
                "type": "Projection",
                "crs": value.crs,
                "transform": encode(list(value.transform)),
            }
        case ErrorMargin():
            return {"type": "ErrorMargin", "value": value.value, "unit": value.unit}
        case Feature():
            return encode_feature(value)
        case Image():
            return _encode_image(value)
        case Collection():
            return _encode_collection(value)
    what = f"sending a value of the type {type(value).__name__}"
    raise not_implemented(what)


def encode_feature(element: Feature | Image) -> dict[str, Any]:
    """Return an element as a row of a table; properties of its collection stay out."""
    geometry = element.geometry
    row: dict[str, Any] = {
        "type": "Feature",
        "geometry": None if geometry is None else geojson(Geometry(geometry.shape_in(LONLAT))),
        "properties": {
            key: encode(value)
            for key, value in element.properties.items()
            if key != "system:index" and not isinstance(value, Geometry)
        },
    }
    if element.name is not None:
        row["id"] = element.name
    return row


def describe_asset(scene: Scene) -> dict[str, Any]:
    """Return what `projects.assets.get` tells of an image."""
    start = _time_text(scene.time_ms)
    geometry = geojson(Geometry(scene.footprint.shape_in(LONLAT)))
    geometry.pop("geodesic", None)
    return {
        "type": "IMAGE",
        "name": PUBLIC_ASSETS + scene.asset_id,
        "id": scene.asset_id,
        "startTime": start,
        "endTime": start,
        "properties": _own_properties(scene.properties),
        "geometry": geometry,
        "bands": [_describe_band(scene, band) for band in scene_image(scene).bands],
        "sizeBytes": str(scene.properties.get("system:asset_size", 0)),
    }


def describe_image(image: Image) -> dict[str, Any]:
    """Return what `imageCollection.computeImages` tells of an image, stored or computed."""
    if image.scene is not None:
        document = describe_asset(image.scene)
        document["properties"] |= _own_properties(image.properties)
        return document
    document = {
        "type": "IMAGE",
        "properties": _own_properties(image.properties),
        "bands": [_describe_computed_band(band) for band in image.bands],
    }
    if image.name is not None:
        document["id"] = image.name
    return document


def describe_collection(name: str) -> dict[str, Any]:
    """Return what `projects.assets.get` tells of an image collection."""
    return {"type": "IMAGE_COLLECTION", "name": PUBLIC_ASSETS + name, "id": name}


def _own_properties(properties: Mapping[str, object]) -> dict[str, Any]:
    """Return the properties that an asset states as such; time and footprint have own fields."""
    return {
        key: encode(value)
        for key, value in properties.items()
        if not key.startswith("system:") or key == "system:index"
    }


def _describe_band(scene: Scene, band: ImageBand) -> dict[str, Any]:
    document = _describe_computed_band(band)
    step = round(band.projection.transform[0] / scene.gsd)
    document["grid"]["dimensions"] = {
        "width": scene.columns // step,
        "height": scene.rows // step,
    }
    return document


def _describe_computed_band(band: ImageBand) -> dict[str, Any]:
    scale_x, shear_x, left, shear_y, scale_y, top = band.projection.transform
    data_type: dict[str, Any] = {"precision": "FLOAT"}
    if band.dtype.kind in "iu":
        limits = np.iinfo(band.dtype.name)
        data_type = {"precision": "INT", "range": {"max": int(limits.max)}}
        if limits.min < 0:
            data_type["range"]["min"] = int(limits.min)
    return {
        "id": band.name,
        "dataType": data_type,
        "grid": {
            "crsCode": band.projection.crs,
            "affineTransform": {
                "scaleX": scale_x,
                "shearX": shear_x,
                "translateX": left,
                "shearY": shear_y,
                "scaleY": scale_y,
                "translateY": top,
            },
        },
    }


def _encode_float(value: float) -> float | int:
    if not math.isfinite(value):
        message = f"The computed value {value} cannot be sent as JSON."
        raise EarthEngineError(message)
    # The service writes whole numbers without a decimal point.
    return int(value) if value.is_integer() else value


def _encode_image(image: Image) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": "Image",
        "bands": [_encode_band(image, band) for band in image.bands],
        "properties": {key: encode(_ring(value)) for key, value in image.properties.items()},
    }
    if image.asset_id is not None:
        document["id"] = image.asset_id
        document["version"] = image.properties.get("system:time_start")
    return document


def _encode_band(image: Image, band: ImageBand) -> dict[str, Any]:
    kind = "int" if band.dtype.kind in "iu" else "float"
    data_type: dict[str, Any] = {"type": "PixelType", "precision": kind}
    if kind == "int":
        limits = np.iinfo(band.dtype.name)
        data_type |= {"min": int(limits.min), "max": int(limits.max)}
    document: dict[str, Any] = {
        "id": band.name,
        "data_type": data_type,
        "crs": band.projection.crs,
        "crs_transform": encode(list(band.projection.transform)),
    }
    if image.scene is not None:
        step = round(band.projection.transform[0] / image.scene.gsd)
        document["dimensions"] = [image.scene.columns // step, image.scene.rows // step]
    return document


def _ring(value: object) -> object:
    """Return a footprint as the service states it: its outer ring in degrees."""
    if not isinstance(value, Geometry):
        return value
    shape = value.shape_in(LONLAT)
    outer = shape if isinstance(shape, shapely.Polygon) else shape.convex_hull
    return {"type": "LinearRing", "coordinates": shapely.get_coordinates(outer).tolist()}


def _encode_collection(collection: Collection) -> dict[str, Any]:
    elements = collection.elements()
    if len(elements) > MAX_ELEMENTS:
        message = f"Collection query aborted after accumulating over {MAX_ELEMENTS} elements."
        raise EarthEngineError(message)
    kind = "ImageCollection" if collection.of_images else "FeatureCollection"
    document: dict[str, Any] = {"type": kind, "features": [encode(item) for item in elements]}
    if kind == "FeatureCollection":
        document["columns"] = {}
    return document


def _time_text(time_ms: int) -> str:
    moment = dt.datetime.fromtimestamp(time_ms / 1_000.0, tz=dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
