"""The reader beside loose files, and what a sample takes over the protocol of S3."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import torch
from torch.utils.data import DataLoader, Dataset

from collectors.cells import Cell
from flows.exports.exporting import export_version
from flows.exports.webdataset_shards import WebDatasetShards
from flows.samples.exported import open_export
from flows.samples.members import REMOTE_GAP, merged_ranges, read_members
from flows.samples.opening import open_samples
from flows.training.chip_dataset import ChipDataset
from flows.training.collation import collate_chips
from tests.benchmarks.graft_world import build_ground, write_photos
from tests.benchmarks.lines import report
from tests.collectors.s3_server import S3Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flows.samples.samples import Samples
    from tests.flows.runs import Run

CHIPS = 64
SAMPLES = 400
"""At least so many are read in a run."""

ROUNDS = 7
BATCH = 16

CROWDED = [Cell.parse("r118c055"), Cell.parse("r118c056")]
SPOTS, PHOTOS_OF_SPOT = 12, 16
"""Of each cell; all photos of a spot fit one chip of either sensor. 192 are three batches."""

SEED = 11


@pytest.fixture(scope="module")
def root(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of both sensors, with the chips of the shipped size."""
    root = tmp_path_factory.mktemp("reader") / "dataset"
    run.build(root)
    return root


class LooseChips(Dataset[torch.Tensor]):
    """Chips as files of a folder, read as most people do."""

    def __init__(self, paths: list[Path]) -> None:
        """Takes the files."""
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> torch.Tensor:
        with rasterio.open(self.paths[number]) as source:
            return torch.from_numpy(source.read())


def _loose(samples: Samples, folder: Path) -> list[Path]:
    """Writes the bytes of each chip, as they lie in the shards, into a file of its own."""
    store, paths = samples.open_store(), []
    for sample in samples:
        path = folder / f"{sample.chip.chip_id}.tif"
        path.write_bytes(read_members(store, [sample.place])[0])
        paths.append(path)
    return paths


@pytest.mark.benchmark
def test_samples_a_second_beside_loose_files(root: Path, tmp_path: Path) -> None:
    """Prints the same chips a second from shards and from loose files, two cores each.

    Of all chips of the dataset, and of each sensor's alone. Both give all bands in their own type,
    in random order, in batches of one sensor; neither reads photos. The files hold the bytes of the
    shards' members. The reader also reads the rows of the chip and of its photos, and has held the
    bytes to their checksums in a round before. Measurements take turns; the median of the rounds
    counts. A run goes through the chips several times, each time in another order, so that what
    begins and ends it weighs little: an aerial chip takes a millisecond. Workers are there before
    and stay.
    """
    seconds: dict[str, dict[str, float]] = {}
    for sensor in ("sentinel2", "naip"):
        found = open_samples(str(root), sensor=sensor)
        folder = tmp_path / sensor
        folder.mkdir()
        seconds[sensor] = _seconds_of_chips(found.pick(range(min(CHIPS, len(found)))), folder)
    every = {
        way: sum(one[way] for one in seconds.values()) for way in seconds["naip"]
    }  # fmt: skip
    for name, taken in {
        "": every,
        **{f"_{sensor}": one for sensor, one in seconds.items()},
    }.items():
        chips = taken.pop("chips")
        report(
            f"reader_vs_loose_ratio{name}",
            round(taken["loose_workers"] / taken["reader_threads"], 2),
            "×", "at least 2: two threads of the reader beside rasterio in two workers of a"
            " DataLoader",
            chips=int(chips),
            beside_loose_in_threads=round(taken["loose_threads"] / taken["reader_threads"], 2),
            both_in_workers=round(taken["loose_workers"] / taken["reader_workers"], 2),
            both_on_one_core=round(taken["loose_one_core"] / taken["reader_one_core"], 2),
            samples_a_second={way: round(chips / one, 1) for way, one in taken.items()},
        )  # fmt: skip


def _seconds_of_chips(samples: Samples, folder: Path) -> dict[str, float]:
    """Returns how many chips there are, and for each way to read them all the median of seconds."""
    loose = LooseChips(_loose(samples, folder))
    bands = samples[0].chip.bands
    reader = ChipDataset(samples, bands=bands, dtype=None, photos=False, threads=2)
    alone = ChipDataset(samples, bands=bands, dtype=None, photos=False)
    for number in range(len(samples)):
        assert torch.equal(reader[number]["image"], loose[number])
        alone[number]
    chance, passes = np.random.default_rng(SEED), -(-SAMPLES // len(samples))
    order = np.concatenate([chance.permutation(len(samples)) for _ in range(passes)]).tolist()
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    pool = ThreadPoolExecutor(2)

    def loader(dataset: Dataset, workers: int, collate: Callable) -> Callable[[], object]:
        batches = DataLoader(
            dataset, batch_size=BATCH, sampler=order, num_workers=workers, collate_fn=collate,
            persistent_workers=workers > 0,
        )  # fmt: skip
        return lambda: [type(batch) for batch in batches]

    ways = {
        "reader_threads": loader(reader, 0, collate_chips),
        "reader_workers": loader(alone, 2, collate_chips),
        "loose_workers": loader(loose, 2, torch.stack),
        "loose_threads": lambda: [
            torch.stack(list(pool.map(loose.__getitem__, batch))) for batch in batches
        ],
        "reader_one_core": loader(alone, 0, collate_chips),
        "loose_one_core": loader(loose, 0, torch.stack),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for number in range(-1, ROUNDS):
            for name, run_through in ways.items():
                began = time.perf_counter()
                run_through()
                if number >= 0:
                    taken[name].append((time.perf_counter() - began) / passes)
    finally:
        torch.set_num_threads(threads)
        pool.shutdown()
    return {"chips": len(samples)} | {name: statistics.median(one) for name, one in taken.items()}


@pytest.mark.benchmark
def test_requests_of_a_sample(
    root: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prints how many requests a sample takes, each read alone with nothing cached.

    On a small dataset, on one with up to 25 photos a chip, and on an export of that one.
    """
    import boto3

    export = tmp_path / "export"
    photos = write_photos(
        tmp_path / "photos.parquet", CROWDED, SEED, spots=SPOTS, photos=PHOTOS_OF_SPOT, spread_m=40
    )
    crowded = build_ground(
        tmp_path, weights, photos, cells=CROWDED, quota=SPOTS * PHOTOS_OF_SPOT, seed=SEED,
        sensors=("sentinel2", "naip"),
    )  # fmt: skip
    export_version(str(crowded), str(export), WebDatasetShards(10**8, 8, shuffle=1))
    found = {}
    with S3Server() as server:
        for name, text in server.environment.items():
            monkeypatch.setenv(name, text)
        client = boto3.client("s3", endpoint_url=server.environment["AWS_ENDPOINT_URL"])
        for folder in (root, crowded, export):
            for path in sorted((folder / "shards").rglob("*.tar")):
                client.put_object(
                    Bucket=server.bucket, Key=str(path.relative_to(folder)), Body=path.read_bytes()
                )
        client.close()
        for name, samples in (
            ("small", open_samples(str(root))),
            ("crowded", open_samples(str(crowded))),
            ("crowded_export", open_export(str(export))),
        ):
            samples.root = f"s3://{server.bucket}"
            order = np.random.default_rng(7).permutation(len(samples))[:60].tolist()
            chips = ChipDataset(samples)
            counts, taken, own, asked = [], [], 0, 0
            for number in order:
                before = len(server.asked)
                item = chips[number]
                counts.append(len(server.asked) - before)
                taken.append(len(item["photo_id"]))
                places = samples[number].places
                own += sum(one.size for one in places)
                asked += sum(one.size for one in merged_ranges(places, REMOTE_GAP))
            found[name] = {
                "samples": len(order), "mean": round(statistics.mean(counts), 2),
                "most": max(counts), "photos": round(statistics.mean(taken), 1),
                "most_photos": max(taken), "bytes_asked_to_own": round(asked / own, 2),
            }  # fmt: skip
    report(
        "reader_requests_per_sample", max(found["small"]["mean"], found["crowded"]["mean"]),
        "requests", "at most 2", **found
    )  # fmt: skip
