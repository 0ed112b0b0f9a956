"""Earth Engine: which scenes may make up a series, and all its dates by one computation.

`resolve_stacks` asks for all scenes in the windows of hundreds of footprints at once: a series is
chosen from what there is, not from what is nearest to a day. `read_dates` then has one image
computed of the bands of all the scenes that are named, and gets it in one answer.

One list of constants per stack goes in, one row of it per question:

    [number of the question, west, south, east, north (metres), "EPSG:32610", "10",
     start, end (milliseconds since 1970, UTC)]

and a row comes out for every scene, shaped as in `earth_engine_expressions`, with "product" and
"group" where the stack has such properties.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import ee
import numpy as np

from collectors.area_average import SourceWindow
from collectors.chips import SceneGone
from collectors.earth_engine import pixel_grid
from collectors.earth_engine_answers import features, pixel_array
from collectors.earth_engine_expressions import parse_row, qualifying, scene_properties
from collectors.earth_engine_session import CATALOGUE, SERVICE, Missing, TooBig
from collectors.sensors import SCL_BAND, Quality
from collectors.series_records import DatedScene, DatePixels
from collectors.transport import SetupError, TroubleRemains

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from collectors.earth_engine import EarthEngine
    from collectors.geo import ChipGrid
    from collectors.series_records import Stack, StackAsk

ASKS_AT_ONCE: Final = 100
"""Questions sent together. Their answers may have a hundred rows each, ten pages of 1,000."""

PIXEL_BYTES: Final = 50_331_648
"""Uncompressed bytes that an answer may have. Source: Earth Engine REST reference,
`computePixels`."""

MOST_BANDS: Final = 1024
"""Bands that an answer may have. Same source."""

MISSING: Final = -9999.0
"""What masked pixels of floating-point bands are asked for as: Earth Engine sends them as 0, and
0 dB is a value. No backscatter is near it."""

_DAY_MS: Final = 86_400_000


def resolve_stacks(
    engine: EarthEngine, asks: Sequence[StackAsk], stacks: Mapping[str, Stack]
) -> list[tuple[DatedScene, ...]]:
    """Finds the scenes that may make up stacks, of all footprints and stacks together.

    Args:
        engine: The client.
        asks: The questions.
        stacks: Stack by name, for all of them.

    Returns:
        For each question its scenes: they contain the whole footprint, lie in the window of whole
        UTC days, are under the scene's cloud limit and have the properties asked for.

    Raises:
        SetupError: If a collection or property is not there, or access is refused.
        TroubleRemains: If the service did not answer within the patience.
    """
    found: list[tuple[DatedScene, ...]] = []
    for start in range(0, len(asks), ASKS_AT_ONCE):
        found += _resolve(engine, asks[start : start + ASKS_AT_ONCE], stacks)
    return found


def _resolve(
    engine: EarthEngine, asks: Sequence[StackAsk], stacks: Mapping[str, Stack]
) -> list[tuple[DatedScene, ...]]:
    """Resolves some questions by one request a page; in halves if they are too many."""
    what = f"scenes for {len(asks)} series"
    params: dict[str, Any] = {
        "expression": _rows(asks, stacks), "workloadTag": "terrapair-series-resolve",
    }  # fmt: skip
    found: list[list[DatedScene]] = [[] for _ in asks]
    try:
        while True:
            page = engine.send("resolve", what, lambda: features(params, what))
            for feature in page.get("features", []):
                row = feature["properties"]
                number = int(row["chip"])
                found[number].append(_parse(row, stacks[asks[number].stack]))
            params["pageToken"] = page.get("nextPageToken")
            if not params["pageToken"]:
                return [tuple(one) for one in found]
    except TooBig as error:
        if len(asks) == 1:
            raise TroubleRemains(SERVICE, f"{what}: {error}") from error
        half = len(asks) // 2
        return _resolve(engine, asks[:half], stacks) + _resolve(engine, asks[half:], stacks)
    except Missing as error:
        raise SetupError(SERVICE, f"{what}: {error}", CATALOGUE) from error
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise SetupError(
            SERVICE, f"{what}: a row of the answer cannot be read ({error!r}).", CATALOGUE
        ) from error


def _parse(row: Mapping[str, Any], stack: Stack) -> DatedScene:
    scene = parse_row(row, stack.collection)
    product = str(row["index"] if stack.product_property is None else row["product"])
    return DatedScene(scene, product, "" if stack.group_property is None else str(row["group"]))


def _rows(asks: Sequence[StackAsk], stacks: Mapping[str, Stack]) -> ee.FeatureCollection:
    """Returns the expression of all the questions."""
    epoch = date(1970, 1, 1)
    by_stack: dict[str, list[list[Any]]] = {}
    for number, ask in enumerate(asks):
        start = (ask.first - epoch).days * _DAY_MS
        after = (ask.last + timedelta(days=1) - epoch).days * _DAY_MS
        zone = ask.grid.crs[-2:]  # EPSG codes of UTM zones end with the zone's number
        by_stack.setdefault(ask.stack, []).append(
            [number, *ask.grid.bounds, ask.grid.crs, zone, start, after]
        )
    parts = [_rows_of_stack(rows, stacks[name]) for name, rows in by_stack.items()]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.merge(part)
    return whole


def _rows_of_stack(rows: list[list[Any]], stack: Stack) -> ee.FeatureCollection:
    """Returns the part of the expression that is about one stack."""
    return ee.FeatureCollection(
        ee.List(rows).map(lambda row: _rows_of_ask(ee.List(row), stack))
    ).flatten()


def _rows_of_ask(row: ee.List, stack: Stack) -> ee.FeatureCollection:
    """Returns the rows of one question, given its constants."""
    footprint = ee.Geometry.Rectangle(
        [row.get(i) for i in range(1, 5)], ee.Projection(ee.String(row.get(5))), False
    )
    scenes = (
        ee.ImageCollection(stack.collection)
        .filterBounds(footprint)
        .filterDate(ee.Date(row.get(7)), ee.Date(row.get(8)))
    )
    for name, value in stack.equal:
        scenes = scenes.filter(ee.Filter.eq(name, value))
    for name, value in stack.contains:
        scenes = scenes.filter(ee.Filter.listContains(name, value))
    if stack.group_property is not None:
        scenes = scenes.filter(ee.Filter.inList(stack.group_property, list(stack.groups)))
    scenes = qualifying(scenes, footprint, row.get(6), stack)

    def as_row(scene: ee.Image) -> ee.Feature:
        grid = scene.select([stack.grid_band or 0]).projection()
        optional = {
            "cloud": stack.cloud_property,
            "processing": stack.processing_property,
            "generated": stack.generated_property,
            "product": stack.product_property,
            "group": stack.group_property,
        }
        return ee.Feature(None, scene_properties(row, scene, grid, optional))

    return ee.FeatureCollection(scenes.map(as_row))


def read_dates(
    engine: EarthEngine, grid: ChipGrid, scenes: Sequence[DatedScene], stack: Stack
) -> list[DatePixels | SceneGone]:
    """Reads the pixels of scenes over a footprint, all dates by one request.

    More than one request is sent only where the answer would be over Earth Engine's limits of 48 MB
    and 1,024 bands, or where a scene has gone since it was found.

    Pixels come on the footprint's own grid. Where that is the scene's, too, nothing is resampled
    but coarser bands, which are repeated; else each pixel is the scene's nearest one.

    Args:
        engine: The client.
        grid: The footprint's pixels.
        scenes: The scenes, each with all bands of the stack.
        stack: What is asked of them.

    Returns:
        For each scene its pixels, or a `SceneGone`.

    Raises:
        SetupError: If a band is not there, or access is refused.
        TroubleRemains: If the service did not answer within the patience.
    """
    found: list[DatePixels | SceneGone] = []
    for part in _parts(scenes, stack, grid.size_px**2):
        found += _read(engine, grid, part, stack)
    return found


def _parts(
    scenes: Sequence[DatedScene], stack: Stack, pixels: int
) -> Iterator[Sequence[DatedScene]]:
    """Yields the scenes in as few parts as the limits of an answer allow."""
    bands = len(_asked(stack))
    size = pixels * (len(stack.bands) * np.dtype(stack.pixel).itemsize + bands - len(stack.bands))
    at_once = max(1, min(MOST_BANDS // bands, PIXEL_BYTES // size))
    for start in range(0, len(scenes), at_once):
        yield scenes[start : start + at_once]


def _asked(stack: Stack) -> tuple[str, ...]:
    return (*stack.bands, SCL_BAND) if stack.quality is Quality.SCL else stack.bands


def _read(
    engine: EarthEngine, grid: ChipGrid, scenes: Sequence[DatedScene], stack: Stack
) -> list[DatePixels | SceneGone]:
    """Reads some scenes by one request; in halves if they are too much for Earth Engine."""
    what = f"{len(scenes)} dates of {stack.collection}"
    names = [tuple(f"d{number:03d}_{band}" for band in _asked(stack))
             for number in range(len(scenes))]  # fmt: skip
    flat = tuple(name for one in names for name in one)
    window = SourceWindow(
        grid.west_m, grid.north_m, grid.scale_m, grid.scale_m, grid.size_px, grid.size_px
    )
    params = {
        "expression": _image(scenes, stack, flat),
        "fileFormat": "NPY",
        "grid": pixel_grid(window, grid.crs),
        "workloadTag": "terrapair-series",
    }
    shape = (grid.size_px, grid.size_px)
    try:
        layers = engine.send("pixels", what, lambda: pixel_array(params, flat, shape, what))
    except Missing as error:
        gone = [one for one in scenes if one.scene.scene_id in str(error)]
        if not gone:
            raise SetupError(SERVICE, f"{what}: {error}", CATALOGUE) from error
        left = [one for one in scenes if one not in gone]
        read = iter(_read(engine, grid, left, stack) if left else [])
        return [
            SceneGone(one.scene.scene_id, str(error)) if one in gone else next(read)
            for one in scenes
        ]
    except TooBig as error:
        if len(scenes) == 1:
            raise TroubleRemains(SERVICE, f"{what}: {error}") from error
        half = len(scenes) // 2
        return _read(engine, grid, scenes[:half], stack) + _read(engine, grid, scenes[half:], stack)
    return [
        _date_pixels(dated, [layers[name] for name in own], stack)
        for dated, own in zip(scenes, names, strict=True)
    ]


def _image(scenes: Sequence[DatedScene], stack: Stack, names: Sequence[str]) -> ee.Image:
    """Returns the image of all the bands of all the scenes, in their order."""
    images = []
    for one in scenes:
        image = ee.Image(one.scene.scene_id).select(list(_asked(stack)))
        if np.dtype(stack.pixel).kind == "f":
            image = image.unmask(MISSING, False)
        images.append(image)
    # A collection, not a chain of addBands: an expression may be a hundred levels deep, no more.
    return ee.ImageCollection(images).toBands().rename(list(names))


def _date_pixels(dated: DatedScene, layers: list[NDArray[Any]], stack: Stack) -> DatePixels:
    data = np.stack(layers[: len(stack.bands)]).astype(stack.pixel)
    if data.dtype.kind == "f":
        valid = np.asarray((data != MISSING).all(axis=0) & np.isfinite(data).all(axis=0))
        data[data == MISSING] = np.nan
        return DatePixels(dated, data, None, valid)
    if stack.quality is Quality.SCL:
        quality = layers[-1].astype(np.uint8)
        return DatePixels(dated, data, quality, np.asarray(quality != 0))
    return DatePixels(dated, data, None, np.asarray(data.any(axis=0)))
