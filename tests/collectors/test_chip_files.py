"""Chips as GeoTIFF files: nothing is lost, and the bytes are always the same."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import RasterioIOError
from rasterio.io import MemoryFile

from collectors.chip_files import decode_chip, encode_chip
from collectors.chips import ChipPixels
from collectors.geo import ChipGrid

GRID = ChipGrid("EPSG:32610", 547760, 4182240, 10, 448)
AERIAL = ChipGrid("EPSG:26910", 549776, 4180224, 1, 448)
TAGS = {"chip_id": "sentinel2_10N_547760_4182240_2020Q2", "scene_id": "x/y"}


def sentinel2_pixels() -> ChipPixels:
    """Returns a chip of three bands and a scene classification with some missing pixels."""
    random = np.random.default_rng(7)
    ground = random.integers(1, 10000, (3, 56, 56), dtype=np.uint16)
    data = np.kron(ground, np.ones((8, 8), np.uint16))
    quality = np.kron(random.integers(0, 12, (56, 56), dtype=np.uint8), np.ones((8, 8), np.uint8))
    return ChipPixels.of(("B2", "B3", "B8A"), data * (quality > 0), quality)


def test_a_chip_comes_back_as_it_was_written() -> None:
    """Pixels, quality band, mask, names, grid and tags survive; SCL is the last band."""
    pixels = sentinel2_pixels()
    seen = decode_chip(encode_chip(pixels, GRID, tags=TAGS))
    assert seen.bands == ("B2", "B3", "B8A", "SCL")
    assert (seen.crs, seen.transform) == ("EPSG:32610", GRID.transform)
    assert seen.tags == TAGS
    assert seen.data.dtype == np.uint16
    assert np.array_equal(seen.pixels.data, pixels.data)
    assert seen.pixels.quality is not None
    assert pixels.quality is not None
    assert np.array_equal(seen.pixels.quality, pixels.quality)
    assert np.array_equal(seen.pixels.valid, pixels.valid)
    assert not pixels.valid.all()


def test_an_aerial_chip_keeps_its_bytes_and_its_zeros() -> None:
    """Without a quality band the type stays and no value means no data: 0 can be dark ground."""
    data = np.random.default_rng(3).integers(0, 3, (3, 448, 448), dtype=np.uint8)
    pixels = ChipPixels.of(("R", "G", "B"), data, None)
    encoded = encode_chip(pixels, AERIAL, tags={})
    seen = decode_chip(encoded)
    assert (seen.bands, seen.crs) == (("R", "G", "B"), "EPSG:26910")
    assert np.array_equal(seen.data, data)
    assert np.array_equal(seen.pixels.valid, data.any(axis=0))
    with MemoryFile(encoded) as file, file.open() as source:
        assert source.nodata is None


def test_a_chip_with_cloud_score_comes_back_as_it_was_written() -> None:
    """The score is the last band; 0 in it is no missing pixel, and a pixel of zeros is one."""
    plain = sentinel2_pixels()
    score = (np.arange(448 * 448, dtype=np.uint32) % 101).astype(np.uint8).reshape(448, 448)
    pixels = ChipPixels.of(plain.bands, plain.data, score, "cs_cdf")
    encoded = encode_chip(pixels, GRID, tags=TAGS)
    seen = decode_chip(encoded)
    assert seen.bands == ("B2", "B3", "B8A", "cs_cdf")
    assert seen.pixels.quality_band == "cs_cdf"
    assert seen.pixels.quality is not None
    assert np.array_equal(seen.pixels.quality, score)
    assert np.array_equal(seen.pixels.valid, plain.data.any(axis=0))
    with MemoryFile(encoded) as file, file.open() as source:
        assert source.nodata is None


def test_gis_programs_find_what_they_need_in_the_file() -> None:
    """Tiles of 224 px, ZSTD, 0 as no data, band descriptions, north-up transform."""
    with (
        MemoryFile(encode_chip(sentinel2_pixels(), GRID, tags=TAGS)) as file,
        file.open() as source,
    ):
        assert source.block_shapes == [(224, 224)] * 4
        assert source.compression is rasterio.enums.Compression.zstd
        assert source.nodata == 0
        assert source.descriptions == ("B2", "B3", "B8A", "SCL")
        assert source.bounds == (547760, 4177760, 552240, 4182240)


def test_the_same_chip_gives_the_same_bytes_in_another_process() -> None:
    """No time, no path, no order of a dictionary gets into the file."""
    here = encode_chip(sentinel2_pixels(), GRID, tags=dict(reversed(TAGS.items())))
    code = (
        "import hashlib; from tests.collectors.test_chip_files import *;"
        "print(hashlib.sha256(encode_chip(sentinel2_pixels(), GRID, tags=TAGS)).hexdigest())"
    )
    root = Path(__file__).resolve().parents[2]
    there = subprocess.run(
        [sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True
    )
    assert there.stdout.strip() == hashlib.sha256(here).hexdigest()


def test_pixels_that_do_not_fit_the_grid_are_refused() -> None:
    """A chip of another size than its grid is a bug, told before anything is written."""
    small = ChipPixels.of(("R",), np.ones((1, 4, 4), np.uint8), None)
    with pytest.raises(ValueError, match="do not fit"):
        encode_chip(small, AERIAL, tags={})


def test_what_is_no_chip_is_not_decoded() -> None:
    """Other bytes, and images without names of bands, are errors."""
    with pytest.raises(RasterioIOError):
        decode_chip(b"not a picture")
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "width": 8, "height": 8,
               "crs": "EPSG:32610", "transform": rasterio.Affine(1, 0, 5, 0, -1, 5)}  # fmt: skip
    with MemoryFile() as file:
        with file.open(**profile) as target:
            target.write(np.ones((1, 8, 8), np.uint8))
        data = bytes(file.getbuffer())
    with pytest.raises(ValueError, match="not the file of a chip"):
        decode_chip(data)
