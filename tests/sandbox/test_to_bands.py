"""A collection as one image of many bands."""

from __future__ import annotations

import pytest

from collectors.sandbox import functions_images as images
from collectors.sandbox.earth_engine_errors import EarthEngineError
from collectors.sandbox.values import Collection, Image


def image(name: str | None, *bands: float) -> Image:
    """An image of constant bands."""
    made = images._constant(list(bands))
    return made if name is None else made.with_properties({"system:index": name})


def test_bands_come_image_after_image_named_by_their_images() -> None:
    """The name of the image, or its place where it has none, then the band's own."""
    collection = Collection.of([image("a", 1, 2), image(None, 3), image("c", 4)], of_images=True)
    bands = images._to_bands(collection).bands
    assert [band.name for band in bands] == [
        "a_constant_0",
        "a_constant_1",
        "1_constant",
        "c_constant",
    ]
    assert images._to_bands(Collection.of([], of_images=True)).bands == ()


def test_too_many_bands_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's description names the limit."""
    assert images.MAX_BANDS == 5_000
    monkeypatch.setattr(images, "MAX_BANDS", 2)
    collection = Collection.of([image("a", 1, 2), image("b", 3)], of_images=True)
    with pytest.raises(EarthEngineError, match="3, maximum 2"):
        images._to_bands(collection)
