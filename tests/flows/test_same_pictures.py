"""One picture in two photos: within a cell after the download, across cells when published."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from collectors.records import PhotoAbsence, PhotoImage
from collectors.storage import Store, open_store
from filters.picture_hashes import picture_hash
from flows.cells.batches import Batches, Piece, ShardRemovedError
from flows.cells.photo_work import judge_photos
from flows.cells.picture_comparison import name_of
from flows.cells.services import Services
from flows.cells.state import CellState, commit_cell
from flows.products.rows import PhotoRow, RejectRow
from flows.products.tables import from_arrow, parquet_bytes, read_parquet
from flows.products.versions import read_version
from flows.publishing.publish import publish
from flows.publishing.repeats import same_pictures
from flows.verification.verification import verify_dataset
from tests.filters.photos import photo as found_photo
from tests.filters.real_pictures import COPIES, jpeg
from tests.flows.product_rows import CATALOGUE, chip, ids, pair, photo, reject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from collectors.records import Photo

DAY = datetime(2020, 5, 20, tzinfo=UTC)


def picture(seed: int) -> Image.Image:
    """Smooth noise, 448 × 336: another picture for each seed."""
    chance = np.random.default_rng(seed)
    return Image.fromarray(chance.integers(0, 255, (14, 18, 3), dtype=np.uint8)).resize(
        (448, 336), Image.Resampling.BICUBIC
    )


def cropped(seed: int) -> bytes:
    """The same, less 5 % at one corner."""
    return COPIES["cropped by 5 %, corner"](picture(seed))


def keep(store: Store, photo_id: str, cell: str, file: bytes, **more: Any) -> PhotoRow:
    """A kept photo whose bytes lie in the store."""
    path = f"shards/{cell}/{photo_id}.bin"
    store.create(path, b"--" + file)
    return photo(
        photo_id, cell, shard=path, offset=2, size=len(file), picture_hash=picture_hash(file),
        sha256=sha256(file).hexdigest(), **more,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty dataset."""
    return open_store(str(tmp_path / "d"))


class Host:
    """A photo host with some files."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def fetch(self, one: Photo) -> PhotoImage | PhotoAbsence:
        file = self.files.get(one.photo_id)
        if file is None:
            return PhotoAbsence("gone", "404")
        return PhotoImage(file, 448, 336, "u")


class Classifier:
    """Takes everything for outdoors and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[bytes] = []

    def probabilities(self, files: Sequence[bytes]) -> Iterator[float]:
        self.shown += files
        return iter([0.1] * len(files))


def services(store: Store, files: dict[str, bytes]) -> Services:
    """Services of which only those that a batch of photos needs are there."""
    pool = ThreadPoolExecutor(2)
    nothing: Any = None
    host: Any = Host(files)
    classifier: Any = Classifier()
    return Services(
        store=store, catalogue=CATALOGUE, flickr=nothing, photo_host=host, earth_engine=nothing,
        classifier=classifier, weights="", photo_pool=pool, pixel_pool=pool,
    )  # fmt: skip


def arrived(photo_id: str, day: int) -> Photo:
    """A photo uploaded on a day."""
    return found_photo(photo_id=photo_id, uploaded_at=DAY + timedelta(days=day))


def test_of_those_that_arrive_together_the_earliest_upload_is_kept(store: Store) -> None:
    """Whatever the order in which they come; what is dropped is not judged."""
    files = {"11": jpeg(picture(1)), "12": cropped(1), "13": jpeg(picture(2)), "14": cropped(2)}
    around = services(store, files)
    photos = [arrived("11", 3), arrived("15", 0), arrived("12", 1), arrived("13", 1),
              arrived("14", 1)]  # fmt: skip
    for order in (photos, photos[::-1]):
        pieces = {one.item_id: one for one in judge_photos(order, [], around)}
        assert [one.item_id for one in judge_photos(order, [], around)] == [
            one.photo_id for one in order
        ]
        ended = {name: (one.verdict["stage"], one.verdict["reason"], one.verdict["detail"])
                 for name, one in pieces.items()}  # fmt: skip
        assert ended == {
            "11": ("compare", "same_picture", "12"),
            "12": ("judge", "", ""),
            "13": ("judge", "", ""),
            "14": ("compare", "same_picture", "13"),
            "15": ("download", "gone", "404"),
        }
        assert pieces["11"].member is None
        assert pieces["12"].verdict["picture_hash"] == picture_hash(files["12"])
    assert set(around.classifier.shown) == {files["12"], files["13"]}


def test_what_is_kept_stays_whoever_was_first(store: Store) -> None:
    """A new photo that was uploaded earlier is dropped; the kept one's bytes are looked at."""
    old = keep(store, "21", "r118c055", jpeg(picture(3)), uploaded_at=DAY + timedelta(days=9))
    around = services(store, {"22": cropped(3), "23": jpeg(picture(4))})
    first, second = judge_photos([arrived("22", 0), arrived("23", 0)], [old], around)
    assert (first.verdict["reason"], first.verdict["detail"]) == ("same_picture", "21")
    assert second.verdict["outcome"] == "kept"


def test_a_kept_picture_whose_shard_was_tidied_up_says_so(store: Store) -> None:
    """Another run of the cell has committed meanwhile; the cell is begun again."""
    old = keep(store, "21", "r118c055", jpeg(picture(3)))
    store.delete(old.shard)
    with pytest.raises(ShardRemovedError, match=old.shard):
        judge_photos([arrived("22", 0)], [old], services(store, {"22": cropped(3)}))


def test_pictures_that_are_near_by_hash_alone_are_kept(store: Store) -> None:
    """The hash of another picture does not drop one: the pictures have to agree."""
    old = keep(store, "21", "r118c055", jpeg(picture(3)))
    fooled = replace(old, picture_hash=picture_hash(jpeg(picture(4))))
    around = services(store, {"22": jpeg(picture(4))})
    (only,) = judge_photos([arrived("22", 0)], [fooled], around)
    assert only.verdict["outcome"] == "kept"


def test_two_black_pictures_are_two(store: Store) -> None:
    """Without contrast there is nothing to compare, and nobody is dropped."""
    black = jpeg(Image.new("RGB", (448, 336)))
    around = services(store, {"31": black, "32": black})
    found = judge_photos([arrived("31", 0), arrived("32", 0)], [], around)
    assert [one.verdict["outcome"] for one in found] == ["kept", "kept"]
    assert [one.verdict["picture_hash"] for one in found] == ["", ""]


def test_finished_work_beside_other_photos_is_done_again(store: Store) -> None:
    """What a batch comes to depends on what the cell kept when it was compared."""
    kept = [photo("2", "r118c055"), photo("1", "r118c055")]
    assert name_of(kept) == name_of(kept[::-1]) != name_of(kept[:1])
    done = []

    def work() -> list[Piece]:
        done.append(1)
        return [Piece("1", {"n": len(done)}, ("1.jpg", b"x" * len(done)))]

    for beside in (name_of(kept), name_of(kept), name_of(kept[:1]), name_of(kept[:1])):
        batches = Batches(store, "r118c055", [], "key")
        batches.run(["1"], work, beside)
    assert len(done) == 2


def published(store: Store) -> tuple[dict[str, PhotoRow], dict[str, RejectRow]]:
    """The photos and rejects of the newest version by id."""
    version = read_version(store)
    assert version is not None
    tables = {name: [read_parquet(store.read(path)) for path in version.files(name)]
              for name in ("photos", "rejects")}  # fmt: skip
    photos = [row for table in tables["photos"] for row in from_arrow(table, PhotoRow)]
    rejects = [row for table in tables["rejects"] for row in from_arrow(table, RejectRow)]
    return {row.photo_id: row for row in photos}, {row.photo_id: row for row in rejects}


def test_across_cells_the_earliest_upload_is_published(store: Store) -> None:
    """The other is a reject with its reason, its pair is gone, and its chip has one photo less."""
    first = CellState(
        "r118c055", 1,
        photos=(
            keep(store, "1", "r118c055", jpeg(picture(1)), uploaded_at=DAY + timedelta(days=2)),
            keep(store, "2", "r118c055", jpeg(picture(2)), uploaded_at=DAY),
            keep(store, "5", "r118c055", jpeg(picture(5)), uploaded_at=DAY),
        ),
        rejects=(reject("0", "r118c055"), reject("3", "r118c055")),
        chips=(chip("a", "r118c055", 3),),
        pairs=tuple(pair(one, "a", "r118c055") for one in "125"),
    )  # fmt: skip
    second = CellState(
        "r118c056", 1,
        photos=(
            keep(store, "6", "r118c056", cropped(1), uploaded_at=DAY + timedelta(days=1)),
            keep(store, "7", "r118c056", cropped(2), uploaded_at=DAY + timedelta(days=1)),
            keep(store, "8", "r118c056", jpeg(picture(8)), uploaded_at=DAY),
        ),
        chips=(chip("b", "r118c056", 3),),
        pairs=tuple(pair(one, "b", "r118c056") for one in "678"),
    )  # fmt: skip
    for state in (second, first):
        assert commit_cell(store, state, CATALOGUE, 0)
    version, _ = publish(store, CATALOGUE, 0)
    photos, rejects = published(store)
    assert sorted(photos) == ["2", "5", "6", "8"]
    assert ids(store, "rejects") == ["0", "1", "3", "7"]
    assert {name: (row.outcome, row.stage, row.reason, row.detail, row.cell)
            for name, row in rejects.items() if name in "17"} == {
        "1": ("rejected", "publish", "same_picture", "6", "r118c055"),
        "7": ("rejected", "publish", "same_picture", "2", "r118c056"),
    }  # fmt: skip
    assert sorted(ids(store, "pairs")) == ["2", "5", "6", "8"]
    assert ids(store, "chips", "photos") == [2, 2]
    assert version is not None
    assert version.manifest["settled_pictures"] == 2


def test_thousands_of_photos_are_compared_in_the_order_of_their_upload(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of equal pictures the first upload stays; at the same second, the lower number."""
    monkeypatch.setattr("flows.publishing.repeats.agreement", lambda _one, _other: 1.0)
    monkeypatch.setattr("flows.publishing.repeats._BATCH", 2048)
    chance = random.Random(3)
    shown = [f"{chance.getrandbits(640):0160x}" for _ in range(4_900)]
    photos = [
        {"photo_id": str(number), "uploaded_at": DAY + timedelta(seconds=chance.randrange(40)),
         "shard": "shards/a/b.tar", "offset": 0, "size": 1,
         "picture_hash": chance.choice(shown) if number % 50 else ""}
        for number in chance.sample(range(20_000), 6_000)
    ]  # fmt: skip
    store.create("shards/a/b.tar", b"-")
    cells = {"a": photos[:2_500], "b": photos[2_500:]}
    commits = {}
    for cell, rows in cells.items():
        store.create(f"{cell}.parquet", parquet_bytes(pa.Table.from_pylist(rows)))
        commits[cell] = {"parts": {"photos": f"{cell}.parquet"}}
    gone = {"b": {row["photo_id"] for row in photos[2_500:3_000]}}
    expected: dict[str, dict[str, str]] = {}
    first: dict[str, str] = {}
    of_cell = {row["photo_id"]: cell for cell, rows in cells.items() for row in rows}
    for row in sorted(photos, key=lambda one: (one["uploaded_at"], int(one["photo_id"]))):
        if row["picture_hash"] and row["photo_id"] not in gone["b"]:
            kept = first.setdefault(row["picture_hash"], row["photo_id"])
            if kept != row["photo_id"]:
                expected.setdefault(of_cell[row["photo_id"]], {})[row["photo_id"]] = kept
    assert sum(map(len, expected.values())) > 1_000
    assert same_pictures(store, commits, gone, 0.9) == expected


def test_a_photo_left_to_another_cell_drops_none(store: Store) -> None:
    """First the same id, then the same picture: a row that is not published has no claim."""
    mine = keep(store, "1", "r118c055", jpeg(picture(1)))
    theirs = replace(mine, cell="r118c056")
    later = keep(store, "2", "r118c056", cropped(1), uploaded_at=mine.uploaded_at + timedelta(1))
    for state in (CellState("r118c055", 1, photos=(mine,)),
                  CellState("r118c056", 1, photos=(theirs, later))):  # fmt: skip
        assert commit_cell(store, state, CATALOGUE, 0)
    publish(store, CATALOGUE, 0)
    photos, rejects = published(store)
    assert (list(photos), photos["1"].cell) == (["1"], "r118c055")
    assert {name: row.detail for name, row in rejects.items()} == {"2": "1"}


def test_a_rule_over_one_switches_it_off(store: Store) -> None:
    """No two pictures agree more than entirely."""
    rules = CATALOGUE.rules.model_copy(update={"same_picture": 1.05})
    catalogue = CATALOGUE.model_copy(update={"rules": rules})
    for number, cell in enumerate(("r118c055", "r118c056")):
        one = keep(store, str(number), cell, jpeg(picture(1)))
        assert commit_cell(store, CellState(cell, 1, photos=(one,)), catalogue, 0)
    publish(store, catalogue, 0)
    assert sorted(ids(store, "photos")) == ["0", "1"]


def test_verify_finds_a_picture_that_was_published_twice(store: Store, tmp_path: Path) -> None:
    """Across cells, by the pictures themselves."""
    off = CATALOGUE.rules.model_copy(update={"same_picture": 1.05})
    for number, cell in enumerate(("r118c055", "r118c056")):
        one = keep(store, str(number), cell, jpeg(picture(1)))
        assert commit_cell(store, CellState(cell, 1, photos=(one,)), CATALOGUE, 0)
    publish(store, CATALOGUE.model_copy(update={"rules": off}), 0)
    path = tmp_path / "d/manifests/v0001/manifest.json"
    path.write_text(path.read_text().replace('"same_picture": 1.05', '"same_picture": 0.97'))
    found = {one.name: one.offenders for one in verify_dataset(str(tmp_path / "d"))}
    assert found["one-photo-per-picture"] == ["photos 0 and 1: agreement 1.0"]


def test_verify_accepts_what_publishing_settled(store: Store, tmp_path: Path) -> None:
    """Rows, counts of photos and the finding about pictures hold."""
    for number, cell in enumerate(("r118c055", "r118c056")):
        one = keep(store, str(number), cell, jpeg(picture(1)), unpaired={"naip": "border"})
        assert commit_cell(store, CellState(cell, 1, photos=(one,)), CATALOGUE, 0)
    publish(store, CATALOGUE, 0)
    found = {one.name: one.broken for one in verify_dataset(str(tmp_path / "d"))}
    assert found["one-row-per-photo"] == found["one-photo-per-picture"] == 0
