"""The catalogue's blocks of renderings: what becomes red, green and blue of a picture, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from PIL import ImageColor
from pydantic import Field, field_validator, model_validator

from flows.catalogue.blocks import Block

Words = Annotated[str, Field(min_length=1)]


class _Rendering(Block):
    sensor: str = "sentinel2"
    title: Words
    range: tuple[float, float]
    shows: Words

    @field_validator("range")
    @classmethod
    def _ascends(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] >= value[1]:
            raise ValueError(f"range goes from the lower value to the higher one, not {value}")
        return value


class Composite(_Rendering):
    """Three bands as red, green and blue.

    Attributes:
        bands: The bands that become red, green and blue.
        range: Stored values (reflectance × 10,000 for Sentinel-2) that become 0 and 255.
    """

    kind: Literal["composite"]
    bands: tuple[str, str, str]


class NormalisedDifference(_Rendering):
    """An index (a − b) / (a + b) of two bands, in colours.

    Attributes:
        bands: a and b.
        zero: Stored value of a reflectance of 0, which is taken from both bands first; what is
            darker counts as 0. Landsat's is 7273 (0.2 / 0.0000275), Sentinel-2's 0.
        range: Values of the index, −1 to 1 at most, that get the first and the last colour.
        colours: Names of CSS or `#rrggbb`, evenly spaced over the range; straight lines between.
    """

    kind: Literal["normalised_difference"]
    bands: tuple[str, str]
    zero: Annotated[float, Field(ge=0)] = 0
    colours: Annotated[tuple[str, ...], Field(min_length=2)]

    @field_validator("colours")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            try:
                ImageColor.getrgb(name)
            except ValueError:
                raise ValueError(
                    f"{name!r} is no colour; write a name of CSS, such as red, or #ff0000"
                ) from None
        return value

    @model_validator(mode="after")
    def _within_the_index(self) -> NormalisedDifference:
        if self.range[0] < -1 or self.range[1] > 1:
            raise ValueError("range: a normalised difference lies between -1 and 1")
        if self.bands[0] == self.bands[1]:
            raise ValueError("bands: the two must differ, or the index is 0 everywhere")
        return self

    @property
    def ramp(self) -> tuple[tuple[int, int, int], ...]:
        """The colours as red, green and blue, 0 to 255."""
        return tuple(ImageColor.getcolor(name, "RGB") for name in self.colours)  # type: ignore[misc]


Rendering = Annotated[Composite | NormalisedDifference, Field(discriminator="kind")]
