"""One photo's story and one chip's, kept or not, as people and programs read them."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import rasterio

from collectors.cells import Cell, tile_at, tile_box
from collectors.storage import Store, open_store
from flows.cells.state import CellState, commit_cell
from flows.inspection.chip_story import chip_story
from flows.inspection.explanations import REJECTED, UNPAIRED
from flows.inspection.judgements import NOT_REACHED, PASSED, RULES, STOPPED
from flows.inspection.photo_story import UnknownIdError, photo_story
from flows.publishing.publish import publish
from tests.flows.product_rows import CATALOGUE, chip, pair, photo, reject
from tests.flows.test_command_line import terrapair
from tests.flows.test_selection import rows

if TYPE_CHECKING:
    from pathlib import Path

CELL = "r118c055"
SURVEY = {
    "ground": "0" * 64, "taken_from": "2017-04-01", "taken_until": "2020-12-31",
    "uploaded_until": "2021-01-02T00:00:00+00:00", "quota": 20, "ended": "quota",
    "found": (250, 40), "new": (250, 3),
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A version of one cell: kept, rejected and failed photos, chips with and without pixels."""
    from flows.cells.state import Surveyed

    bare = replace(
        chip("bare", CELL, 0), outcome="rejected", reason="all_refused", scene_id=None,
        acquired_at=None, delta_days=None, cloud_scene_pct=None, cloud_chip_pct=None,
        shadow_pct=None, valid_pct=None, cover=None, shard=None, offset=None, size=None,
        sha256=None,
    )  # fmt: skip
    state = CellState(
        CELL, 1,
        photos=(
            photo("1", CELL, unpaired={"naip": "border"}, title="[red]x[/red]\x1b[2J"),
            photo("2", CELL, unpaired={"naip": "border", "sentinel2": "all_refused"}),
            photo("3", CELL, unpaired={"naip": "chip_full"}, owner="2@N01"),
        ),
        rejects=(
            reject("4", CELL), reject("5", CELL, reason="burst", detail="1", lon=-122.4, lat=37.7),
            reject("6", CELL, stage="judge", reason="indoor", indoor_probability=0.93),
            reject("7", CELL, stage="download", outcome="failed", reason="gone", detail="404"),
            reject("8", CELL, stage="publish", reason="same_picture", detail="1"),
        ),
        chips=(chip("a", CELL, 2), bare),
        pairs=(pair("1", "a", CELL), replace(pair("3", "a", CELL), distance_m=0.5)),
        surveyed=(Surveyed.parse(SURVEY),),
    )  # fmt: skip
    store = open_store(str(tmp_path / "d"))
    assert commit_cell(store, state, CATALOGUE, 0)
    publish(store, CATALOGUE, 0)
    return store


def results(story: dict[str, Any]) -> dict[str, str]:
    """Returns what each rule said."""
    return {one["rule"]: one["result"] for one in story["judgements"]}


def figures(story: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Returns each rule's figure and limit."""
    return {one["rule"]: (one["figure"], one["limit"]) for one in story["judgements"]}


def test_a_kept_photo_is_told_from_probe_box_to_chip(store: Store) -> None:
    """Where it was found, every figure with its limit, its pair, and why there is no other."""
    story = photo_story(store.root, "1")
    assert (story["ended"], story["version"]) == ("kept", "v0001")
    found = story["found"]
    assert (found["cell"], found["generation"], found["searches"]) == (CELL, 1, 2)
    assert found["searched_days"] == "2017-04-01 to 2020-12-31"
    west, south, east, north = found["probe_box"]
    assert west <= -122.4 <= east
    assert south <= 37.7 <= north
    assert set(results(story).values()) == {PASSED}
    told = figures(story)
    assert told["accuracy of the geotag"] == (16, "at least 16")
    assert told["owner's share of the cell"] == ("2 kept in the cell", "at most 4 of 20")
    assert told["outdoors"] == (0.1, "indoor probability under 0.5")
    assert told["day of capture"] == ("2020-05-17", "2017-04-01 to 2020-12-31")
    (one,) = story["pairs"]
    assert (one["chip_id"], one["row"], one["col"], one["uncertainty_px"]) == ("a", 224, 224, 4)
    assert one["scene_id"] == "x"
    (missing,) = story["unpaired"]
    assert (missing["sensor"], missing["reason"]) == ("naip", "border")
    assert missing["because"] == UNPAIRED["border"]
    assert story["bytes"]["gdal"] == f"/vsisubfile/0_1,{store.root}/s"


@pytest.mark.parametrize(
    ("photo_id", "rule", "figure"),
    [
        ("4", "accuracy of the geotag", None), ("5", "no burst", "1"), ("6", "outdoors", 0.93),
        ("7", "can be downloaded", "404"), ("8", "other picture than the dataset has", "1"),
    ],
)  # fmt: skip
def test_a_photo_that_was_not_kept_stops_at_one_rule(
    store: Store, photo_id: str, rule: str, figure: Any
) -> None:
    """What came before was passed, what comes after was not reached, and nothing is made up."""
    story = photo_story(store.root, photo_id)
    at = [one.question for one in RULES].index(rule)
    said = list(results(story).values())
    assert said[:at] == [PASSED] * at
    assert said[at] == STOPPED
    assert said[at + 1 :] == [NOT_REACHED] * (len(RULES) - at - 1)
    assert figures(story)[rule][0] == figure
    assert story["bytes"] is None
    assert story["pairs"] == []
    assert story["because"] == REJECTED[story["reason"]]


def test_a_chip_is_told_with_what_was_refused(store: Store) -> None:
    """Its scene, each measure beside its limit, refused scenes, photos nearest first."""
    story = chip_story(store.root, "a")
    assert story["ended"] == "kept"
    assert (story["scene"]["scene_id"], story["scene"]["target_date"]) == ("x", "2020-05-17")
    assert {one["measure"]: (one["percent"], one["limit"]) for one in story["measures"]} == {
        "cloud in the whole scene": (0.5, "under 1 %"), "cloud in the chip": (0.0, "at most 1 %"),
        "cloud shadow in the chip": (0.0, None), "pixels without data": (0.0, "at most 1 %"),
        "land cover: vegetation": (62.5, None), "land cover: water": (37.5, None),
    }  # fmt: skip
    (refused,) = story["refused"]
    assert (refused["scene_id"], refused["cloud_chip_pct"], refused["reason"]) == (
        "y", 7.5, "cloudy",
    )  # fmt: skip
    assert [one["photo_id"] for one in story["photos"]] == ["3", "1"]
    assert story["photos"][0]["licence"] == "CC-BY-2.0"
    assert story["bytes"]["gdal"] == f"/vsitar/{store.root}/s/a.tif"
    bare = chip_story(store.root, "bare")
    assert (bare["ended"], bare["reason"], bare["bytes"], bare["photos"]) == (
        "rejected", "all_refused", None, [],
    )  # fmt: skip


def test_a_chip_of_a_build_opens_as_it_is_told(built: Path) -> None:
    """GDAL reads the path that is given, on the grid that is given."""
    chip_id = next(one["chip_id"] for one in rows(built, "chips") if one["outcome"] == "kept")
    story = chip_story(str(built), chip_id)
    with rasterio.open(story["bytes"]["gdal"]) as file:
        assert list(file.transform)[:6] == story["grid"]["transform"]
        assert file.width == story["grid"]["width"]
        assert f"EPSG:{file.crs.to_epsg()}" == story["grid"]["crs"]


def test_ids_that_are_not_there_are_said(store: Store) -> None:
    """Exit code 1, the size of what was looked through, and what to check."""
    with pytest.raises(UnknownIdError, match="none of the 8 photos"):
        photo_story(store.root, "99")
    done = terrapair("catalog", "photo", "99\x1b[2J", "--root", store.root)
    assert done.exit_code == 1
    assert "catalog find --photo" in " ".join(done.output.split())
    assert "\x1b[2J" not in done.output
    done = terrapair("catalog", "chip", "zz", "--root", store.root)
    assert done.exit_code == 1
    assert "none of the 2 chips" in " ".join(done.output.split())


def test_stories_are_printed_and_obey_no_title(store: Store) -> None:
    """Text for people, with the title as text; JSON for programs, the same as the functions'."""
    done = terrapair("catalog", "photo", "1", "--root", store.root)
    assert done.exit_code == 0, done.output
    assert "[red]x[/red]\\x1b[2J" in done.output
    assert "\x1b[2J" not in done.output
    done = terrapair("catalog", "photo", "6", "--root", store.root)
    assert "rejected at judge as indoor" in done.output
    done = terrapair("catalog", "photo", "6", "--root", store.root, "--json")
    assert json.loads(done.output) == json.loads(json.dumps(photo_story(store.root, "6")))
    done = terrapair("catalog", "chip", "a", "--root", store.root)
    assert done.exit_code == 0, done.output
    assert f"gdalinfo /vsitar/{store.root}/s/a.tif" in done.output.replace("\n", "")


def test_how_to_open_it_is_a_line_for_a_shell(store: Store, tmp_path: Path) -> None:
    """Folders may have spaces, and worse."""
    root = tmp_path / "my data; $HOME"
    shutil.copytree(store.root, root)
    for kind, name in (("chip", "a"), ("photo", "1")):
        done = terrapair("catalog", kind, name, "--root", str(root))
        assert done.exit_code == 0, done.output
        (line,) = (one for one in done.output.splitlines() if one.startswith("Open it: "))
        command, path = shlex.split(line.removeprefix("Open it: "))
        assert (command, str(root) in path) == ("gdalinfo", True)


def test_a_story_without_its_commit_is_told_as_far_as_it_goes(store: Store) -> None:
    """An old generation's commit may be gone: the rest is told."""
    store.delete(f"cells/{CELL}/000001.json")
    story = photo_story(store.root, "1")
    assert "searches" not in story["found"]
    assert figures(story)["day of capture"] == ("2020-05-17", None)


@pytest.mark.parametrize("point", [(-122.4, 37.7), (0.0, 0.0), (179.999, -89.9), (-180.0, 71.2)])
def test_a_tile_holds_the_points_that_name_it(point: tuple[float, float]) -> None:
    """The box of a tile holds its points and lies in their cell."""
    lon, lat = point
    tile = tile_box(*tile_at(lon, lat, 10), 10)
    assert tile.west - 1e-9 <= lon <= tile.east + 1e-9
    assert tile.south - 1e-9 <= lat <= tile.north + 1e-9
    cell = Cell.at(lon, lat).box
    assert cell.west - 1e-9 <= tile.west < tile.east <= cell.east + 1e-9
    assert cell.south - 1e-9 <= tile.south < tile.north <= cell.north + 1e-9
