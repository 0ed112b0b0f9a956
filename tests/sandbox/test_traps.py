"""What makes real archives awkward is in the made-up one, in stated shares."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
import shapely

from collectors.sandbox.cloud_score import NO_CLOUD_SCORE_SHARE
from collectors.sandbox.geometry import Geometry
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.pixels import PixelGrid, SceneReader
from collectors.sandbox.scenes import Scene, SceneWorld, Sensor
from collectors.sandbox.sentinel2 import CUT_SHARE, NO_CLOUD_PROBABILITY_SHARE

LAND = Landcover(5)
WORLD = SceneWorld(5, LAND)
DAY = 86_400_000
Y2018, MID_DECEMBER_2018 = 1_514_764_800_000, 1_544_659_200_000
Y2019, Y2020, Y2021, Y2024 = (
    1_546_300_800_000, 1_577_836_800_000, 1_609_459_200_000, 1_704_067_200_000,
)  # fmt: skip
COAST = Geometry(shapely.box(-123.0, 36.6, -119.5, 39.2))


def over_the_coast(sensor: Sensor, start: int = Y2019, end: int = Y2024) -> list[Scene]:
    """Scenes of some years over some dozen tiles."""
    return WORLD.search(sensor, COAST, start, end)


def overpasses(scenes: list[Scene]) -> dict[tuple[str, str], list[Scene]]:
    """Scenes by tile and the first stamp of their names, which a datatake's granules share."""
    found: dict[tuple[str, str], list[Scene]] = defaultdict(list)
    for scene in scenes:
        found[str(scene.properties["MGRS_TILE"]), scene.index[:15]].append(scene)
    return found


def test_some_datastrips_end_within_a_tile() -> None:
    """Two granules of one tile and one overpass overlap a little and make up the swath together."""
    groups = overpasses(over_the_coast(Sensor.S2_L2A, Y2021))
    cut = [group for group in groups.values() if len(group) == 2]
    assert len(cut) / len(groups) == pytest.approx(CUT_SHARE, rel=0.4)
    for first, second in cut:
        both = first.footprint.shape.intersection(second.footprint.shape)
        assert 0 < both.area < 0.2 * 109_800**2
        assert abs(first.time_ms - second.time_ms) < 60_000
        assert first.index != second.index
        for part in (first, second):
            share = 100 * (1 - part.footprint.shape.area / 109_800**2)
            assert part.properties["NODATA_PIXEL_PERCENTAGE"] == pytest.approx(share, abs=1e-3)


def test_a_cut_granule_has_pixels_on_its_own_side_only() -> None:
    """North of the cut the one has pixels, south of it the other."""
    groups = overpasses(over_the_coast(Sensor.S2_L2A, Y2021))
    north, south = next(
        sorted(group, key=lambda scene: -scene.footprint.shape.bounds[3])
        for group in groups.values()
        if len(group) == 2
    )
    whole = PixelGrid(north.crs, (600, 0, north.west, 0, -600, north.north), 183, 183)
    masks = [SceneReader(scene, whole, LAND).read(scene.bands[3])[1] for scene in (north, south)]
    assert not masks[0][-20:].any()
    assert not masks[1][:20].any()
    assert (masks[0] & masks[1]).any()


def test_some_early_scenes_are_there_twice() -> None:
    """A reprocessed twin has the footprint and the overpass of the other and a later baseline."""
    groups = overpasses(over_the_coast(Sensor.S2_L2A, Y2019, Y2021))
    twins = [
        group
        for group in groups.values()
        if len({scene.properties["PROCESSING_BASELINE"] for scene in group}) == 2
    ]
    assert 0.01 < len(twins) / len(groups) < 0.08
    for group in twins:
        group.sort(key=lambda scene: scene.properties["GENERATION_TIME"])
        old, new = group[0], group[-1]
        assert new.properties["PROCESSING_BASELINE"] == "05.00"
        assert new.properties["GENERATION_TIME"] - old.properties["GENERATION_TIME"] > 600 * DAY


def test_some_scenes_lack_a_band() -> None:
    """MSK_CLDPRB is missing in a few scenes of surface reflectance; all other bands are there."""
    scenes = over_the_coast(Sensor.S2_L2A)
    counts = Counter(tuple(band.name for band in scene.bands) for scene in scenes)
    assert len(counts) == 2
    (full, _), (short, fewer) = counts.most_common()
    assert set(full) - set(short) == {"MSK_CLDPRB"}
    assert fewer / len(scenes) == pytest.approx(NO_CLOUD_PROBABILITY_SHARE, rel=0.5)


def test_cloud_score_is_missing_for_some_and_agrees_for_the_others() -> None:
    """Scores share the name of their scene; a few scenes have none; clouds score low."""
    scenes = over_the_coast(Sensor.S2_L1C, Y2021)
    scores = {scene.index: scene for scene in over_the_coast(Sensor.CLOUD_SCORE, Y2021)}
    names = {scene.index for scene in scenes}
    assert set(scores) < names
    missing = 1 - len(scores) / len(names)
    assert missing == pytest.approx(NO_CLOUD_SCORE_SHARE, rel=0.5)
    surface = {scene.index: scene for scene in over_the_coast(Sensor.S2_L2A, Y2021)}
    index = next(
        index
        for index, scene in surface.items()
        if 30 < scene.cloud_percent < 60
        and index in scores
        and scene.properties["NODATA_PIXEL_PERCENTAGE"] == 0
    )
    scene, score = surface[index], scores[index]
    assert score.properties["SOURCE_ASSET_ID"] == f"{Sensor.S2_L1C}/{index}"
    whole = PixelGrid(scene.crs, (600, 0, scene.west, 0, -600, scene.north), 183, 183)
    bands = {band.name: band for band in scene.bands}
    classes, _ = SceneReader(scene, whole, LAND).read(bands["SCL"])
    clear, _ = SceneReader(score, whole, LAND).read(score.bands[1])
    cloudy = np.isin(classes, (8, 9, 10))
    assert clear[cloudy].max() < 0.65 < clear[~cloudy].min()


@pytest.mark.parametrize(("place", "share"), [((-122.0, 38.0), (0.2, 0.6)), ((6.0, 46.0), (1, 1))])
def test_surface_reflectance_was_not_global_at_first(
    place: tuple[float, float], share: tuple[float, float]
) -> None:
    """Before mid-December 2018 only Europe has all its scenes; after that, every place."""
    point = Geometry(shapely.Point(*place))
    early, late = (
        [
            {scene.index for scene in WORLD.search(sensor, point, *window)}
            for sensor in (Sensor.S2_L2A, Sensor.S2_L1C)
        ]
        for window in ((Y2018, MID_DECEMBER_2018), (Y2019, Y2020))
    )
    assert share[0] <= len(early[0]) / len(early[1]) <= share[1]
    assert late[0] == late[1]


def test_old_flights_have_three_bands_of_two_kinds() -> None:
    """Before 2009 there are flights in colour (n_) and in infrared colour (c_), later none."""
    kinds: Counter[tuple[str, str, bool]] = Counter()
    for lon in range(-122, -80, 5):
        point = Geometry(shapely.Point(lon + 0.03, 40.03))
        for scene in WORLD.search(Sensor.NAIP, point):
            bands = "".join(band.name for band in scene.bands)
            kinds[scene.index[0], bands, int(scene.index[-8:-4]) < 2009] += 1
            assert WORLD.find(scene.asset_id) is scene
    assert set(kinds) == {
        ("m", "RGBN", True), ("m", "RGBN", False), ("n", "RGB", True), ("c", "NRG", True),
    }  # fmt: skip


def test_bands_of_an_infrared_flight_show_what_their_names_say() -> None:
    """N, R and G of a c_ flight are what they are in a flight of four bands."""
    for lon in np.arange(-121.97, -80, 5.0):
        scenes = WORLD.search(Sensor.NAIP, Geometry(shapely.Point(lon, 40.03)))
        infrared = [scene for scene in scenes if scene.index.startswith("c_")]
        if infrared:
            break
    scene = infrared[0]
    grid = PixelGrid(scene.crs, (20, 0, scene.west + 600, 0, -20, scene.north - 600), 60, 60)
    bands = {band.name: band for band in scene.bands}
    near, red, green = (SceneReader(scene, grid, LAND).read(bands[name])[0] for name in "NRG")
    assert near.mean() != red.mean() != green.mean()
    assert near.any()
    assert red.any()
