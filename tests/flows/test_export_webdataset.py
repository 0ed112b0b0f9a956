"""`export webdataset`, read back by WebDataset and by plain range requests."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import webdataset

from filters.splits import Split
from flows.exports.exporting import export_version
from flows.exports.webdataset_shards import WebDatasetShards
from flows.samples.exported import open_export
from flows.samples.members import merged_ranges, read_members
from flows.samples.opening import open_samples
from tests.flows.exported import Truth, check_record, keys, with_hostile_words

if TYPE_CHECKING:
    from pathlib import Path

SHARD_BYTES = 20_000_000
FORM = WebDatasetShards(SHARD_BYTES)


@pytest.fixture(scope="module")
def truth(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """A version whose photos have titles that mean harm."""
    return Truth.of(with_hostile_words(built, tmp_path_factory.mktemp("shards") / "dataset"))


@pytest.fixture(scope="module")
def folder(truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it as shards. Not to be changed."""
    folder = tmp_path_factory.mktemp("shards") / "export"
    export_version(str(truth.root), str(folder), FORM)
    return folder


def shards(folder: Path, begin: str = "") -> list[str]:
    """Returns the paths of the shards whose names begin so."""
    return sorted(str(path) for path in folder.glob(f"shards/{begin}*.tar"))


def read(paths: list[str]) -> list[dict[str, Any]]:
    """Reads shards by WebDataset, which leaves it to the interpreter to close its files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        return list(webdataset.WebDataset(paths, shardshuffle=False))


def test_webdataset_reads_every_pair_once(truth: Truth, folder: Path) -> None:
    """By sensor and split: each pair in one sample, with the bytes and the pixel of the version."""
    found = []
    for path in shards(folder):
        sensor, split = path.rpartition("/")[2].split("-")[:2]
        for sample in read([path]):
            chip = truth.chips[sample["__key__"]]
            assert sample["chip.tif"] == truth.bytes_of(chip)
            record = json.loads(sample["json"])
            assert (record["chip_id"], record["sensor"]) == (chip["chip_id"], sensor)
            assert record["transform"] == chip["transform"]
            fields = {name for name in sample if name.endswith(".jpg")}
            assert fields == {f"photo{at:02d}.jpg" for at in range(len(record["photos"]))}
            for at, photo in enumerate(record["photos"]):
                key = (chip["chip_id"], photo["photo_id"])
                found.append(key)
                pair, row = truth.pairs[key], truth.photos[photo["photo_id"]]
                assert sample[f"photo{at:02d}.jpg"] == truth.bytes_of(row)
                assert (photo["row"], photo["col"]) == (pair["row"], pair["col"])
                assert photo["split"] == pair["split"] == split
                assert (photo["title"], photo["attribution"]) == (row["title"], row["attribution"])
    assert keys(found) == keys(truth.pairs)


def test_one_range_of_the_tables_is_one_picture(truth: Truth, folder: Path) -> None:
    """Each row says where its bytes are; row groups are shards; a sample's members are adjacent."""
    tables = {name: pq.ParquetFile(folder / f"tables/{name}-00000.parquet")
              for name in ("chips", "photos", "pairs")}  # fmt: skip
    seen: Counter[str] = Counter()
    groups = [tables["chips"].read_row_group(number)["shard"].unique().to_pylist()
              for number in range(tables["chips"].num_row_groups)]  # fmt: skip
    assert sorted(one for group in groups for one in group) == [
        path.removeprefix(f"{folder}/") for path in shards(folder)
    ]
    for number, (shard,) in enumerate(groups):
        data = (folder / shard).read_bytes()
        rows = {name: table.read_row_group(number).to_pylist() for name, table in tables.items()}
        spans: dict[str, list[tuple[int, int]]] = {}
        for product in ("chips", "pairs", "photos"):
            for row in rows[product]:
                assert row["shard"] == shard
                own = data[row["offset"] : row["offset"] + row["size"]]
                assert hashlib.sha256(own).hexdigest() == row["sha256"]
                seen[product] += 1
                if product != "photos":
                    end = row["offset"] + row["size"]
                    spans.setdefault(row["chip_id"], []).append((row["offset"], end))
        ordered = sorted((min(span)[0], max(span)[1]) for span in spans.values())
        assert all(one[1] < other[0] for one, other in pairwise(ordered))
    assert seen["pairs"] == seen["photos"] == len(truth.pairs)
    of_version = pq.read_schema(next(truth.root.glob("manifests/v0001/chips/*.parquet")))
    assert tables["chips"].schema_arrow.equals(of_version, check_metadata=False)
    assert tables["chips"].schema_arrow.field("offset").metadata[b"unit"] == b"byte"


def test_the_projects_own_reader_takes_a_sample_by_one_range(truth: Truth, folder: Path) -> None:
    """The same rows as the version's, and chip and photos in one run of bytes of one shard."""
    samples, own = open_export(str(folder)), open_samples(str(truth.root))
    pixels = {(one.chip.chip_id, photo.photo.photo_id): photo.pair
              for one in own for photo in one.photos}  # fmt: skip
    store, found = samples.open_store(), []
    for sample in samples:
        assert len(merged_ranges(sample.places, 64 * 1024)) == 1
        chip, *photos = read_members(store, sample.places)
        assert chip == truth.bytes_of(truth.chips[sample.chip.chip_id])
        for photo, data in zip(sample.photos, photos, strict=True):
            key = (sample.chip.chip_id, photo.photo.photo_id)
            found.append(key)
            assert photo.pair == pixels[key]
            assert data == truth.bytes_of(truth.photos[key[1]])
    assert keys(found) == keys(truth.pairs)


def test_shards_keep_to_their_size(truth: Truth, folder: Path, tmp_path: Path) -> None:
    """No shard has more bytes, or more samples, than asked for, and none could hold the next."""
    sizes = Counter[str]()
    for chip in pq.read_table(folder / "tables/chips-00000.parquet").to_pylist():
        sizes[chip["shard"]] += chip["size"]
    for pair in pq.read_table(folder / "tables/pairs-00000.parquet").to_pylist():
        sizes[pair["shard"]] += pair["size"]
    assert max(sizes.values()) <= SHARD_BYTES
    assert len(sizes) > len({name.rpartition("-")[0] for name in sizes})
    export_version(str(truth.root), str(tmp_path / "x"), WebDatasetShards(SHARD_BYTES, 3),
                   sensor="naip", split=Split.TRAIN)  # fmt: skip
    counts = [len(read([path])) for path in shards(tmp_path / "x")]
    assert set(counts[:-1]) == {3}
    assert 1 <= counts[-1] <= 3


def test_a_shuffle_is_by_its_seed(truth: Truth, tmp_path: Path) -> None:
    """One seed gives one order; another seed another; the samples are the same."""
    orders = {}
    for name, seed in (("a", 7), ("b", 7), ("c", 8), ("d", None)):
        export_version(str(truth.root), str(tmp_path / name), WebDatasetShards(10**9, None, seed),
                       sensor="naip", split=Split.TRAIN)  # fmt: skip
        check_record(tmp_path / name)
        orders[name] = [one["__key__"] for one in read(shards(tmp_path / name))]
    assert orders["a"] == orders["b"]
    assert len({tuple(order) for order in orders.values()}) == 3
    assert len({tuple(sorted(order)) for order in orders.values()}) == 1


def test_the_record_names_every_file(truth: Truth, folder: Path) -> None:
    """Paths, sizes and checksums are those on disk; counts are those of the version."""
    record = check_record(folder)
    assert record["counts"]["pairs"] == len(truth.pairs)
    splits = Counter(pair["split"] for pair in truth.pairs.values())
    assert record["counts"]["pairs_by_split"] == dict(splits)
    licences = Counter(truth.photos[photo]["licence"] for _, photo in truth.pairs)
    assert record["counts"]["pairs_by_licence"] == dict(licences)
