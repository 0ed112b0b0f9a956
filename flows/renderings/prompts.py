"""What a model is told along with the pictures: bands, pictures, and a question with answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flows.catalogue.rendering_blocks import Composite
from flows.description.bands import band_of, platform_of
from flows.renderings.colours import stop_values
from flows.renderings.pictures import FORMULA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.description.bands import Platform
    from flows.products.rows import ChipRow
    from flows.renderings.pictures import RenderedPicture

QUESTION: Final = "{question}"
ANSWERS: Final = "{answers}"
"""Stand in the text where no question was given; whoever asks puts theirs in."""


def write_prompt(
    chip: ChipRow, collection: str, pictures: Sequence[RenderedPicture],
    question: str | None = None, answers: Sequence[str] = (),
) -> str:  # fmt: skip
    """Returns the text that goes with the pictures of a chip, in their order.

    Bands are explained first, then each picture with its formula, range and colours, then the
    question; the order and the kind of explanation are those of arXiv 2509.19087.

    Args:
        chip: The chip.
        collection: Of Earth Engine, where the chip's bands are from.
        pictures: In the order in which the model gets them.
        question: What is asked; the text holds `{question}` if there is none yet.
        answers: To choose from, numbered from 1; `{answers}` if there are none yet. A question
            without answers is an open one.
    """
    platform = platform_of(collection)
    side_m = chip.width * chip.scale_m
    day = f"{chip.acquired_at:%Y-%m-%d}" if chip.acquired_at else "an unknown day"
    count = len(pictures)
    lines = [
        (
            f"The {count} images show the same place at the same time: a square of"
            f" {side_m / 1000:g} km by {side_m / 1000:g} km, north up, seen by {platform.title} on"
            f" {day}. A pixel is {chip.scale_m:g} m wide. They are made from measurements at"
            " several wavelengths, some of which no eye sees."
        ),
        "",
        "The measurements:",
    ]
    for name in dict.fromkeys(band for one in pictures for band in one.rendering.bands):
        band = band_of(platform, name)
        where = f", {band.centre_nm:g} nm" if band.centre_nm is not None else ""
        lines.append(f"- {name}: {band.meaning}{where}")
    lines += ["", "The images:"]
    lines += [
        f"{number}. {_explained(picture, platform)}"
        for number, picture in enumerate(pictures, start=1)
    ]
    if any(picture.no_data_pct for picture in pictures):
        lines.append("Where an image holds no value, it is black.")
    lines += ["", f"Question: {QUESTION if question is None else question}"]
    if answers:
        lines.append("Answers:")
        lines += [f"{number}. {answer}" for number, answer in enumerate(answers, start=1)]
    elif question is None:
        lines += ["Answers:", ANSWERS]
    if answers or question is None:
        lines.append("Reply with the number of the right answer.")
    return "\n".join(lines) + "\n"


def _explained(picture: RenderedPicture, platform: Platform) -> str:
    rendering = picture.rendering
    low, high = rendering.range
    if isinstance(rendering, Composite):
        red, green, blue = rendering.bands
        values = f"{low:g} to {high:g}"
        if platform.scale is not None:
            dark, bright = low * platform.scale, high * platform.scale
            if platform.offset:
                dark, bright = (round(one + platform.offset, 4) for one in (dark, bright))
            values = f"reflectances of {dark:g} to {bright:g}"
        return (
            f"{rendering.title}: {red} as red, {green} as green, {blue} as blue; {values} go from"
            f" dark to bright. {rendering.shows}"
        )
    stops = stop_values(low, high, len(rendering.colours))
    colours = ", ".join(
        f"{colour} at {value:g}" for colour, value in zip(rendering.colours, stops, strict=True)
    )
    return (
        f"{rendering.title}: {FORMULA.format(*rendering.bands)}, which lies between -1 and 1;"
        f" {colours}, blended between. {rendering.shows}"
    )
