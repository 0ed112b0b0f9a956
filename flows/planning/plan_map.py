"""A map of a plan's cells, in characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from collectors.cells import Cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHADES: Final = "░▒▓█"
"""From few photos to many; told apart without colour."""

UNKNOWN: Final = "?"
NOTHING: Final = "·"
_MARGIN: Final = 8
_BETWEEN_TICKS: Final = 10


def draw_maps(rows: Sequence[Mapping[str, Any]], width: int = 80) -> list[str]:
    """Draws the cells: a line for each row of them, two characters for each.

    Regions that lie further apart than would fit are drawn one below the other. Where one is too
    wide, several cells share a character, and the highest of them is shown.

    Args:
        rows: The cells of a plan: `cell` and `photos` (None where nothing is known).
        width: Characters in a line, at most.

    Returns:
        The lines.
    """
    photos = {Cell.parse(row["cell"]): row["photos"] for row in rows}
    if not photos:
        return []
    top = max((value for value in photos.values() if value), default=0.0)
    lines: list[str] = []
    for part in _parts(sorted(photos)):
        lines += _draw({cell: photos[cell] for cell in part}, top, max(20, width - _MARGIN))
        lines.append("")
    step = top / len(SHADES)
    legend = "  ".join(
        f"{shade} {'to' if number < len(SHADES) else 'up to'} {step * number:,.0f}"
        for number, shade in enumerate(SHADES, 1)
    )
    lines.append(f"photos of a cell:  {NOTHING} none  {legend}" if top else "")
    return lines


def _parts(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Returns cells in parts that lie more than some cells apart from each other."""
    parts: list[list[Cell]] = []
    for cell in cells:
        near = [
            part for part in parts
            if any(abs(cell.row - one.row) <= 4 and abs(cell.column - one.column) <= 4
                   for one in part)
        ]  # fmt: skip
        for part in near:
            parts.remove(part)
        parts.append(sorted([*(one for part in near for one in part), cell]))
    return sorted(parts, reverse=True)  # north first


def _draw(photos: Mapping[Cell, float | None], top: float, room: int) -> list[str]:
    rows = sorted({cell.row for cell in photos})
    west, east = min(cell.column for cell in photos), max(cell.column for cell in photos)
    columns = east - west + 1
    wide = 2 if columns * 2 <= room else 1  # characters of a cell
    bundle = 1 if wide == 2 else -(-columns // room)  # cells of a character
    lines = []
    for first in range(rows[-1], rows[0] - 1, -bundle):
        block = range(first - bundle + 1, first + 1)
        text = ""
        for left in range(west, east + 1, bundle):
            here = [
                photos[cell] for row in block for column in range(left, left + bundle)
                if (cell := Cell(row, column)) in photos
            ] if first - bundle + 1 >= 0 else []  # fmt: skip
            text += _shade(here, top) * wide
        lat = Cell(max(first - bundle + 1, 0), west).box.south
        lines.append(f"{lat:6.1f} ┤{text}".rstrip())
    marks, names = [" "] * (columns * wide // bundle + 1), ""
    for at in range(0, len(marks) - 1, _BETWEEN_TICKS):
        marks[at] = "┬"
        lon = Cell(rows[0], min(west + at * bundle // wide, east)).box.west
        names = names.ljust(at) + f"{lon:.1f}"
    lines += [" " * _MARGIN + "".join(marks).rstrip(), " " * _MARGIN + names]
    return lines


def _shade(values: Sequence[float | None], top: float) -> str:
    if not values:
        return " "
    known = [value for value in values if value is not None]
    if not known:
        return UNKNOWN
    most = max(known)
    if most < 0.5 or not top:
        return NOTHING
    return SHADES[min(len(SHADES) - 1, int(most / top * len(SHADES)))]
