"""Filters on rows, checked against the rows themselves, and how rows are shown and paged."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
import shapely
from rich.console import Console
from shapely.geometry import box

from collectors.storage import open_store
from flows.cells.state import CellState, commit_cell
from flows.inspection.printing import paged
from flows.inspection.selection import Selection, area_of_box, area_of_region
from flows.inspection.version_query import open_version
from flows.publishing.publish import publish
from tests.flows.product_rows import CATALOGUE, chip, pair, photo
from tests.flows.test_command_line import terrapair

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

BOX = (-122.6, 37.0, -122.1, 37.5)


def rows(root: Path, product: str) -> list[dict[str, Any]]:
    """Returns all rows of a product."""
    with open_version(str(root)) as (_, base):
        relation = base.sql(f"SELECT * FROM {product}")
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def ids(root: Path, selection: Selection) -> set[str]:
    """Returns the ids of the rows of a selection; of pairs, photo and sensor."""
    key = {"chips": "chip_id", "pairs": "photo_id || sensor"}.get(selection.product, "photo_id")
    with open_version(str(root), products=selection.products) as (_, base):
        selection.prepare(base)
        asked = f"SELECT {key} FROM {selection.product} {selection.condition()}"
        return {one for (one,) in base.execute(asked).fetchall()}


def test_a_box_holds_points_and_touches_outlines(built: Path) -> None:
    """Photos in it, chips whose outline meets it, pairs of its photos: as shapely says."""
    west, south, east, north = BOX
    area = (area_of_box(*BOX),)
    photos = {
        one["photo_id"] for one in rows(built, "photos")
        if west <= one["lon"] <= east and south <= one["lat"] <= north
    }  # fmt: skip
    chips = {
        one["chip_id"] for one in rows(built, "chips")
        if shapely.from_wkb(bytes(one["geometry"])).intersects(box(*BOX))
    }  # fmt: skip
    pairs = {
        one["photo_id"] + one["sensor"] for one in rows(built, "pairs")
        if one["photo_id"] in photos
    }  # fmt: skip
    assert 0 < len(photos) < len(rows(built, "photos"))
    assert 0 < len(chips) < len(rows(built, "chips"))
    assert ids(built, Selection("photos", areas=area)) == photos
    assert ids(built, Selection("chips", areas=area)) == chips
    assert ids(built, Selection("pairs", areas=area)) == pairs


def test_a_region_of_polygons_is_asked_exactly(built: Path, run: Run, tmp_path: Path) -> None:
    """A triangle is not its box: what lies in the other half of the box is left out."""
    west, south, east, north = BOX
    triangle = shapely.Polygon([(west, south), (east, south), (east, north)])
    (tmp_path / "triangle.geojson").write_text(shapely.to_geojson(triangle))
    text = run.catalogue.read_text(encoding="utf-8")
    catalogue = tmp_path / "data_catalog.yaml"
    catalogue.write_text(text.replace("regions:\n", "regions:\n  half:\n    title: Half\n"
                                      "    geojson: triangle.geojson\n"))  # fmt: skip
    area = (area_of_region("half", catalogue),)
    inside = {
        one["photo_id"] for one in rows(built, "photos")
        if triangle.covers(shapely.Point(one["lon"], one["lat"]))
    }  # fmt: skip
    touching = {
        one["chip_id"] for one in rows(built, "chips")
        if shapely.from_wkb(bytes(one["geometry"])).intersects(triangle)
    }  # fmt: skip
    assert 0 < len(inside) < len(ids(built, Selection("photos", areas=(area_of_box(*BOX),))))
    assert ids(built, Selection("photos", areas=area)) == inside
    assert ids(built, Selection("chips", areas=area)) == touching


def test_dates_sensors_outcomes_and_reasons(built: Path) -> None:
    """Each filter alone, and all together, against the rows."""
    since, until = date(2019, 1, 1), date(2021, 6, 30)
    photos, pairs = rows(built, "photos"), rows(built, "pairs")
    with_naip = {one["photo_id"] for one in pairs if one["sensor"] == "naip"}
    days = {one["photo_id"] for one in photos if since <= one["taken_at"].date() <= until}
    assert ids(built, Selection("photos", since=since, until=until)) == days
    assert ids(built, Selection("photos", sensor="naip")) == with_naip
    assert ids(built, Selection("photos", sensor="naip", since=since, until=until)) == (
        with_naip & days
    )
    missing = {one["photo_id"] for one in photos if "border" in one["unpaired"].values()}
    assert ids(built, Selection("photos", reason="border")) == missing != set()
    chips = rows(built, "chips")
    scenes = {
        one["chip_id"] for one in chips
        if since <= (one["acquired_at"].date() if one["acquired_at"] else one["target_date"])
        <= until
    }  # fmt: skip
    assert ids(built, Selection("chips", since=since, until=until)) == scenes
    assert ids(built, Selection("chips", since=since, until=date.max)) == {
        one["chip_id"] for one in chips
        if since <= (one["acquired_at"].date() if one["acquired_at"] else one["target_date"])
    }  # fmt: skip
    assert ids(built, Selection("photos", until=date.max)) == {one["photo_id"] for one in photos}
    kept = {one["chip_id"] for one in chips if one["outcome"] == "kept"}
    assert ids(built, Selection("chips", outcome="kept")) == kept
    rejects = {one["photo_id"] for one in rows(built, "rejects") if one["reason"] == "indoor"}
    assert ids(built, Selection("rejects", reason="indoor")) == rejects != set()


def test_a_condition_with_or_does_not_undo_the_filters(built: Path) -> None:
    """What is typed after --where stands in brackets, even if it ends in a comment."""
    typed = "sensor = 'naip' OR sensor = 'sentinel2' -- any"
    assert ids(built, Selection("chips", where=typed, sensor="naip")) == ids(
        built, Selection("chips", sensor="naip")
    )


def test_a_box_across_the_antimeridian(tmp_path: Path) -> None:
    """West > east: both sides of ±180°, and nothing of the other side of the world."""
    store = open_store(str(tmp_path / "d"))
    places = {"1": 179.9, "2": -179.9, "3": 0.0}
    photos = tuple(photo(name, "r118c055", lon=lon, lat=0.1) for name, lon in places.items())
    crossing = replace(
        chip("crossing", "r118c055", 1), crs="EPSG:32601",
        transform=(10.0, 0.0, 164_000.0, 0.0, -10.0, 50_000.0),
    )  # fmt: skip
    assert shapely.bounds(crossing.shape)[0] == -180  # its bounding box goes around the world
    state = CellState(
        "r118c055", 1, photos=photos, chips=(crossing,),
        pairs=(pair("1", "crossing", "r118c055"),),
    )  # fmt: skip
    assert commit_cell(store, state, CATALOGUE, 0)
    publish(store, CATALOGUE, 0)
    root = tmp_path / "d"
    across = (area_of_box(179.0, -1.0, -179.0, 1.0),)
    assert ids(root, Selection("photos", areas=across)) == {"1", "2"}
    assert ids(root, Selection("chips", areas=across)) == {"crossing"}
    assert ids(root, Selection("chips", areas=(area_of_box(-10.0, -1.0, 10.0, 1.0),))) == set()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["photos", "--bbox", "0", "50", "1", "40"], "south before north"),
        (["photos", "--bbox", "0", "0", "400", "1"], "longitudes are −180 to 180"),
        (["photos", "--region", "atlantis"], "there is no region 'atlantis'"),
        (["rejects", "--sensor", "naip"], "--sensor says nothing about rejects"),
        (["pairs", "--outcome", "kept"], "--outcome says nothing about pairs"),
        (["photos", "--sort", "beauty"], "--sort beauty: there is no such column"),
        (["photos", "--export", "x.xlsx"], ".csv, .parquet, .geojson"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_filters_that_make_no_sense_are_refused(
    built: Path, arguments: list[str], said: str
) -> None:
    """What is wrong with them, in words, and exit code 2."""
    done = terrapair("catalog", "show", *arguments, "--root", str(built))
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split())


def test_rows_are_sorted_and_taken_page_by_page(built: Path) -> None:
    """Pages, one after the other, are all rows in order; the next one is told."""
    asked = ["catalog", "show", "pairs", "--root", str(built), "--columns", "distance_m"]
    asked += ["--sort", "-distance_m,photo_id"]
    found: list[float] = []
    for offset in range(0, 30, 10):
        page = terrapair(*asked, "--offset", str(offset), "--json")
        found += [one["distance_m"] for one in json.loads(page.output)]
    everything = sorted((one["distance_m"] for one in rows(built, "pairs")), reverse=True)
    assert found == everything[:30]
    shown = terrapair(*asked, "--offset", "10")
    assert f"rows 11 to 20 of {len(everything)}" in shown.output
    assert "--offset 20" in shown.output


def test_columns_come_in_the_catalogues_order(built: Path) -> None:
    """As data_catalog.yaml lists them, without the geometry."""
    done = terrapair("catalog", "show", "chips", "--root", str(built), "--limit", "1", "--json")
    (record,) = json.loads(done.output)
    assert list(record) == [name for name in CATALOGUE.products["chips"].columns
                            if name != "geometry"]  # fmt: skip


def test_a_pager_that_is_not_there_costs_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would have been paged is printed as it is."""
    monkeypatch.setenv("PAGER", "no-such-pager --with options")
    monkeypatch.delenv("MANPAGER", raising=False)
    screen = StringIO()
    with paged(Console(file=screen, force_terminal=True)) as console:
        console.print("a row")
    assert "a row" in screen.getvalue()
