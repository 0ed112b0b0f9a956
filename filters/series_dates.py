"""Which scenes become the dates of a series: clear ones, spread over the window. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from filters.chip_quality import CLOUD, SHADOW, ChipMeasure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from collectors.series_records import DatedScene, DatePixels, Stack

SAME_LATTICE_M = 1e-6
"""Edges of pixels nearer than this are one edge: the rest of floating-point division."""


@dataclass(frozen=True, slots=True)
class Window:
    """Days that a series is spread over.

    Attributes:
        first: The first day.
        last: The last day, which belongs to it.
    """

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days there are."""
        return (self.last - self.first).days + 1

    def slot(self, day: date, slots: int) -> int:
        """Returns in which of so many equal parts of the window a day lies, from 0."""
        return (day - self.first).days * slots // self.days

    def off_middle(self, day: date, slots: int) -> int:
        """Returns how far a day is from the middle of its slot, in parts of a day."""
        place = ((day - self.first).days * 2 + 1) * slots
        return abs(place - (2 * self.slot(day, slots) + 1) * self.days)


@dataclass(frozen=True, slots=True)
class Offer:
    """A scene with what speaks for it.

    Attributes:
        dated: The scene.
        cloud_pct: Its cloud share, as measured or, before that, of the scene; None: not known.
    """

    dated: DatedScene
    cloud_pct: float | None


def fits(dated: DatedScene, stack: Stack, crs: str, corner: tuple[float, float]) -> bool:
    """Says whether a scene may be a date, before its pixels are seen.

    It must have all bands. Where nothing is resampled, it must be in the footprint's CRS, and its
    own pixels must be the footprint's.

    Args:
        dated: The scene.
        stack: What is asked of it.
        crs: The footprint's CRS.
        corner: West and north edge of the footprint, metres.
    """
    scene = dated.scene
    if not set(stack.bands) <= set(scene.bands):
        return False
    if stack.resampled:
        return True
    a, b, west, d, e, north = scene.transform
    if scene.crs != crs or b or d or a != stack.scale_m or abs(e) != stack.scale_m:
        return False
    return all(
        abs(one) < SAME_LATTICE_M for one in lattice_shift((west, north), corner, stack.scale_m)
    )


def lattice_shift(
    origin: tuple[float, float], corner: tuple[float, float], scale_m: float
) -> tuple[float, float]:
    """Returns by how much pixels are moved onto the footprint's lattice, eastward and northward.

    Args:
        origin: A corner of a pixel of the scene, metres.
        corner: A corner of a pixel of the footprint, metres of the same CRS.
        scale_m: Size of both pixels.

    Returns:
        Metres, each at least −scale_m / 2 and at most scale_m / 2.
    """
    east, north = (
        (to - start) - round((to - start) / scale_m) * scale_m
        for start, to in zip(origin, corner, strict=True)
    )
    return east, north


def choose_dates(offers: Iterable[Offer], window: Window, count: int) -> list[DatedScene]:
    """Chooses the scenes of a series.

    The window is cut into as many slots as there are dates. Each slot that has a scene gives its
    clearest one; what empty slots leave open is filled with the clearest of the rest. Two scenes
    are never of one day. Of scenes alike, the one nearest to its slot's middle is taken, then the
    one that was made later, then the one of the smaller id.

    So no other choice of as many days that has a scene in every slot that could have one is
    clearer in sum.

    Args:
        offers: The scenes, in any order.
        window: They are spread over it; scenes outside are passed over.
        count: Dates wanted.

    Returns:
        At most `count` scenes, days ascending; fewer only where there are fewer days.
    """
    if count <= 0:
        return []

    def key(offer: Offer) -> tuple[float, int, float, str]:
        scene = offer.dated.scene
        made = 0.0 if scene.generated_at is None else -scene.generated_at.timestamp()
        cloud = 0.0 if offer.cloud_pct is None else offer.cloud_pct
        return cloud, window.off_middle(offer.dated.day, count), made, scene.scene_id

    days: dict[date, Offer] = {}
    for offer in sorted(offers, key=key):
        if window.first <= offer.dated.day <= window.last:
            days.setdefault(offer.dated.day, offer)
    best: dict[int, date] = {}
    for day in days:  # clearest first, as they were put in
        best.setdefault(window.slot(day, count), day)
    rest = [day for day in days if day not in set(best.values())]
    chosen = sorted([*best.values(), *rest[: count - len(best)]])
    return [days[day].dated for day in chosen]


def choose_groups(
    offers: Sequence[Offer], window: Window, count: int, groups: Sequence[str]
) -> list[DatedScene]:
    """Chooses the scenes of a series whose dates are shared out evenly over groups.

    Args:
        offers: The scenes, in any order.
        window: They are spread over it.
        count: Dates wanted in all, a multiple of the number of groups.
        groups: The groups, the one that chooses first at the beginning; none: all are one.

    Returns:
        Scenes of different days, days ascending; fewer than `count` where a group has too few.
    """
    if not groups:
        return choose_dates(offers, window, count)
    chosen: list[DatedScene] = []
    for group in groups:
        taken = {one.day for one in chosen}
        free = [
            one for one in offers if one.dated.group == group and one.dated.day not in taken
        ]  # fmt: skip
        chosen += choose_dates(free, window, count // len(groups))
    return sorted(chosen, key=lambda one: one.day)


def measure_date(pixels: DatePixels) -> ChipMeasure:
    """Measures cloud, shadow and missing pixels of one date in the footprint."""
    total, valid = pixels.valid.size, int(np.count_nonzero(pixels.valid))
    cloud = shadow = None
    if pixels.quality is not None and valid:
        cloud, shadow = (
            100.0 * int(np.count_nonzero(np.isin(pixels.quality, classes))) / valid
            for classes in (CLOUD, (SHADOW,))
        )
    return ChipMeasure(cloud, shadow, 100.0 * (total - valid) / total, 100.0 * valid / total)


def refusal_of_date(measured: ChipMeasure, stack: Stack) -> Literal["missing", "cloudy"] | None:
    """Says why a date is refused, if it is; a limit itself is still allowed."""
    if measured.missing_pct > stack.missing_limit_pct or measured.valid_pct == 0:
        return "missing"
    limit = stack.cloud_limit_pct
    if limit is not None and measured.cloud_pct is not None and measured.cloud_pct > limit:
        return "cloudy"
    return None
