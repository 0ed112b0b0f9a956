"""Shards: uncompressed tar files in the manner of WebDataset, the atom of work and of resuming.

The first member, `__index__`, holds what was finished in the batch, as lines of JSON:

    {"members": [["53012345678.jpg", 41233, "<sha256>"], …]}     where the bytes of the others are
    {"photo_id": "53012345678", "outcome": "kept", …}            one row for every item of work,
    {"photo_id": "53012345679", "outcome": "failed", …}          those without bytes as well

WebDataset skips names of the form `__name__`, so that its readers see the samples alone. The bytes
of a shard depend on its content only: no times, users or padding of the machine.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from collectors.storage import Store

INDEX_NAME: Final = "__index__"
_BLOCK: Final = tarfile.BLOCKSIZE
_END: Final = bytes(2 * _BLOCK)
"""Two empty blocks end a tar (POSIX.1-1988, ustar interchange format)."""

_FIRST_READ: Final = 64 * 1024
"""Bytes of the first read of an index; most indexes are whole in it."""

_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(\.[a-z0-9]+)+")
"""The key of a sample before the first dot, WebDataset's column after it (always lower case)."""

_LONGEST_NAME: Final = tarfile.LENGTH_NAME
"""Longest name in a ustar header of one block, in bytes."""


class ShardError(ValueError):
    """A shard cannot be written or read as what it should be."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a member are.

    Attributes:
        offset: First byte of the member's content, counted from the start of the tar.
        size: Length of the content in bytes.
        sha256: Hex digest of the content.
    """

    offset: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Member:
    """A member as its own tar header describes it.

    Attributes:
        name: Name of the member.
        offset: First byte of its content, counted from the start of the tar.
        size: Length of the content in bytes.
    """

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class PackedShard:
    """A shard ready to be written.

    Attributes:
        data: The whole tar.
        name: First 32 hex digits of its SHA-256.
        places: Member's name → where it is.
    """

    data: bytes
    name: str
    places: Mapping[str, Place]


def pack(members: Sequence[tuple[str, bytes]], index: Sequence[Mapping[str, Any]]) -> PackedShard:
    """Packs members and the index into a tar whose bytes depend on nothing else.

    Args:
        members: (name, content) in the order of the tar; the files of one sample stand together.
        index: One row of JSON values for every item of work finished in this batch.

    Raises:
        ShardError: If a name is unsafe or given twice, or a row is not made of JSON values.
    """
    names = [name for name, _ in members]
    for name in names:
        if not _SAFE_NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            raise ShardError(
                f"{name!r} cannot be a member of a shard: letters, digits, _ and - before the "
                f"first dot, a lower-case ending after it, at most {_LONGEST_NAME} characters"
            )
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ShardError(f"members given twice: {', '.join(twice)}")

    table = [(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in members]
    index_data = "".join(f"{_json(row)}\n" for row in ({"members": table}, *index)).encode()
    pieces: list[bytes] = []
    for name, data in ((INDEX_NAME, index_data), *members):
        pieces += [_header(name, len(data)), data, bytes(-len(data) % _BLOCK)]
    tar = b"".join((*pieces, _END))
    return PackedShard(tar, hashlib.sha256(tar).hexdigest()[:32], _places(table, len(index_data)))


def write_shard(store: Store, cell_id: str, packed: PackedShard) -> str:
    """Writes a shard and returns its path, `shards/<cell>/<name>.tar`.

    A shard of the same content that is there already counts as written.

    Raises:
        ShardError: If another content stands under the name: the storage has damaged it.
    """
    path = f"{_folder(cell_id)}/{packed.name}.tar"
    if not store.create(path, packed.data):
        raise ShardError(
            f"{store.uri(path)} does not hold the content that its name stands for: "
            "remove the damaged file"
        )
    return path


def shard_paths(store: Store, cell_id: str) -> list[str]:
    """Returns the paths of all shards of a cell, committed or not, sorted."""
    return [path for path in store.list(_folder(cell_id)) if path.endswith(".tar")]


def read_index(store: Store, path: str) -> list[dict[str, Any]]:
    """Returns the rows of a shard's index, by one or two range reads.

    Raises:
        ShardError: If the file is not a shard.
        Missing: If there is no such file.
    """
    _, rows = _read_index(store, path)
    return rows


def read_places(store: Store, path: str) -> dict[str, Place]:
    """Returns where each member of a shard is, from its index, by one or two range reads.

    Raises:
        ShardError: If the file is not a shard.
        Missing: If there is no such file.
    """
    places, _ = _read_index(store, path)
    return places


def read_member(store: Store, path: str, offset: int, size: int) -> bytes:
    """Returns the content of a member by one range read.

    Raises:
        ShardError: If the shard ends before the member does.
        Missing: If there is no such file.
    """
    data = store.read_range(path, offset, size)
    if len(data) != size:
        raise ShardError(
            f"{store.uri(path)} ends {size - len(data)} bytes before the end of the member of "
            f"{size} bytes at {offset}"
        )
    return data


def list_members(store: Store, path: str) -> list[Member]:
    """Returns the members of a shard, without its index, from the tar headers themselves.

    It reads a block for each member and trusts nothing of the index.

    Raises:
        ShardError: If a header is damaged or the tar is cut off.
        Missing: If there is no such file.
    """
    return [member for member in _walk(store, path) if member.name != INDEX_NAME]


def _walk(store: Store, path: str) -> Iterator[Member]:
    total = store.size(path)
    position = 0
    while position + _BLOCK <= total:
        block = store.read_range(path, position, _BLOCK)
        if not any(block):
            return
        name, size = _read_header(block, store.uri(path), position)
        yield Member(name, position + _BLOCK, size)
        position += _BLOCK + size + -size % _BLOCK
    raise ShardError(f"{store.uri(path)} is cut off: its end is missing after {total} bytes")


def _read_index(store: Store, path: str) -> tuple[dict[str, Place], list[dict[str, Any]]]:
    where = store.uri(path)
    head = store.read_range(path, 0, _FIRST_READ)
    name, size = _read_header(head[:_BLOCK], where, 0)
    if name != INDEX_NAME:
        raise ShardError(f"{where} begins with {name!r}, not with {INDEX_NAME!r}: not a shard")
    data = head[_BLOCK : _BLOCK + size]
    if len(data) < size:
        data += read_member(store, path, _BLOCK + len(data), size - len(data))
    try:
        first, *rows = [json.loads(line) for line in data.decode("ascii").rstrip("\n").split("\n")]
        table = [(str(name), int(length), str(digest)) for name, length, digest in first["members"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ShardError(f"{where} has an index that cannot be read ({error})") from error
    return _places(table, size), rows


def _places(table: Sequence[tuple[str, int, str]], index_size: int) -> dict[str, Place]:
    """Lays the members of a table out behind an index of the given size in bytes."""
    places: dict[str, Place] = {}
    position = _BLOCK + index_size + -index_size % _BLOCK
    for name, size, digest in table:
        places[name] = Place(position + _BLOCK, size, digest)
        position += _BLOCK + size + -size % _BLOCK
    return places


def _header(name: str, size: int) -> bytes:
    """Returns a ustar header with mode 0644, user 0, group 0 and time 0."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(format=tarfile.USTAR_FORMAT)


def _read_header(block: bytes, where: str, position: int) -> tuple[str, int]:
    try:
        entry = tarfile.TarInfo.frombuf(block, encoding="ascii", errors="strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise ShardError(f"{where} has no tar header at byte {position} ({error})") from error
    return entry.name, entry.size


def _folder(cell_id: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", cell_id):
        raise ShardError(f"{cell_id!r} is not the name of a cell")
    return f"shards/{cell_id}"


def _json(row: Mapping[str, Any]) -> str:
    """Writes a row in one way only: keys sorted, no spaces, no NaN, ASCII alone."""
    try:
        return json.dumps(row, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ShardError(f"a row of the index is not made of JSON values ({error})") from error
