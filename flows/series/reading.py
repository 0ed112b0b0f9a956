"""Reads what there is at places: pictures first, then stacks around the day of the anchor."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from collectors.chips import Chip, SceneGone
from collectors.cores import CORES
from collectors.earth_engine_stacks import read_dates
from collectors.series_records import StackAsk
from filters.chip_quality import measure, refusal
from filters.scenes import rank
from filters.series_dates import (
    Offer,
    Window,
    choose_groups,
    fits,
    lattice_shift,
    measure_date,
    refusal_of_date,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from collectors.chips import Scene
    from collectors.earth_engine import EarthEngine
    from collectors.sensors import Sensor
    from collectors.series_records import DatedScene, DatePixels, Stack
    from filters.chip_quality import ChipMeasure
    from flows.series.places import Place


@dataclass(frozen=True, slots=True)
class SeriesDate:
    """One date of a part, as the manifest tells of it.

    Attributes:
        scene: The scene.
        product: The product's own name.
        group: Its group, such as the direction of the orbit; empty where there are none.
        measured: Cloud, shadow and missing pixels in the footprint.
        shift_m: By how much its pixels were moved onto the footprint's, eastward and northward;
            None where they were averaged, or come from another zone.
    """

    scene: Scene
    product: str
    group: str
    measured: ChipMeasure
    shift_m: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class RefusedDate:
    """A scene that was read and not taken.

    Attributes:
        scene_id: Its asset id.
        reason: `cloudy`, `missing` or `gone`.
        cloud_pct: Cloud in the footprint; None: not known.
        missing_pct: Missing pixels; None: not known.
    """

    scene_id: str
    reason: str
    cloud_pct: float | None
    missing_pct: float | None


@dataclass(frozen=True, slots=True, eq=False)
class PartRead:
    """A part with all its dates.

    Attributes:
        data: (dates, bands, rows, columns).
        quality: (dates, rows, columns) scene classification; None where there is none.
        dates: Ascending.
        refused: In the order in which they were refused.
    """

    data: NDArray[Any]
    quality: NDArray[np.uint8] | None
    dates: tuple[SeriesDate, ...]
    refused: tuple[RefusedDate, ...]


@dataclass(frozen=True, slots=True)
class PartRefused:
    """A part that could not be made: an expected absence, and a value.

    Attributes:
        reason: `no_scene`, `all_refused` or `too_few_dates`.
        detail: What there was.
        refused: What was read and not taken.
    """

    reason: str
    detail: str
    refused: tuple[RefusedDate, ...] = field(default=())


def image_chip(place: Place, name: str, sensor: Sensor) -> Chip:
    """Returns a place's footprint as a chip of a sensor, for whose scene can be asked."""
    grid = place.grid(sensor.scale_m, sensor.datum)
    return Chip(f"{place.place_id} {name}", name, "", grid, place.target_date)


def read_image(
    engine: EarthEngine, chip: Chip, scenes: Sequence[Scene], sensor: Sensor
) -> PartRead | PartRefused:
    """Reads a picture: of the scenes in their order, the first that passes the sensor's limits."""
    candidates = rank(scenes, chip, sensor)
    if not candidates:
        return PartRefused("no_scene", f"none of {len(scenes)} scenes qualifies")
    refused: list[RefusedDate] = []
    for scene in candidates:
        pixels = engine.read(chip, scene, sensor)
        if isinstance(pixels, SceneGone):
            refused.append(RefusedDate(scene.scene_id, pixels.reason, None, None))
            continue
        measured = measure(pixels, sensor)
        reason = refusal(measured, sensor)
        if reason is None:
            index = scene.scene_id.rpartition("/")[2]
            shift = None if sensor.area_average else (0.0, 0.0)
            taken = SeriesDate(scene, index, "", measured, shift)
            return PartRead(pixels.data[None], None, (taken,), tuple(refused))
        refused.append(
            RefusedDate(scene.scene_id, reason, measured.cloud_pct, measured.missing_pct)
        )
    return PartRefused("all_refused", f"{len(refused)} scenes were tried", tuple(refused))


def stack_ask(place: Place, stack: Stack, middle: date, window_days: int) -> StackAsk:
    """Returns the question for a place's scenes in the window around a day."""
    reach = timedelta(days=window_days)
    return StackAsk(stack.name, place.grid(stack.scale_m), middle - reach, middle + reach)


def read_stack(
    engine: EarthEngine, ask: StackAsk, scenes: Sequence[DatedScene], stack: Stack
) -> PartRead | PartRefused:
    """Reads a stack: all dates by one request, and another only where too many were refused."""
    window = Window(ask.first, ask.last)
    corner = (ask.grid.west_m, ask.grid.north_m)
    offers = [
        Offer(one, one.scene.cloud_scene_pct)
        for one in scenes if fits(one, stack, ask.grid.crs, corner)
    ]  # fmt: skip
    passed: dict[str, tuple[DatePixels, ChipMeasure]] = {}
    refused: list[RefusedDate] = []
    while True:
        good = [Offer(one.dated, measured.cloud_pct) for one, measured in passed.values()]
        chosen = choose_groups(good, window, stack.dates, stack.groups)
        if len(chosen) == stack.dates:
            taken = [passed[one.scene.scene_id] for one in chosen]
            return _part(taken, ask, stack, refused)
        days = {(offer.dated.group, offer.dated.day) for offer in good}
        tried = passed.keys() | {one.scene_id for one in refused}
        offers = [
            one for one in offers
            if one.dated.scene.scene_id not in tried
            and (one.dated.group, one.dated.day) not in days
        ]  # fmt: skip
        missing = stack.dates - len(chosen)
        # Whole groups: choose_groups shares out evenly.
        step = max(1, len(stack.groups))
        count = -(-(missing + stack.spares) // step) * step
        asked = choose_groups(offers, window, count, stack.groups)
        if not asked:
            detail = f"{len(chosen)} of {stack.dates} dates of {len(scenes)} scenes in the window"
            return PartRefused("too_few_dates", detail, tuple(refused))
        for one, pixels in zip(asked, read_dates(engine, ask.grid, asked, stack), strict=True):
            _sort_in(one, pixels, stack, passed, refused)


def _sort_in(
    dated: DatedScene, pixels: DatePixels | SceneGone, stack: Stack,
    passed: dict[str, tuple[DatePixels, ChipMeasure]], refused: list[RefusedDate],
) -> None:  # fmt: skip
    """Puts what was read to those that pass, or to those that are refused."""
    if isinstance(pixels, SceneGone):
        refused.append(RefusedDate(pixels.scene_id, pixels.reason, None, None))
        return
    with CORES:
        measured = measure_date(pixels)
    reason = refusal_of_date(measured, stack)
    if reason is None:
        passed[dated.scene.scene_id] = (pixels, measured)
    else:
        refused.append(RefusedDate(
            dated.scene.scene_id, reason, measured.cloud_pct, measured.missing_pct
        ))  # fmt: skip


def _part(
    taken: Sequence[tuple[DatePixels, ChipMeasure]], ask: StackAsk, stack: Stack,
    refused: Sequence[RefusedDate],
) -> PartRead:  # fmt: skip
    quality = [one.quality for one, _ in taken if one.quality is not None]
    return PartRead(
        np.stack([one.data for one, _ in taken]),
        np.stack(quality) if quality else None,
        tuple(
            SeriesDate(
                one.dated.scene, one.dated.product, one.dated.group, measured,
                _shift(one.dated.scene, ask, stack),
            )
            for one, measured in taken
        ),
        tuple(refused),
    )  # fmt: skip


def _shift(scene: Scene, ask: StackAsk, stack: Stack) -> tuple[float, float] | None:
    a, b, west, d, e, north = scene.transform
    if scene.crs != ask.grid.crs or b or d or a != stack.scale_m or abs(e) != stack.scale_m:
        return None
    east_m, north_m = lattice_shift(
        (west, north), (ask.grid.west_m, ask.grid.north_m), stack.scale_m
    )
    return round(east_m, 6), round(north_m, 6)


def day_of(part: PartRead) -> date:
    """Returns the day, UTC, of a part's first date."""
    return part.dates[0].scene.acquired_at.astimezone(UTC).date()
