"""The Earth Engine client, with the real library, against the sandbox over a socket."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import ee
import googleapiclient.discovery
import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from collectors.chips import Chip, ChipPixels, SceneGone
from collectors.earth_engine import EarthEngine, Persistent, ServiceAccount
from collectors.geo import ChipGrid, Zone, transformer
from collectors.sandbox import Sandbox
from collectors.sensors import Quality
from collectors.transport import Patience, SetupError, Throttle, TroubleRemains
from filters.scenes import delta_days, rank
from tests.collectors.fault_proxy import Fault, FaultProxy
from tests.sensors import NAIP, SENSORS, SENTINEL2, chip_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.chips import Scene
    from collectors.earth_engine import Credentials
    from collectors.sensors import Sensor

QUICK = Patience(budget_s=3, first_wait_s=0.01, longest_wait_s=0.02)
FINE = replace(SENTINEL2, bands=("B2", "B8"))
"""Two bands are enough where the number of bands is not what is looked at."""
FINE_SENSORS = {"sentinel2": FINE, "naip": NAIP}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of its own for this module."""
    with Sandbox(seed=11) as running:
        yield running


@pytest.fixture(scope="module")
def proxied(sandbox: Sandbox) -> Iterator[FaultProxy]:
    """A proxy before the sandbox."""
    with FaultProxy(sandbox.earth_engine_url) as proxy:
        yield proxy


@pytest.fixture
def proxy(proxied: FaultProxy) -> FaultProxy:
    """The proxy, with nothing broken and nothing recorded."""
    proxied.clear()
    return proxied


def connect(sandbox: Sandbox, url: str | None = None, **changes: Any) -> EarthEngine:
    """Connects to the sandbox with its own login."""
    settings = {
        "project": sandbox.project,
        "credentials": ServiceAccount(json.dumps(sandbox.service_account)),
        "url": url or sandbox.earth_engine_url,
        "throttle": Throttle(1000, 1, 40),
        "patience": QUICK,
    }
    return EarthEngine.connect(**(settings | changes))


def chip_on(lon: float, lat: float, sensor: Sensor, target: date, name: str = "chip") -> Chip:
    """Returns a chip centred on a point in degrees, in its own zone."""
    crs = Zone.at(lon, lat).crs(sensor.datum)
    x, y = transformer("EPSG:4326", crs).transform(lon, lat)
    return chip_at(x, y, crs, sensor, target, name)


def shifted(chip: Chip, pixels: int) -> Chip:
    """Returns a chip so many pixels to the east and to the south."""
    grid, step = chip.grid, pixels * chip.grid.scale_m
    moved = ChipGrid(grid.crs, grid.west_m + step, grid.north_m - step, grid.scale_m, grid.size_px)
    return replace(chip, grid=moved)


def first_scene(client: EarthEngine, chip: Chip, sensor: Sensor) -> Scene:
    """Returns the best scene of a chip."""
    found = client.resolve([chip], {sensor.name: sensor})[chip.chip_id]
    return rank(found, chip, sensor)[0]


BERKELEY = chip_on(-122.27, 37.87, SENTINEL2, date(2019, 7, 1))
BERKELEY_AERIAL = chip_on(-122.27, 37.87, NAIP, date(2019, 7, 1))


def test_the_library_is_initialised_once_with_four_requests(
    sandbox: Sandbox, proxy: FaultProxy
) -> None:
    """A token, the description of the service twice, the functions; a second client sends none."""
    connect(sandbox, proxy.url)
    sandbox.reset()
    connect(sandbox).check()
    client = connect(sandbox)
    client.check()
    assert sandbox.counts() == {
        "ee.token": 1, "ee.discovery": 2, "ee.algorithms": 1, "ee.value": 2,
    }  # fmt: skip
    assert client.requests.other == 1


def test_the_description_of_the_service_is_not_read_for_every_chip(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's functions for pixels are made when it is initialised, not for each request."""
    client = connect(sandbox)
    scene = first_scene(client, BERKELEY_AERIAL, NAIP)
    made: list[str] = []
    make = googleapiclient.discovery.createMethod

    def count(name: str, *rest: Any) -> Any:
        made.append(name)
        return make(name, *rest)

    monkeypatch.setattr(googleapiclient.discovery, "createMethod", count)
    assert isinstance(client.read(BERKELEY_AERIAL, scene, NAIP), ChipPixels)
    assert made == []
    client.check()
    assert made != []


def test_a_library_that_others_initialised_is_initialised_again(sandbox: Sandbox) -> None:
    """What other code in the process does to it is noticed, and a new connection mends it."""
    older = connect(sandbox)
    ee.Reset()
    with pytest.raises(SetupError, match="connected to another project"):
        older.check()
    connect(sandbox).check()
    older.check()


def test_an_older_connection_is_not_used_for_the_wrong_service(
    sandbox: Sandbox, proxy: FaultProxy
) -> None:
    """The library is global: whoever connects elsewhere ends the use of the one before."""
    older = connect(sandbox, proxy.url)
    connect(sandbox)
    with pytest.raises(SetupError, match="connected to another project"):
        older.check()


def test_both_sensors_are_resolved_in_one_request(sandbox: Sandbox) -> None:
    """60 chips, one request; each has an entry, empty where there is no scene at all."""
    client = connect(sandbox)
    chips = []
    for i in range(30):
        lon, lat, day = -122.8 + i * 0.09, 37.1 + i * 0.05, date(2019, 1 + i % 12, 15)
        chips.append(chip_on(lon, lat, SENTINEL2, day, f"s{i}"))
        chips.append(chip_on(lon, lat, NAIP, day, f"n{i}"))
    abroad = chip_on(7.5, 46.5, NAIP, date(2019, 7, 1), "abroad")
    sandbox.reset()
    found = client.resolve([*chips, abroad], SENSORS)
    assert sandbox.counts() == {"ee.features": 1}
    assert client.requests.resolve == 1
    assert list(found) == [chip.chip_id for chip in [*chips, abroad]]
    assert found["abroad"] == ()
    for chip in chips:
        sensor = SENSORS[chip.sensor]
        ranked = rank(found[chip.chip_id], chip, sensor)
        rows = found[chip.chip_id]
        assert len(rows) <= sensor.candidates + 2
        assert len(ranked) == min(len(rows), sensor.candidates)  # the server kept the same rules
        order = [
            (abs(delta_days(one, chip.target_date)), one.cloud_scene_pct or 0.0) for one in rows
        ]
        assert order == sorted(order)
        assert all(one.scene_id.startswith(sensor.collection + "/") for one in rows)
    assert sum(bool(found[chip.chip_id]) for chip in chips) > 40


def test_pages_are_followed(sandbox: Sandbox) -> None:
    """An answer of more than 1,000 rows takes two requests, and no chip loses a row."""
    client = connect(sandbox)
    sensor = replace(NAIP, candidates=12, window_days=9000)
    chips = [
        chip_on(-121.9 + i * 0.01, 37.3 + j * 0.01, sensor, date(2012, 7, 1), f"c{i}-{j}")
        for i in range(14) for j in range(14)
    ]  # fmt: skip
    sandbox.reset()
    found = client.resolve(chips, {"naip": sensor})
    rows = sum(len(scenes) for scenes in found.values())
    assert rows > 1000
    assert sandbox.counts()["ee.features"] == -(-rows // 1000)
    alone = client.resolve(chips[-1:], {"naip": sensor})
    assert alone[chips[-1].chip_id] == found[chips[-1].chip_id]


def test_more_chips_than_a_batch_take_more_requests(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven chips in batches of three are three requests, and every chip has its own scenes."""
    client = connect(sandbox)
    chips = [
        chip_on(-122.2 + i * 0.02, 37.8, FINE, date(2020, 1 + i, 1), f"c{i}") for i in range(7)
    ]
    whole = client.resolve(chips, FINE_SENSORS)
    monkeypatch.setattr("collectors.earth_engine.RESOLVE_BATCH", 3)
    assert client.resolve(chips, FINE_SENSORS) == whole
    assert client.requests.resolve == 4
    assert client.resolve([], FINE_SENSORS) == {}


@pytest.mark.parametrize("side", [-1, 1])
def test_the_window_is_of_whole_days_and_closed(sandbox: Sandbox, side: int) -> None:
    """A scene just as many days away as the window has is found; with a day less it is not."""
    client = connect(sandbox)
    wide = replace(FINE, scene_cloud_limit_pct=101.0, candidates=60)
    listed = client.resolve([BERKELEY], {"sentinel2": wide})[BERKELEY.chip_id]
    days = {one.scene_id: delta_days(one, BERKELEY.target_date) for one in listed}
    name, edge = max(days.items(), key=lambda item: side * item[1])
    assert side * edge > 10
    for window, there in ((abs(edge), True), (abs(edge) - 1, False)):
        sensors = {"sentinel2": replace(wide, window_days=window)}
        found = client.resolve([BERKELEY], sensors)[BERKELEY.chip_id]
        assert (name in {one.scene_id for one in found}) is there


def test_many_threads_share_one_connection_pool(caplog: pytest.LogCaptureFixture) -> None:
    """32 answers under way at once, and no connection is thrown away."""
    with Sandbox(seed=11, latency_s={"ee.value": 0.3}) as box:
        client = connect(box, throttle=Throttle(90, 1, 40))  # the project is allowed 100
        with caplog.at_level(logging.WARNING), ThreadPoolExecutor(32) as pool:
            for done in [pool.submit(client.check) for _ in range(64)]:
                done.result()
    assert "Connection pool is full" not in caplog.text
    assert client.requests.other == 64


def test_a_request_without_an_answer_has_an_end() -> None:
    """The library waits for ever by itself; here a silent service is given up and asked again."""
    with Sandbox(seed=11) as box:
        client = connect(box, deadline_s=0.3)
        box.faults([{"fault": "hang", "where": "ee.value", "seconds": 20, "first": 1}])
        client.check()
        assert box.faults_done() == {"hang ee.value": 1}
        box.faults([{"fault": "hang", "where": "ee.value", "seconds": 20}])
        patient = connect(box, deadline_s=0.3, patience=Patience(0.2, 0.01, 0.02))
        with pytest.raises(TroubleRemains, match=r"(?i)timed? ?out"):
            patient.check()


def test_a_batch_that_is_too_big_is_halved(sandbox: Sandbox, proxy: FaultProxy) -> None:
    """Requests that time out on the server are sent in halves until they pass."""
    client = connect(sandbox, proxy.url)
    chips = [
        chip_on(-122.2 + i * 0.02, 37.8, FINE, date(2020, 1 + i, 1), f"c{i}") for i in range(7)
    ]
    whole = client.resolve(chips, FINE_SENSORS)
    message = {"error": {"code": 400, "message": "Computation timed out.", "status": "INVALID"}}
    refused = Fault(400, json.dumps(message).encode(), content_type="application/json")
    proxy.only = "computeFeatures"
    proxy.judge = lambda body: refused if body.count(b"EPSG:32610") > 2 else None
    assert client.resolve(chips, FINE_SENSORS) == whole
    proxy.judge = lambda _: refused
    with pytest.raises(TroubleRemains, match="Computation timed out"):
        client.resolve(chips[:1], FINE_SENSORS)


def test_a_chip_takes_one_request_and_lies_on_the_scenes_pixels(sandbox: Sandbox) -> None:
    """All bands and the classification come in one getPixels; a shifted chip shows the same."""
    client = connect(sandbox)
    scene = first_scene(client, BERKELEY, SENTINEL2)
    sandbox.reset()
    pixels = client.read(BERKELEY, scene, SENTINEL2)
    assert isinstance(pixels, ChipPixels)
    assert sandbox.counts() == {"ee.get_pixels": 1}
    assert client.requests.pixels == 1
    assert pixels.bands == SENTINEL2.bands
    assert (pixels.data.dtype, pixels.data.shape) == (np.uint16, (12, 448, 448))
    assert pixels.quality is not None
    assert pixels.data.std() > 0
    beside = client.read(shifted(BERKELEY, 37), scene, SENTINEL2)
    assert isinstance(beside, ChipPixels)
    assert beside.quality is not None
    for name, here, there in (("B2", pixels.data[1], beside.data[1]),
                              ("SCL", pixels.quality, beside.quality)):  # fmt: skip
        assert np.array_equal(here[38:, 38:], there[1:411, 1:411]), name


def test_a_flight_is_read_in_its_own_pixels_and_averaged(
    sandbox: Sandbox, proxy: FaultProxy
) -> None:
    """The request is on the flight's grid, and two overlapping chips agree to the pixel."""
    client = connect(sandbox, proxy.url)
    scene = first_scene(client, BERKELEY_AERIAL, NAIP)
    proxy.clear()
    pixels = client.read(BERKELEY_AERIAL, scene, NAIP)
    assert isinstance(pixels, ChipPixels)
    ((_, body),) = [one for one in proxy.bodies if "getPixels" in one[0]]
    asked = json.loads(body)["grid"]
    assert asked["affineTransform"]["scaleX"] == scene.gsd_m == 0.6
    assert asked["dimensions"]["width"] in {747, 748}
    offset = (asked["affineTransform"]["translateX"] - scene.transform[2]) / 0.6
    assert offset == pytest.approx(round(offset), abs=1e-6)
    assert (pixels.data.dtype, pixels.data.shape) == (np.uint8, (4, 448, 448))
    beside = client.read(shifted(BERKELEY_AERIAL, 50), scene, NAIP)
    assert isinstance(beside, ChipPixels)
    assert np.array_equal(pixels.data[:, 50:, 50:], beside.data[:, :-50, :-50])
    assert pixels.data.std() > 0


def test_a_flight_without_near_infrared_is_read_without_it(sandbox: Sandbox) -> None:
    """Only bands that the scene has are asked for: a name that it lacks fails the whole request."""
    client = connect(sandbox)
    chips = [chip_on(-122.4 + i * 0.05, 37.3, NAIP, date(2006, 7, 1), f"c{i}") for i in range(30)]
    chip, scene = next(
        (chip, scene)
        for chip in chips
        for scene in client.resolve([chip], {"naip": NAIP})[chip.chip_id]
        if "N" not in scene.bands and {"R", "G", "B"} <= set(scene.bands)
    )
    pixels = client.read(chip, scene, NAIP)
    assert isinstance(pixels, ChipPixels)
    assert pixels.bands == ("R", "G", "B")
    assert pixels.data.shape == (3, 448, 448)


def test_a_scene_that_is_no_longer_there_is_a_value(sandbox: Sandbox) -> None:
    """A missing asset is an expected absence, not an error."""
    client = connect(sandbox)
    scene = first_scene(client, BERKELEY, FINE)
    gone = replace(scene, scene_id=f"{FINE.collection}/20190101T000000_20190101T000000_T10SEG")
    seen = client.read(BERKELEY, gone, FINE)
    assert isinstance(seen, SceneGone)
    assert seen.scene_id == gone.scene_id
    assert "HTTP 404" in seen.detail


def test_cloud_score_is_read_from_the_scene_of_the_same_index(sandbox: Sandbox) -> None:
    """A second request, on the chip's grid; the score is kept as whole percent."""
    client = connect(sandbox)
    scored = replace(FINE, quality=Quality.CLOUD_SCORE_PLUS, clear_above=0.6)
    scene = first_scene(client, BERKELEY, scored)
    sandbox.reset()
    pixels = client.read(BERKELEY, scene, scored)
    assert isinstance(pixels, ChipPixels)
    assert sandbox.counts() == {"ee.get_pixels": 2}
    assert (pixels.bands, pixels.quality_band) == (FINE.bands, "cs_cdf")
    assert pixels.quality is not None
    assert (pixels.quality.dtype, pixels.quality.shape) == (np.uint8, (448, 448))
    assert 20 < pixels.quality.max() <= 100
    beside = client.read(shifted(BERKELEY, 37), scene, scored)
    assert isinstance(beside, ChipPixels)
    assert beside.quality is not None
    assert np.array_equal(pixels.quality[37:, 37:], beside.quality[:411, :411])


def test_a_scene_without_cloud_score_says_so(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is passed over with a reason of its own, and not taken without being judged."""
    client = connect(sandbox)
    scored = replace(FINE, quality=Quality.CLOUD_SCORE_PLUS, clear_above=0.6)
    scene = first_scene(client, BERKELEY, scored)
    monkeypatch.setattr("collectors.earth_engine.CLOUD_SCORE_PLUS", "USDA/NAIP/DOQQ")
    seen = client.read(BERKELEY, scene, scored)
    assert isinstance(seen, SceneGone)
    assert (seen.scene_id, seen.reason) == (scene.scene_id, "no_cloud_score")


def test_a_scene_of_another_zone_is_not_read(sandbox: Sandbox) -> None:
    """It would be resampled."""
    client = connect(sandbox)
    scene = first_scene(client, BERKELEY, FINE)
    with pytest.raises(ValueError, match="is in EPSG:32611"):
        client.read(BERKELEY, replace(scene, crs="EPSG:32611"), FINE)


HTML = b"<html><title>502 Bad Gateway</title></html>"
BUSY = json.dumps(
    {"error": {"code": 429, "message": "Too Many Requests", "status": "RESOURCE_EXHAUSTED"}}
).encode()
FAULTS = {
    "busy": Fault(429, BUSY, content_type="application/json"),
    "busy, as a page": Fault(429, b"<html>Too many requests</html>"),
    "broken": Fault(500, HTML),
    "down": Fault(503, HTML),
    "reset": Fault(reset=True),
    "cut off": Fault(sent=0.6),
    "empty": Fault(200, b""),
    "a page instead of the answer": Fault(200, HTML),
}


@pytest.mark.parametrize("name", FAULTS)
def test_transient_trouble_is_retried_by_one_layer(
    sandbox: Sandbox, proxy: FaultProxy, name: str
) -> None:
    """Two faults and then the answer: three requests, for pixels and for scenes alike."""
    client = connect(sandbox, proxy.url)
    right = client.resolve([BERKELEY], FINE_SENSORS)
    scene = right["chip"][0]
    for path in ("computeFeatures", "getPixels"):
        proxy.only, proxy.faults, proxy.bodies = path, [FAULTS[name]] * 2, []
        if path == "getPixels":
            assert isinstance(client.read(BERKELEY, scene, FINE), ChipPixels)
        else:
            assert client.resolve([BERKELEY], FINE_SENSORS) == right
        assert len([one for one in proxy.bodies if path in one[0]]) == 3
    assert (client.requests.resolve, client.requests.pixels) == (4, 3)


def test_a_429_slows_everyone_down(sandbox: Sandbox, proxy: FaultProxy) -> None:
    """The throttle is eased, so that all threads send less."""
    throttle = Throttle(1000, 1, 40)
    client = connect(sandbox, proxy.url, throttle=throttle)
    proxy.only, proxy.faults = "value:compute", [FAULTS["busy"]]
    client.check()
    assert throttle.slowdown == 2


def test_trouble_that_stays_ends_with_the_patience(sandbox: Sandbox, proxy: FaultProxy) -> None:
    """The error names the service, what was asked for and what was seen last."""
    client = connect(sandbox, proxy.url, patience=Patience(0.05, 0.01, 0.02))
    scene = first_scene(client, BERKELEY, FINE)
    proxy.only = "getPixels"
    proxy.judge = lambda _: FAULTS["down"]
    with pytest.raises(TroubleRemains, match=rf"Earth Engine: pixels of {scene.scene_id}.*503"):
        client.read(BERKELEY, scene, FINE)


def test_a_band_that_is_not_there_stops_the_run(sandbox: Sandbox) -> None:
    """A typing error in the catalogue is told with the band and where to look."""
    client = connect(sandbox)
    wrong = replace(FINE, grid_band="B99")
    with pytest.raises(SetupError, match=r"B99.*catalogue"):
        client.resolve([BERKELEY], {"sentinel2": wrong})
    scene = first_scene(client, BERKELEY, FINE)
    with pytest.raises(SetupError, match=r"B77.*catalogue"):
        client.read(BERKELEY, replace(scene, bands=("B77",)), replace(FINE, bands=("B77",)))


def test_a_collection_that_is_not_there_stops_the_run(sandbox: Sandbox) -> None:
    """So does one whose name was misspelt."""
    client = connect(sandbox)
    with pytest.raises(SetupError, match="S2_SR_HARMONISED"):
        client.resolve(
            [BERKELEY], {"sentinel2": replace(FINE, collection="COPERNICUS/S2_SR_HARMONISED")}
        )


def forged(account: dict[str, Any]) -> str:
    """Returns the account's JSON with a private key that the service does not know."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )  # fmt: skip
    return json.dumps(account | {"private_key": pem.decode()})


@pytest.mark.parametrize("kind", ["no JSON", "no object", "no key", "half a key", "another key"])
def test_a_bad_service_account_is_told_without_showing_it(sandbox: Sandbox, kind: str) -> None:
    """The error says where to look and holds nothing of the key."""
    account = sandbox.service_account
    secret = account["private_key"]
    texts = {
        "no JSON": secret,
        "no object": json.dumps([secret]),
        "no key": json.dumps({name: account[name] for name in account if name != "private_key"}),
        "half a key": json.dumps(account | {"private_key": secret[: len(secret) // 2]}),
        "another key": forged(account),
    }
    credentials = ServiceAccount(texts[kind])
    assert repr(credentials) == "ServiceAccount()"
    with pytest.raises(SetupError, match="TERRAPAIR_EARTH_ENGINE_SERVICE_ACCOUNT") as caught:
        connect(sandbox, credentials=credentials)
    assert secret[40:80] not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_nobody_logged_in_is_told_with_the_command(
    sandbox: Sandbox, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without stored credentials the remedy is `earthengine authenticate`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    nobody: Credentials = Persistent()
    with pytest.raises(SetupError, match="earthengine authenticate"):
        connect(sandbox, credentials=nobody)


def test_a_project_that_is_missing_or_not_allowed_is_told(sandbox: Sandbox) -> None:
    """Requests are counted for a project, so there must be one that the login may use."""
    with pytest.raises(SetupError, match=r"no project .* Check that the project is right"):
        connect(sandbox, project="")
    with pytest.raises(SetupError, match=r"another-project.* Check that the project is right"):
        connect(sandbox, project="another-project")


def test_a_service_that_is_not_there_is_given_up(sandbox: Sandbox) -> None:
    """Nobody listens at the address: transient, until the patience ends."""
    with pytest.raises(TroubleRemains, match=r"connecting to http://127\.0\.0\.1:9"):
        connect(sandbox, "http://127.0.0.1:9", patience=Patience(0.05, 0.01, 0.02))
