"""Earth Engine's answers, held to what was asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import ee

from collectors.earth_engine_session import SERVICE
from collectors.npy_files import read_npy
from collectors.transport import TransientTrouble

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NPY_MAGIC: Final = b"\x93NUMPY"


def features(params: dict[str, Any], what: str) -> dict[str, Any]:
    """Sends one `computeFeatures` and returns the page.

    Raises:
        TransientTrouble: If the answer is not a page, such as a proxy's page of HTML.
    """
    try:
        page = ee.data.computeFeatures(params)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise TransientTrouble(SERVICE, f"{what}: the answer is not JSON: {error}") from error
    if not isinstance(page, dict):
        raise TransientTrouble(SERVICE, f"{what}: the answer is not a page of features")
    return page


def pixel_array(
    params: dict[str, Any], bands: tuple[str, ...], shape: tuple[int, int], what: str
) -> NDArray[Any]:
    """Sends one `getPixels`, or `computePixels` of an expression, and reads the array it answers.

    Raises:
        TransientTrouble: If the answer is not the array that was asked for: HTML, or cut off.
    """
    data = (ee.data.computePixels if "expression" in params else ee.data.getPixels)(params)
    if not data.startswith(_NPY_MAGIC):
        raise TransientTrouble(SERVICE, f"{what}: the answer is no NPY file: {data[:60]!r}")
    try:
        array = read_npy(data)
    except ValueError as error:
        raise TransientTrouble(SERVICE, f"{what}: the answer was cut off: {error}") from error
    if array.shape != shape or array.dtype.names != bands:
        seen = f"{array.shape} with bands {array.dtype.names}"
        raise TransientTrouble(SERVICE, f"{what}: {shape} with {bands} was asked for, not {seen}")
    return array
