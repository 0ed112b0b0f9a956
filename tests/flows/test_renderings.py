"""Chips as pictures for models that know red, green and blue alone."""

from __future__ import annotations

import hashlib
import json
import math
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from flows.catalogue.catalogue import load_catalogue
from flows.catalogue.text import CatalogueError
from flows.command_line import app
from flows.renderings.colours import composite, normalised_difference, ramp
from tests.flows.test_description import rows

CATALOGUE = Path(__file__).resolve().parents[2] / "data_catalog.yaml"
SIX = ["true-colour", "false-colour", "ndvi", "ndwi", "ndmi-b11", "ndmi-b12"]
BLACK = [0, 0, 0]
NDVI = ((255, 0, 0), (255, 255, 0), (0, 128, 0))
NDWI = ((255, 255, 255), (255, 255, 255), (0, 0, 255))


def row(*values: int) -> np.ndarray:
    """One row of stored values."""
    return np.array([values], np.uint16)


def everywhere(pixels: np.ndarray) -> np.ndarray:
    """Says that all pixels hold data."""
    return np.ones(pixels.shape[-2:], bool)


def render(*arguments: Any) -> Any:
    """Runs the command."""
    return CliRunner().invoke(app, ["render", *map(str, arguments)])


def test_a_composite_by_hand():
    """0 is dark, the top is full, what is above is full too, a half goes up, no data is black."""
    bands = np.stack([row(0, 3000, 1500, 65535, 3000), row(6, 5, 0, 0, 3000), row(0, 0, 0, 0, 9)])
    valid = np.array([[True, True, True, True, False]])
    assert composite(bands, valid, 0, 3000).tolist() == [
        [[0, 1, 0], [255, 0, 0], [128, 0, 0], [255, 0, 0], BLACK]
    ]


def test_an_index_of_numbers_with_a_zero_of_their_own_by_hand():
    """Landsat's 7273 is none: (10909 - 7273) and (9091 - 7273) are two to one; less is none."""
    first, second = row(10909, 7273, 7000, 9091, 7273), row(9091, 9091, 9091, 7000, 7273)
    index = normalised_difference(first, second, everywhere(first), 7273)[0]
    assert index[:4].tolist() == [1 / 3, -1.0, -1.0, 1.0]
    assert math.isnan(index[4])
    assert normalised_difference(first, second, everywhere(first))[0][0] == 1818 / 20000


@given(
    value=st.integers(0, 65535), low=st.integers(0, 5000), width=st.integers(1, 20_000),
)  # fmt: skip
def test_a_composite_is_the_exact_share_rounded_half_up(value, low, width):
    """Every stored value becomes what whole numbers say it must, for any range."""
    share = min(max(Fraction(value - low, width), Fraction(0)), Fraction(1))
    pixels = np.full((3, 1, 1), value, np.uint16)
    found = composite(pixels, everywhere(pixels), low, low + width)
    assert found.tolist() == [[[math.floor(share * 255 + Fraction(1, 2))] * 3]]


def test_an_index_by_hand():
    """Negative values, both ends, a sum of zero, saturated pixels and missing ones."""
    first, second = row(1, 3, 0, 5, 0, 65535, 7), row(3, 1, 5, 0, 0, 65535, 1)
    valid = np.array([[True] * 6 + [False]])
    found = normalised_difference(first, second, valid)[0]
    assert found[:4].tolist() == [-0.5, 0.5, -1.0, 1.0]
    assert np.isnan(found[[4, 6]]).all()
    assert found[5] == 0.0


def test_a_ramp_by_hand():
    """Stops, halves between them, values beyond the range, and none."""
    index = np.array([[-1.0, -0.5, 0.0, 0.5, 1.0, np.nan]])
    assert ramp(index, -1, 1, NDVI).tolist() == [
        [[255, 0, 0], [255, 128, 0], [255, 255, 0], [128, 192, 0], [0, 128, 0], BLACK]
    ]
    water = np.array([[-1.0, -0.8, -0.1, 0.0, 0.4, 0.8, 0.9]])
    white, blue = [255, 255, 255], [0, 0, 255]
    assert ramp(water, -0.8, 0.8, NDWI).tolist() == [
        [white, white, white, white, [128, 128, 255], blue, blue]
    ]


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 65535)), min_size=1, max_size=30))
def test_an_index_never_leaves_its_range_and_turns_with_its_bands(pairs):
    """It is between −1 and 1 or has no value, and exchanging the bands exchanges the sign."""
    first, second = (np.array([side], np.uint16) for side in zip(*pairs, strict=True))
    there = normalised_difference(first, second, everywhere(first))
    back = normalised_difference(second, first, everywhere(first))
    has_value = ~np.isnan(there)
    assert (has_value == (first.astype(int) + second != 0)).all()
    assert (np.abs(there[has_value]) <= 1).all()
    assert np.array_equal(there, -back, equal_nan=True)


def test_chips_become_six_pictures_each(built: Path, tmp_path: Path):
    """From bands to colours it goes as `render.json` says, and the checksums are those stated."""
    done = render("--root", built, "--output", tmp_path / "out", "--limit", 2, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert len(told["chips"]) == 2
    for chip in told["chips"]:
        folder = tmp_path / "out" / chip["chip_id"]
        about = json.loads((folder / "render.json").read_text())
        assert [one["name"] for one in about["images"]] == SIX
        bands = chip_bands(built, chip["chip_id"])
        for one in about["images"]:
            data = (folder / one["file"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == one["sha256"]
            seen = np.asarray(Image.open(BytesIO(data)))
            assert seen.shape == (448, 448, 3)
            assert np.array_equal(seen, by_its_recipe(bands, one))


def chip_bands(root: Path, chip_id: str) -> dict[str, np.ndarray]:
    """Reads a chip's bands as GDAL sees them in the shard."""
    import rasterio

    shard = next(one["shard"] for one in rows(root, "chips") if one["chip_id"] == chip_id)
    with rasterio.open(f"/vsitar/{root}/{shard}/{chip_id}.tif") as source:
        return dict(zip(source.descriptions, source.read().astype(float), strict=True))


def by_its_recipe(bands: dict[str, np.ndarray], recipe: dict[str, Any]) -> np.ndarray:
    """Draws a picture from nothing but what `render.json` says of it."""
    low, high = recipe["range"]
    layers = [bands[name] for name in recipe["bands"]]
    valid = bands["SCL"] != 0
    if recipe["kind"] == "composite":
        colours = [(np.clip(one, low, high) - low) * 255 / (high - low) for one in layers]
    else:
        a, b = layers
        valid &= a + b != 0
        index = (a - b) / np.where(valid, a + b, 1)
        stops = recipe["colours"]
        colours = [
            np.interp(index, [one["value"] for one in stops], [one["rgb"][band] for one in stops])
            for band in range(3)
        ]
    drawn = np.floor(np.stack(colours, axis=-1) + 0.5).astype(np.uint8)
    drawn[~valid] = recipe["no_data"]
    return drawn


def test_the_same_chip_becomes_the_same_bytes(built: Path, tmp_path: Path):
    """Two folders are equal byte for byte, and a run on one of them again changes nothing."""
    found = []
    for name in ("one", "two", "one"):
        assert render("--root", built, "--output", tmp_path / name, "--limit", 1).exit_code == 0
        found.append({path.relative_to(tmp_path / name): path.read_bytes()
                      for path in (tmp_path / name).rglob("*.*")})  # fmt: skip
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == len(SIX) + 2


def test_the_prompt_explains_bands_pictures_and_question(built: Path, tmp_path: Path):
    """Each picture with formula and colours, each band once, the question with numbered answers."""
    asked = ["--question", "What is it?", "--answer", "forest", "--answer", "water"]
    assert render("--root", built, "--output", tmp_path / "a", "--limit", 1, *asked).exit_code == 0
    text = next((tmp_path / "a").glob("*/prompt.txt")).read_text()
    assert "3. NDVI: (B8 - B4) / (B8 + B4)" in text
    assert "white at -0.8, white at 0, blue at 0.8" in text
    assert "red at -1, yellow at 0, green at 1" in text
    assert text.count("- B8: near infrared, 832.8 nm") == 1
    assert text.endswith(
        "Question: What is it?\nAnswers:\n1. forest\n2. water\n"
        "Reply with the number of the right answer.\n"
    )
    assert render("--root", built, "--output", tmp_path / "b", "--limit", 1).exit_code == 0
    room = next((tmp_path / "b").glob("*/prompt.txt")).read_text()
    assert "Question: {question}\nAnswers:\n{answers}\n" in room


def test_what_cannot_be_rendered_is_said(built: Path, tmp_path: Path):
    """Unknown chips, chips of a sensor without renderings, other questions, and lone answers."""
    out = ("--root", built, "--output", tmp_path / "out")
    assert "has no chip nowhere" in render("nowhere", *out).output
    naip = next(one["chip_id"] for one in rows(built, "chips")
                if one["sensor"] == "naip" and one["outcome"] == "kept")  # fmt: skip
    assert "the catalogue has no renderings" in render(naip, *out).output
    assert render("--answer", "yes", *out).exit_code == 2
    assert render("--limit", 1, *out).exit_code == 0
    other = render("--limit", 1, "--question", "Why?", *out)
    assert other.exit_code == 2
    assert "prompt.txt: is there already" in other.output


def test_a_further_index_is_a_further_line(built: Path, tmp_path: Path):
    """A line in the catalogue gives a seventh picture, and a sensor of its own pictures too."""
    line = (
        "  ndbi: {kind: normalised_difference, title: NDBI, bands: [B11, B8], range: [-1, 1],"
        ' colours: [blue, white, "#aa0000"], shows: "Built-up ground is red."}\n'
        "  naip-colour: {kind: composite, sensor: naip, title: Colour, bands: [R, G, B],"
        " range: [0, 255], shows: Ground.}\n"
    )
    text = CATALOGUE.read_text().replace("\nrenderings:\n", f"\nrenderings:\n{line}")
    (tmp_path / "catalog.yaml").write_text(text)
    naip = next(one["chip_id"] for one in rows(built, "chips")
                if one["sensor"] == "naip" and one["outcome"] == "kept")  # fmt: skip
    sentinel2 = next(one["chip_id"] for one in rows(built, "chips")
                     if one["sensor"] == "sentinel2" and one["outcome"] == "kept")  # fmt: skip
    out = ("--root", built, "--output", tmp_path / "out", "--catalog", tmp_path / "catalog.yaml")
    done = render(naip, sentinel2, *out)
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "out" / sentinel2).glob("*.png"))) == len(SIX) + 1
    assert len(list((tmp_path / "out" / naip).glob("*.png"))) == 1


@pytest.mark.parametrize(
    ("given_text", "message"),
    [
        ("bands: [B8, B44]", "has no bands ['B44']"),
        ("bands: [B8, B8]", "the two must differ"),
        ("range: [-2, 1]", "lies between -1 and 1"),
        ("range: [1, -1]", "from the lower value to the higher"),
        ("colours: [red, greeen]", "'greeen' is no colour"),
        ("sensor: landsat", "there is no sensor 'landsat'"),
    ],
)
def test_a_wrong_rendering_is_refused_with_its_reason(given_text, message, tmp_path: Path):
    """What a typing error would make is said before anything is drawn."""
    key = given_text.partition(":")[0]
    block = {
        "bands": "bands: [B8, B4]",
        "range": "range: [-1, 1]",
        "colours": "colours: [red, blue]",
    }
    text = ", ".join((block | {key: given_text}).values())
    line = f"  mine: {{kind: normalised_difference, title: Mine, {text}, shows: Something.}}\n"
    path = tmp_path / "catalog.yaml"
    path.write_text(CATALOGUE.read_text().replace("\nrenderings:\n", f"\nrenderings:\n{line}"))
    with pytest.raises(CatalogueError) as refused:
        load_catalogue(path)
    assert message in str(refused.value)
