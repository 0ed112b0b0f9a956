"""Paints pictures taken outdoors: the land cover around the place, seen from eye height."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw

from collectors.sandbox.ground_colour import tint
from collectors.sandbox.landcover import Cover
from collectors.sandbox.light import Colour, Light, blend, draw_light
from collectors.sandbox.silhouettes import Stand, draw_silhouette

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.sandbox.chance import Draws
    from collectors.sandbox.landcover import Landcover

_METRES_PER_DEGREE: Final = 111_320.0
_GROUND_ROWS: Final = 40
_GROUND_COLUMNS: Final = 56
_NEAREST_M: Final = 3.0
_FARTHEST_M: Final = 400.0
# How many places are looked at for something that stands there.
_THINGS: Final = 22

# By the value of `Cover`: the ground in summer, and (for what grows) in winter.
_SUMMER: Final = np.array(
    [(52, 88, 112), (58, 74, 38), (98, 128, 58), (168, 150, 82), (158, 136, 108), (122, 120, 118),
     (238, 240, 246)], dtype=np.float32
)  # fmt: skip
_WINTER: Final = np.array(
    [(60, 80, 98), (70, 66, 48), (128, 126, 88), (122, 98, 70), (150, 134, 116), (112, 112, 114),
     (240, 242, 250)], dtype=np.float32
)  # fmt: skip

_SKIES: Final[tuple[tuple[Colour, Colour], ...]] = (
    ((70, 120, 200), (176, 206, 236)),
    ((96, 146, 206), (214, 224, 232)),
    ((132, 142, 156), (196, 200, 206)),
    ((166, 168, 172), (214, 214, 214)),
    ((88, 82, 130), (240, 168, 110)),
)


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """Where and when a picture is taken.

    Attributes:
        longitude: degrees east.
        latitude: degrees north.
        hour: 0..24 of the owner's clock.
        summer: 0 in the depth of winter to 1 at the height of summer.
    """

    longitude: float
    latitude: float
    hour: float
    summer: float


@dataclass(frozen=True, slots=True)
class _View:
    """A place, a direction and a frame."""

    viewpoint: Viewpoint
    heading: float  # radians, clockwise from north
    width: int
    height: int
    horizon: int  # row

    def places(
        self, ahead: NDArray[np.float64], aside: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gives longitudes and latitudes of points in metres ahead and to the right."""
        sine, cosine = math.sin(self.heading), math.cos(self.heading)
        north = ahead * cosine - aside * sine
        east = ahead * sine + aside * cosine
        shrink = max(0.02, math.cos(math.radians(self.viewpoint.latitude)))
        return (
            self.viewpoint.longitude + east / (_METRES_PER_DEGREE * shrink),
            self.viewpoint.latitude + north / _METRES_PER_DEGREE,
        )


def paint_outdoors(
    draws: Draws, size: tuple[int, int], landcover: Landcover, viewpoint: Viewpoint
) -> Image.Image:
    """Paints a picture with the sky above and the place's own ground below.

    Args:
        draws: the picture's draws.
        size: (width, height) in pixels.
        landcover: the ground.
        viewpoint: where and when.

    Returns:
        An RGB image of that size; the same at every size, but for the detail.
    """
    night = not 6.0 <= viewpoint.hour <= 20.5
    light = draw_light(draws, gain=(0.28, 0.5) if night else (0.68, 1.18), warmth=(-0.1, 0.1))
    width, height = size
    view = _View(
        viewpoint=viewpoint,
        heading=draws.uniform(0.0, 2.0 * math.pi),
        width=width,
        height=height,
        horizon=round(height * draws.uniform(0.34, 0.62)),
    )
    image = Image.new("RGB", size)
    haze = _paint_sky(image, draws, view, light)
    covers = _paint_ground(image, view, landcover, light, haze)
    pen = ImageDraw.Draw(image)
    _draw_hills(pen, draws, view, light, haze)
    if covers[0] == Cover.URBAN and draws.happens(0.6):
        _draw_road(pen, draws, view, light)
    for cover, stand in _choose_stands(draws, view, landcover, haze):
        draw_silhouette(pen, draws, light, cover, stand)
    return image


def _paint_sky(image: Image.Image, draws: Draws, view: _View, light: Light) -> Colour:
    """Paints gradient and clouds; returns the colour at the horizon."""
    top, bottom = draws.pick(_SKIES)
    depth = np.linspace(0.0, 1.0, 24, dtype=np.float32)[:, np.newaxis, np.newaxis]
    sky = np.asarray(top, dtype=np.float32) * (1 - depth) + np.asarray(bottom) * depth
    sky = np.repeat(sky, 32, axis=1)
    share = draws.uniform()
    if share > 0.35:
        knots = np.array([[draws.uniform() for _ in range(7)] for _ in range(6)])
        small = Image.fromarray((knots * 255).astype(np.uint8))
        field = np.asarray(small.resize((32, 24), Image.Resampling.BICUBIC)) / 255.0
        cloud = np.clip((field - 1.05 + share * 0.75) * 3.0, 0.0, 0.9)[..., np.newaxis]
        sky = sky * (1 - cloud) + draws.uniform(190.0, 250.0) * cloud
    painted = Image.fromarray(light.tone(sky))
    box = (view.width, view.horizon)
    image.paste(painted.resize(box, Image.Resampling.BILINEAR), (0, 0))
    return bottom


def _paint_ground(
    image: Image.Image, view: _View, landcover: Landcover, light: Light, haze: Colour
) -> NDArray[np.uint8]:
    """Paints the ground in perspective; returns the covers straight ahead, nearest first."""
    down = (np.arange(_GROUND_ROWS) + 0.5) / _GROUND_ROWS
    ahead = _NEAREST_M / (down**1.4 + _NEAREST_M / _FARTHEST_M)
    aside = np.linspace(-0.62, 0.62, _GROUND_COLUMNS)
    where = view.places(
        np.repeat(ahead[:, np.newaxis], _GROUND_COLUMNS, axis=1), ahead[:, np.newaxis] * aside
    )
    covers = landcover.cover(*where)
    texture = landcover.texture(*where)[..., np.newaxis]
    ground = _ground_colours(view.viewpoint.summer)[covers] * (0.62 + 0.76 * texture)
    ground *= tint(landcover.colour(*where))
    veil = np.clip(ahead / _FARTHEST_M, 0.0, 0.7)[:, np.newaxis, np.newaxis].astype(np.float32)
    ground = ground * (1 - veil) + np.asarray(haze, dtype=np.float32) * veil
    painted = Image.fromarray(light.tone(ground))
    box = (view.width, view.height - view.horizon)
    image.paste(painted.resize(box, Image.Resampling.BICUBIC), (0, view.horizon))
    return covers[::-1, _GROUND_COLUMNS // 2]


def _ground_colours(summer: float) -> NDArray[np.float32]:
    mixed: NDArray[np.float32] = _WINTER + np.float32(summer) * (_SUMMER - _WINTER)
    return mixed


def _draw_hills(
    pen: ImageDraw.ImageDraw, draws: Draws, view: _View, light: Light, haze: Colour
) -> None:
    rise = view.height * draws.uniform(0.0, 0.12)
    if rise < view.height * 0.02:
        return
    points = [(0.0, float(view.horizon))]
    level = draws.uniform()
    for step in range(13):
        level = min(1.0, max(0.1, level + draws.uniform(-0.3, 0.3)))
        points.append((view.width * step / 12, view.horizon - rise * level))
    points.append((float(view.width), float(view.horizon)))
    pen.polygon(points, fill=light.ink(blend((70, 84, 78), haze, draws.uniform(0.35, 0.75))))


def _draw_road(pen: ImageDraw.ImageDraw, draws: Draws, view: _View, light: Light) -> None:
    middle = view.width * draws.uniform(0.35, 0.65)
    left, right = view.width * draws.uniform(-0.2, 0.2), view.width * draws.uniform(0.8, 1.2)
    top, bottom = float(view.horizon), float(view.height)
    pen.polygon(
        [(middle - 4, top), (middle + 4, top), (right, bottom), (left, bottom)],
        fill=light.ink((92, 92, 95)),
    )
    foot = (left + right) / 2
    for dash in range(5):
        near, far = 1 - dash * 0.2, 0.9 - dash * 0.2
        ends = [
            (middle + (foot - middle) * part**2, top + (bottom - top) * part**2)
            for part in (near, far)
        ]
        pen.line(
            ends, fill=light.ink((215, 210, 190)), width=max(1, round(view.width * near / 120))
        )


def _choose_stands(
    draws: Draws, view: _View, landcover: Landcover, haze: Colour
) -> list[tuple[Cover, Stand]]:
    """Chooses where things stand, the farthest first, and looks up what the map has there."""
    distances = sorted((12.0 * 14.0 ** draws.uniform() for _ in range(_THINGS)), reverse=True)
    across = [draws.uniform(-0.55, 0.55) for _ in distances]
    ahead = np.array(distances)
    where = view.places(ahead, ahead * np.array(across))
    covers = landcover.cover(*where)
    tints = tint(landcover.colour(*where))
    below = view.height - view.horizon
    return [
        (
            Cover(cover),
            Stand(
                column=view.width * (0.5 + aside * 0.9),
                foot=view.horizon + below * min(1.0, (_NEAREST_M / distance) ** (1 / 1.4)),
                metre=0.9 * max(view.width, view.height) / distance,
                veil=min(0.65, distance / _FARTHEST_M),
                haze=haze,
                vanishing=(view.width / 2, float(view.horizon)),
                tint=own,
            ),
        )
        for distance, aside, cover, own in zip(
            distances, across, covers.tolist(), tints.tolist(), strict=True
        )
    ]
