"""`export graft`, read by a reader written from the description of GRAFT's layout."""

from __future__ import annotations

import csv
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import rasterio.io
from PIL import Image, JpegImagePlugin

from flows.exports.exporting import export_version
from flows.exports.graft_lists import GraftLists
from tests.flows.crowded import make_crowded
from tests.flows.exported import SENSORS, Truth, check_record, keys, with_hostile_words

if TYPE_CHECKING:
    from pathlib import Path

SPLITS = ("train", "val", "test")
COLOURS = {"sentinel2": ("B4", "B3", "B2"), "naip": ("R", "G", "B")}


@pytest.fixture(scope="module")
def truth(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """A version whose photos have titles that mean harm."""
    return Truth.of(with_hostile_words(built, tmp_path_factory.mktemp("graft") / "dataset"))


@pytest.fixture(scope="module")
def folder(truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it in GRAFT's layout, with chips as PNG. Not to be changed."""
    folder = tmp_path_factory.mktemp("graft") / "export"
    export_version(str(truth.root), str(folder), GraftLists("png"))
    return folder


def listed(data: Path, name: str) -> list[list[str]]:
    """Reads a list as the authors' scripts do: by the csv module, without a header."""
    path = data / "split_m2o" / f"{name}.csv"
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.reader(file, delimiter=","))


def chip_ids(folder: Path) -> dict[str, str]:
    """Returns the id of each chip by the path of its picture."""
    table = pq.read_table(folder / "tables" / "chips-00000.parquet", columns=["path", "chip_id"])
    return {one["path"]: one["chip_id"] for one in table.to_pylist()}


def test_the_lists_have_every_pair_of_their_split_once(truth: Truth, folder: Path) -> None:
    """For each sensor and split, the pairs listed are the version's, and all files are there."""
    names = chip_ids(folder)
    for sensor in SENSORS:
        for split in SPLITS:
            found = []
            for chip, photo in listed(folder / sensor, split):
                assert chip.startswith(f"{sensor}images/")
                photo_id = photo.rpartition("/")[2].removesuffix(".jpg")
                assert photo == f"{'/'.join(photo_id[-4:])}/{photo_id}.jpg"
                picture = (folder / sensor / "images" / photo).read_bytes()
                assert picture == truth.bytes_of(truth.photos[photo_id])
                found.append((names[f"{sensor}/{chip}"], photo_id))
            assert keys(found) == keys(truth.chosen(sensor=sensor, split=split))
    wanted = [pair for pair in truth.pairs.values() if pair["split"] != "none"]
    pictures = [path for sensor in SENSORS for path in folder.glob(f"{sensor}/images/**/*.jpg")]
    assert len(pictures) == len(wanted)
    assert len(names) == len({pair["chip_id"] for pair in wanted})
    numbers = sorted(path for path in names if path.startswith("naip/"))
    assert numbers == [f"naip/naipimages/0000/{at:08d}.png" for at in range(len(numbers))]


@pytest.mark.parametrize("sensor", SENSORS)
def test_offsets_are_where_the_photo_was_taken(truth: Truth, folder: Path, sensor: str) -> None:
    """X and y from the middle of the picture lead, by the chip's own grid, to the geotag."""
    names = chip_ids(folder)
    rows = listed(folder / sensor, "pixel_offset")
    every = [pair for split in SPLITS for pair in listed(folder / sensor, split)]
    assert [row[:2] for row in rows] == every
    for path, photo, x, y in rows:
        chip = truth.chips[names[f"{sensor}/{path}"]]
        row = truth.photos[photo.rpartition("/")[2].removesuffix(".jpg")]
        pair = truth.pairs[chip["chip_id"], row["photo_id"]]
        assert float(x) == pair["col"] - 224
        assert float(y) == pair["row"] - 224
        to_metres = pyproj.Transformer.from_crs("EPSG:4326", chip["crs"], always_xy=True)
        east, north = to_metres.transform(row["lon"], row["lat"])
        scale, _, west, _, _, top = chip["transform"]
        assert scale == {"sentinel2": 10, "naip": 1}[sensor]
        assert (west + (224 + float(x)) * scale) == pytest.approx(east, abs=scale * 0.01)
        assert (top - (224 + float(y)) * scale) == pytest.approx(north, abs=scale * 0.01)


def test_pictures_are_the_chips_in_true_colour(truth: Truth, folder: Path) -> None:
    """Bands of 8 bits as they are, those of 16 bits from 0 to 3000 as 0 to 255; 448 px each."""
    for path, chip_id in chip_ids(folder).items():
        chip = truth.chips[chip_id]
        with rasterio.io.MemoryFile(truth.bytes_of(chip)) as file, file.open() as source:
            places = [source.descriptions.index(one) + 1 for one in COLOURS[chip["sensor"]]]
            bands = source.read(places)
        if chip["sensor"] == "sentinel2":
            bands = np.minimum((bands.astype(np.int64) * 510 + 3000) // 6000, 255)
        with Image.open(folder / path) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (448, 448))
            np.testing.assert_array_equal(np.asarray(picture).transpose(2, 0, 1), bands)


def test_jpeg_is_what_the_scripts_have(truth: Truth, tmp_path: Path) -> None:
    """By default chips are JPEG with colour as fine as brightness, and the lists name them."""
    export_version(str(truth.root), str(tmp_path / "x"), GraftLists(), sensor="naip")
    record = check_record(tmp_path / "x")
    assert record["options"] == {"picture": "jpeg", "white": 3000}
    for name in SPLITS:
        for path, _ in listed(tmp_path / "x" / "naip", name):
            data = (tmp_path / "x" / "naip" / path).read_bytes()
            with Image.open(BytesIO(data)) as picture:
                assert (picture.format, picture.size) == ("JPEG", (448, 448))
                assert JpegImagePlugin.get_sampling(picture) == 0
    assert not (tmp_path / "x" / "sentinel2").exists()


def test_chips_of_two_splits_count_the_photos_beside_them(built: Path, tmp_path: Path) -> None:
    """With owner-disjoint splits a chip is exported once a split, with the photos of that one."""
    root = tmp_path / "crowded"
    root.mkdir()
    make_crowded(built, root, photos=4)
    for path in (root / "manifests" / "v0001" / "pairs").glob("*.parquet"):
        table = pq.read_table(path)
        at = table.schema.get_field_index("split")
        dealt = pa.array([SPLITS[number % 2] for number in range(table.num_rows)])
        pq.write_table(table.set_column(at, table.schema.field(at), dealt), path)
    export_version(str(root), str(tmp_path / "x"), GraftLists(), sensor="naip")
    tables = tmp_path / "x" / "tables"
    chips = pq.read_table(tables / "chips-00000.parquet", columns=["path", "chip_id", "photos"])
    pairs = pq.read_table(tables / "pairs-00000.parquet", columns=["chip_path"])
    assert chips.num_rows > len(set(chips["chip_id"].to_pylist()))
    counted = dict(zip(chips["path"].to_pylist(), chips["photos"].to_pylist(), strict=True))
    assert counted == Counter(pairs["chip_path"].to_pylist())
