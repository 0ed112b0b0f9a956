"""The samples of a version: which there are, what they say, and the bytes behind them."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import struct
from collections import Counter
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from collectors.chip_files import decode_chip, encode_chip
from collectors.chips import ChipPixels
from collectors.geo import ChipGrid
from collectors.storage import open_store
from collectors.transport import SetupError
from filters.splits import Split
from flows.products.rows import ChipRow, PhotoRow, PublishedPairRow
from flows.products.tables import from_arrow
from flows.samples.decoding import read_chip, read_photo
from flows.samples.members import MemberPlace, merged_ranges, read_members
from flows.samples.opening import open_samples
from tests.flows.crowded import make_crowded

if TYPE_CHECKING:
    from pathlib import Path

    from flows.samples.samples import Samples


@pytest.fixture(scope="module")
def samples(built: Path) -> Samples:
    """All samples of the dataset."""
    return open_samples(str(built))


def _rows(root: Path, product: str, kind: type[Any]) -> list[Any]:
    return from_arrow(pq.read_table(root / "manifests" / "v0001" / product), kind)


def _pair_keys(samples: Samples) -> list[tuple[str, str]]:
    return [
        (one.photo.photo_id, sample.chip.chip_id) for sample in samples for one in sample.photos
    ]


def test_every_pair_is_in_exactly_one_sample(built: Path, samples: Samples) -> None:
    """Each pair of the version stands in one sample, with the rows of its photo and its chip."""
    pairs = {(one.photo_id, one.chip_id): one for one in _rows(built, "pairs", PublishedPairRow)}
    photos = {one.photo_id: one for one in _rows(built, "photos", PhotoRow)}
    chips = {one.chip_id: one for one in _rows(built, "chips", ChipRow)}
    assert Counter(_pair_keys(samples)) == Counter(list(pairs))
    for sample in samples:
        assert sample.chip == chips[sample.chip.chip_id]
        assert sample.chip.kept
        assert sample.photos
        for one in sample.photos:
            assert one.photo == photos[one.photo.photo_id]
            assert one.pair == pairs[one.photo.photo_id, sample.chip.chip_id]


def test_splits_and_sensors_part_the_samples(built: Path, samples: Samples) -> None:
    """Opened by split and by sensor, the samples together are those of the whole version."""
    parts = [
        open_samples(str(built), "v0001", split=split, sensor=sensor)
        for split in Split
        for sensor in ("sentinel2", "naip")
    ]
    for part, split in zip(parts, [one for one in Split for _ in range(2)], strict=True):
        assert {one.pair.split for sample in part for one in sample.photos} <= {split}
    assert Counter(key for part in parts for key in _pair_keys(part)) == Counter(
        _pair_keys(samples)
    )
    assert sum(len(part) > 0 for part in parts) > 2


def test_the_order_is_that_of_the_bytes(built: Path, samples: Samples) -> None:
    """Samples follow one another as their chips do in the shards, each time the same."""
    places = [(one.chip.cell, one.place.path, one.place.offset) for one in samples]
    assert places == sorted(places)
    assert list(open_samples(str(built))) == list(samples)
    shards = samples.shard_numbers()
    paths = [one.place.path for one in samples]
    assert len(set(shards.tolist())) == len(set(paths))
    assert len(set(zip(paths, shards.tolist(), strict=True))) == len(set(paths))


def test_picks_are_samples_of_their_own(samples: Samples) -> None:
    """Picked samples come in the order asked for, can be picked from again, and can be sent."""
    picked = samples.pick([3, 0, 2])
    assert list(picked) == [samples[3], samples[0], samples[2]]
    assert list(picked.pick(np.array([2, -3]))) == [samples[2], samples[3]]
    assert list(pickle.loads(pickle.dumps(picked))) == list(picked)
    assert picked.shard_numbers().tolist() == samples.shard_numbers()[[3, 0, 2]].tolist()
    assert samples[-1] == samples[len(samples) - 1]
    with pytest.raises(IndexError, match=f"sample {len(samples)} of {len(samples)}"):
        samples[len(samples)]
    with pytest.raises(IndexError, match="0 to 99999 of"):
        samples.pick([0, 99_999])


def test_a_mask_picks_what_is_true(samples: Samples) -> None:
    """A mask of booleans is none of numbers 0 and 1, and has to be as long as the samples."""
    wanted = [one.chip.sensor == "naip" for one in samples]
    picked = samples.pick(wanted)
    assert list(picked) == [one for one in samples if one.chip.sensor == "naip"]
    mask = np.arange(len(picked)) % 2 == 1
    assert list(picked.pick(mask)) == list(picked)[1::2]
    assert len(samples.pick(np.zeros(len(samples), bool))) == 0
    with pytest.raises(IndexError, match=rf"mask of shape \(2,\) for {len(samples)} samples"):
        samples.pick([True, False])


def test_a_digest_says_which_samples_they_are(built: Path, samples: Samples) -> None:
    """However they were chosen: it is that of chips, of their photos and of their order."""
    opened = open_samples(str(built), sensor="naip")
    picked = samples.pick([one.chip.sensor == "naip" for one in samples])
    assert opened.digest() == picked.digest()
    assert opened.pick(range(len(opened))).digest() == opened.digest()
    others = [
        samples, picked.pick(range(len(picked) - 1)), picked.pick(range(len(picked))[::-1]),
        samples.pick(range(len(picked))), samples.pick([]),
    ]  # fmt: skip
    assert len({one.digest() for one in [*others, picked]}) == 6


def test_a_digest_says_which_photos(built: Path, tmp_path: Path) -> None:
    """Samples of the same chips with fewer of their photos, as of one split, are others."""
    root = tmp_path / "crowded"
    root.mkdir()
    make_crowded(built, root, photos=5)
    whole = open_samples(str(root))
    for path in (root / "manifests" / "v0001" / "pairs").glob("*.parquet"):
        table = pq.read_table(path)
        _, first = np.unique(table["chip_id"].to_pylist(), return_index=True)
        pq.write_table(table.take(pa.array(np.sort(first))), path)
    fewer = open_samples(str(root))
    assert [one.chip for one in fewer] == [one.chip for one in whole]
    assert fewer.digest() != whole.digest()


def test_bytes_decode_to_what_the_rows_say(samples: Samples) -> None:
    """A chip has its bands and sides, bit for bit as GDAL reads it, and a photo its own."""
    for sensor in ("sentinel2", "naip"):
        sample = next(one for one in samples if one.chip.sensor == sensor)
        chip, *photos = read_members(samples.open_store(), sample.places)
        pixels = read_chip(chip)
        assert pixels.shape == (len(sample.chip.bands), sample.chip.height, sample.chip.width)
        expected = decode_chip(chip).data
        assert pixels.dtype == expected.dtype
        assert np.array_equal(pixels, expected)
        for one, data in zip(sample.photos, photos, strict=True):
            picture = read_photo(data)
            assert picture.dtype == np.uint8
            assert picture.shape == (one.photo.height, one.photo.width, 3)
            assert np.array_equal(picture, np.asarray(Image.open(BytesIO(data)).convert("RGB")))


def test_no_version_no_sensor_and_no_split_are_said_to_be_none(built: Path, tmp_path: Path) -> None:
    """What is not there is named in the error, with what there is."""
    with pytest.raises(SetupError, match=r"no published version.*terrapair build"):
        open_samples(str(tmp_path))
    with pytest.raises(SetupError, match=r"no sensor landsat\. It has naip, sentinel2"):
        open_samples(str(built), sensor="landsat")
    with pytest.raises(SetupError, match=r"no version v0009\. It has v0001"):
        open_samples(str(built), "v0009")
    with pytest.raises(ValueError, match="holdout"):
        open_samples(str(built), split="holdout")


def test_a_revoked_version_is_refused(built: Path, tmp_path: Path) -> None:
    """A version in which photos had to be forgotten is not read, even where its files still are."""
    root = tmp_path / "revoked"
    shutil.copytree(built / "manifests", root / "manifests")
    (root / "manifests" / "v0001" / "REVOKED.json").write_text(json.dumps({}))
    with pytest.raises(SetupError, match="revoked"):
        open_samples(str(root))


def test_a_split_without_pairs_is_empty(built: Path, tmp_path: Path) -> None:
    """Where nothing is asked for there are no samples, and no error."""
    none = open_samples(str(built)).pick([])
    assert len(none) == 0
    assert list(none) == []
    assert none.shard_numbers().tolist() == []


def test_damaged_and_missing_bytes_are_named(samples: Samples, tmp_path: Path) -> None:
    """Bytes that are not those of the tables, or are gone, end in an error with the file's name."""
    sample = samples[0]
    source = samples.open_store().local_path(sample.place.path)
    assert source is not None
    copy = tmp_path / sample.place.path
    copy.parent.mkdir(parents=True)
    store = open_store(str(tmp_path))
    with pytest.raises(SetupError, match=f"{sample.place.path}.*is not there"):
        read_members(store, [sample.place])
    data = bytearray(source.read_bytes())
    data[sample.place.offset + sample.place.size // 2] ^= 1
    copy.write_bytes(data)
    with pytest.raises(SetupError, match=f"{sample.place.path}.*SHA-256"):
        read_members(store, [sample.place])
    copy.write_bytes(data[: sample.place.offset + 10])
    with pytest.raises(SetupError, match=sample.place.path):
        read_members(store, [sample.place])


@pytest.mark.parametrize("side", [160, 224, 448, 464])
def test_chips_of_any_side_and_type_are_read_as_gdal_reads_them(side: int) -> None:
    """Tiles that reach beyond the chip, differences that wrap around: the pixels are GDAL's."""
    chance = np.random.default_rng(side)
    grid = ChipGrid("EPSG:32632", 500_000.0, 5_000_000.0, 10.0, side)
    quality = chance.integers(0, 12, (side, side), np.uint8)
    for data, names, scl in (
        (chance.integers(0, 65_536, (2, side, side), np.uint16), ("B2", "B3"), quality),
        (chance.integers(0, 256, (3, side, side), np.uint8), ("R", "G", "B"), None),
        (np.full((1, side, side), 65_535, np.uint16), ("B2",), quality),
    ):
        file = encode_chip(ChipPixels.of(names, data, scl), grid, tags={"scene": "made up"})
        expected = decode_chip(file).data
        assert np.array_equal(read_chip(file), expected)
        assert read_chip(file).dtype == expected.dtype
        assert np.array_equal(read_chip(file, [len(expected) - 1, 0]), expected[[-1, 0]])


def with_tag_of_0(data: bytes, tag: int) -> bytes:
    """Returns a TIFF whose first directory has 0 for the value of a tag: TIFF 6.0, section 2."""
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    changed = bytearray(data)
    for at in range(start + 2, start + 2 + entries * 12, 12):
        if struct.unpack_from("<H", data, at) == (tag,):
            changed[at + 8 : at + 12] = bytes(4)
    assert changed != data
    return bytes(changed)


def test_what_is_no_chip_is_refused(samples: Samples) -> None:
    """Other TIFFs, cut files and bands that are not there end in an error that says so."""
    data = read_members(samples.open_store(), [samples[0].place])[0]
    with pytest.raises(ValueError, match="no little-endian TIFF"):
        read_chip(b"\xff\xd8\xff\xe0 a photo")
    for cut in (6, 300, len(data) - 2_000):
        with pytest.raises(ValueError, match="not the file of a chip"):
            read_chip(data[:cut])
    with pytest.raises(ValueError, match=r"bands, not all of \[0, 40\]"):
        read_chip(data, [0, 40])
    for tag in (256, 257, 277, 322, 323):
        with pytest.raises(ValueError, match=r"damaged one: .* pixels in tiles of"):
            read_chip(with_tag_of_0(data, tag))
    with rasterio.MemoryFile() as file:
        profile = {
            "driver": "GTiff", "width": 32, "height": 32, "count": 1, "dtype": "uint8",
            "compress": "deflate", "tiled": True, "blockxsize": 16, "blockysize": 16,
            "crs": "EPSG:32632", "transform": rasterio.Affine(1, 0, 500, 0, -1, 500),
        }  # fmt: skip
        with file.open(**profile) as target:
            target.write(np.ones((1, 32, 32), np.uint8))
        with pytest.raises(ValueError, match="not the"):
            read_chip(bytes(file.getbuffer()))


_PLACES = st.lists(
    st.builds(
        MemberPlace,
        st.sampled_from(["a", "b"]), st.integers(0, 300), st.integers(1, 40), st.just(""),
    ),
    min_size=1,
)  # fmt: skip


@given(_PLACES, st.integers(0, 60))
def test_ranges_hold_all_places_and_no_long_gap(places: list[MemberPlace], gap: int) -> None:
    """Every place lies in one range, no gap longer than asked is read, no two could be one."""
    ranges = merged_ranges(places, gap)
    wanted = {(one.path, byte) for one in places
              for byte in range(one.offset, one.offset + one.size)}  # fmt: skip
    for place in places:
        assert sum(
            one.path == place.path
            and one.offset <= place.offset
            and place.offset + place.size <= one.offset + one.size
            for one in ranges
        ) == 1  # fmt: skip
    for one in ranges:
        unread = "".join(
            " " if (one.path, byte) in wanted else "x"
            for byte in range(one.offset, one.offset + one.size)
        )
        assert max(map(len, unread.split())) <= gap if unread.strip() else True
        assert unread[0] == unread[-1] == " "
    for first, second in pairwise(ranges):
        assert first.path < second.path or second.offset - first.offset - first.size > gap


def test_places_in_any_order_and_twice_give_their_own_bytes(tmp_path: Path) -> None:
    """What is asked for twice, or in no order, comes back as it was asked for."""
    store = open_store(str(tmp_path))
    data = np.random.default_rng(1).bytes(300_000)
    store.create("one", data)

    def place(offset: int, size: int) -> MemberPlace:
        digest = hashlib.sha256(data[offset : offset + size]).hexdigest()
        return MemberPlace("one", offset, size, digest)

    places = [place(290_000, 10_000), place(5, 20), place(290_000, 10_000), place(0, 40)]
    assert read_members(store, places) == [
        data[one.offset : one.offset + one.size] for one in places
    ]
    assert read_members(store, []) == []
