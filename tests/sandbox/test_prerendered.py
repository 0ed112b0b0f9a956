"""Pixels made beforehand: the form and the checks of the real ones, and as hard to compress."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import shapely

from collectors.sandbox.geometry import Geometry
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.scenes import SceneWorld, Sensor
from tests.sandbox.services import PROJECT, message_of, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.sandbox.scenes import Scene
    from tests.sandbox.services import Service

WORLD = SceneWorld(7, Landcover(7))
S2_BANDS = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12", "SCL"]
CASES = {Sensor.S2_L2A: (S2_BANDS, 448, 10.0), Sensor.NAIP: (["R", "G", "B", "N"], 748, 0.6)}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service that sends prerendered pixels."""
    with running(WORLD, prerendered=True) as service:
        yield service


@pytest.fixture(scope="module")
def honest() -> Iterator[Service]:
    """A service over the same world that sends its own pixels."""
    with running(WORLD) as service:
        yield service


def scene_of(sensor: Sensor) -> Scene:
    """A scene with all the bands of its case."""
    return next(
        scene
        for scene in WORLD.search(sensor, Geometry(shapely.Point(-122.2, 37.5)), 1.53e12, 1.6e12)
        if set(CASES[sensor][0]) <= {band.name for band in scene.bands}
    )


def body(scene: Scene, *, east_px: int = 900) -> dict[str, Any]:
    """A request for a chip inside a scene."""
    names, size, step = CASES[scene.sensor]
    affine = {"scaleX": step, "translateX": scene.west + east_px * step,
              "scaleY": -step, "translateY": scene.north - 900 * step}  # fmt: skip
    return {
        "bandIds": names, "fileFormat": "NPY",
        "grid": {"dimensions": {"width": size, "height": size}, "affineTransform": affine,
                 "crsCode": scene.crs},
    }  # fmt: skip


def pixels(service: Service, scene: Scene, **place: Any) -> bytes:
    """The file that is sent."""
    response = service.pixels(scene.asset_id, body(scene, **place))
    assert response.status_code == 200, response.text[:300]
    return response.content


@pytest.mark.parametrize("sensor", CASES)
def test_they_have_the_form_of_the_world_s_own_pixels(
    service: Service, honest: Service, sensor: Sensor
) -> None:
    """Same names, types and shape; no missing pixel, no cloud, coarse bands in blocks."""
    made = np.load(io.BytesIO(pixels(service, scene_of(sensor))))
    own = np.load(io.BytesIO(pixels(honest, scene_of(sensor))))
    assert (made.dtype, made.shape) == (own.dtype, own.shape)
    assert all((made[name] > 0).all() for name in made.dtype.names)
    assert not np.array_equal(made, own)
    if sensor is Sensor.S2_L2A:
        assert set(np.unique(made["SCL"])) <= {4, 5, 6}
        assert np.array_equal(made["B5"][::2, ::2], made["B5"][1::2, 1::2])


@pytest.mark.parametrize("sensor", CASES)
def test_they_are_as_hard_to_compress_as_real_pixels(service: Service, sensor: Sensor) -> None:
    """No better than 3:1 by zstd's level 1, as they are sent and band by band."""
    sent = pixels(service, scene_of(sensor))
    table = np.load(io.BytesIO(sent))
    by_band = b"".join(np.ascontiguousarray(table[name]).tobytes() for name in table.dtype.names)
    codec = pa.Codec("zstd", compression_level=1)
    for content in (sent, by_band):
        assert len(content) <= 3 * len(codec.compress(content, asbytes=True))


def test_a_request_is_always_answered_alike(service: Service) -> None:
    """The same request gets the same pixels; different places get several kinds of them."""
    scene = scene_of(Sensor.NAIP)
    kinds = {pixels(service, scene, east_px=900 + 100 * number) for number in range(12)}
    assert 2 <= len(kinds) <= 4
    assert pixels(service, scene) == pixels(service, scene)


def test_what_is_checked_stays_checked(service: Service) -> None:
    """A token, a band and a size are looked at as ever."""
    scene = scene_of(Sensor.NAIP)
    path = f"projects/earthengine-public/assets/{scene.asset_id}:getPixels"
    assert service.send("POST", path, body(scene), token=None).status_code == 401
    wrong = body(scene) | {"bandIds": ["R", "B8"]}
    assert "B8" in message_of(service.pixels(scene.asset_id, wrong), 400)
    large = body(scene)
    large["grid"]["dimensions"] = {"width": 40_000, "height": 1}
    assert "40000x1" in message_of(service.pixels(scene.asset_id, large), 400)


def test_what_is_computed_is_computed(service: Service, honest: Service) -> None:
    """An expression's pixels are the world's own."""
    load = {"functionInvocationValue": {
        "functionName": "Image.load",
        "arguments": {"id": {"constantValue": scene_of(Sensor.NAIP).asset_id}}}}  # fmt: skip
    double = {"functionInvocationValue": {
        "functionName": "Image.add", "arguments": {"image1": load, "image2": load}}}  # fmt: skip
    request = body(scene_of(Sensor.NAIP)) | {"expression": {"result": "0", "values": {"0": double}}}
    path = f"projects/{PROJECT}/image:computePixels"
    answers = [one.send("POST", path, request) for one in (service, honest)]
    assert [one.status_code for one in answers] == [200, 200], answers[0].text[:300]
    assert answers[0].content == answers[1].content
