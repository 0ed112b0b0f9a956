"""Reads the bytes of chips and photos: many places in few requests, each held to its checksum."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.storage import Missing, StorageError
from collectors.transport import SetupError
from flows.samples.forked_reads import is_forked, read_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from collectors.storage import Store

REMOTE_GAP: Final = 4 * 1024 * 1024
"""Bytes between two places that are read along, on object storage, rather than asked for apart.

A request waits 100 to 200 ms for its first byte, and a connection gives 85 to 90 MB/s (Amazon S3,
"Performance design patterns"): 4 MiB take half as long as a request waits. The photos of a chip of
the widest sensor stand side by side in a shard, those of another sensor's chip among neighbours:
either are one request.
"""

_TOGETHER: Final = 8
"""Requests under way at once for one call."""


@dataclass(frozen=True, slots=True)
class MemberPlace:
    """Where the bytes of a chip or a photo are.

    Attributes:
        path: The object, relative to the root.
        offset: First byte, counted from the begin of the object.
        size: Bytes.
        sha256: Hex digest of the bytes.
    """

    path: str
    offset: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ByteRange:
    """What one request asks for.

    Attributes:
        path: The object, relative to the root.
        offset: First byte.
        size: Bytes.
    """

    path: str
    offset: int
    size: int


def merged_ranges(places: Iterable[MemberPlace], gap: int) -> list[ByteRange]:
    """Returns the fewest ranges that hold all places, without reading longer gaps than `gap` bytes.

    Args:
        places: In any order; one may be named twice, and they may overlap.
        gap: Bytes.

    Returns:
        Ordered by path and offset.
    """
    by_path: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for place in places:
        by_path[place.path].append((place.offset, place.offset + place.size))
    found: list[ByteRange] = []
    for path in sorted(by_path):
        start, end = -1, -1
        for begin, stop in sorted(by_path[path]):
            if start >= 0 and begin - end <= gap:
                end = max(end, stop)
                continue
            if start >= 0:
                found.append(ByteRange(path, start, end - start))
            start, end = begin, stop
        found.append(ByteRange(path, start, end - start))
    return found


def read_members(
    store: Store, places: Sequence[MemberPlace], *, gap: int = REMOTE_GAP, check: bool = True
) -> list[bytes]:
    """Reads the bytes of many places in as few requests as possible.

    Args:
        store: The dataset, or an export.
        places: Where they are.
        gap: Bytes between two places that are read along on object storage. Local files are read
            place by place: there it costs nothing.
        check: False leaves the check to the caller, by `check_member`.

    Returns:
        The bytes of each place, in the order of `places`.

    Raises:
        SetupError: If an object is gone, or the bytes are not those that the tables name.
        StorageError: If the storage cannot be read.
    """
    found = _read_files(store, places) if store.is_local else _read_merged(store, places, gap)
    if check:
        for place, data in zip(places, found, strict=True):
            check_member(store.root, place, data)
    return found


def check_member(root: str, place: MemberPlace, data: bytes) -> None:
    """Sees that bytes are those that the tables name.

    Raises:
        SetupError: If they are not.
    """
    if len(data) != place.size or hashlib.sha256(data).hexdigest() != place.sha256:
        raise SetupError(
            f"{root}/{place.path}",
            f"does not hold, at {place.offset}, the {place.size} bytes that the tables name"
            " (another SHA-256).",
            "Copy the file anew from where the dataset is whole; `terrapair verify` says what else"
            " is damaged.",
        )


def cut(places: Iterable[MemberPlace], read: Iterable[tuple[ByteRange, bytes]]) -> list[bytes]:
    """Returns the bytes of places, in their order, from ranges that hold them.

    Args:
        places: The places.
        read: What `merged_ranges` gives for them, each range with its bytes.
    """
    by_path: dict[str, list[tuple[ByteRange, bytes]]] = defaultdict(list)
    for one, data in read:
        by_path[one.path].append((one, data))
    found = []
    for place in places:
        whole, data = next(
            (one, data) for one, data in by_path[place.path]
            if one.offset <= place.offset and place.offset + place.size <= one.offset + one.size
        )  # fmt: skip
        begin = place.offset - whole.offset
        found.append(data[begin : begin + place.size])
    return found


def _read_merged(store: Store, places: Sequence[MemberPlace], gap: int) -> list[bytes]:
    """Reads places on object storage by as few ranges as hold them."""
    ranges = merged_ranges(places, gap)
    return cut(places, zip(ranges, _read_ranges(store, ranges), strict=True))


def _read_ranges(store: Store, ranges: Sequence[ByteRange]) -> list[bytes]:
    if is_forked():
        try:
            return read_ranges(store.root, [(one.path, one.offset, one.size) for one in ranges])
        except Missing as error:
            raise _gone(str(error)) from None
    if len(ranges) <= 1:
        return [_read_object(store, one) for one in ranges]
    with ThreadPoolExecutor(min(_TOGETHER, len(ranges)), "ranges") as pool:
        return list(pool.map(lambda one: _read_object(store, one), ranges))


def _read_files(store: Store, places: Sequence[MemberPlace]) -> list[bytes]:
    """Reads places in local files without obstore, which a process that was forked cannot use."""
    found: list[bytes] = [b""] * len(places)
    for path in dict.fromkeys(one.path for one in places):
        local = store.local_path(path)
        assert local is not None  # noqa: S101 - the storage is local
        try:
            file = os.open(local, os.O_RDONLY | os.O_CLOEXEC)
            try:
                for number, one in enumerate(places):
                    if one.path == path:
                        found[number] = os.pread(file, one.size, one.offset)
            finally:
                os.close(file)
        except FileNotFoundError:
            raise _gone(str(local)) from None
        except OSError as error:
            raise StorageError(
                str(local), f"cannot be read ({error.strerror}).",
                "See who may read it, and whether the disk is sound.",
            ) from error  # fmt: skip
    return found


def _read_object(store: Store, wanted: ByteRange) -> bytes:
    try:
        return store.read_range(wanted.path, wanted.offset, wanted.size)
    except Missing:
        raise _gone(store.uri(wanted.path)) from None


def _gone(where: str) -> SetupError:
    return SetupError(
        where, "is not there, and the tables name it.",
        "A newer version may have taken its place: open that one. `terrapair verify` says what else"
        " is missing.",
    )  # fmt: skip
