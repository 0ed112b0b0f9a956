"""The Earth Engine stand-in over a real socket, asked by the real client library."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import ee
import ee.deprecation
import numpy as np
import pytest
import shapely
import uvicorn
from google.auth import crypt, jwt
from rasterio.io import MemoryFile
from starlette.applications import Starlette

from collectors.sandbox.discovery import discovery_document
from collectors.sandbox.earth_engine import routes
from collectors.sandbox.geometry import Geometry
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.pixels import PixelGrid, SceneReader
from collectors.sandbox.scenes import Scene, SceneWorld, Sensor
from collectors.sandbox.service_account import ServiceAccount
from tests import plain_http

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

PROJECT = "sandbox"
L2A = "COPERNICUS/S2_SR_HARMONIZED"
DAY = 86_400_000
T0 = 1_561_939_200_000  # 2019-07-01


class Service(NamedTuple):
    """A running service."""

    url: str
    account: ServiceAccount
    counts: dict[str, int]
    world: SceneWorld


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """The Earth Engine routes on a free port of loopback."""
    counts: dict[str, int] = {}

    def meter(kind: str) -> None:
        counts[kind] = counts.get(kind, 0) + 1

    server = uvicorn.Server(
        uvicorn.Config(Starlette(), host="127.0.0.1", port=0, log_level="warning", ws="none")
    )
    config = server.config
    socket = config.bind_socket()
    url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    account = ServiceAccount.create(project=PROJECT, token_uri=f"{url}/token")
    world = SceneWorld(7, Landcover(7))
    config.app = Starlette(
        routes=routes(world, project=PROJECT, meter=meter, now=time.time, account=account)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield Service(url, account, counts, world)
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module", autouse=True)
def client(service: Service) -> None:
    """The real client library, initialized as in production but for the address."""
    ee.deprecation.deprecated_assets = {"_": ee.deprecation.DeprecatedAsset("_", None, None, None)}
    document = service.account.document()
    credentials = ee.ServiceAccountCredentials(
        document["client_email"], key_data=json.dumps(document)
    )
    ee.data.setMaxRetries(0)
    ee.Reset()  # else the list of functions of an earlier login in this process is kept
    ee.Initialize(credentials, project=PROJECT, url=service.url)


def chip(x0: float = 550_000, y0: float = 4_182_240, size: int = 448, crs: str = "EPSG:32610"):
    """A grid of 10 m pixels as a request states it."""
    return {
        "dimensions": {"width": size, "height": size},
        "affineTransform": {
            "scaleX": 10, "shearX": 0, "translateX": x0,
            "shearY": 0, "scaleY": -10, "translateY": y0,
        },
        "crsCode": crs,
    }  # fmt: skip


def candidates(places: list[list], collection: str = L2A, limit: int = 3) -> ee.FeatureCollection:
    """The search that the pipeline sends: ranked scenes that hold each place's rectangle."""

    def search(item):
        row = ee.List(item)
        x0, y0, x1, y1 = (ee.Number(row.get(place)) for place in (1, 2, 3, 4))
        rect = ee.Geometry.Rectangle([x0, y0, x1, y1], ee.Projection(row.getString(5)), False)
        images = (
            ee.ImageCollection(collection)
            .filterBounds(rect)
            .filter(ee.Filter.contains(".geo", rect, maxError=ee.ErrorMargin(1)))
            .filterDate(row.getNumber(8), row.getNumber(9))
        )
        if collection == L2A:
            images = images.filter(ee.Filter.lt("CLOUDY_PIXEL_PERCENTAGE", 1)).filter(
                ee.Filter.stringStartsWith("MGRS_TILE", row.getString(6))
            )

        def rank(image):
            days = ee.Number(image.get("system:time_start")).divide(DAY).floor()
            gap = days.subtract(row.getNumber(7)).abs()
            cloud = ee.Number(image.get("CLOUDY_PIXEL_PERCENTAGE")) if collection == L2A else 0
            return image.set("dt", gap, "rank", gap.add(ee.Number(cloud).divide(1000)))

        def describe(image):
            projection = image.select([0]).projection()
            return ee.Feature(
                None,
                {
                    "i": row.get(0),
                    "index": image.get("system:index"),
                    "time": image.get("system:time_start"),
                    "dt": image.get("dt"),
                    "cloud": image.get("CLOUDY_PIXEL_PERCENTAGE"),
                    "crs": projection.crs(),
                    "scale": projection.nominalScale(),
                    "transform": projection.transform(),
                    "bands": image.bandNames().join(","),
                },
            )

        return images.map(rank).sort("rank").limit(limit).map(describe)

    return ee.FeatureCollection(ee.List(places).map(search)).flatten()


def place(number: int, day: int, window: int, x0: float = 550_000, crs: str = "EPSG:32610") -> list:
    """One chip as the pipeline states it."""
    t = day * DAY
    edge = [x0, 4_177_760, x0 + 4_480, 4_182_240]
    return [number, *edge, crs, "10", day, t - window * DAY, t + window * DAY]


def post(service: Service, path: str, body: object, **headers: str) -> httpx.Response:
    """A request without the client library, with a valid token unless told otherwise."""
    token = service.account.issue_token(time.time())
    headers = {"authorization": f"Bearer {token}"} | headers
    return plain_http.post(f"{service.url}/v1/{path}", json=body, headers=headers, timeout=60)


def call(name: str, **arguments: object) -> dict:
    """An expression that calls one function with constants."""
    constants = {key: {"constantValue": value} for key, value in arguments.items()}
    invocation = {"functionName": name, "arguments": constants}
    return {"result": "0", "values": {"0": {"functionInvocationValue": invocation}}}


def evaluate(service: Service, expression: dict) -> httpx.Response:
    """The answer to value:compute."""
    return post(service, f"projects/{PROJECT}/value:compute", {"expression": expression})


def scene_in(service: Service, sensor: Sensor, clear: bool = True) -> Scene:
    """A scene that holds the chip of `chip()`."""
    box = shapely.box(550_000, 4_177_760, 554_480, 4_182_240)
    region = Geometry(box, "EPSG:32610")
    return next(
        scene
        for scene in service.world.search(sensor, region, T0, T0 + 200 * DAY)
        if scene.footprint.shape.contains(box) and (scene.cloud_percent < 1) == clear
    )


@pytest.mark.parametrize("x0", [550_000, 607_000])
def test_candidates_are_the_nearest_clear_scenes_that_hold_the_chip(
    service: Service, x0: int
) -> None:
    """The rows are those of a plain loop over the scenes, in a tile's middle and at its edge."""
    day = T0 // DAY
    request = candidates([place(0, day, 90, x0)])
    rows = ee.data.computeFeatures({"expression": request})["features"]
    box = shapely.box(x0, 4_177_760, x0 + 4_480, 4_182_240)
    region = Geometry(box, "EPSG:32610")
    expected = sorted(
        (
            abs(scene.time_ms // DAY - day) + scene.cloud_percent / 1000,
            scene.index,
        )
        for scene in service.world.search(Sensor.S2_L2A, region, (day - 90) * DAY, (day + 90) * DAY)
        if scene.cloud_percent < 1
        and scene.properties["MGRS_TILE"].startswith("10")
        and scene.footprint.shape_in("EPSG:32610").contains(box)
    )[:3]
    assert len(expected) == 3
    assert [row["properties"]["index"] for row in rows] == [index for _, index in expected]
    assert rows[0]["geometry"] is None
    assert rows[0]["properties"]["cloud"] < 1


def test_initializing_asks_what_the_real_client_asks(service: Service) -> None:
    """One token, the discovery document twice and the list of functions once."""
    assert service.counts["ee.token"] >= 1
    assert service.counts["ee.discovery"] == 2
    assert service.counts["ee.algorithms"] == 1


def test_the_discovery_document_is_that_of_version_1(shared_data: Path) -> None:
    """Methods, paths and parameters agree with the patched copy made for loopback by others."""
    file = shared_data.parent / "wire" / "ee" / "discovery_v1_patched_for_loopback.json"
    ours, theirs = json.loads(discovery_document()), json.loads(file.read_text())

    def methods(resource: dict, prefix: str = "") -> dict:
        found = {
            prefix + name: (method["httpMethod"], method["path"], set(method["parameters"]))
            for name, method in resource.get("methods", {}).items()
        }
        for name, child in resource.get("resources", {}).items():
            found |= methods(child, f"{prefix}{name}.")
        return found

    assert methods(ours) == methods(theirs)
    assert ours["version"] == "v1"


@pytest.mark.parametrize("token", ["x", "sandbox.9999999999.0", "sandbox.1.x", "sandbox..."])
def test_a_call_without_a_valid_token_is_refused(service: Service, token: str) -> None:
    """A missing, forged or malformed token is answered with 401."""
    response = post(service, "projects/sandbox/value:compute", {}, authorization=f"Bearer {token}")
    assert response.status_code == 401
    assert response.json()["error"]["status"] == "UNAUTHENTICATED"


def test_a_token_expires(service: Service) -> None:
    """A token is good for an hour."""
    token = service.account.issue_token(1_000.0)
    assert service.account.accepts(token, 4_599.0)
    assert not service.account.accepts(token, 4_600.0)


def test_an_assertion_signed_by_another_key_gets_no_token(service: Service) -> None:
    """The signature is checked, and so is the audience."""
    other = ServiceAccount.create(project=PROJECT, token_uri=f"{service.url}/token").document()
    for document, claim in (
        (other, {}),
        (service.account.document(), {"aud": "https://example.com/token"}),
        (service.account.document(), {"scope": "https://www.googleapis.com/auth/drive"}),
        (service.account.document(), {"exp": int(time.time()) - 4_000}),
    ):
        now = int(time.time())
        claims = {
            "iss": document["client_email"], "aud": document["token_uri"], "iat": now,
            "exp": now + 3_600, "scope": "https://www.googleapis.com/auth/earthengine", **claim,
        }  # fmt: skip
        assertion = jwt.encode(crypt.RSASigner.from_service_account_info(document), claims)
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": assertion.decode(),
        }
        response = plain_http.post(f"{service.url}/token", data=form)
        assert response.status_code == 400
        assert response.json()["error"] == "invalid_grant"


def test_pixels_come_back_as_the_world_has_them(service: Service) -> None:
    """GetPixels as a NumPy file gives each band with its own type, equal to the scene's pixels."""
    scene = scene_in(service, Sensor.S2_L2A)
    names = ["B4", "B8A", "SCL"]
    table = ee.data.getPixels(
        {
            "assetId": scene.asset_id,
            "bandIds": names,
            "fileFormat": "NUMPY_NDARRAY",
            "grid": chip(),
        }
    )
    assert table.dtype.names == tuple(names)
    assert [table.dtype[name].str for name in names] == ["<u2", "<u2", "|u1"]
    grid = PixelGrid("EPSG:32610", (10, 0, 550_000, 0, -10, 4_182_240), 448, 448)
    reader = SceneReader(scene, grid, service.world.landcover)
    for band in scene.bands:
        if band.name in names:
            assert np.array_equal(table[band.name], reader.read(band)[0])
    assert set(np.unique(table["SCL"])) <= {3, 4, 5, 6, 8, 9, 10, 11}


def test_pixels_beyond_the_footprint_are_zeros(service: Service) -> None:
    """Masked pixels are zero in every band of the file."""
    scene = scene_in(service, Sensor.S2_L2A)
    request = {
        "assetId": scene.asset_id, "bandIds": ["B2", "SCL"], "fileFormat": "NUMPY_NDARRAY",
        "grid": chip(scene.west - 1_000, scene.north + 1_000, 200),
    }  # fmt: skip
    table = ee.data.getPixels(request)
    assert not table["B2"][:100].any()
    assert not table["SCL"][:, :100].any()
    assert (table["SCL"][100:, 100:] > 0).all()


def test_a_geotiff_bears_its_place(service: Service) -> None:
    """GEO_TIFF has the requested CRS, transform and band names, and the same pixels as NPY."""
    region = Geometry(shapely.box(551_000, 4_180_000, 551_100, 4_180_100), "EPSG:26910")
    found = service.world.search(Sensor.NAIP, region)
    scene = next(scene for scene in found if scene.gsd == 0.6)
    affine = {
        "scaleX": 0.6, "translateX": scene.west + 1_200.6, "scaleY": -0.6,
        "translateY": scene.north - 1_800,
    }  # fmt: skip
    grid = {
        "dimensions": {"width": 120, "height": 80},
        "affineTransform": affine,
        "crsCode": scene.crs,
    }
    request = {"assetId": scene.asset_id, "bandIds": ["R", "N"], "grid": grid}
    content = ee.data.getPixels({**request, "fileFormat": "GEO_TIFF"})
    table = ee.data.getPixels({**request, "fileFormat": "NUMPY_NDARRAY"})
    with MemoryFile(content) as memory, memory.open() as file:
        assert file.crs.to_epsg() == int(scene.crs[5:])
        assert file.transform.to_gdal() == pytest.approx(
            (affine["translateX"], 0.6, 0, affine["translateY"], 0, -0.6)
        )
        assert file.descriptions == ("R", "N")
        assert np.array_equal(file.read(2), table["N"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 40_000}, "Pixel grid dimensions (40000x40000) must be less than or equal"),
        ({"size": 6_000}, "Total request size (72000000 bytes) must be less than or equal to 50"),
        ({"crs": "EPSG:99999"}, "could not be parsed: 'EPSG:99999'"),
    ],
)
def test_too_much_or_nonsense_is_refused(service: Service, change: dict, message: str) -> None:
    """The service's limits hold, with its messages."""
    scene = scene_in(service, Sensor.S2_L2A)
    request = {
        "assetId": scene.asset_id, "bandIds": ["B4"], "fileFormat": "NUMPY_NDARRAY",
        "grid": chip(**change),
    }  # fmt: skip
    with pytest.raises(ee.EEException, match=re.escape(message)):
        ee.data.getPixels(request)


def test_an_unknown_band_or_asset_is_named(service: Service) -> None:
    """A missing band is a 400 and a missing asset a 404, each naming what is missing."""
    scene = scene_in(service, Sensor.S2_L2A)
    body = {"bandIds": ["B44"], "fileFormat": "NPY", "grid": chip()}
    path = "projects/earthengine-public/assets/"
    response = post(service, f"{path}{scene.asset_id}:getPixels", body)
    assert response.status_code == 400
    assert response.json()["error"]["message"] == (
        "Image.select: Pattern 'B44' did not match any bands."
    )
    response = post(service, f"{path}{L2A}/nothing:getPixels", body)
    assert response.status_code == 404
    assert f"{L2A}/nothing" in response.json()["error"]["message"]
    with pytest.raises(ee.EEException, match="nothing' does not exist"):
        ee.data.getAsset(f"{L2A}/nothing")


def test_more_than_ten_megabytes_are_not_read(service: Service) -> None:
    """A request over the payload limit is refused with the service's message."""
    response = post(service, "projects/sandbox/value:compute", {"pad": "x" * 10_485_760})
    assert response.status_code == 400
    assert response.json()["error"]["message"] == (
        "Request payload size exceeds the limit: 10485760 bytes."
    )


def test_an_asset_states_its_bands_and_grids(service: Service) -> None:
    """GetAsset gives the pixel grid of every band and the scene's properties."""
    scene = scene_in(service, Sensor.S2_L2A)
    asset = ee.data.getAsset(scene.asset_id)
    bands = {band["id"]: band for band in asset["bands"]}
    assert asset["type"] == "IMAGE"
    assert bands["B2"]["grid"]["dimensions"] == {"width": 10_980, "height": 10_980}
    assert bands["SCL"]["grid"]["affineTransform"]["scaleX"] == 20
    assert bands["B9"]["grid"]["dimensions"]["width"] == 1_830
    assert bands["B2"]["dataType"] == {"precision": "INT", "range": {"max": 65_535}}
    assert asset["properties"]["CLOUDY_PIXEL_PERCENTAGE"] == scene.cloud_percent
    assert ee.data.getAsset(L2A)["type"] == "IMAGE_COLLECTION"


def test_a_table_is_paged(service: Service) -> None:
    """Pages of a search join to what one page gives, and the token belongs to its request."""
    day = T0 // DAY
    places = [place(number, day + 5 * number, 60) for number in range(8)]
    expression = candidates(places)
    whole = ee.data.computeFeatures({"expression": expression})
    rows, token = [], None
    for _ in range(10):
        request = {"expression": expression, "pageSize": 7}
        page = ee.data.computeFeatures(request | ({"pageToken": token} if token else {}))
        assert len(page["features"]) <= 7
        rows += page["features"]
        token = page.get("nextPageToken")
        if token is None:
            break
        last_token = token
    assert rows == whole["features"]
    assert len(rows) == 24
    assert "nextPageToken" not in whole
    with pytest.raises(ee.EEException, match="page token"):
        ee.data.computeFeatures({"expression": candidates(places[:1]), "pageToken": last_token})


def test_an_empty_search_is_an_empty_answer(service: Service) -> None:
    """A chip without a scene gives no row, and a batch of such chips an empty object."""
    empty = place(0, 15_000, 10)
    assert ee.data.computeFeatures({"expression": candidates([empty])}) == {}
    rows = ee.data.computeFeatures({"expression": candidates([empty, place(1, T0 // DAY, 90)])})
    assert {row["properties"]["i"] for row in rows["features"]} == {1}


def test_aerial_grids_are_stated_as_well_known_text(service: Service) -> None:
    """Elements of the transform that are the identity's are left out, as for pixels of 1 m."""
    box = [551_000, 4_180_000, 551_448, 4_180_448]
    row = [0, *box, "EPSG:26910", "10", 16_000, 0, T0]
    rows = ee.data.computeFeatures({"expression": candidates([row], "USDA/NAIP/DOQQ", limit=20)})[
        "features"
    ]
    texts = {row["properties"]["scale"]: row["properties"]["transform"] for row in rows}
    assert set(texts) >= {1, 0.6}
    assert 'PARAMETER["elt_0_0", 0.6]' in texts[0.6]
    assert "elt_0_0" not in texts[1]
    assert 'PARAMETER["elt_1_1", -1.0]' in texts[1]
    assert all("elt_0_1" not in text for text in texts.values())
    assert all(row["properties"]["crs"] == "EPSG:26910" for row in rows)
    for row in rows:
        scene = service.world.find(f"USDA/NAIP/DOQQ/{row['properties']['index']}")
        assert scene.footprint.shape.contains(shapely.box(*box))


def test_cloud_score_can_be_joined_to_a_scene(service: Service) -> None:
    """linkCollection, addBands, multiply, casts and unmask give what the bands alone give."""
    scene = scene_in(service, Sensor.S2_L1C, clear=False)
    score = ee.ImageCollection("GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED")
    image = ee.Image(scene.asset_id).select(["B4", "B3"])
    linked = image.linkCollection(score, ["cs_cdf"])
    scaled = linked.select("cs_cdf").multiply(10_000).toUint16()
    joined = image.addBands(scaled).unmask(0, False)
    request = {"fileFormat": "NUMPY_NDARRAY", "grid": chip(size=64)}
    table = ee.data.computePixels({"expression": joined, **request})
    stored = ee.data.getPixels({
        "assetId": f"GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED/{scene.index}",
        "bandIds": ["cs_cdf"], **request,
    })  # fmt: skip
    assert table.dtype["cs_cdf"] == np.uint16
    assert np.array_equal(table["cs_cdf"], (stored["cs_cdf"] * 10_000).astype(np.uint16))
    assert table["B4"].all()


def test_a_mosaic_fills_one_quad_from_its_neighbour(service: Service) -> None:
    """Pixels beyond one aerial quad come from the next; where both have pixels, the last wins."""
    region = Geometry(shapely.box(551_000, 4_178_000, 561_000, 4_184_000), "EPSG:26910")
    scenes = [s for s in service.world.search(Sensor.NAIP, region) if s.gsd == 0.6]
    first = scenes[0]
    second = next(
        s for s in scenes
        if s.index[-8:-4] == first.index[-8:-4] and 3_000 < s.west - first.west < 7_000
        and abs(s.north - first.north) < 300
    )  # fmt: skip
    edge = first.west + first.columns * 0.6
    grid = {
        "dimensions": {"width": 100, "height": 60},
        "affineTransform": {
            "scaleX": 30, "translateX": edge - 1_500, "scaleY": -30,
            "translateY": first.north - 2_000,
        },
        "crsCode": "EPSG:26910",
    }  # fmt: skip
    mosaic = ee.ImageCollection([ee.Image(first.asset_id), ee.Image(second.asset_id)]).mosaic()
    request = {"fileFormat": "NUMPY_NDARRAY", "grid": grid}
    joined = ee.data.computePixels({"expression": mosaic, **request})
    alone = [
        ee.data.getPixels({"assetId": scene.asset_id, "bandIds": list("RGBN"), **request})
        for scene in (first, second)
    ]
    assert not alone[0]["R"][:, 60:].any()
    assert joined["R"].all()
    assert np.array_equal(joined["R"], np.where(alone[1]["R"], alone[1]["R"], alone[0]["R"]))


def test_what_is_not_implemented_says_so(service: Service) -> None:
    """A function of the real service that the sandbox lacks is named with status 501."""
    response = evaluate(service, call("Number.digamma", input=1))
    assert response.status_code == 501
    assert "Number.digamma" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (call("Number.plus", left=1, right=2), "Unknown function: Number.plus"),
        (call("Number.add", left=1, wrong=2), "Unrecognized argument name: 'wrong'"),
        (call("Number.add", left=1), "Required argument (right) missing"),
        (call("Number.add", left=1, right=None), "Parameter 'right' is required and may not be"),
        (call("Number.add", left=1, right="2"), "Expected type: Number.\nActual type: String."),
        (call("ImageCollection.load", id="NASA/x"), "ImageCollection asset 'NASA/x' not found"),
        (call("Image.load", id=f"{L2A}/x"), f"Image asset '{L2A}/x' not found"),
        (call("List.get", list=[1], index=4), "List.get: Bad index 4"),
        ({"result": "1", "values": {"0": {"constantValue": 1}}}, "has no value '1'"),
        ({"result": "0", "values": {"0": {"valueReference": "0"}}}, "refers to itself"),
        ({"result": "0", "values": {"0": {"argumentReference": "a"}}}, "argument reference: a"),
        ({"result": "0", "values": {"0": {"mystery": 1}}}, "Not a kind of value: 'mystery'"),
    ],
)  # fmt: skip
def test_a_wrong_expression_is_refused_with_its_reason(
    service: Service, expression: dict, message: str
) -> None:
    """Mistakes are answered with 400 and say what is wrong; nothing is guessed."""
    response = evaluate(service, expression)
    assert response.status_code == 400
    assert message in response.json()["error"]["message"]


def test_plain_functions_compute(service: Service) -> None:
    """Numbers, strings, lists, dictionaries, dates and conditions give the known results."""
    date = ee.Date("2020-02-29")
    computed = ee.List(
        [
            ee.Number(7).divide(2).floor(),
            ee.Number(-3).abs().max(2).multiply(1.5),
            ee.List([1, 2, 3]).map(lambda x: ee.Number(x).add(1)).slice(1),
            ee.String("a").cat("b"),
            ee.List(["x", "y"]).join("+"),
            ee.Dictionary({"a": 1}).set("b", 2).keys(),
            date.advance(1, "year").millis(),
            date.advance(-1, "day").difference(date, "hour"),
            ee.Algorithms.If(ee.Number(1).gt(2), "yes", "no"),
            ee.List.sequence(0, 6, 3).contains(3),
        ]
    )
    assert computed.getInfo() == [
        3, 4.5, [3, 4], "ab", "x+y", ["a", "b"], 1_614_470_400_000, -24, "no", True,
    ]  # fmt: skip


def test_filters_and_aggregations_agree_with_a_plain_loop(service: Service) -> None:
    """And, or, not, comparisons and aggregations over a collection give what Python gives."""
    region = ee.Geometry.Point([-122.4, 37.75])
    images = ee.ImageCollection(L2A).filterBounds(region).filterDate("2020-01-01", "2020-06-01")
    low, high = (
        ee.Filter.lt("CLOUDY_PIXEL_PERCENTAGE", 10),
        ee.Filter.gte("CLOUDY_PIXEL_PERCENTAGE", 60),
    )
    chosen = images.filter(ee.Filter.Or(low, high)).filter(ee.Filter.lt("missing", 5).Not())
    everything, some, size = ee.List(
        [
            images.aggregate_array("CLOUDY_PIXEL_PERCENTAGE"),
            chosen.aggregate_array("CLOUDY_PIXEL_PERCENTAGE"),
            chosen.size(),
        ]
    ).getInfo()
    assert len(everything) > 20
    assert some == [cloud for cloud in everything if cloud < 10 or cloud >= 60]
    assert size == len(some)
    assert images.filter(ee.Filter.eq("missing", 1)).first().getInfo() is None


def test_a_date_filter_has_no_end_of_its_own(service: Service) -> None:
    """The end of a date range is outside, its start inside, also on computed elements."""
    moments = ee.FeatureCollection(
        [ee.Feature(None, {"system:time_start": time}) for time in (T0 - 1, T0, T0 + 5, T0 + 9)]
    )
    kept = moments.filterDate(T0, T0 + 9).aggregate_array("system:time_start")
    assert kept.getInfo() == [T0, T0 + 5]


def test_a_search_of_the_whole_world_is_aborted(service: Service) -> None:
    """A collection without a place is too large, as in the service."""
    with pytest.raises(ee.EEException, match="after accumulating over 5000 elements"):
        ee.ImageCollection(L2A).size().getInfo()


def test_bands_of_several_resolutions_have_no_common_projection(service: Service) -> None:
    """The projection of a whole Sentinel-2 image is an error; of one band it is that band's."""
    scene = scene_in(service, Sensor.S2_L2A)
    image = ee.Image(scene.asset_id)
    with pytest.raises(ee.EEException, match="different projections"):
        image.projection().getInfo()
    assert image.select("B5").projection().getInfo() == {
        "type": "Projection",
        "crs": scene.crs,
        "transform": [20, 0, scene.west, 0, -20, scene.north],
    }
    assert [band["id"] for band in image.getInfo()["bands"]][:3] == ["B1", "B2", "B3"]


@pytest.mark.parametrize("name", ["03", "04", "05", "07", "08", "09", "24"])
def test_recorded_requests_of_the_real_client_are_answered(
    service: Service, shared_data: Path, name: str
) -> None:
    """Requests recorded from the client library, which name no scene, are evaluated."""
    (file,) = (shared_data.parent / "wire" / "ee").glob(f"{name}_*.json")
    for request in json.loads(file.read_text())["requests"]:
        path = request["path"].split("?")[0].removeprefix("/v1/").replace("loopback-proj", PROJECT)
        body = {key: value for key, value in request["body"].items() if key != "pageToken"}
        response = post(service, path, body)
        assert response.status_code == 200, response.text


def test_another_project_is_refused(service: Service) -> None:
    """Only the sandbox's own project may be used."""
    response = post(service, "projects/other/value:compute", {"expression": call("List.size")})
    assert response.status_code == 403
    assert "sandbox" in response.json()["error"]["message"]
