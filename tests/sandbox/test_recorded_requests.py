"""Requests as the real client sends them: each is answered as the service would."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from PIL import Image
from rasterio.io import MemoryFile

from collectors.sandbox.landcover import Landcover
from collectors.sandbox.scenes import SceneWorld
from tests.sandbox.services import PROJECT, message_of, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.sandbox.services import Service

L2A = "COPERNICUS/S2_SR_HARMONIZED"
SCENE = "20190803T184921_20190803T185840_T10SEG"
QUADS = {
    "m_3712213_sw_10_060_20200524": (-122.5, 37.75, -122.4375, 37.8125),
    "m_3712213_se_10_060_20200524": (-122.4375, 37.75, -122.375, 37.8125),
}
CHIP = (448, 448)


def write_scenes(folder: Path) -> None:
    """Writes the scenes that the recorded requests name, as tables."""
    sensed = dt.datetime(2019, 8, 3, 18, 58, 41, 24_000, tzinfo=dt.UTC)
    tile = shapely.box(-123.0003, 36.9457, -121.7524, 37.9468).wkt
    satellite = {
        "id": SCENE, "collection": "sentinel-2-l2a", "datetime": sensed, "cloud_cover": 0.2,
        "nodata_pct": 0.0, "mgrs_tile": "10SEG", "platform": "sentinel-2b", "baseline": "02.13",
        "generation_time": "2019-08-03T22:00:00Z", "epsg": 32610, "wkt": tile,
    }  # fmt: skip
    later = satellite | {
        "id": "20190818T184919_20190818T185435_T10SEG",
        "datetime": sensed + dt.timedelta(days=15),
        "cloud_cover": 0.9,
    }
    flown = dt.datetime(2020, 5, 24, 16, tzinfo=dt.UTC)
    quads = [
        {"id": name, "datetime": flown, "gsd": 0.6, "epsg": 26910, "wkt": shapely.box(*box).wkt}
        for name, box in QUADS.items()
    ]
    pq.write_table(pa.Table.from_pylist([satellite, later]), folder / "satellite.parquet")
    pq.write_table(pa.Table.from_pylist(quads), folder / "aerial.parquet")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service over the scenes that the recorded requests name."""
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder)
    with running(SceneWorld(3, Landcover(3), folder)) as service:
        yield service


@pytest.fixture
def recorded(shared_data: Path) -> Path:
    """The folder of recorded requests."""
    return shared_data.parent / "wire" / "ee"


def requests_of(recorded: Path, number: str) -> list[dict[str, Any]]:
    """The requests of one file."""
    (file,) = recorded.glob(f"{number}_*.json")
    requests: list[dict[str, Any]] = json.loads(file.read_text())["requests"]
    return requests


def send(service: Service, request: dict[str, Any], **changes: object) -> httpx.Response:
    """Sends a recorded request to the sandbox's project."""
    path = request["path"].removeprefix("/v1/").replace("loopback-proj", PROJECT)
    body = request["body"]
    return service.send(request["method"], path, body if body is None else body | changes)


def answer(service: Service, recorded: Path, number: str) -> httpx.Response:
    """The answer to the only request of a file, which must be a success."""
    (request,) = requests_of(recorded, number)
    response = send(service, request)
    assert response.status_code == 200, response.text[:500]
    return response


def test_every_recorded_file_is_looked_at(recorded: Path) -> None:
    """No recorded request is left out of this module."""
    numbers = {file.name[:2] for file in recorded.glob("[0-9]*.json")}
    named = "00 01 02 03 04 05 06 07 08 09 10 11 12 20 21 22 23 24 30 31 32 33"
    assert numbers == set(named.split(" "))


def test_start_up_is_answered(service: Service, recorded: Path) -> None:
    """The discovery document twice and the list of functions, whose entries are typed."""
    first, second, listing = requests_of(recorded, "00")
    for request in (first, second):
        response = service.send("GET", f"../{request['path'].lstrip('/')}", token=None)
        assert response.json()["version"] == "v1"
    functions = send(service, listing).json()["algorithms"]
    assert len(functions) > 900
    assert {"name", "returnType", "arguments"} <= set(functions[0])


def test_a_number_is_a_result(service: Service, recorded: Path) -> None:
    """1 + 1 = 2, as the client got it."""
    assert answer(service, recorded, "01").json() == {"result": 2}


def test_an_image_is_described(service: Service, recorded: Path) -> None:
    """An image that exists is told with its bands; the one recorded does not exist here."""
    (request,) = requests_of(recorded, "02")
    assert "Image.load: Image asset" in message_of(send(service, request), 400)
    text = json.dumps(request["body"]).replace("20200606T160901_20200606T161359_T16SDB", SCENE)
    image = service.send("POST", f"projects/{PROJECT}/value:compute", json.loads(text)).json()[
        "result"
    ]
    assert image["type"] == "Image"
    assert image["id"] == f"{L2A}/{SCENE}"
    assert image["bands"][1]["id"] == "B2"
    assert image["bands"][1]["crs_transform"] == [10, 0, 499_980, 0, -10, 4_200_000]
    assert image["properties"]["CLOUDY_PIXEL_PERCENTAGE"] == 0.2


def test_lists_come_of_aggregations(service: Service, recorded: Path) -> None:
    """The aggregated lists are a collection of features with lists as properties."""
    result = answer(service, recorded, "03").json()["result"]
    assert result["type"] == "FeatureCollection"
    lists = [row["properties"] for row in result["features"]]
    assert any(isinstance(value, list) for value in lists[0].values())


def test_candidate_rows_have_the_shape_that_the_client_got(
    service: Service, recorded: Path
) -> None:
    """Rows are features without geometry, named by photo and candidate."""
    page = answer(service, recorded, "04").json()
    assert page["type"] == "FeatureCollection"
    for row in page["features"]:
        assert set(row) == {"type", "id", "geometry", "properties"}
        assert row["type"] == "Feature"
        assert row["geometry"] is None
        place, _, index = row["id"].partition("_")
        assert place.isdigit()
        assert index == row["properties"]["idx"]
    first = page["features"][0]["properties"]
    assert first["idx"] == SCENE
    assert isinstance(first["dt"], int | float)
    assert first["time"] == 1_564_858_721_024


def test_a_page_token_of_another_answer_is_refused(service: Service, recorded: Path) -> None:
    """The recorded token was made up; a token of the sandbox's own is followed to the end."""
    (request,) = requests_of(recorded, "05")
    assert "page token" in message_of(send(service, request), 400)
    whole = send(service, request, pageToken=None).json()["features"]
    assert len(whole) >= 2
    rows, token = [], None
    for _ in whole:
        page = send(service, request, pageToken=token, pageSize=1).json()
        rows += page["features"]
        token = page.get("nextPageToken")
        if token is None:
            break
    assert rows == whole
    assert token is None


def test_first_on_nothing_poisons_the_whole_batch(service: Service, recorded: Path) -> None:
    """The literal form fails where one place has no scene, as the notes on it say."""
    (request,) = requests_of(recorded, "06")
    response = send(service, request)
    assert "required and may not be null" in message_of(response, 400)


@pytest.mark.parametrize("number", ["07", "09"])
def test_both_sensors_come_in_one_answer(service: Service, recorded: Path, number: str) -> None:
    """Rows of the satellite and of the aerial collection stand in one table."""
    rows = answer(service, recorded, number).json()["features"]
    assert all(row["geometry"] is None for row in rows)
    assert all("pid" in row["properties"] for row in rows)
    indexes = {str(value) for row in rows for value in row["properties"].values()}
    assert SCENE in indexes
    if number == "07":
        assert indexes & set(QUADS)


def test_places_without_scenes_give_an_empty_answer(service: Service, recorded: Path) -> None:
    """An empty table is an empty object, which the client makes None of."""
    assert answer(service, recorded, "08").json() == {}


def test_a_satellite_chip_is_a_structured_array(service: Service, recorded: Path) -> None:
    """The file is NumPy's, of the bands, types and size that the client got."""
    table = np.load(io.BytesIO(answer(service, recorded, "10").content))
    assert table.shape == CHIP
    assert table.dtype == [("B4", "<u2"), ("B3", "<u2"), ("B2", "<u2"), ("B8", "<u2")]
    assert (table["B4"] > 0).all()


@pytest.mark.parametrize("number", ["11", "21"])
def test_an_aerial_chip_is_a_tiff(service: Service, recorded: Path, number: str) -> None:
    """The file is a GeoTIFF on the requested grid; the quad to the west shows nothing there."""
    (request,) = requests_of(recorded, number)
    content = answer(service, recorded, number).content
    assert content[:4] == b"II*\x00"
    with MemoryFile(content) as memory, memory.open() as file:
        assert (file.count, file.shape) == (4, CHIP)
        assert file.dtypes == ("uint8",) * 4
        assert file.crs.to_epsg() == 26910
        affine = request["body"]["grid"]["affineTransform"]
        assert (file.transform.c, file.transform.f) == (affine["translateX"], affine["translateY"])
        assert bool((file.read(1) > 0).all()) == (number == "21")


def test_a_preview_is_a_png(service: Service, recorded: Path) -> None:
    """The bands are stretched over the given range to 8 bits; a JPEG can be had as well."""
    (request,) = requests_of(recorded, "12")
    picture = Image.open(io.BytesIO(answer(service, recorded, "12").content))
    assert (picture.format, picture.size) == ("PNG", CHIP)
    red = np.asarray(picture)[:, :, 0]
    table = np.load(
        io.BytesIO(send(service, request, fileFormat="NPY", visualizationOptions=None).content)
    )
    assert np.array_equal(red, np.round(np.clip(table["B4"] / 3000, 0, 1) * 255))
    response = send(service, request, fileFormat="JPEG")
    assert response.headers["content-type"] == "image/jpeg"
    shown = np.asarray(Image.open(io.BytesIO(response.content)))
    assert np.abs(shown[:, :, 0].astype(int) - red).mean() < 12


def test_cloud_score_comes_with_the_bands(service: Service, recorded: Path) -> None:
    """One computed answer holds the scene's bands and its Cloud Score+."""
    table = np.load(io.BytesIO(answer(service, recorded, "20").content))
    assert table.shape == CHIP
    assert table.dtype.names == ("B2", "B3", "B4", "B8", "SCL", "cs_cdf")
    assert {table.dtype[name].str for name in ("B2", "cs_cdf")} == {"<u2"}
    assert 5_000 < table["cs_cdf"].mean() <= 10_000


def test_a_mosaic_of_named_quads_is_whole(service: Service, recorded: Path) -> None:
    """The eastern quad fills what the western lacks; types are the catalogue's own."""
    table = np.load(io.BytesIO(answer(service, recorded, "22").content))
    assert table.dtype == [("R", "u1"), ("G", "u1"), ("B", "u1"), ("N", "u1")]
    assert (table["R"] > 0).all()


def test_two_sensors_on_one_grid_stay_two_sets_of_bands(service: Service, recorded: Path) -> None:
    """Aerial bands come at 10 m, zero beyond their quads."""
    table = np.load(io.BytesIO(answer(service, recorded, "23").content))
    assert table.dtype.names == ("B2", "B3", "B4", "B8", "R", "G", "B", "N")
    assert table.dtype["R"] == np.uint16
    assert 0 < np.mean(table["R"] > 0) < 1
    assert (table["B2"] > 0).all()


def test_search_and_pixels_can_be_one_request(service: Service, recorded: Path) -> None:
    """The nearest clear scene's bands, with Cloud Score+ linked to it."""
    table = np.load(io.BytesIO(answer(service, recorded, "24").content))
    assert table.shape == CHIP
    assert table.dtype == [("B4", "<u2"), ("B3", "<u2"), ("B2", "<u2"), ("cs_cdf", "<f4")]
    direct = service.pixels(
        f"{L2A}/{SCENE}",
        {
            "fileFormat": "NPY",
            "bandIds": ["B4"],
            "grid": requests_of(recorded, "24")[0]["body"]["grid"],
        },
    )
    assert np.array_equal(table["B4"], np.load(io.BytesIO(direct.content))["B4"])


def test_images_are_listed_by_a_filter(service: Service, recorded: Path) -> None:
    """BASIC tells name, id and type; the made-up token of the second request is refused."""
    first, second = requests_of(recorded, "30")
    listed = send(service, first).json()
    assert set(listed) == {"assets"}
    assert listed["assets"][0] == {
        "type": "IMAGE",
        "name": f"projects/earthengine-public/assets/{L2A}/{SCENE}",
        "id": f"{L2A}/{SCENE}",
    }
    assert "page token" in message_of(send(service, second), 400)
    path = first["path"].removeprefix("/v1/")
    page = service.send("GET", f"{path}&pageSize=1").json()
    following = service.send("GET", f"{path}&pageSize=1&pageToken={page['nextPageToken']}").json()
    assert page["assets"] + following["assets"] == listed["assets"]
    assert "nextPageToken" not in following


def test_legacy_parameters_are_a_filter(service: Service, recorded: Path) -> None:
    """The client's old parameters come as a filter on the end of the image's time."""
    listed = answer(service, recorded, "31").json()["assets"]
    full = listed[0]
    assert full["id"] == f"{L2A}/{SCENE}"
    assert full["startTime"] == "2019-08-03T18:58:41.024Z"
    assert full["properties"]["CLOUDY_PIXEL_PERCENTAGE"] == 0.2
    (request,) = requests_of(recorded, "31")
    none = request["path"].replace("%3C1", "%3C0.1").removeprefix("/v1/")
    assert service.send("GET", none).json() == {}


def test_an_asset_is_there_or_a_404(service: Service, recorded: Path) -> None:
    """The recorded asset exists in this world; with another name it is not found."""
    asset = answer(service, recorded, "32").json()
    assert (asset["type"], asset["id"]) == ("IMAGE", f"{L2A}/{SCENE}")
    (request,) = requests_of(recorded, "32")
    missing = request["path"].removeprefix("/v1/").replace("T10SEG", "T10SEH")
    assert "does not exist" in message_of(service.send("GET", missing), 404)


def test_images_of_a_collection_are_computed(service: Service, recorded: Path) -> None:
    """`computeImages` tells of each image what `getAsset` does."""
    images = answer(service, recorded, "33").json()["images"]
    assert [image["id"] for image in images] == [
        f"{L2A}/{SCENE}",
        f"{L2A}/20190818T184919_20190818T185435_T10SEG",
    ]
    assert images[0]["bands"][0]["grid"]["crsCode"] == "EPSG:32610"
    assert images[0]["properties"]["MGRS_TILE"] == "10SEG"
