"""Stacks of dates from Earth Engine, with the real library, against the sandbox over a socket."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from collectors import earth_engine_stacks
from collectors.chips import SceneGone
from collectors.earth_engine import EarthEngine, ServiceAccount
from collectors.earth_engine_stacks import read_dates, resolve_stacks
from collectors.geo import ChipGrid, transformer
from collectors.series_records import DatedScene, DatePixels, StackAsk
from collectors.transport import Patience, SetupError, Throttle, TroubleRemains
from filters.series_dates import lattice_shift
from flows.catalogue.catalogue import load_catalogue

if TYPE_CHECKING:
    from collectors.sandbox import Sandbox
    from collectors.series_records import Stack

SERIES = load_catalogue(Path(__file__).resolve().parents[2] / "data_catalog.yaml").series["s2-naip"]
S2 = SERIES.stacks["sentinel2"].stack("sentinel2")
S1 = SERIES.stacks["sentinel1"].stack("sentinel1")
STACKS = {"sentinel2": S2, "sentinel1": S1}
MIDDLE = date(2021, 6, 15)


@pytest.fixture(scope="module")
def engine(sandbox: Sandbox) -> EarthEngine:
    """The client."""
    return EarthEngine.connect(
        project=sandbox.project, credentials=ServiceAccount(json.dumps(sandbox.service_account)),
        url=sandbox.earth_engine_url, throttle=Throttle(1000, 1, 40),
        patience=Patience(budget_s=3, first_wait_s=0.01, longest_wait_s=0.02),
    )  # fmt: skip


def ask(stack: str = "sentinel2", lon: float = -121.3, days: int = 60, px: int = 16) -> StackAsk:
    """The question for a small footprint near Stockton, or east of it."""
    x, y = transformer("EPSG:4326", "EPSG:32610").transform(lon, 37.9)
    grid = ChipGrid("EPSG:32610", x // 640 * 640, y // 640 * 640, 10, px)
    return StackAsk(stack, grid, MIDDLE - timedelta(days=days), MIDDLE + timedelta(days=days))


def sent(engine: EarthEngine) -> tuple[int, int]:
    """Requests for scenes, and for pixels."""
    return engine.requests.resolve, engine.requests.pixels


def offered(engine: EarthEngine, one: StackAsk, stack: Stack) -> list[DatedScene]:
    """The scenes for a question, by day."""
    (found,) = resolve_stacks(engine, [one], {one.stack: stack})
    return sorted(found, key=lambda dated: dated.day)


def test_one_request_finds_the_scenes_of_all_stacks_and_footprints(engine: EarthEngine) -> None:
    """Each question gets its own scenes: in the window, and as the catalogue asks for them."""
    asks = [ask("sentinel1"), ask(), ask(lon=-121.5, days=20), ask("sentinel1", days=5)]
    before = sent(engine)
    found = resolve_stacks(engine, asks, STACKS)
    assert sent(engine) == (before[0] + 1, before[1])
    for one, dated in zip(asks, found, strict=True):
        assert dated
        assert all(one.first <= scene.day <= one.last for scene in dated)
        assert len({scene.scene.scene_id for scene in dated}) == len(dated)
    assert all("VH" in one.scene.bands for one in found[0])
    assert {one.group for one in found[0]} == {"ASCENDING", "DESCENDING"}
    assert all(one.product == one.scene.scene_id.rpartition("/")[2] for one in found[0])
    assert all((one.scene.cloud_scene_pct or 0) < 60 for one in found[1])
    assert all(one.product.startswith("S2") and one.group == "" for one in found[1])
    assert all(one.scene.crs == "EPSG:32610" and one.scene.gsd_m == 10 for one in found[1])


def test_the_last_day_of_the_window_belongs_to_it(engine: EarthEngine) -> None:
    """A window of one day has the scenes of that day."""
    one = ask()
    day = offered(engine, one, S2)[0].day
    found = offered(engine, replace(one, first=day, last=day), S2)
    assert {dated.day for dated in found} == {day}


def test_a_condition_that_nothing_meets_finds_nothing(engine: EarthEngine) -> None:
    """Conditions on properties and lists are sent, not passed over."""
    assert offered(engine, ask("sentinel1"), S1)
    for changes in (
        {"equal": (("instrumentMode", "EW"),)},
        {"contains": (("transmitterReceiverPolarisation", "HH"),)},
        {"groups": ("SIDEWAYS",)},
    ):
        assert offered(engine, ask("sentinel1"), replace(S1, **changes)) == []
    assert offered(engine, ask(), replace(S2, scene_cloud_limit_pct=0)) == []


def test_questions_are_halved_when_they_are_too_many(
    engine: EarthEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Earth Engine calls too much is asked for in parts, and comes in the same order."""
    asks = [ask(days=20), ask("sentinel1", days=20), ask(lon=-121.5, days=20)]
    whole = resolve_stacks(engine, asks, STACKS)
    real = earth_engine_stacks.features

    def refuse_many(params, what):
        if not what.startswith("scenes for 1 "):
            raise earth_engine_stacks.TooBig("User memory limit exceeded.")
        return real(params, what)

    monkeypatch.setattr(earth_engine_stacks, "features", refuse_many)
    assert resolve_stacks(engine, asks, STACKS) == whole


def test_all_dates_come_by_one_request_each_as_its_scene_alone(engine: EarthEngine) -> None:
    """Band by band and date by date what one scene after the other gives, and SCL beside them."""
    one = ask()
    scenes = offered(engine, one, S2)[:6]
    before = sent(engine)
    read = read_dates(engine, one.grid, scenes, S2)
    assert sent(engine) == (before[0], before[1] + 1)
    for dated, pixels in zip(scenes, read, strict=True):
        assert isinstance(pixels, DatePixels)
        (alone,) = read_dates(engine, one.grid, [dated], S2)
        assert isinstance(alone, DatePixels)
        assert pixels.dated == dated
        assert pixels.data.shape == (10, 16, 16)
        assert pixels.data.dtype == np.uint16
        assert np.array_equal(pixels.data, alone.data)
        assert np.array_equal(pixels.quality, alone.quality)
        assert pixels.valid.all()


def test_radar_is_met_by_the_nearest_pixel(engine: EarthEngine) -> None:
    """Read on the scene's own lattice, shifted by what is said, the values are the same."""
    one = ask("sentinel1")
    dated = next(
        scene for scene in offered(engine, one, S1) if scene.scene.crs == one.grid.crs
    )  # fmt: skip
    (read,) = read_dates(engine, one.grid, [dated], S1)
    origin = (dated.scene.transform[2], dated.scene.transform[5])
    east_m, north_m = lattice_shift(origin, (one.grid.west_m, one.grid.north_m), 10)
    assert 0 < max(abs(east_m), abs(north_m)) <= 5
    own = replace(one.grid, west_m=one.grid.west_m - east_m, north_m=one.grid.north_m - north_m)
    (exact,) = read_dates(engine, own, [dated], S1)
    assert isinstance(read, DatePixels)
    assert isinstance(exact, DatePixels)
    assert read.data.dtype == np.float32
    assert -40 < read.data.min() < read.data.max() < 10
    assert np.array_equal(read.data, exact.data)
    assert len(np.unique(read.data)) > 200


def test_masked_radar_is_not_a_number(engine: EarthEngine) -> None:
    """Outside the swath there is nothing, and a stack says so."""
    one = ask("sentinel1")
    dated = next(
        scene for scene in offered(engine, one, S1)
        if scene.group == "DESCENDING" and scene.scene.crs == one.grid.crs
    )  # fmt: skip
    # Its swath leans eastward by 38 km of its height: the raster's first corner is empty.
    west, north = dated.scene.transform[2], dated.scene.transform[5] - 1_000
    shares = []
    for aside in (10_000, 37_450, 60_000):
        grid = ChipGrid(one.grid.crs, west + aside, north, 10, 64)
        (pixels,) = read_dates(engine, grid, [dated], S1)
        assert isinstance(pixels, DatePixels)
        assert np.isnan(pixels.data[:, ~pixels.valid]).all()
        assert np.isfinite(pixels.data[:, pixels.valid]).all()
        shares.append(pixels.valid.mean())
    assert shares[0] == 0 < shares[1] < 1 == shares[2]


def test_0_db_is_a_value() -> None:
    """A pixel that is 0 holds data; one that came as the mark of a mask does not."""
    layers = [np.array([[0.0, -9999.0]]), np.array([[0.0, -3.0]])]
    dated = DatedScene(None, "", "")  # type: ignore[arg-type]
    pixels = earth_engine_stacks._date_pixels(dated, layers, S1)
    assert pixels.valid.tolist() == [[True, False]]
    assert pixels.data[:, 0, 0].tolist() == [0.0, 0.0]
    assert np.isnan(pixels.data[0, 0, 1])


def test_a_scene_that_has_gone_is_a_value_and_the_others_come(engine: EarthEngine) -> None:
    """One more request, and each answer at its place."""
    one = ask()
    scenes = offered(engine, one, S2)[:4]
    name = "COPERNICUS/S2_SR_HARMONIZED/20990101T000000_20990101T000000_T10SFG"
    gone = replace(scenes[1], scene=replace(scenes[1].scene, scene_id=name))
    before = sent(engine)
    read = read_dates(engine, one.grid, [scenes[0], gone, *scenes[2:]], S2)
    assert sent(engine)[1] == before[1] + 2
    assert isinstance(read[1], SceneGone)
    assert read[1].scene_id == name
    assert [one.dated for one in read if isinstance(one, DatePixels)] == [scenes[0], *scenes[2:]]


def test_a_band_that_is_not_there_is_a_mistake_of_the_catalogue(engine: EarthEngine) -> None:
    """It is said, and not taken for a scene that has gone."""
    one = ask()
    scenes = offered(engine, one, S2)[:2]
    with pytest.raises(SetupError, match="B99"):
        read_dates(engine, one.grid, scenes, replace(S2, bands=("B2", "B99")))


@pytest.mark.parametrize(
    ("limit", "value"), [("MOST_BANDS", 25), ("PIXEL_BYTES", 16 * 16 * 21 * 2)]
)
def test_what_would_be_over_a_limit_comes_in_parts(
    engine: EarthEngine, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    """Two dates a request, by bands or by bytes: the same pixels."""
    one = ask()
    scenes = offered(engine, one, S2)[:5]
    whole = read_dates(engine, one.grid, scenes, S2)
    monkeypatch.setattr(earth_engine_stacks, limit, value)
    before = sent(engine)
    parts = read_dates(engine, one.grid, scenes, S2)
    assert sent(engine)[1] == before[1] + 3
    assert all(
        np.array_equal(part.data, other.data)  # type: ignore[union-attr]
        for part, other in zip(parts, whole, strict=True)
    )


def test_the_limits_hold_a_series_of_the_catalogue_in_one_answer() -> None:
    """Sixteen dates with their spares are one part, far from 48 MB and 1,024 bands."""
    scenes = [DatedScene(None, "", "")] * (S2.dates + S2.spares)  # type: ignore[arg-type]
    assert len(list(earth_engine_stacks._parts(scenes, S2, 64 * 64))) == 1
    most = list(earth_engine_stacks._parts(scenes * 10, S2, 64 * 64))
    assert max(map(len, most)) == 1024 // 11


def test_too_much_computation_is_halved_and_one_date_alone_is_trouble(
    engine: EarthEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earth Engine may call less than its limits too much."""
    one = ask()
    scenes = offered(engine, one, S2)[:4]
    whole = read_dates(engine, one.grid, scenes, S2)
    real = earth_engine_stacks.pixel_array

    def refuse(most):
        def refusing(params, bands, shape, what):
            if len(bands) > most:
                raise earth_engine_stacks.TooBig("User memory limit exceeded.")
            return real(params, bands, shape, what)

        return refusing

    monkeypatch.setattr(earth_engine_stacks, "pixel_array", refuse(11))
    for part, other in zip(read_dates(engine, one.grid, scenes, S2), whole, strict=True):
        assert np.array_equal(part.data, other.data)  # type: ignore[union-attr]
    monkeypatch.setattr(earth_engine_stacks, "pixel_array", refuse(1))
    with pytest.raises(TroubleRemains, match="memory limit"):
        read_dates(engine, one.grid, scenes[:1], S2)
