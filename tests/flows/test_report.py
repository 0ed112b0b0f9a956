"""The report's folder, figures, samples and pictures; browsers have tests of their own."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from collectors.transport import SetupError
from flows.command_line import app
from flows.inspection.version_query import open_version
from flows.report.album import cover_words, web_address
from flows.report.counts import count_all
from flows.report.folder import MARK, check_output
from flows.report.ground import count_cells, degrees_to_map, parallels, shade, squares
from flows.report.pages import PAGES, POLICY, breakable
from flows.report.pictures import chip_picture, false_colour, stretch, true_colour
from flows.report.samples import sample_pairs, sample_rejects
from flows.report.spreads import bin_width, gaps, indoor_scores, owners, years
from tests.flows.reports import MARKUP, PAIRS, SCRIPT_LINK, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flows.reports import Reported


@pytest.fixture(scope="module")
def base(reported: Reported) -> Iterator[duckdb.DuckDBPyConnection]:
    """The dataset's tables."""
    with open_version(str(reported.root)) as (_, found):
        yield found


def texts(reported: Reported) -> dict[str, str]:
    """Returns all files of a report that are text."""
    return {
        path.relative_to(reported.folder).as_posix(): path.read_text(encoding="utf-8")
        for path in reported.folder.rglob("*.*")
        if path.suffix in {".html", ".js", ".css", ".svg", ".json"}
    }


def test_same_version_gives_the_same_bytes(reported: Reported, tmp_path: Path) -> None:
    """A second report on the same version differs in no byte, pictures and charts included."""
    again = write(reported.root, tmp_path / "again")
    assert (again.folder / MARK).read_bytes() == (reported.folder / MARK).read_bytes()
    sums = json.loads((again.folder / MARK).read_text())["files"]
    found = {path.relative_to(again.folder).as_posix() for path in again.folder.rglob("*.*")}
    assert found == set(sums) | {MARK}


def test_pages_load_nothing_that_is_not_theirs(reported: Reported) -> None:
    """Every source and link inside the report is a file of it; its policy allows nothing else."""
    for name, text in texts(reported).items():
        if name.endswith(".html"):
            assert POLICY.replace("'", "&#39;") in text
            for target in re.findall(r'(?:src|href)="([^"#]+)[^"]*"', text):
                assert (reported.folder / target).is_file(), (name, target)
        if not name.startswith("data/"):
            found = re.search(r"""\bon\w+="|\sstyle="|<script>|eval\(|innerHTML""", text)
            assert found is None, name
    assert "unsafe" not in POLICY


def test_what_comes_from_outside_is_escaped(reported: Reported) -> None:
    """Titles of markup are in the data, as quoted ASCII, and links of script nowhere."""
    data = texts(reported)
    pairs = "".join(text for name, text in data.items() if name.startswith("data/"))
    assert json.dumps(MARKUP)[1:-1] in pairs
    assert pairs.isascii()
    assert not any(SCRIPT_LINK in text for text in data.values())
    assert "<img src=x" not in "".join(text for name, text in data.items() if ".html" in name)
    assert breakable("a_<b>/c") == "a_<wbr>&lt;b&gt;/<wbr>c"


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("https://www.flickr.com/photos/a/1/", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//elsewhere.example/x", False),
        ("https://[broken", False),
        ("https:///nowhere", False),
        ("", False),
        (None, False),
    ],
)
def test_only_addresses_of_the_web_are_linked(text: str | None, allowed: bool) -> None:
    """What is no http or https address with a host is shown, and never linked."""
    assert (web_address(text) == text) is (allowed or text is None)
    assert (web_address(text) is not None) is allowed


def test_pictures_that_are_not_what_the_table_names_are_left_out(reported: Reported) -> None:
    """A photo whose bytes have another checksum is not shown, and the report says so."""
    (why,) = reported.written.missing
    assert "not those that the table names" in why
    pairs = "".join(t for name, t in texts(reported).items() if name.startswith("data/pairs-"))
    assert pairs.count('"source":null') >= reported.written.missing[why] > 0
    shown = set(re.findall(r'"source":"([^"]+)"', pairs))
    lying = {f"pictures/{path.name}" for path in (reported.folder / "pictures").iterdir()}
    assert shown == lying


def test_funnel_adds_up(base: duckdb.DuckDBPyConnection) -> None:
    """Every photo seen is kept or lost at one stage; every kept one is paired or explained."""
    counts = count_all(base)
    assert counts.seen == base.sql(
        "SELECT (SELECT count(*) FROM photos) + (SELECT count(*) FROM rejects)"
    ).fetchall()[0][0]  # fmt: skip
    assert counts.seen - sum(step.lost for step in counts.steps) == counts.paired
    assert counts.steps[-2].photos == counts.kept
    for sensor in counts.sensors:
        unpaired = sum(one.count for one in counts.unpaired if one.group == sensor.sensor)
        assert sensor.pairs + unpaired == counts.kept
        lost = sum(one.count for one in counts.chips if one.group == sensor.sensor)
        assert sensor.placed - lost == sensor.kept
    assert all(one.meaning for one in counts.photos + counts.chips + counts.unpaired)


def test_spreads_count_every_row_once(base: duckdb.DuckDBPyConnection) -> None:
    """Bars add up to the photos, pairs and scores that there are; bins have one width."""
    photos = count_all(base).kept
    assert sum(bar.count for bar in years(base).bars) == photos
    for sensor, spread in gaps(base).items():
        rows = base.execute("SELECT delta_days FROM pairs WHERE sensor = ?", [sensor]).fetchall()
        for bar in spread.bars:
            assert bar.low is not None
            assert bar.high is not None
            assert bar.count == sum(bar.low <= gap < bar.high for (gap,) in rows)
        assert sum(bar.count for bar in spread.bars) == len(rows)
    scores = indoor_scores(base).bars
    assert sum(bar.count for bar in scores if bar.group == "kept") == photos
    assert all(bar.high <= 0.52 for bar in scores if bar.group == "kept" and bar.high)
    shares = dict(owners(base).shares)
    top = base.sql("SELECT count(*) FROM photos GROUP BY owner ORDER BY 1 DESC LIMIT 2").fetchall()
    assert shares[1] == top[0][0] / photos
    assert shares[2] == (top[0][0] + top[1][0]) / photos


@pytest.mark.parametrize(
    ("extent", "least", "width"), [(0, 0, 1), (1, 0, 0.05), (90, 1, 5), (3, 1, 1), (2200, 1, 100)]
)
def test_bins_are_of_a_round_width(extent: float, least: float, width: float) -> None:
    """A bin is 1, 2 or 5 times a power of ten, and not narrower than whole numbers need."""
    assert bin_width(extent, least=least) == width


def test_sample_is_even_and_bounded(base: duckdb.DuckDBPyConnection) -> None:
    """No cell and sensor has a second chip before all have a first, and the limit holds."""
    for limit in (25, PAIRS, 60):
        sample = sample_pairs(base, 7, limit)
        assert sum(len(chip["photos"]) for chip in sample.chips) == sample.pairs <= limit
        chips = [(chip["cell"], chip["sensor"]) for chip in sample.chips]
        groups = base.sql(
            "SELECT cell, sensor, count(*) FROM chips WHERE outcome = 'kept' AND photos > 0"
            " GROUP BY ALL"
        ).fetchall()
        most = max(map(chips.count, chips))
        for cell, sensor, there in groups:
            assert chips.count((cell, sensor)) >= min(there, most - 1)
    everything = sample_pairs(base, 7, 10_000)
    assert everything.whole
    assert len(everything.chips) == everything.of_chips
    other = [chip["chip_id"] for chip in sample_pairs(base, 8, 25).chips]
    assert other != [chip["chip_id"] for chip in sample_pairs(base, 7, 25).chips]


def test_chips_say_what_covers_the_ground(base: duckdb.DuckDBPyConnection) -> None:
    """The most first, where it is known; versions of before it was measured show no less else."""
    chips = sample_pairs(base, 7, 10_000).chips
    for chip in chips:
        told = cover_words(chip["cover"])
        shares = [float(one) for one in re.findall(r"([\d.]+) %", told)]
        assert shares == sorted(shares, reverse=True)
        assert (sum(shares) == pytest.approx(100, abs=0.5)) == (chip["sensor"] == "sentinel2")
    with duckdb.connect() as older:
        for product in ("chips", "pairs", "photos"):
            older.register(product, base.sql(f"FROM {product}").to_arrow_table())
        older.execute("CREATE VIEW old AS SELECT * EXCLUDE (cover) FROM chips")
        table = older.sql("FROM old").to_arrow_table()
        older.register("chips", table)
        without = sample_pairs(older, 7, 10_000).chips
    assert [one["chip_id"] for one in without] == [one["chip_id"] for one in chips]
    assert all("cover" not in one for one in without)


def test_every_kind_of_reject_has_examples(base: duckdb.DuckDBPyConnection) -> None:
    """Each stage and reason of the table is shown, by rows that have it."""
    there = set(base.sql("SELECT DISTINCT stage, outcome, reason FROM rejects").fetchall())
    rows = sample_rejects(base, 7)
    assert {(one["stage"], one["outcome"], one["reason"]) for one in rows} == there
    for one in rows[:10]:
        found = base.execute("SELECT reason FROM rejects WHERE photo_id = ?", [one["photo_id"]])
        assert found.fetchall() == [(one["reason"],)]


def test_map_shows_every_cell_once(base: duckdb.DuckDBPyConnection) -> None:
    """Cells are squares of the grid in one class each, those without photos included."""
    cells = count_cells(base, ["r001c000"])
    shading = shade(cells)
    drawn = "".join(squares(cells, shading).values())
    assert drawn.count("M") == len(cells) == sum(one.cells for one in shading.classes)
    assert shading.of(0) == 0
    for one in cells:
        box = one.cell.box
        corners = degrees_to_map(np.array([box.west, box.east]), np.array([box.north, box.south]))
        assert np.allclose(corners, [[one.x, one.y], [one.x + 1, one.y + 1]], atol=1e-6)
    lines = parallels()
    assert lines == sorted(lines)
    assert lines[85] == pytest.approx(74)


def test_chips_are_stretched_over_their_valid_pixels() -> None:
    """The percentiles of what is valid become 0 and 255; what is missing has no say."""
    band = np.arange(100, 201, dtype=np.uint16).reshape(1, -1)
    valid = np.ones(band.shape, bool)
    valid[0, -1] = False
    band[0, -1] = 60_000
    shown = stretch(band, valid)
    assert shown[0, 0] == shown[0, 1] == 0
    assert shown[0, 98] == shown[0, 99] == 255
    assert 120 < int(shown[0, 50]) < 136
    assert not stretch(band, np.zeros(band.shape, bool)).any()


def test_bands_of_colours() -> None:
    """Sentinel-2 and NAIP have true and false colour; a flight without near infrared has none."""
    assert true_colour(["B2", "B3", "B4", "B8"]) == ("B4", "B3", "B2")
    assert false_colour(["B2", "B3", "B4", "B8"]) == ("B8", "B4", "B3")
    assert true_colour(["R", "G", "B"]) == ("R", "G", "B")
    assert false_colour(["R", "G", "B", "N"]) == ("N", "R", "G")
    assert false_colour(["R", "G", "B"]) is None
    assert true_colour(["VV", "VH"]) is None


def test_pixels_without_data_are_transparent() -> None:
    """Missing pixels of a chip are seen through, others are not."""
    from collectors.chip_files import encode_chip
    from collectors.chips import ChipPixels
    from collectors.geo import ChipGrid

    data = np.random.default_rng(1).integers(1, 200, (3, 32, 32), dtype=np.uint8)
    data[:, :8] = 0
    grid = ChipGrid("EPSG:26910", 500_000.0, 4_000_000.0, 1.0, 32)
    file = encode_chip(ChipPixels.of(("R", "G", "B"), data, None), grid, tags={})
    with Image.open(BytesIO(chip_picture(file, ("R", "G", "B")))) as image:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
    assert not alpha[:8].any()
    assert (alpha[8:] == 255).all()


def test_only_an_older_report_is_replaced(reported: Reported, tmp_path: Path) -> None:
    """A folder with anything else in it, a file or a link is refused before anything is read."""
    check_output(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    check_output(tmp_path / "empty")
    check_output(reported.folder)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    with pytest.raises(SetupError, match="is no report"):
        write(reported.root, taken)
    (taken / MARK).write_text(json.dumps({"schema": "terrapair-report/1", "files": {}}))
    with pytest.raises(SetupError, match="no report wrote, such as 'thesis"):
        check_output(taken)
    (taken / MARK).write_text("[]")
    with pytest.raises(SetupError, match="no report wrote"):
        check_output(taken)
    (tmp_path / "link").symlink_to(reported.folder)
    with pytest.raises(SetupError, match="is not a folder"):
        check_output(tmp_path / "link")
    with pytest.raises(SetupError, match="in the dataset itself"):
        write(reported.root, reported.root / "report")
    assert (taken / "thesis.txt").read_text() == "mine"


def test_command_says_where_the_report_lies(
    reported: Reported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The address to open is printed, as text and as JSON; a wrong version is said."""
    monkeypatch.setattr("flows.report.writing.write_report", lambda *_, **__: reported.written)
    runner = CliRunner()
    said = runner.invoke(app, ["report", "--root", str(reported.root)])
    assert reported.address("index.html") in said.output
    assert re.search(
        r"^(1 picture|\d+ pictures) left out: bytes that are not", said.output, re.MULTILINE
    )
    as_json = runner.invoke(app, ["report", "--root", str(reported.root), "--json"])
    assert json.loads(as_json.stdout)["index"] == reported.address("index.html")
    monkeypatch.undo()
    wrong = ["report", "--root", str(reported.root), "--version", "v9", "--output", str(tmp_path)]
    refused = runner.invoke(app, wrong)
    assert refused.exit_code != 0
    assert "v9" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_pages_say_what_they_owe(reported: Reported) -> None:
    """Weights, seed, sample, stretch, land and notes stand on the pages."""
    data = texts(reported)
    assert {page.file for page in PAGES} <= set(data)
    manifest = json.loads(
        next((reported.root / "manifests").glob("*/manifest.json")).read_text(encoding="utf-8")
    )
    assert manifest["weights"][0] in data["made.html"]
    assert manifest["tables"]["chips"][0]["sha256"] in data["made.html"]
    assert "A sample: " in data["pairs.html"]
    assert "2nd percentile" in data["pairs.html"]
    assert "1:110 million" in data["index.html"]
    assert data["figures.html"].count("<svg") >= 12
    for page in PAGES:
        for note in manifest["notes"]:
            assert note.replace("'", "&#39;") in data[page.file]
