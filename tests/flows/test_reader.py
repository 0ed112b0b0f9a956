"""The PyTorch reader: items, batches, order, resuming, workers, and where the bytes come from."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given
from hypothesis import strategies as st
from rasterio.warp import transform as warp_points
from torch.utils.data import DataLoader

from collectors.transport import SetupError
from flows.samples.members import read_members
from flows.samples.opening import open_samples
from flows.training.chip_dataset import ChipDataset
from flows.training.chip_loader import ChipLoader
from flows.training.collation import collate_chips
from flows.training.member_cache import MemberCache
from flows.training.shard_order import ShardSampler
from tests.collectors.s3_server import S3Server
from tests.flows.crowded import make_crowded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.samples.members import MemberPlace
    from flows.samples.samples import Samples


@pytest.fixture(scope="module")
def samples(built: Path) -> Samples:
    """The samples of Sentinel-2."""
    return open_samples(str(built), sensor="sentinel2")


@pytest.fixture(scope="module")
def far(built: Path) -> Iterator[tuple[S3Server, str]]:
    """The dataset in a bucket, and its address; the environment leads there."""
    with S3Server() as server, pytest.MonkeyPatch.context() as patch:
        for name, text in server.environment.items():
            patch.setenv(name, text)
        root = f"s3://{server.bucket}/dataset"
        import boto3

        client = boto3.client("s3", endpoint_url=server.environment["AWS_ENDPOINT_URL"])
        for path in sorted(built.rglob("*")):
            if path.is_file() and path.relative_to(built).parts[0] in {"manifests", "shards"}:
                client.put_object(
                    Bucket=server.bucket,
                    Key=f"dataset/{path.relative_to(built)}", Body=path.read_bytes(),
                )  # fmt: skip
        client.close()
        yield server, root


@pytest.fixture(scope="module")
def crowded(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Samples of Sentinel-2 with up to 5 photos."""
    root = tmp_path_factory.mktemp("crowded")
    make_crowded(built, root, photos=5)
    return open_samples(str(root), sensor="sentinel2")


def small(picture: torch.Tensor) -> torch.Tensor:
    """Returns a photo's top-left corner."""
    return picture[:, :64, :64]


def marked(item: dict[str, Any]) -> dict[str, Any]:
    """Marks an item as changed."""
    return item | {"marked": True}


def test_an_item_is_what_gdal_and_the_tables_say(samples: Samples) -> None:
    """Pixels, mask, place, time, points and texts of an item, held to GDAL's and to the rows."""
    sample = samples[3]
    item = ChipDataset(samples)[3]
    data = read_members(samples.open_store(), [sample.place])[0]
    with rasterio.MemoryFile(data) as file, file.open() as source:
        pixels = source.read()
        assert item["transform"].tolist() == list(source.transform)
        left, bottom, right, top = source.bounds
        assert item["crs"] == source.crs.to_string()
    assert item["image"].dtype == torch.float32
    assert np.array_equal(item["image"].numpy(), pixels[:-1])
    assert item["mask"].dtype == torch.int64
    assert np.array_equal(item["mask"].numpy(), pixels[-1])
    seen = sample.chip.acquired_at
    assert seen is not None
    assert item["bounds"].tolist() == [
        left, right, 10, bottom, top, 10, seen.timestamp(), seen.timestamp(), 1,
    ]  # fmt: skip
    assert item["bands"] == sample.chip.bands[:-1]
    assert item["points"].tolist() == [[one.pair.row, one.pair.col] for one in sample.photos]
    assert item["delta_days"].tolist() == [one.pair.delta_days for one in sample.photos]
    assert item["title"] == [one.photo.title for one in sample.photos]
    assert item["photo_id"] == [one.photo.photo_id for one in sample.photos]
    assert [tuple(one.shape) for one in item["photos"]] == [
        (3, one.photo.height, one.photo.width) for one in sample.photos
    ]
    # The point, through the transform, is where the photo was taken.
    a, _, c, _, e, f = item["transform"][:6].tolist()
    for (row, col), one in zip(item["points"].tolist(), sample.photos, strict=True):
        x, y = warp_points(
            "EPSG:4326", item["crs"], [one.photo.lon], [one.photo.lat]
        )  # fmt: skip
        assert (a * col + c, e * row + f) == (pytest.approx(x[0]), pytest.approx(y[0]))


def test_options_change_what_they_say(samples: Samples) -> None:
    """Bands by name and order, the chip's own type, no photos, transforms of photos and items."""
    whole = ChipDataset(samples, dtype=None)[0]
    assert whole["image"].dtype == torch.uint16
    some = ChipDataset(
        samples, bands=["B8", "B4"], photos=False, photo_transform=small, transforms=marked
    )[0]
    at = [whole["bands"].index(name) for name in ("B8", "B4")]
    assert torch.equal(some["image"], whole["image"].to(torch.float32)[at])
    assert some["marked"]
    assert "photos" not in some
    assert len(some["points"]) == len(whole["points"])
    assert ChipDataset(samples, photo_transform=small)[0]["photos"].shape[1:] == (3, 64, 64)
    with pytest.raises(SetupError, match=r"no bands N, X\. It has B1, .*one sensor"):
        ChipDataset(samples, bands=["N", "X", "B4"])[0]


def test_a_batch_knows_whose_its_photos_are(crowded: Samples) -> None:
    """Photos of all chips follow one another, each with the number of its chip."""
    dataset = ChipDataset(crowded, photo_transform=small)
    numbers = range(min(6, len(crowded)))
    items = [dataset[number] for number in numbers]
    batch = collate_chips(items)
    counts = [len(one["points"]) for one in items]
    assert len(set(counts)) > 1
    assert max(counts) == 5
    assert batch["image"].shape == (len(items), *items[0]["image"].shape)
    assert batch["chip_index"].tolist() == [
        chip for chip, count in enumerate(counts) for _ in range(count)
    ]
    assert batch["photos"].shape == (sum(counts), 3, 64, 64)
    for place, chip in enumerate(batch["chip_index"].tolist()):
        own = place - sum(counts[:chip])
        assert torch.equal(batch["photos"][place], items[chip]["photos"][own])
        assert torch.equal(batch["points"][place], items[chip]["points"][own])
        assert batch["title"][place] == items[chip]["title"][own]
    assert batch["chip_id"] == [one["chip_id"] for one in items]
    together = collate_chips(dataset.__getitems__(list(numbers)))
    assert torch.equal(together["image"], batch["image"])
    assert torch.equal(together["mask"], batch["mask"])
    backwards = collate_chips(dataset.__getitems__(list(numbers))[::-1])
    assert torch.equal(backwards["image"], batch["image"].flip(0))
    mixed = collate_chips([ChipDataset(crowded)[number] for number in numbers])
    assert [one.shape[0] for one in mixed["photos"]] == [3] * sum(counts)


def test_two_sensors_are_no_batch(built: Path) -> None:
    """Chips of different shapes are refused, with what to do."""
    samples = open_samples(str(built))
    first = {one.chip.sensor: number for number, one in enumerate(samples)}
    dataset = ChipDataset(samples, photos=False)
    with pytest.raises(ValueError, match=r"different shapes.*one sensor"):
        collate_chips([dataset[number] for number in first.values()])


def test_workers_give_what_one_process_gives(samples: Samples) -> None:
    """Forked workers with caches and threads of their own give the same batches."""
    plain = ChipDataset(samples, bands=["B4"], photo_transform=small)
    busy = ChipDataset(
        samples, bands=["B4"], photo_transform=small, cache_bytes=3_000_000, threads=2
    )
    assert plain[0]["chip_id"] == busy[0]["chip_id"]  # so that the first process has a store open
    numbers = list(range(6))
    batches = list(
        DataLoader(
            busy, batch_size=2, sampler=numbers, num_workers=2, collate_fn=collate_chips,
            multiprocessing_context="fork", timeout=60,
        )
    )  # fmt: skip
    assert len(batches) == 3
    for begin, batch in zip(numbers[::2], batches, strict=True):
        expected = collate_chips([plain[begin], plain[begin + 1]])
        assert torch.equal(batch["image"], expected["image"])
        assert torch.equal(batch["photos"], expected["photos"])
        assert batch["photo_id"] == expected["photo_id"]


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_read_from_object_storage(
    far: tuple[S3Server, str], samples: Samples, context: str
) -> None:
    """Forked after the storage's client was used, which a fork breaks, or started anew."""
    _, root = far
    distant = ChipDataset(open_samples(root, sensor="sentinel2"), bands=["B4"], photos=False)
    expected = ChipDataset(samples, bands=["B4"], photos=False)
    assert torch.equal(distant[1]["image"], expected[1]["image"])
    loader = DataLoader(
        distant, batch_size=2, sampler=[4, 5, 0, 1], num_workers=1, collate_fn=collate_chips,
        multiprocessing_context=context, timeout=60,
    )  # fmt: skip
    images = torch.cat([batch["image"] for batch in loader])
    assert torch.equal(images, torch.stack([expected[number]["image"] for number in (4, 5, 0, 1)]))


def test_a_forked_worker_says_what_is_missing(far: tuple[S3Server, str]) -> None:
    """An object that is gone is named, though another process looked for it."""
    server, root = far
    samples = open_samples(root, sensor="naip")
    dataset = ChipDataset(samples, photos=False)
    server.judge = lambda _method, path: 403 if path.endswith(".tar") else None
    try:
        with (
            multiprocessing.get_context("fork").Pool(1) as pool,
            pytest.raises(SetupError, match="shards/"),
        ):
            pool.apply_async(dataset.__getitem__, (0,)).get(60)
    finally:
        server.judge = lambda _method, _path: None


def test_a_sample_is_two_requests(far: tuple[S3Server, str], crowded: Samples) -> None:
    """The chip is one request, all its photos another; a cache makes it none."""
    server, root = far
    crowded.root = root
    dataset = ChipDataset(crowded, cache_bytes=100_000_000)
    for number in range(min(8, len(crowded))):
        before = len(server.asked)
        item = dataset[number]
        assert len(server.asked) - before == 2
        assert len(item["photos"]) == len(crowded[number].photos)
        after = len(server.asked)
        dataset[number]
        assert len(server.asked) == after
    assert max(len(one.photos) for one in crowded) == 5


def test_the_cache_keeps_to_its_bound(samples: Samples) -> None:
    """What was not asked for longest goes first, and never is more held than the bound."""
    store = samples.open_store()
    places = [sample.place for sample in islice(samples, 6)]
    bound = sum(one.size for one in places[:3])
    cache = MemberCache(bound)
    for place in (*places[:3], places[0], *places[3:], places[0]):
        assert cache.read(store, [place, place]) == read_members(store, [place, place])
        assert cache.size <= bound
    assert cache.size > 0
    assert MemberCache(10).read(store, places[:1]) == read_members(store, places[:1])


def test_the_cache_is_shared_by_threads(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """What another thread drops, or brings, while one reads changes nothing of what it gets."""
    store = samples.open_store()
    first, second, third = (sample.place for sample in islice(samples, 3))
    cache = MemberCache(max(one.size for one in (first, second, third)))
    expected = read_members(store, [first, second, third])
    cache.read(store, [first])
    meanwhile: list[list[MemberPlace]] = [[third], [second]]

    def read(*given: Any, **options: Any) -> list[bytes]:
        found = read_members(*given, **options)
        if meanwhile:
            with ThreadPoolExecutor(1) as other:
                wanted = meanwhile.pop(0)
                other.submit(cache.read, store, wanted).result(30)
        return found

    monkeypatch.setattr("flows.training.member_cache.read_members", read)
    assert cache.read(store, [first, second]) == expected[:2]
    assert not meanwhile
    assert cache.size == second.size, "what two threads brought counts once"
    assert cache.read(store, [second]) == expected[1:2]
    assert pickle.loads(pickle.dumps(cache)).size == 0


def test_threads_may_open_a_dataset_at_once(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """An item is asked for while a loader's thread opens the storage for its first batch."""
    dataset = ChipDataset(samples, bands=["B4"], photos=False, cache_bytes=10_000_000)
    open_store, other, found = samples.open_store, ThreadPoolExecutor(1), []

    def slowly() -> Any:
        if not found:
            found.append(None)
            found.append(other.submit(dataset.__getitem__, 1).result(60))
        return open_store()

    monkeypatch.setattr(samples, "open_store", slowly)
    with other:
        assert dataset[0]["number"] == 0
    assert found[1]["number"] == 1


class Shards:
    """Samples of which only the shards are known."""

    def __init__(self, sizes: list[int]) -> None:
        """Takes how many samples each shard has."""
        self.sizes = sizes

    def shard_numbers(self) -> np.ndarray[Any, Any]:
        """Returns each sample's shard."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)


_SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(_SIZES, st.integers(1, 4), st.integers(0, 20), st.booleans(), st.booleans())
def test_ranks_share_out_every_sample(
    sizes: list[int], ranks: int, buffer: int, shuffle: bool, drop: bool
) -> None:
    """Together ranks see each sample, none more than once but to be of one length."""
    shards: Any = Shards(sizes)
    orders = [
        ShardSampler(shards, seed=7, shuffle=shuffle, buffer=buffer, rank=rank, ranks=ranks,
                     drop_last=drop)
        for rank in range(ranks)
    ]  # fmt: skip
    numbers = [list(one) for one in orders]
    assert {len(one) for one in numbers} == {len(orders[0])}
    seen = Counter(number for one in numbers for number in one)
    total = sum(sizes)
    if drop:
        assert max(seen.values(), default=1) == 1
        assert total - len(seen) < ranks
    else:
        assert sorted(seen) == list(range(total))
        assert seen.total() - total < ranks


@given(_SIZES, st.integers(0, 30), st.integers(0, 99))
def test_shards_are_read_one_after_the_other(sizes: list[int], buffer: int, seed: int) -> None:
    """No sample comes more than a buffer's places away from where its shard's turn is."""
    shards: Any = Shards(sizes)
    whole = list(ShardSampler(shards, seed=seed, buffer=0))
    turns = shards.shard_numbers()[whole]
    assert sum(one != other for one, other in pairwise(turns)) == len(sizes) - 1
    moved = list(ShardSampler(shards, seed=seed, buffer=buffer))
    assert sorted(moved) == sorted(whole)
    at = {number: place for place, number in enumerate(whole)}
    assert all(abs(at[number] - place) <= buffer for place, number in enumerate(moved))


def test_epochs_differ_and_come_again() -> None:
    """Each epoch has an order of its own, which the seed and the epoch alone say."""
    shards: Any = Shards([8] * 20)

    def order(seed: int, epoch: int) -> list[int]:
        sampler = ShardSampler(shards, seed=seed, buffer=16)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)
    first = order(1, 0)[:16]
    assert len({number // 8 for number in first}) > 2, "a batch has chips of several shards"
    with pytest.raises(ValueError, match="no rank 2 of 2"):
        ShardSampler(shards, rank=2, ranks=2)


@pytest.mark.parametrize(("workers", "threads"), [(0, 1), (0, 2), (2, 1)])
def test_training_goes_on_where_it_was_stopped(
    samples: Samples, workers: int, threads: int
) -> None:  # fmt: skip
    """A state saved in the middle of an epoch leads to the batches that were to come."""
    samples = samples.pick(range(21))

    def loader(count: int) -> ChipLoader:
        dataset = ChipDataset(samples, bands=["B4"], photos=False, threads=threads)
        return ChipLoader(dataset, ShardSampler(samples, seed=4), 4, num_workers=count)

    whole = loader(0)
    expected = [batch["number"] for _ in range(2) for batch in whole]
    assert expected[: len(expected) // 2] != expected[len(expected) // 2 :]
    assert whole.state_dict()["epoch"] == 2
    begun = loader(workers)
    first = [batch["number"] for batch in islice(begun, 3)]
    state = begun.state_dict()
    resumed = loader(0 if workers else 2)
    resumed.load_state_dict(state)
    rest = [batch["number"] for _ in range(2) for batch in resumed]
    assert first + rest == expected
    dataset = ChipDataset(samples)
    with pytest.raises(ValueError, match="batch_size"):
        ChipLoader(dataset, ShardSampler(samples, seed=4), 2).load_state_dict(state)
    with pytest.raises(ValueError, match="seed"):
        ChipLoader(dataset, ShardSampler(samples, seed=5), 4).load_state_dict(state)


def test_a_state_is_that_of_its_samples_alone(built: Path, samples: Samples) -> None:
    """As many others, others of their photos, or another order are refused, another root is not."""

    def loader(some: Samples) -> ChipLoader:
        return ChipLoader(ChipDataset(some), ShardSampler(some), 4)

    some = samples.pick(range(9))
    state = json.loads(json.dumps(loader(some).state_dict()))
    same = open_samples(str(built)).pick(
        [at for at, one in enumerate(open_samples(str(built))) if one.chip.sensor == "sentinel2"]
    )
    same.root = "elsewhere"
    loader(same.pick([*range(9)])).load_state_dict(state)
    naip = open_samples(str(built), sensor="naip")
    for other in (samples.pick(range(1, 10)), samples.pick([1, 0, *range(2, 9)]),
                  naip.pick(range(9))):  # fmt: skip
        with pytest.raises(ValueError, match=r"another loader: \{'digest'"):
            loader(other).load_state_dict(state)


@pytest.mark.parametrize("drop", [False, True])
def test_a_state_after_an_epochs_last_batch_is_before_the_next_one(
    samples: Samples, *, drop: bool
) -> None:
    """Saved at the last batch, or left there by `break`, it leads to the whole next epoch."""
    samples = samples.pick(range(9))

    def loader() -> ChipLoader:
        dataset = ChipDataset(samples, bands=["B4"], photos=False)
        return ChipLoader(dataset, ShardSampler(samples, seed=4), 4, drop_last=drop)

    whole = loader()
    expected = [batch["number"] for _ in range(2) for batch in whole]
    begun = loader()
    assert len(begun) == (2 if drop else 3)
    for at, _ in enumerate(begun, 1):
        state = begun.state_dict()
        if at == len(begun):
            break
    assert (state["epoch"], state["batches"]) == (1, 0)
    for earlier in (state, state | {"epoch": 0, "batches": len(begun)}):
        resumed = loader()
        resumed.load_state_dict(earlier)
        assert [batch["number"] for batch in resumed] == expected[len(begun) :]
    assert [batch["number"] for batch in begun] == expected[len(begun) :]
    assert begun.state_dict()["epoch"] == 2


def test_with_threads_the_next_batch_is_read_while_this_one_is_in_use(samples: Samples) -> None:
    """One batch ahead and no more; what is wrong with a batch is said when it is asked for."""
    begun = [threading.Event() for _ in range(9)]

    def seen(item: dict[str, Any]) -> dict[str, Any]:
        begun[item["number"]].set()
        if item["number"] == 7:
            raise ValueError("seven")
        return item

    dataset = ChipDataset(
        samples.pick(range(9)), bands=["B4"], photos=False, threads=2, transforms=seen
    )
    batches = iter(ChipLoader(dataset, ShardSampler(dataset.samples, shuffle=False), 3))
    assert next(batches)["number"] == [0, 1, 2]
    assert all(one.wait(30) for one in begun[3:6])
    assert not any(one.is_set() for one in begun[6:])
    assert next(batches)["number"] == [3, 4, 5]
    assert begun[7].wait(30)
    with pytest.raises(ValueError, match="seven"):
        next(batches)


def test_damaged_bytes_are_named(samples: Samples, tmp_path: Path) -> None:
    """A chip that was damaged on the disk ends in an error that names the file."""
    sample = samples[0]
    store = samples.open_store()
    source = store.local_path(sample.place.path)
    assert source is not None
    data = bytearray(source.read_bytes())
    data[sample.place.offset + 100] ^= 255
    path = tmp_path / sample.place.path
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    moved = samples.pick([0])
    moved.root = str(tmp_path)
    with pytest.raises(SetupError, match=f"{Path(sample.place.path).name}.*SHA-256"):
        ChipDataset(moved, photos=False)[0]
