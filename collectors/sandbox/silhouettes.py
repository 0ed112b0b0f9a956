"""Draws what stands on the ground of an outdoor picture: houses, trees, rocks, furrows, glints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.sandbox.landcover import Cover
from collectors.sandbox.light import Colour, Ink, Light, blend

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

    from collectors.sandbox.chance import Draws

# A front narrower than this has no windows to be seen.
_LEAST_FRONT_PX: Final = 12
_ROCKS: Final[dict[Cover, Colour]] = {Cover.BARE: (120, 108, 94), Cover.SNOW: (176, 186, 204)}


@dataclass(frozen=True, slots=True)
class Stand:
    """Where something stands in the picture.

    Attributes:
        column: of its middle, in pixels.
        foot: row of its foot, in pixels.
        metre: pixels a metre at that distance.
        veil: share of the haze, 0..1.
        haze: colour of the haze.
        vanishing: (column, row) where parallels meet.
        tint: factors on red, green and blue: the place's own stone and leaves.
    """

    column: float
    foot: float
    metre: float
    veil: float
    haze: Colour
    vanishing: tuple[float, float]
    tint: Colour

    def ink(self, light: Light, colour: Colour) -> Ink:
        """Gives a colour as it is seen through the air between."""
        red, green, blue = (c * t for c, t in zip(colour, self.tint, strict=True))
        return light.ink(blend((red, green, blue), self.haze, self.veil))


def draw_silhouette(pen: ImageDraw, draws: Draws, light: Light, cover: Cover, stand: Stand) -> None:
    """Draws what is usual on a kind of ground; on grass mostly nothing.

    Args:
        pen: draws on the picture.
        draws: the picture's draws.
        light: the picture's light.
        cover: the kind of ground.
        stand: the place.
    """
    if cover is Cover.URBAN:
        _draw_building(pen, draws, light, stand)
    elif cover is Cover.FOREST or (cover is Cover.GRASS and draws.happens(0.15)):
        _draw_tree(pen, draws, light, stand)
    elif cover is Cover.WATER:
        _draw_glint(pen, draws, light, stand)
    elif cover is Cover.CROPS:
        _draw_furrow(pen, light, stand)
    elif cover in _ROCKS:
        _draw_rock(pen, draws, light, stand, _ROCKS[cover])


def _draw_building(pen: ImageDraw, draws: Draws, light: Light, stand: Stand) -> None:
    wide, tall = stand.metre * draws.uniform(8.0, 18.0), stand.metre * draws.uniform(5.0, 26.0)
    base = draws.uniform(80.0, 205.0)
    wall = (base * draws.uniform(0.95, 1.15), base, base * draws.uniform(0.75, 1.05))
    columns, rows = draws.integer(2, 5), draws.integer(2, 5)
    left, top = stand.column - wide / 2, stand.foot - tall
    pen.rectangle((left, top, left + wide, stand.foot), fill=stand.ink(light, wall))
    if min(wide, tall) < _LEAST_FRONT_PX:
        return
    pane = stand.ink(light, (52, 60, 74))
    for row in range(rows):
        for place in range(columns):
            x = left + wide * (place + 0.3) / columns
            y = top + tall * (row + 0.25) / rows
            pen.rectangle((x, y, x + wide * 0.4 / columns, y + tall * 0.45 / rows), fill=pane)


def _draw_tree(pen: ImageDraw, draws: Draws, light: Light, stand: Stand) -> None:
    """Draws a conifer or a broad crown."""
    column, foot, tall = stand.column, stand.foot, stand.metre * draws.uniform(3.0, 13.0)
    leaf = (draws.uniform(30, 75), draws.uniform(60, 100), draws.uniform(24, 50))
    ink = stand.ink(light, leaf)
    trunk = max(1.0, tall * 0.04)
    pen.rectangle(
        (column - trunk, foot - tall * 0.45, column + trunk, foot),
        fill=stand.ink(light, (74, 58, 44)),
    )
    if draws.happens(0.4):
        half, low = tall * 0.24, foot - tall * 0.15
        pen.polygon([(column, foot - tall), (column - half, low), (column + half, low)], fill=ink)
        return
    for _ in range(3):
        x, y = column + tall * draws.uniform(-0.18, 0.18), foot - tall * draws.uniform(0.5, 0.85)
        reach = tall * draws.uniform(0.18, 0.3)
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=ink)


def _draw_glint(pen: ImageDraw, draws: Draws, light: Light, stand: Stand) -> None:
    half = stand.metre * draws.uniform(2.0, 9.0)
    pen.line(
        [(stand.column - half, stand.foot), (stand.column + half, stand.foot)],
        fill=stand.ink(light, (200, 214, 224)),
        width=max(1, round(stand.metre * 0.08)),
    )


def _draw_furrow(pen: ImageDraw, light: Light, stand: Stand) -> None:
    column, row = stand.vanishing
    end = (
        stand.column + (stand.column - column) * 1.5,
        stand.foot + (stand.foot - row) * 1.5,
    )
    pen.line(
        [(stand.column, stand.foot), end],
        fill=stand.ink(light, (96, 92, 44)),
        width=max(1, round(stand.metre * 0.12)),
    )


def _draw_rock(pen: ImageDraw, draws: Draws, light: Light, stand: Stand, colour: Colour) -> None:
    column, foot, tall = stand.column, stand.foot, stand.metre * draws.uniform(0.3, 1.6)
    corners = [
        (column - 1.6 * tall, foot),
        (column - 0.4 * tall, foot - tall),
        (column + 0.7 * tall, foot - 0.7 * tall),
        (column + 1.5 * tall, foot),
    ]
    pen.polygon(corners, fill=stand.ink(light, colour))
