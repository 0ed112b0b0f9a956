"""Paints pictures taken indoors: a room in perspective, with furniture and lamps, and no sky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFilter

from collectors.sandbox.light import Colour, Light, draw_light

if TYPE_CHECKING:
    from collectors.sandbox.chance import Draws

_WALLS: Final[tuple[Colour, ...]] = (
    (214, 204, 186), (226, 222, 214), (190, 200, 204), (168, 186, 176), (204, 170, 140),
    (146, 152, 176), (182, 150, 150), (120, 112, 104),
)  # fmt: skip
_FLOORS: Final[tuple[Colour, ...]] = (
    (142, 104, 70), (104, 76, 54), (168, 158, 146), (92, 94, 100), (152, 136, 108), (120, 60, 54),
)  # fmt: skip
_FURNITURE: Final[tuple[Colour, ...]] = (
    (96, 64, 42), (52, 48, 46), (160, 130, 96), (70, 84, 110), (130, 56, 50), (92, 112, 84),
    (206, 200, 190),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Room:
    """The back wall of the room within the frame, in pixels."""

    left: float
    top: float
    right: float
    bottom: float
    width: int
    height: int


def paint_indoors(draws: Draws, size: tuple[int, int]) -> Image.Image:
    """Paints a room.

    Args:
        draws: the picture's draws.
        size: (width, height) in pixels.

    Returns:
        An RGB image of that size; the same at every size, but for the detail.
    """
    light = draw_light(draws, gain=(0.4, 1.12), warmth=(-0.04, 0.2))
    width, height = size
    room = _Room(
        left=width * draws.uniform(-0.05, 0.28),
        right=width * draws.uniform(0.72, 1.05),
        top=height * draws.uniform(-0.05, 0.22),
        bottom=height * draws.uniform(0.55, 0.8),
        width=width,
        height=height,
    )
    # The soft parts at a quarter of the size: the shade of the walls and the lamps' glow.
    image = _paint_shell(draws, room, light)
    pen = ImageDraw.Draw(image)
    _draw_floor(pen, draws, room, light)
    for _ in range(draws.integer(1, 3)):
        draws.pick((_draw_frame, _draw_shelf, _draw_window, _draw_door))(pen, draws, room, light)
    for _ in range(draws.integer(2, 4)):
        draws.pick((_draw_table, _draw_sofa, _draw_cupboard))(pen, draws, room, light)
    if draws.happens(0.6):
        _draw_lamp(pen, draws, room, light)
    return image


def _paint_shell(draws: Draws, room: _Room, light: Light) -> Image.Image:
    """Paints ceiling, walls and floor, with the glow of lamps, soft and small, then enlarged."""
    wall, floor = draws.pick(_WALLS), draws.pick(_FLOORS)
    small = Image.new("RGB", (max(8, room.width // 8), max(8, room.height // 8)))
    pen = ImageDraw.Draw(small)
    wide, tall = small.size
    left, right = room.left / room.width * wide, room.right / room.width * wide
    top, bottom = room.top / room.height * tall, room.bottom / room.height * tall

    def shade(colour: Colour, factor: float) -> tuple[int, int, int]:
        return light.ink((colour[0] * factor, colour[1] * factor, colour[2] * factor))

    pen.rectangle((0, 0, wide, tall), fill=shade(wall, 1.0))
    pen.polygon(
        [(0, 0), (left, top), (left, bottom), (0, tall)], fill=shade(wall, draws.uniform(0.6, 0.9))
    )
    pen.polygon(
        [(wide, 0), (right, top), (right, bottom), (wide, tall)],
        fill=shade(wall, draws.uniform(0.6, 0.95)),
    )
    pen.polygon(
        [(0, 0), (wide, 0), (right, top), (left, top)],
        fill=shade((232, 228, 220), draws.uniform(0.7, 1.0)),
    )
    pen.polygon([(0, tall), (wide, tall), (right, bottom), (left, bottom)], fill=shade(floor, 0.9))
    for _ in range(draws.integer(0, 3)):
        x, y = wide * draws.uniform(0.1, 0.9), tall * draws.uniform(0.05, 0.5)
        for ring in range(4, 0, -1):
            reach = tall * 0.05 * ring
            glow = 1.0 + 0.09 * (5 - ring)
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=shade(wall, glow))
    small = small.filter(ImageFilter.GaussianBlur(1.2))
    return small.resize((room.width, room.height), Image.Resampling.BILINEAR)


def _draw_floor(pen: ImageDraw.ImageDraw, draws: Draws, room: _Room, light: Light) -> None:
    """Draws boards or tiles that run to one vanishing point."""
    ink = light.ink(draws.pick(_FURNITURE))
    middle = (room.left + room.right) / 2
    thin = max(1, room.width // 400)
    boards = draws.integer(5, 12)
    for board in range(-boards, boards + 1):
        near = middle + room.width * board / boards * 1.4
        far = middle + (room.right - room.left) * board / boards / 2
        pen.line([(far, room.bottom), (near, room.height)], fill=ink, width=thin)
    if draws.happens(0.5):
        for row in range(1, 6):
            y = room.bottom + (room.height - room.bottom) * (row / 6) ** 2
            pen.line([(0, y), (room.width, y)], fill=ink, width=thin)


def _place_on_wall(
    draws: Draws, room: _Room, wide: tuple[float, float], tall: tuple[float, float]
) -> tuple[float, float, float, float]:
    breadth, rise = room.right - room.left, room.bottom - room.top
    width, height = breadth * draws.uniform(*wide), rise * draws.uniform(*tall)
    left = room.left + (breadth - width) * draws.uniform()
    top = room.top + (rise - height) * draws.uniform(0.1, 0.6)
    return left, top, left + width, top + height


def _draw_frame(pen: ImageDraw.ImageDraw, draws: Draws, room: _Room, light: Light) -> None:
    left, top, right, bottom = _place_on_wall(draws, room, (0.1, 0.3), (0.15, 0.35))
    edge = max(2, room.width // 120)
    pen.rectangle(
        (left, top, right, bottom),
        fill=light.ink(draws.pick(_FURNITURE)),
        outline=light.ink((60, 44, 30)),
        width=edge,
    )
    pen.ellipse(
        (
            left + 2 * edge,
            top + 2 * edge,
            max(left + 2 * edge, right - 3 * edge),
            max(top + 2 * edge, bottom - 3 * edge),
        ),
        fill=light.ink(draws.pick(_WALLS)),
    )


def _draw_shelf(pen: ImageDraw.ImageDraw, draws: Draws, room: _Room, light: Light) -> None:
    left, top, right, bottom = _place_on_wall(draws, room, (0.2, 0.5), (0.5, 0.8))
    pen.rectangle((left, top, right, bottom), fill=light.ink((84, 60, 40)))
    rows, books = draws.integer(2, 4), draws.integer(5, 9)
    for row in range(rows):
        foot = top + (bottom - top) * (row + 0.92) / rows
        for book in range(books):
            x = left + (right - left) * (book + 0.1) / books
            rise = (bottom - top) / rows * draws.uniform(0.5, 0.8)
            pen.rectangle(
                (x, foot - rise, x + (right - left) * 0.8 / books, foot),
                fill=light.ink(draws.pick(_FURNITURE)),
            )


def _draw_window(pen: ImageDraw.ImageDraw, draws: Draws, room: _Room, light: Light) -> None:
    """Draws a window that shows only glare or a curtain."""
    left, top, right, bottom = _place_on_wall(draws, room, (0.15, 0.35), (0.35, 0.6))
    glare = (draws.uniform(225, 265), draws.uniform(225, 255), draws.uniform(210, 250))
    pen.rectangle(
        (left, top, right, bottom),
        fill=light.ink(glare),
        outline=light.ink((205, 200, 192)),
        width=max(2, room.width // 90),
    )
    middle = (left + right) / 2
    pen.line(
        [(middle, top), (middle, bottom)],
        fill=light.ink((196, 190, 182)),
        width=max(1, room.width // 150),
    )
    cloth = light.ink(draws.pick(_FURNITURE))
    fold = (right - left) * draws.uniform(0.1, 0.4)
    pen.rectangle((left - fold / 2, top, left + fold / 2, bottom), fill=cloth)
    pen.rectangle((right - fold / 2, top, right + fold / 2, bottom), fill=cloth)


def _draw_door(pen: ImageDraw.ImageDraw, draws: Draws, room: _Room, light: Light) -> None:
    breadth, rise = room.right - room.left, room.bottom - room.top
    left = room.left + breadth * draws.uniform(0.05, 0.7)
    top, right = room.top + rise * 0.2, left + breadth * draws.uniform(0.14, 0.22)
    pen.rectangle(
        (left, top, right, room.bottom),
        fill=light.ink(draws.pick(_FURNITURE)),
        outline=light.ink((200, 192, 180)),
        width=max(2, room.width // 150),
    )


def _place_on_floor(draws: Draws, room: _Room) -> tuple[float, float, float]:
    """Draws a column, the row of the feet and the size of a metre, larger where nearer."""
    near = draws.uniform(0.1, 0.9)
    foot = room.bottom + (room.height - room.bottom) * near
    return room.width * draws.uniform(0.1, 0.9), foot, room.width * (0.12 + 0.14 * near)


def _draw_table(pen: ImageDraw.ImageDraw, draws: Draws, room: _Room, light: Light) -> None:
    column, foot, metre = _place_on_floor(draws, room)
    wide, tall, leg = metre * draws.uniform(0.5, 1.0), metre * 0.75, max(2.0, metre * 0.06)
    colour = draws.pick(_FURNITURE)
    dark = light.ink((colour[0] * 0.7, colour[1] * 0.7, colour[2] * 0.7))
    for side in (-wide, wide - leg):
        pen.rectangle((column + side, foot - tall, column + side + leg, foot), fill=dark)
    pen.polygon(
        [
            (column - wide * 1.1, foot - tall),
            (column + wide * 1.1, foot - tall),
            (column + wide * 0.85, foot - tall * 1.25),
            (column - wide * 0.85, foot - tall * 1.25),
        ],
        fill=light.ink(colour),
    )


def _draw_sofa(pen: ImageDraw.ImageDraw, draws: Draws, room: _Room, light: Light) -> None:
    column, foot, metre = _place_on_floor(draws, room)
    wide = metre * draws.uniform(0.6, 1.3)
    colour = draws.pick(_FURNITURE)
    light_ink = light.ink((colour[0] * 1.15, colour[1] * 1.15, colour[2] * 1.15))
    soft = max(2, round(metre * 0.12))
    pen.rounded_rectangle(
        (column - wide, foot - metre, column + wide, foot - metre * 0.3),
        radius=soft,
        fill=light.ink(colour),
    )
    pen.rounded_rectangle(
        (column - wide * 1.1, foot - metre * 0.5, column + wide * 1.1, foot),
        radius=soft,
        fill=light_ink,
    )


def _draw_cupboard(pen: ImageDraw.ImageDraw, draws: Draws, room: _Room, light: Light) -> None:
    column, foot, metre = _place_on_floor(draws, room)
    wide, tall = metre * draws.uniform(0.4, 0.8), metre * draws.uniform(0.8, 2.2)
    pen.rectangle(
        (column - wide, foot - tall, column + wide, foot), fill=light.ink(draws.pick(_FURNITURE))
    )
    for drawer in range(1, draws.integer(2, 5)):
        y = foot - tall * drawer / 5
        pen.line(
            [(column - wide * 0.9, y), (column + wide * 0.9, y)],
            fill=light.ink((40, 34, 30)),
            width=max(1, round(metre * 0.02)),
        )


def _draw_lamp(pen: ImageDraw.ImageDraw, draws: Draws, room: _Room, light: Light) -> None:
    column = room.width * draws.uniform(0.2, 0.8)
    hang, reach = room.height * draws.uniform(0.1, 0.3), room.width * draws.uniform(0.03, 0.08)
    pen.line(
        [(column, 0), (column, hang)], fill=light.ink((50, 46, 42)), width=max(1, room.width // 300)
    )
    pen.polygon(
        [
            (column - reach * 0.4, hang),
            (column + reach * 0.4, hang),
            (column + reach, hang + reach),
            (column - reach, hang + reach),
        ],
        fill=light.ink((240, 206, 140)),
    )
    pen.ellipse(
        (column - reach * 0.5, hang + reach * 0.7, column + reach * 0.5, hang + reach * 1.3),
        fill=(255, 246, 214) if not light.grey else (245, 245, 245),
    )
