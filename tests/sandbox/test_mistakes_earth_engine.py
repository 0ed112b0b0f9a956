"""Mistakes that a client of Earth Engine can make, and the answer that gives each away."""

from __future__ import annotations

import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import shapely

from collectors.sandbox.geometry import Geometry
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.limits import Limits, parse_limits
from collectors.sandbox.scenes import SceneWorld, Sensor
from tests import plain_http
from tests.sandbox.services import PROJECT, PUBLIC, message_of, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.sandbox.scenes import Scene
    from tests.sandbox.services import Service

L2A = "COPERNICUS/S2_SR_HARMONIZED"
SCORES = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
DAY = 86_400_000
T0 = 1_561_939_200_000  # 2019-07-01
WORLD = SceneWorld(7, Landcover(7))
CHIP = shapely.box(550_000, 4_177_760, 554_480, 4_182_240)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """The service over the made-up world."""
    with running(WORLD) as service:
        yield service


def const(value: object) -> dict[str, Any]:
    """A constant of an expression."""
    return {"constantValue": value}


def call(name: str, **arguments: object) -> dict[str, Any]:
    """A call within an expression; plain values become constants."""
    nodes = {
        key: value if isinstance(value, dict) and len(value) == 1 and next(iter(value))[-5:] in
        ("Value", "rence") else const(value)
        for key, value in arguments.items()
    }  # fmt: skip
    return {"functionInvocationValue": {"functionName": name, "arguments": nodes}}


def graph(node: dict[str, Any], **named: dict[str, Any]) -> dict[str, Any]:
    """An expression of one node and those that it refers to."""
    return {"result": "0", "values": {"0": node, **named}}


def array(*nodes: dict[str, Any]) -> dict[str, Any]:
    """A list of computed values."""
    return {"arrayValue": {"values": list(nodes)}}


def arrow(body: str) -> dict[str, Any]:
    """A function of `x` whose body is a named value."""
    return {"functionDefinitionValue": {"argumentNames": ["x"], "body": body}}


ARGUMENT = {"argumentReference": "x"}


def scene_in(sensor: Sensor = Sensor.S2_L2A, *, bands: str = "MSK_CLDPRB") -> Scene:
    """A clear scene that holds the chip and has a band."""
    return next(
        scene
        for scene in WORLD.search(sensor, Geometry(CHIP, "EPSG:32610"), T0, T0 + 200 * DAY)
        if scene.footprint.shape.contains(CHIP)
        and scene.cloud_percent < 1
        and (sensor is not Sensor.S2_L2A or bands in {band.name for band in scene.bands})
    )


def grid(
    x0: float = 550_000,
    y0: float = 4_182_240,
    step: float = 10,
    down: float = -10,
    size: int = 64,
    crs: str = "EPSG:32610",
) -> dict[str, Any]:
    """The pixels of a request."""
    affine = {"scaleX": step, "translateX": x0, "scaleY": down, "translateY": y0}
    return {
        "dimensions": {"width": size, "height": size}, "affineTransform": affine, "crsCode": crs,
    }  # fmt: skip


def read(service: Service, *names: str, **place: Any) -> np.ndarray:
    """Bands of the scene as an array."""
    body = {"bandIds": list(names or ("B4",)), "fileFormat": "NPY", "grid": grid(**place)}
    response = service.pixels(scene_in().asset_id, body)
    assert response.status_code == 200, response.text[:300]
    table: np.ndarray = np.load(io.BytesIO(response.content))
    return table


def search(point: list[float], start: object, end: object, *more: dict[str, Any]) -> dict[str, Any]:
    """The scenes over a point in a window, with further filters."""
    place = call("Feature", geometry=call("GeometryConstructors.Point", coordinates=point))
    window = call("DateRange", start=start, end=end)
    found = call("ImageCollection.load", id=L2A)
    for condition in (
        call("Filter.intersects", leftField=".all", rightValue=place),
        call("Filter.dateRangeContains", leftValue=window, rightField="system:time_start"),
        *more,
    ):
        found = call("Collection.filter", collection=found, filter=condition)
    return found


def size_of(service: Service, collection: dict[str, Any]) -> int:
    """The number of images of a collection."""
    response = service.compute(graph(call("Collection.size", collection=collection)))
    assert response.status_code == 200, response.text[:300]
    number: int = response.json()["result"]
    return number


NOTHING = call("Collection.first", collection=search([-122.4, 37.75], 0, DAY))
FEATURES = call(
    "Collection",
    features=array(
        call("Feature", metadata={"dictionaryValue": {"values": {"k": const(1)}}}),
        call("Feature", metadata={"dictionaryValue": {"values": {"k": const("a")}}}),
    ),
)

# name: (expression, what the refusal says)
REFUSED_EXPRESSIONS: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt argument": (
        graph(call("Number.add", left=1, rigth=2)),
        "Number.add: Unrecognized argument name: 'rigth'",
    ),
    "argument left out": (
        graph(call("Number.add", left=1)),
        "Number.add: Required argument (right) missing",
    ),
    "unknown function": (
        graph(call("Number.plus", left=1, right=2)), "Unknown function: Number.plus",
    ),
    "text for a number": (
        graph(call("Number.add", left=1, right="2")),
        "Expected type: Number.\nActual type: String.",
    ),
    "number for a text": (
        graph(call("String.cat", string1="a", string2=2)),
        "Expected type: String.",
    ),
    "image for a collection": (
        graph(call("Collection.size", collection=call("Image.constant", value=1))),
        "Expected type: FeatureCollection.\nActual type: Image.",
    ),
    "text for a filter": (
        graph(
            call(
                "Collection.filter",
                collection=call("ImageCollection.load", id=L2A),
                filter="CLOUDY_PIXEL_PERCENTAGE < 1",
            )
        ),
        "Expected type: Filter.\nActual type: String.",
    ),
    "property of first() on nothing": (
        graph(call("Element.get", object=NOTHING, property="system:index")),
        "Element.get: Parameter 'object' is required and may not be null.",
    ),
    "bands of first() on nothing": (
        graph(call("Image.bandNames", image=NOTHING)),
        "Image.bandNames: Parameter 'image' is required and may not be null.",
    ),
    "sum with a missing property": (
        graph(
            call(
                "Number.add",
                left=call("Element.get", object=call("Image.constant", value=1), property="gone"),
                right=1,
            )
        ),
        "Number.add: Parameter 'left' is required and may not be null.",
    ),
    "a mapped function that returns nothing": (
        graph(
            call("Collection.map", collection=FEATURES, baseAlgorithm=arrow("1")),
            **{"1": call("Element.get", object=ARGUMENT, property="gone")},
        ),
        "A mapped algorithm must return a Feature or Image.",
    ),
    "a mapped function that returns a number": (
        graph(
            call("Collection.map", collection=FEATURES, baseAlgorithm=arrow("1")),
            **{"1": const(1)},
        ),
        "A mapped algorithm must return a Feature or Image.",
    ),
    "sort on mixed types": (
        graph(call("Collection.limit", collection=FEATURES, key="k")),
        "The values of 'k' cannot be compared",
    ),
    "flatten of what is flat": (
        graph(call("Collection.flatten", collection=FEATURES)),
        "every element must be a collection",
    ),
    "missing image": (
        graph(call("Image.load", id=f"{L2A}/20190803T184921_20190803T185840_T10XXX")),
        "Image.load: Image asset 'COPERNICUS/S2_SR_HARMONIZED/20190803T184921_20190803T185840_",
    ),
    "missing collection": (
        graph(call("ImageCollection.load", id="COPERNICUS/S2_SR_HARMONISED")),
        "ImageCollection asset 'COPERNICUS/S2_SR_HARMONISED' not found",
    ),
    "collection loaded as an image": (
        graph(call("Image.load", id=L2A)), f"Image asset '{L2A}' not found",
    ),
    "missing band": (
        graph(
            call(
                "Image.select",
                input=call("Image.load", id=scene_in().asset_id),
                bandSelectors=["B2", "B99"],
            )
        ),
        "Image.select: Pattern 'B99' did not match any bands.",
    ),
    "projection of bands of several grids": (
        graph(call("Image.projection", image=call("Image.load", id=scene_in().asset_id))),
        "The bands of the specified image contains different projections",
    ),
    "list index out of range": (graph(call("List.get", list=[1], index=1)), "Bad index 1"),
    "no such time": (graph(call("Date", value="2020-13-01")), "Bad date/time '2020-13-01'"),
    "no such CRS": (
        graph(call("Projection", crs="EPSG:999999")),
        "The CRS of a map projection could not be parsed: 'EPSG:999999'.",
    ),
    "one side of a filter twice": (
        graph(call("Filter.lessThan", leftField="a", leftValue=1, rightValue=2)),
        "Each side needs a field or a value",
    ),
    "the whole archive": (
        graph(call("Collection.size", collection=call("ImageCollection.load", id=L2A))),
        "Collection query aborted after accumulating over 5000 elements.",
    ),
    "infinity": (graph(call("Number.divide", left=1, right=0)), "cannot be sent as JSON"),
    "argument of another function": (graph(ARGUMENT), "Unknown argument reference: x"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", list(REFUSED_EXPRESSIONS))
def test_a_mistake_in_an_expression_is_refused_by_name(service: Service, mistake: str) -> None:
    """The service answers 400 and says what is wrong."""
    expression, message = REFUSED_EXPRESSIONS[mistake]
    assert message in message_of(service.compute(expression), 400)


def nested(depth: int) -> dict[str, Any]:
    """A sum nested so deep."""
    node = const(0)
    for _ in range(depth - 1):
        node = call("Number.add", left=node, right=1)
    return node


def test_nesting_over_a_hundred_levels_is_refused_but_long_chains_are_not(
    service: Service,
) -> None:
    """The limit is on nesting within one value; what is referred to begins anew."""
    assert service.compute(graph(nested(100))).json() == {"result": 99}
    assert "nested too deeply" in message_of(service.compute(graph(nested(101))), 400)
    parts = {"1": nested(60)}
    parts["0"] = json.loads(
        json.dumps(nested(60)).replace('{"constantValue": 0}', '{"valueReference": "1"}')
    )
    assert service.compute({"result": "0", "values": parts}).json() == {"result": 118}


# name: (change of the body, status, what the refusal says)
REFUSED_PIXELS: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt field": (
        {"bandIDs": ["B4"]}, 'Unknown name "bandIDs": Cannot find field.',
    ),
    "misspelt field of the grid": (
        {"grid": grid() | {"crs": "EPSG:32610"}}, "Unknown name \"crs\" at 'grid'",
    ),
    "misspelt field of the transform": (
        {"grid": grid() | {"affineTransform": {"scale_x": 10, "scaleY": -10}}},
        "Unknown name \"scale_x\" at 'grid.affine_transform'",
    ),
    "no grid": ({"grid": None}, "must have a 'grid'"),
    "no size": (
        {"grid": grid() | {"dimensions": {"width": 448}}}, "Pixel grid dimensions must be positive",
    ),
    "pixels of no width": ({"grid": grid(step=0)}, "cannot be inverted"),
    "unknown CRS": ({"grid": grid(crs="EPSG:1")}, "could not be parsed: 'EPSG:1'"),
    "missing band": ({"bandIds": ["B44"]}, "Pattern 'B44' did not match any bands"),
    "band of the other product": ({"bandIds": ["B10"]}, "Pattern 'B10' did not match any bands"),
    "more than 48 MB": (
        {"grid": grid(size=5_017)},
        "Total request size (50340578 bytes) must be less than or equal to 50331648 bytes.",
    ),
    "too long a side": (
        {"grid": grid() | {"dimensions": {"width": 40_818, "height": 1}}},
        "Pixel grid dimensions (40818x1) must be less than or equal to 32768",
    ),
    "too many bands": (
        {"bandIds": ["B4"] * 1_025}, "Number of bands (1025) must be less than or equal to 1024",
    ),
    "a picture of four bands": (
        {"fileFormat": "PNG", "bandIds": ["B2", "B3", "B4", "B8"],
         "visualizationOptions": {"ranges": [{"min": 0, "max": 3000}]}},
        "Image must have 1 or 3 bands to be visualized",
    ),
    "a stretch of no width": (
        {"fileFormat": "PNG", "visualizationOptions": {"ranges": [{"min": 5, "max": 5}]}},
        "The range's min (5.0) must be less than its max (5.0)",
    ),
    "capitals in the workload tag": ({"workloadTag": "Chips"}, "Invalid workload tag"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", list(REFUSED_PIXELS))
def test_a_mistake_in_a_request_for_pixels_is_refused(service: Service, mistake: str) -> None:
    """The service answers 400 and says what is wrong."""
    change, message = REFUSED_PIXELS[mistake]
    body = {"bandIds": ["B4"], "fileFormat": "NPY", "grid": grid()} | change
    response = service.pixels(scene_in().asset_id, body)
    assert message in message_of(response, 400)


def test_just_under_the_limit_is_read(service: Service) -> None:
    """48 MB less a little are answered (here with zeros, far from the scene)."""
    assert read(service, size=5_016, x0=0).nbytes == 5_016**2 * 2 < 50_331_648


def test_a_missing_asset_is_a_404(service: Service) -> None:
    """Pixels, description and listing of what is not there are not found."""
    body = {"bandIds": ["B4"], "fileFormat": "NPY", "grid": grid()}
    assert "does not exist" in message_of(service.pixels(f"{L2A}/nothing", body), 404)
    assert "does not exist" in message_of(service.send("GET", f"{PUBLIC}/{L2A}/nothing"), 404)
    assert "does not exist" in message_of(service.send("GET", f"{PUBLIC}/NASA/x:listAssets"), 404)


@pytest.mark.parametrize("token", [None, "forged", "expired"])
def test_a_call_without_a_good_token_is_a_401(service: Service, token: str | None) -> None:
    """No token, a forged one and one of two hours ago are all refused."""
    if token == "expired":
        token = service.account.issue_token(time.time() - 7_200)
    response = service.send("GET", f"projects/{PROJECT}/algorithms", token=token)
    assert "invalid authentication credentials" in message_of(response, 401)


def test_another_project_is_a_403(service: Service) -> None:
    """A project that the account may not use is refused."""
    body = {"expression": graph(const(1))}
    response = service.send("POST", "projects/somebody-elses/value:compute", body)
    assert "required permission to use project somebody-elses" in message_of(response, 403)


def test_a_payload_over_ten_megabytes_is_refused(service: Service) -> None:
    """The message is the service's."""
    body = {"expression": graph(const("x" * 10_485_760))}
    response = service.send("POST", f"projects/{PROJECT}/value:compute", body)
    assert message_of(response, 400) == "Request payload size exceeds the limit: 10485760 bytes."


def test_what_the_sandbox_cannot_do_is_a_501(service: Service) -> None:
    """A function of the real list that has no stand-in is named, not guessed."""
    response = service.compute(graph(call("Image.reduceResolution", image=const(1))))
    assert "Image.reduceResolution" in message_of(response, 501)
    response = service.pixels(
        scene_in().asset_id, {"bandIds": ["B4"], "fileFormat": "PNG", "grid": grid()}
    )
    assert "without visualizationOptions" in message_of(response, 501)


@pytest.mark.parametrize(
    "text",
    [
        "startTime > 2019-07-20",
        'startTime >> "2019-07-20T00:00:00Z"',
        'intersects("nowhere")',
        "cloud < 1",
        "properties.A < 1 AND",
    ],
)
def test_a_malformed_filter_of_a_listing_is_refused(service: Service, text: str) -> None:
    """A filter that cannot be read is an error, not an empty list."""
    query = str(httpx.QueryParams({"filter": text}))
    message_of(service.send("GET", f"{PUBLIC}/{L2A}:listAssets?{query}"), 400)


# What is no error to the service comes back as something else than was meant.


def test_first_on_nothing_is_null(service: Service) -> None:
    """Alone it is no error."""
    assert service.compute(graph(NOTHING)).json() == {"result": None}


def test_a_filter_on_a_property_that_does_not_exist_passes_nothing(service: Service) -> None:
    """Neither the comparison nor its opposite holds."""
    names = ("Filter.lessThan", "Filter.greaterThanOrEquals", "Filter.notEquals")
    conditions = [call(name, leftField="CLOUDY", rightValue=50) for name in names]
    found = [
        size_of(service, search([-122.4, 37.75], T0, T0 + 30 * DAY, condition))
        for condition in conditions
    ]
    assert found == [0, 0, 0]
    assert size_of(service, search([-122.4, 37.75], T0, T0 + 30 * DAY)) > 5


def test_a_number_compared_with_text_passes_nothing(service: Service) -> None:
    """A cloud share is a number; "1" is not."""
    condition = call("Filter.lessThan", leftField="CLOUDY_PIXEL_PERCENTAGE", rightValue="101")
    assert size_of(service, search([-122.4, 37.75], T0, T0 + 30 * DAY, condition)) == 0


def test_swapped_longitude_and_latitude_find_another_place(service: Service) -> None:
    """(37.75, -122.4) is no place on land; (45.5, 6.1) as (6.1, 45.5) is one at sea."""
    assert size_of(service, search([37.75, -122.4], T0, T0 + 30 * DAY)) == 0
    tiles = []
    for point in ([6.1, 45.5], [45.5, 6.1]):
        found = search(point, T0, T0 + 30 * DAY)
        names = call("AggregateFeatureCollection.array", collection=found, property="MGRS_TILE")
        tiles.append(set(service.compute(graph(names)).json()["result"]))
    assert tiles[0].isdisjoint(tiles[1])


def test_the_end_of_a_date_range_is_outside(service: Service) -> None:
    """A range that ends when a scene begins does not hold it; a millisecond later it does."""
    time_ms = scene_in().time_ms
    inside = size_of(service, search([-122.4, 37.75], time_ms - 10, time_ms + 1))
    outside = size_of(service, search([-122.4, 37.75], time_ms - 10, time_ms))
    assert inside >= 1
    assert outside == 0


def test_an_upward_grid_is_upside_down(service: Service) -> None:
    """A positive scale of y gives the rows from south to north."""
    upright = read(service)["B4"]
    flipped = read(service, y0=4_182_240 - 640, down=10)["B4"]
    assert np.array_equal(flipped, upright[::-1])
    assert not np.array_equal(flipped, upright)


def test_an_origin_half_a_pixel_off_shows_the_neighbour(service: Service) -> None:
    """Nothing is interpolated: half a pixel more than half shifts the chip by a whole one."""
    aligned = read(service, size=65)["B4"]
    shifted = read(service, x0=550_006, size=64)["B4"]
    assert np.array_equal(shifted, aligned[:64, 1:])
    assert not np.array_equal(shifted, aligned[:64, :64])


@pytest.mark.parametrize("crs", ["EPSG:32611", "EPSG:32710", "EPSG:4326"])
def test_a_wrong_crs_shows_nothing_but_zeros(service: Service, crs: str) -> None:
    """The numbers name another place there, where the scene has no pixels."""
    assert not read(service, crs=crs)["B4"].any()
    assert read(service)["B4"].all()


def test_a_chip_beyond_the_edge_is_zero_there(service: Service) -> None:
    """A chip over the edge of the scene is no error; what lies outside is zero."""
    scene = scene_in()
    pixels = read(service, x0=scene.west - 320)["B4"]
    assert not pixels[:, :32].any()
    assert pixels[:, 32:].all()


def test_a_band_that_some_scenes_lack_fails_on_them_alone(service: Service) -> None:
    """MSK_CLDPRB can be read of most scenes; of the others it is an error."""
    region = Geometry(shapely.Point(-122.4, 37.75))
    scenes = WORLD.search(Sensor.S2_L2A, region, T0, T0 + 1_500 * DAY)
    lacking = [s for s in scenes if "MSK_CLDPRB" not in {band.name for band in s.bands}]
    assert 0 < len(lacking) < 0.1 * len(scenes)
    body = {"bandIds": ["MSK_CLDPRB"], "fileFormat": "NPY", "grid": grid()}
    assert service.pixels(scene_in().asset_id, body).status_code == 200
    response = service.pixels(lacking[0].asset_id, body)
    assert "Pattern 'MSK_CLDPRB' did not match any bands" in message_of(response, 400)


def test_a_missing_cloud_score_fails_or_is_masked(service: Service) -> None:
    """Loading it by name is an error; linking it gives a band of zeros."""
    region = Geometry(CHIP, "EPSG:32610")
    lacking = next(
        scene
        for scene in WORLD.search(Sensor.S2_L1C, region, T0, T0 + 2_000 * DAY)
        if WORLD.find(f"{SCORES}/{scene.index}") is None and scene.footprint.shape.contains(CHIP)
    )
    load = call("Image.load", id=f"{SCORES}/{lacking.index}")
    assert "not found" in message_of(service.compute(graph(load)), 400)
    linked = call(
        "Image.linkCollection",
        input=call("Image.load", id=lacking.asset_id),
        imageCollection=call("ImageCollection.load", id=SCORES),
        linkedBands=["cs_cdf"],
    )
    body = {
        "expression": graph(linked), "bandIds": ["B4", "cs_cdf"], "fileFormat": "NPY",
        "grid": grid(),
    }  # fmt: skip
    response = service.send("POST", f"projects/{PROJECT}/image:computePixels", body)
    table = np.load(io.BytesIO(response.content))
    assert table["B4"].all()
    assert table.dtype["cs_cdf"] == np.float32
    assert not table["cs_cdf"].any()


def test_sort_after_limit_is_not_limit_after_sort(service: Service) -> None:
    """The first three of the archive, sorted, are not the three least clouded."""
    found = search([-122.4, 37.75], T0, T0 + 90 * DAY)
    key = "CLOUDY_PIXEL_PERCENTAGE"
    early = call("Collection.limit", collection=call("Collection.limit", collection=found, limit=3),
                 key=key)  # fmt: skip
    late = call("Collection.limit", collection=found, limit=3, key=key)
    lists = [
        service.compute(
            graph(call("AggregateFeatureCollection.array", collection=which, property=key))
        ).json()["result"]
        for which in (early, late)
    ]
    assert len(lists[0]) == len(lists[1]) == 3
    assert lists[0] == sorted(lists[0])
    assert sum(lists[1]) < sum(lists[0])


def test_more_than_a_page_of_rows_comes_in_pages(service: Service) -> None:
    """A client that reads one page only has a thousand rows, and a token to see it by."""
    rows = call("List.sequence", start=1, end=1_500)
    made = graph(
        call("Collection", features=call("List.map", list=rows, baseAlgorithm=arrow("1"))),
        **{"1": call("Feature", metadata={"dictionaryValue": {"values": {"k": ARGUMENT}}})},
    )
    body: dict[str, Any] = {"expression": made, "pageSize": 5_000}
    path = f"projects/{PROJECT}/table:computeFeatures"
    first = service.send("POST", path, body).json()
    assert len(first["features"]) == 1_000
    second = service.send("POST", path, body | {"pageToken": first["nextPageToken"]}).json()
    assert len(second["features"]) == 500
    assert "nextPageToken" not in second


# Too many requests.


def burst(service: Service, number: int) -> list[httpx.Response]:
    """Sends requests for a slow answer all at once."""
    asset, body = scene_in().asset_id, {
        "bandIds": ["B4", "B8", "B12"], "fileFormat": "NPY", "grid": grid(size=800),
    }  # fmt: skip
    together = threading.Barrier(number)

    def send(_: int) -> httpx.Response:
        together.wait()
        return service.pixels(asset, body)

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(send, range(number)))


def test_too_many_at_once_are_429(service: Service) -> None:
    """Beyond the limit of requests in work the answer is 429; afterwards all is well again."""
    with running(WORLD, limits=Limits(at_once=2)) as narrow:
        answers = burst(narrow, 8)
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(200) >= 2
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
        assert "Too Many Requests" in message_of(refused, 429)
        assert narrow.compute(graph(const(1))).status_code == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"at_one": 3}', "any of payload_bytes"),
        ('{"at_once": -3}', "at_once must be a number of at least 0"),
        ("[]", "JSON object"),
    ],
)
def test_limits_that_do_not_exist_cannot_be_set(text: str, message: str) -> None:
    """A misspelt limit is an error and not an unlimited service."""
    assert parse_limits('{"at_once": 3}') == Limits(at_once=3)
    with pytest.raises(ValueError, match=message):
        parse_limits(text)


def test_more_than_a_hundred_a_second_are_429() -> None:
    """The hundred-and-first request of a second is refused, the next second's first is not."""
    clock = [time.time()]
    with running(WORLD, now=lambda: clock[0]) as service:
        statuses = [service.compute(graph(const(1))).status_code for _ in range(101)]
        assert statuses == [200] * 100 + [429]
        assert "Quota exceeded for quota metric" in message_of(
            service.compute(graph(const(1))), 429
        )
        clock[0] += 1.01
        assert service.compute(graph(const(1))).status_code == 200


def test_a_month_s_compute_used_up_restricts_the_project() -> None:
    """The header appears, fewer requests are answered at once, and the next month is new."""
    clock = [time.mktime((2026, 5, 31, 12, 0, 0, 0, 0, 0))]
    header = "x-earth-engine-quota-status"
    limits = Limits(monthly_eecu_s=0.05, at_once_restricted=1)
    with running(WORLD, limits=limits, now=lambda: clock[0]) as service:
        assert header not in service.compute(graph(const(1))).headers
        meter = plain_http.get(f"{service.url}/_sandbox/eecu").json()
        assert meter["month_eecu_s"] == pytest.approx(0.01)
        asset, body = scene_in().asset_id, {
            "bandIds": ["B4"], "fileFormat": "NPY", "grid": grid(size=1_000),
            "workloadTag": "chips",
        }  # fmt: skip
        assert service.pixels(asset, body).status_code == 200
        meter = plain_http.get(f"{service.url}/_sandbox/eecu").json()
        assert meter["eecu_s_by_workload"]["chips"] == pytest.approx(0.01 + 1e-7 * 1_000_000)
        response = service.compute(graph(const(1)))
        assert "parallelism_restricted=true" in response.headers[header]
        assert 429 in {answer.status_code for answer in burst(service, 4)}
        clock[0] += 2 * 86_400
        assert header not in service.compute(graph(const(1))).headers
