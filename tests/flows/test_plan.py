"""Plans: near what is built, without a trace in the dataset, and set beside what came."""

from __future__ import annotations

import itertools
import json
import shutil
from datetime import UTC, date, datetime
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from collectors.cells import Cell, Ground
from collectors.records import Media, Photo, PhotoAbsence
from collectors.storage import open_store
from flows.cells.orders import Order
from flows.command_line import app
from flows.commands.plan import start_of
from flows.demo import as_environment, sandbox_settings
from flows.planning.estimates import range_of
from flows.planning.groups import Plot, group, plots_of
from flows.planning.plan_files import compare, newest_plan, write_plan
from flows.planning.plan_map import SHADES, draw_maps
from flows.planning.plan_view import show_comparison, show_plan
from flows.planning.populations import Uploads, outings_of, populate
from flows.planning.probing import Outside, Seen, judge_some
from flows.planning.rates import Rates, Share, Sizes
from flows.products.block_list import BlockList
from flows.progress import no_progress
from flows.runs.running import Task
from tests.collectors.photos import make_photo
from tests.flows.planned import beside, outcome_of, plan_of
from tests.flows.product_rows import CATALOGUE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

FIGURES = (
    "found",
    "photos",
    "chips",
    "flickr_calls",
    "downloads",
    "earth_engine_requests",
    "bytes",
)


@pytest.fixture(scope="module")
def plan(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A plan of what the shared dataset was built by, made where there is no dataset."""
    return plan_of(run, tmp_path_factory.mktemp("none") / "dataset")


def test_a_plan_is_near_what_was_built(plan: dict[str, Any], built: Path) -> None:
    """Every figure of the shared dataset lies in its range and within 1.5 times of likely."""
    figures = beside(plan, outcome_of(built), built)
    assert [name for name in FIGURES if not figures[name]["within"]] == []
    for name in FIGURES:
        came, likely = figures[name]["came"], figures[name]["likely"]
        assert likely / 1.5 <= came <= likely * 1.5, (name, figures[name])


def test_a_plan_of_a_built_dataset_asks_nobody_and_finds_nothing_to_do(
    run: Run, built: Path
) -> None:
    """Cells that are finished are not planned again, and nothing is written beside them."""
    before = {one: one.stat().st_mtime_ns for one in built.rglob("*")}
    run.sandbox.reset()
    made = plan_of(run, built)
    assert made["cells"] == {"asked": 4, "finished": 4}
    assert {one["high"] for one in made["figures"].values()} == {0}
    assert not any(name.startswith("flickr") for name in run.sandbox.counts())
    assert {one: one.stat().st_mtime_ns for one in built.rglob("*")} == before


def test_offline_a_plan_takes_from_the_dataset_or_from_assumptions(
    run: Run, built: Path, tmp_path: Path
) -> None:
    """No service is asked; shares of the dataset narrow the range, and nothing else is claimed."""
    run.sandbox.reset()
    wider: Any = {"kind": "backfill", "bbox": (-123.1, 36.87, -119.0, 37.83), "cells": None}
    known = plan_of(run, built, offline=True, **wider)
    assumed = plan_of(run, tmp_path / "none", offline=True, **wider)
    assert run.sandbox.counts() == {}
    assert 0 < known["cells"]["finished"] < known["cells"]["asked"]
    photos = known["figures"]["photos"]
    assert 0 < photos["low"] <= photos["likely"] <= photos["high"]
    assert photos["high"] < 24 * known["cells"]["asked"]
    assert "cells of the dataset" in known["sources"][0]
    assert "assumed" in assumed["sources"][0]
    few, many = assumed["figures"]["photos"]["low"], assumed["figures"]["photos"]["high"]
    assert many > 10 * few


def test_plan_is_kept_and_set_beside_what_came(
    plan: dict[str, Any], built: Path, tmp_path: Path
) -> None:
    """The same plan has the same path; the runs of the same order since then are added up."""
    root = tmp_path / "d"
    store = open_store(str(root))
    path = write_plan(store, plan)
    assert write_plan(store, plan) == path
    kept = newest_plan(store, plan["key"])
    assert kept == json.loads(json.dumps(plan))
    assert newest_plan(store, "another") is None
    outcome = outcome_of(built)
    assert outcome["plan_key"] == plan["key"]
    twice = compare(plan, [outcome, outcome])["figures"]["photos"]
    assert twice["came"] == 2 * outcome["funnel"]["outdoor"]
    assert not twice["within"]


def test_the_command_shows_figures_map_and_what_to_type(
    run: Run, built: Path, tmp_path: Path
) -> None:
    """By variables alone; kept with the dataset, GeoJSON of the cells, then the comparison."""
    root = tmp_path / "dataset"
    shutil.copytree(built, root)
    variables: Any = as_environment(sandbox_settings(run.sandbox) | {"weights_cache": run.cache})
    box = ["--bbox", "8.0", "45.5", "9.2", "46.4", "--sensor", "sentinel2"]
    told = ["plan", *box, "--root", str(root), "--catalog", str(run.catalogue), "--offline"]
    done = CliRunner().invoke(app, [*told, "--map", str(tmp_path / "m.json")], env=variables)
    assert done.exit_code == 0, done.output
    assert "Flickr calls" in done.output
    assert "terrapair backfill --bbox 8 45.5 9.2 46.4" in " ".join(done.output.split())
    assert any(shade in done.output for shade in SHADES)
    features = json.loads((tmp_path / "m.json").read_text())["features"]
    assert {one["properties"]["cell"] for one in features} >= {"r126c181"}
    shown = CliRunner().invoke(app, ["plan", "--compare", "--root", str(root)])
    assert "nothing was built since" in shown.output
    wrong = CliRunner().invoke(app, ["plan", "bay", "--region", "alps", "--root", str(root)])
    assert wrong.exit_code == 2


def test_what_came_is_shown_in_the_order_of_the_plan(
    plan: dict[str, Any], built: Path, tmp_path: Path
) -> None:
    """A kept plan is read back by the alphabet; a sensor still stands below the sum."""
    store = open_store(str(tmp_path / "d"))
    write_plan(store, plan)
    kept = newest_plan(store)
    assert kept is not None
    console = Console(width=80, record=True, file=StringIO())
    show_comparison(console, compare(kept, [outcome_of(built)]))
    lines = console.export_text().splitlines()
    in_order = [
        "photos found", "photos screened", "photos kept", "chips", "chips of naip",
        "chips of sentinel2", "Flickr calls", "photo downloads", "Earth Engine requests",
    ]  # fmt: skip
    assert lines[0].strip() == "Planned and come (1 run since the plan)"
    first = [line[:23].strip() for line in lines[2:] if line.strip()]
    assert first == in_order
    mixed = plan | {"figures": dict(sorted(plan["figures"].items(), reverse=True))}
    show_plan(console, mixed)
    titles = [line.partition("  ")[0] if line[:1] != " " else line.strip().partition("  ")[0]
              for line in console.export_text().splitlines()]  # fmt: skip
    assert [one for one in titles if one in in_order] == in_order


def test_what_to_type_holds_hostile_names_as_one_word() -> None:
    """A root with a blank or a semicolon is quoted for the shell."""
    task = Task("build", "a b; rm", since=date(2020, 1, 1), regions=("alps",), cells=2)
    assert start_of(task) == "terrapair build alps --since 2020-01-01 --cells 2 --root 'a b; rm'"


@pytest.mark.parametrize("width", [40, 80])
def test_map_fits_its_width_and_shows_every_region(width: int) -> None:
    """Regions far apart are drawn apart, and more photos are darker, at any width."""
    cells = [Cell(row, column) for row in (110, 111) for column in range(200)]
    cells += [Cell(20, 300)]
    rows = [
        {"cell": cell.cell_id, "photos": float(cell.column) if cell.row > 50 else None}
        for cell in cells
    ]
    lines = draw_maps(rows, width)
    assert max(map(len, lines[:-1])) <= width + 4
    drawn = [line for line in lines if "┤" in line]
    assert drawn[0].index(SHADES[0]) < drawn[0].index(SHADES[-1])
    assert "?" in drawn[-1]


def test_groups_are_of_neighbours_and_hold_every_cell_once() -> None:
    """Regions on two continents never share a group, and no cell is lost."""
    west = [Plot(Cell(118, column), ()) for column in range(50, 56)]
    east = [Plot(Cell(126, column), ()) for column in range(180, 182)]
    found = group([*west, *east], 3)
    assert len(found) == 3
    assert sorted(one.cell for part in found for one in part) == [
        one.cell for one in [*west, *east]
    ]  # fmt: skip
    for part in found:
        assert max(one.cell.column for one in part) - min(one.cell.column for one in part) < 6
    assert plots_of([]) == group([], 3) == []


def test_made_up_photos_are_like_those_that_were_seen() -> None:
    """As many as asked, in the window and on the ground; bursts stay together, ids are unique."""
    box = Cell(118, 55).box
    day = datetime(2020, 6, 1, 12)  # noqa: DTZ001 - capture times have no zone
    seen = [
        Photo(
            str(number), f"{number // 3}@N00", "", "", box.west + 0.1 + number / 400,
            box.south + 0.2, 16, True, day.replace(second=number), True, 0,
            day.replace(second=number, tzinfo=UTC), 4, "", "", Media.PHOTO, True, (),
        )
        for number in range(30)
    ]  # fmt: skip
    first, last = datetime(2019, 1, 1, tzinfo=UTC), datetime(2021, 12, 30, tzinfo=UTC)
    uploads = Uploads.of(first, last, [(datetime(2020, 1, 1, tzinfo=UTC), 0.8)])
    made = populate(
        outings_of(seen), 600, box.holds, (first.date(), last.date()), uploads,
        np.random.default_rng(1),
    )  # fmt: skip
    assert len({photo.photo_id for photo in made}) == 600
    assert all(box.holds(photo.lon, photo.lat) for photo in made)
    assert all(first.date() <= photo.taken_at.date() <= last.date() for photo in made)
    early = sum(photo.uploaded_at.year == 2019 for photo in made)
    assert 430 <= early <= 530
    gaps = [two.taken_at - one.taken_at for one, two in itertools.pairwise(made)]
    assert sum(gap.total_seconds() == 1 for gap in gaps) >= 350


def test_what_was_counted_outweighs_what_was_believed() -> None:
    """A range narrows as more is counted, and is never a point."""
    share = Share("indoor")
    rng = np.random.default_rng(0)
    before = np.std([share.draw(rng) for _ in range(500)])
    share.count(60, 40)
    after = np.std([share.draw(rng) for _ in range(500)])
    assert after < before / 2
    assert 0.55 < share.mean < 0.6
    one = range_of([100.0] * 8)
    assert one.likely == 100
    assert one.low < 90
    assert one.high > 110


def test_nobody_on_the_block_list_is_looked_at() -> None:
    """Neither a blocked photo nor one of a blocked owner is downloaded to be judged."""
    cell = Cell(118, 55)
    day = datetime(2020, 6, 1, 12, tzinfo=UTC)
    ground = Ground(cell, cell.box.polygon(), 1.0)
    order = Order(ground, ("naip",), date(2020, 1, 1), date(2020, 12, 31), day, 0)
    lon, lat = cell.box.west + 0.1, cell.box.south + 0.1
    photos = [
        make_photo(
            photo_id=str(number), owner=f"{number // 4}@N00", lon=lon, lat=lat, uploaded_at=day,
            taken_at=day.replace(tzinfo=None), licence=4,
        )
        for number in range(12)
    ]  # fmt: skip
    blocks = BlockList("a key of some length", "salt")
    blocks = blocks.with_hashes(blocks.entries(["5"], ["0@N00"]))
    asked: list[str] = []

    class Host:
        def fetch(self, photo: Photo) -> PhotoAbsence:
            asked.append(photo.photo_id)
            return PhotoAbsence("gone", "")

    nothing: Any = None
    host: Any = Host()
    outside = Outside(nothing, host, nothing, None, blocks)
    seen = Seen(photos={one.photo_id: (Plot(cell, (order,)), one) for one in photos})
    judged = judge_some(seen, outside, CATALOGUE, Rates({}, Sizes(1)), 0, no_progress)
    assert sorted(asked, key=int) == [*"467", "8", "9", "10", "11"]
    assert judged == 7
