"""How far a photo may have been taken from its geotag."""

from __future__ import annotations

from typing import Final

STREET_LEVEL: Final = 16
"""The most exact of Flickr's levels: world 1, country about 3, region 6, city 11, street 16.

Source: argument `accuracy` of flickr.photos.search and flickr.photos.geo.setLocation.
"""


def uncertainty_m(accuracy: int, street_m: float) -> float:
    """Returns a radius in metres: a model, not a measurement.

    Flickr documents its levels by name and not in metres, and gives 16 to whatever comes without a
    level. Hauff, A Study on the Accuracy of Flickr's Geotag Data (2013), finds that the error
    depends above all on how well known the place is, which a level does not say. The levels are
    those of a web map, on which each step halves the ground that a pixel shows, so that a step
    here halves the radius.

    Args:
        accuracy: Flickr's level, 1 to 16.
        street_m: The radius at level 16, metres; the catalogue's `street_uncertainty_m`.

    Raises:
        ValueError: If there is no such level.
    """
    if not 1 <= accuracy <= STREET_LEVEL:
        raise ValueError(f"{accuracy} is not one of Flickr's levels of accuracy, 1 to 16")
    return float(street_m * 2 ** (STREET_LEVEL - accuracy))
