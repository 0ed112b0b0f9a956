"""Shards: bytes that depend on content alone, and reading them by ranges."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.shards import (
    Member,
    ShardError,
    list_members,
    pack,
    read_index,
    read_member,
    read_places,
    shard_paths,
    write_shard,
)
from collectors.storage import Missing, Store, open_store

if TYPE_CHECKING:
    from pathlib import Path

MEMBERS = [
    ("53012345678.jpg", b"\xff\xd8jpeg"),
    ("53012345678.json", b"{}"),
    ("sentinel2_10N_500000_4200000_2020Q3.tif", bytes(1024)),
    ("empty.jpg", b""),
]
INDEX = [{"photo_id": "53012345678", "outcome": "kept"}, {"photo_id": "1", "outcome": "failed"}]

names = st.from_regex(r"[A-Za-z0-9_-]{1,20}\.[a-z]{1,4}", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
members = st.lists(st.tuples(names, st.binary(max_size=1500)), max_size=6, unique_by=lambda m: m[0])
rows = st.lists(st.dictionaries(st.text(), json_values, max_size=4), max_size=5)


class CountingStore:
    """A store that counts its range reads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.ranges: list[tuple[int, int]] = []

    def read_range(self, path: str, offset: int, size: int) -> bytes:
        self.ranges.append((offset, size))
        return self._store.read_range(path, offset, size)

    def __getattr__(self, name: str):
        return getattr(self._store, name)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store on the local disk."""
    return open_store(str(tmp_path))


@given(members, rows)
def test_a_shard_is_an_ordinary_tar(members, rows):
    """Python's own tar reader finds the same members, contents and places, index first."""
    packed = pack(members, rows)
    with tarfile.open(fileobj=io.BytesIO(packed.data), mode="r:") as tar:
        found = tar.getmembers()
        assert [entry.name for entry in found] == ["__index__", *(name for name, _ in members)]
        for entry, (name, data) in zip(found[1:], members, strict=True):
            place = packed.places[name]
            assert tar.extractfile(entry).read() == data
            assert (entry.offset_data, entry.size) == (place.offset, place.size)
            assert packed.data[place.offset : place.offset + place.size] == data
            assert place.sha256 == hashlib.sha256(data).hexdigest()
    assert list(packed.places) == [name for name, _ in members]


def test_the_bytes_depend_on_nothing_else():
    """Headers hold no time and no user, and the digest in the name is the same on every machine."""
    packed = pack(MEMBERS, INDEX)
    with tarfile.open(fileobj=io.BytesIO(packed.data)) as tar:
        for entry in tar:
            assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) == (
                0,
                0,
                0,
                "",
                "",
            )
            assert (entry.mode, entry.isreg()) == (0o644, True)
    assert packed.name == hashlib.sha256(packed.data).hexdigest()[:32]
    assert len(packed.data) % 512 == 0
    assert packed.name == "e6ec5db030ae967183cf6955b4e8f2b8"


def test_rows_with_the_same_content_give_the_same_bytes():
    """The order of a row's keys does not matter; that of rows and members does."""
    one = pack(MEMBERS, [{"a": 1, "b": "é"}, {"c": None}])
    assert pack(MEMBERS, [{"b": "é", "a": 1}, {"c": None}]).data == one.data
    assert pack(MEMBERS, [{"c": None}, {"a": 1, "b": "é"}]).name != one.name
    assert pack(MEMBERS[::-1], [{"a": 1, "b": "é"}, {"c": None}]).name != one.name


def test_webdataset_sees_the_samples_alone():
    """By WebDataset's rules the index is skipped, and each file falls under its sample's key."""
    with tarfile.open(fileobj=io.BytesIO(pack(MEMBERS, INDEX).data), mode="r|") as tar:
        names = [entry.name for entry in tar]
    skipped = [name for name in names if re.match(r"__[^/]*__($|/)", name)]
    assert skipped == ["__index__"]
    keys = [re.match(r"^((?:.*/|)[^.]+)[.]([^/]*)$", name).groups() for name in names[1:]]
    assert keys[:2] == [("53012345678", "jpg"), ("53012345678", "json")]


@pytest.mark.parametrize(
    "name",
    ["", "a", ".jpg", "a.", "a/b.jpg", "../a.jpg", "a b.jpg", "é.jpg", "a.JPG", "__index__",
     "a..jpg", "a.jpg\n", "x" * 97 + ".jpg"],
)  # fmt: skip
def test_unsafe_names_are_refused(name):
    """A name that a reader could take for a path, a key or a column of another kind is refused."""
    with pytest.raises(ShardError, match="cannot be a member"):
        pack([(name, b"")], [])


def test_the_longest_name_still_fits():
    """A name of 100 characters, the most a header holds, comes back whole."""
    name = "x" * 96 + ".jpg"
    with tarfile.open(fileobj=io.BytesIO(pack([(name, b"1")], []).data)) as tar:
        assert tar.getnames() == ["__index__", name]


def test_a_name_given_twice_is_refused():
    """Two members of one name would hide each other."""
    with pytest.raises(ShardError, match=r"given twice: a\.jpg"):
        pack([("a.jpg", b"1"), ("b.jpg", b"2"), ("a.jpg", b"3")], [])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}])
def test_rows_that_are_not_json_are_refused(value):
    """A value that JSON does not have is refused when it is written, not when it is read."""
    with pytest.raises(ShardError, match="not made of JSON values"):
        pack([], [{"value": value}])


@given(members, rows)
def test_a_shard_comes_back(tmp_path_factory, members, rows):
    """Index, places and contents read from storage are those that were packed."""
    store = open_store(str(tmp_path_factory.mktemp("store")))
    packed = pack(members, rows)
    path = write_shard(store, "r112c057", packed)
    assert read_index(store, path) == rows
    assert read_places(store, path) == packed.places
    assert list_members(store, path) == [
        Member(name, place.offset, place.size) for name, place in packed.places.items()
    ]
    for name, data in members:
        place = packed.places[name]
        assert read_member(store, path, place.offset, place.size) == data


def test_the_path_is_named_by_cell_and_content(store):
    """A shard lies under its cell, by its digest; writing it again changes nothing."""
    packed = pack(MEMBERS, INDEX)
    path = write_shard(store, "r112c057", packed)
    assert path == f"shards/r112c057/{packed.name}.tar"
    assert write_shard(store, "r112c057", packed) == path
    other = write_shard(store, "r112c057", pack([], []))
    write_shard(store, "r112c058", packed)
    assert shard_paths(store, "r112c057") == sorted([path, other])
    assert shard_paths(store, "r000c000") == []


def test_a_damaged_file_under_the_name_is_found(store):
    """Other content under the name of a digest is not taken for the shard."""
    packed = pack(MEMBERS, INDEX)
    store.create(f"shards/r112c057/{packed.name}.tar", b"something else")
    with pytest.raises(ShardError, match="remove the damaged file"):
        write_shard(store, "r112c057", packed)


@pytest.mark.parametrize("cell_id", ["", "a/b", "..", "r1 c1"])
def test_only_names_of_cells_are_folders(store, cell_id):
    """A cell's name cannot lead out of the folder of shards."""
    with pytest.raises(ShardError, match="not the name of a cell"):
        shard_paths(store, cell_id)


@pytest.mark.parametrize(("rows_of_index", "reads"), [(10, 1), (20_000, 2)])
def test_the_index_takes_one_or_two_reads(store, rows_of_index, reads):
    """However large the shard, its index is had by one range read, a large index by two."""
    index = [{"photo_id": str(number), "reason": "low_accuracy"} for number in range(rows_of_index)]
    path = write_shard(store, "r1", pack([("a.jpg", bytes(10**6))], index))
    counting = CountingStore(store)
    assert read_index(counting, path) == index
    assert len(counting.ranges) == reads
    assert sum(size for _, size in counting.ranges) < max(70_000, store.size(path) - 10**6)


def test_members_are_listed_without_reading_them(store):
    """Walking the headers reads a block for each member, not its content."""
    path = write_shard(store, "r1", pack([(f"{n}.jpg", bytes(10**5)) for n in range(9)], []))
    counting = CountingStore(store)
    assert len(list_members(counting, path)) == 9
    assert {size for _, size in counting.ranges} == {512}


def test_line_separators_inside_a_row_do_not_split_it(store):
    """A title with Unicode line separators and half a surrogate pair stays one row."""
    index = [{"title": "a\u2028b\u0085c\x0bd\ud83d"}]
    assert read_index(store, write_shard(store, "r1", pack([], index))) == index


def test_a_shard_that_is_missing_is_missing(store):
    """A path without a shard raises Missing, not an error about its form."""
    for read in (read_index, read_places, list_members):
        with pytest.raises(Missing):
            read(store, "shards/r1/none.tar")


@pytest.mark.parametrize("kept", [100, 700, 1500, 3000, -512, -600, -1024])
def test_a_shard_that_is_cut_off_is_found(store, kept):
    """Wherever a shard is cut off, listing its members says so instead of listing fewer."""
    data = pack(MEMBERS, INDEX).data[:kept]
    store.create("shards/r1/cut.tar", data)
    if kept == -512:  # one of the two empty blocks is left, which ends it as well
        assert len(list_members(store, "shards/r1/cut.tar")) == len(MEMBERS)
        return
    with pytest.raises(ShardError):
        list_members(store, "shards/r1/cut.tar")


def test_a_member_that_is_cut_off_is_found(store):
    """A member that reaches beyond the end is an error, not a shorter member."""
    store.create("shards/r1/cut.tar", bytes(1000))
    with pytest.raises(ShardError, match="ends 500 bytes before"):
        read_member(store, "shards/r1/cut.tar", 900, 600)


def test_other_files_are_not_taken_for_shards(store):
    """A tar without an index, a damaged index and a file of another kind are each named."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a.jpg"))
    store.create("plain.tar", plain.getvalue())
    store.create("html.tar", b"<html>" * 200)
    damaged = pack([], INDEX).data.replace(b'{"members"', b'["members" ')
    store.create("damaged.tar", damaged)
    for path, message in {
        "plain.tar": "begins with 'a.jpg'",
        "html.tar": "no tar header at byte 0",
        "damaged.tar": "index that cannot be read",
    }.items():
        with pytest.raises(ShardError, match=message):
            read_index(store, path)


def test_the_first_line_of_the_index_is_the_table_of_members():
    """The documented form: a table of name, size and digest, then a line for each row."""
    packed = pack(MEMBERS[:1], INDEX)
    with tarfile.open(fileobj=io.BytesIO(packed.data)) as tar:
        lines = tar.extractfile("__index__").read().decode().splitlines()
    digest = hashlib.sha256(MEMBERS[0][1]).hexdigest()
    assert json.loads(lines[0]) == {"members": [["53012345678.jpg", 6, digest]]}
    assert [json.loads(line) for line in lines[1:]] == INDEX
