"""The block list: what must never be collected again, as keyed hashes that tell nobody who asked.

    blocked/key.json                the dataset's salt, and a value by which a wrong key is noticed
    blocked/list/000001.json        the hashes that one request added; created exclusively
    blocked/records/000001.json     that it was done, with counts; without it, it was stopped

Hashes are HMAC-SHA256 under a key that is kept outside the dataset. Of photos and of owners they
look alike, and of the same person they differ from dataset to dataset.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from collectors.storage import Missing
from collectors.transport import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from collectors.storage import Store

FOLDER: Final = "blocked"
KEY_CHECK: Final = f"{FOLDER}/key.json"
LISTS: Final = f"{FOLDER}/list"
RECORDS: Final = f"{FOLDER}/records"

FORGOTTEN: Final = "forgotten"
"""Reason of the row that is left of a photo; the row's id begins with it."""

SHORTEST_KEY: Final = 16
"""Characters of a key, at least: ids are few enough to be tried one after the other."""

_TOKEN: Final = re.compile(rf"{FORGOTTEN}-[0-9a-f]{{32}}")
_PHOTO_ID: Final = re.compile(r"[0-9]{1,20}")

_Kind = Literal["photo", "owner", "row"]


@dataclass(frozen=True, slots=True)
class BlockList:
    """Photos and owners that must not be collected; empty where nobody asked.

    Attributes:
        given: The key as it was given; None if there is none.
        salt: The dataset's salt; empty as long as it has no list.
        requests: Names of the requests that were read.
        hashes: What they hold.
    """

    given: str | None = field(default=None, repr=False)
    salt: str = ""
    requests: tuple[str, ...] = ()
    hashes: frozenset[str] = field(default=frozenset(), repr=False)

    def blocks(self, photo_id: str | None = None, owner: str | None = None) -> bool:
        """Says whether a photo is on the list, by its own id or its owner's."""
        if not self.hashes:
            return False
        named = photo_id is not None and self._hash("photo", photo_id) in self.hashes
        return named or (owner is not None and self._hash("owner", owner) in self.hashes)

    def blocks_text(self, text: str) -> bool:
        """Says whether a text is the id of a photo or an owner that is on the list."""
        return self.blocks(text if _PHOTO_ID.fullmatch(text) else None, text)

    def token(self, photo_id: str) -> str:
        """Returns what stands in a row in place of a forgotten photo's id.

        It is no hash of the list: who has no key cannot tell which row a request was about.
        """
        return f"{FORGOTTEN}-{self._hash('row', photo_id)[:32]}"

    def entries(self, photos: Iterable[str], owners: Iterable[str]) -> frozenset[str]:
        """Returns the hashes of photos and owners."""
        return frozenset(
            [self._hash("photo", one) for one in photos]
            + [self._hash("owner", one) for one in owners]
        )

    def with_hashes(self, hashes: Iterable[str]) -> BlockList:
        """Returns a list that also has some hashes; nothing is written."""
        return replace(self, hashes=self.hashes | set(hashes))

    def renewed(self, store: Store) -> BlockList:
        """Returns the list as the dataset has it now; itself if nobody has asked since.

        Raises:
            SetupError: If there is a list by now, and its key was not given or is another.
        """
        return self if request_names(store) == self.requests else open_block_list(store, self.given)

    def _hash(self, kind: _Kind, name: str) -> str:
        return _keyed(self.given or "", self.salt, kind, name)


@lru_cache(maxsize=4096)  # of the owners of photos, each comes up again and again
def _keyed(key: str, salt: str, kind: str, name: str) -> str:
    said = f"{salt}\0{kind}\0{name}".encode("utf-8", "surrogatepass")
    return hmac.digest(key.encode(), said, hashlib.sha256).hex()


def is_token(photo_id: str) -> bool:
    """Says whether an id of a row stands for a forgotten photo."""
    return _TOKEN.fullmatch(photo_id) is not None


def request_names(store: Store) -> tuple[str, ...]:
    """Returns the names of all requests, oldest first."""
    return _stems(store, LISTS)


def open_requests(store: Store) -> tuple[str, ...]:
    """Returns the requests that are being done, or were stopped before they were."""
    names = request_names(store)
    return tuple(sorted(set(names) - set(_stems(store, RECORDS)))) if names else ()


def check_no_open_request(store: Store) -> None:
    """Sees that nothing is half forgotten.

    Raises:
        SetupError: If it is.
    """
    if open_requests(store):
        raise SetupError(
            store.root,
            "photos are being forgotten here, or that was stopped before its end.",
            "Wait for it, or bring it to its end: terrapair forget --root … --yes.",
        )


def open_block_list(store: Store, key: str | None) -> BlockList:
    """Reads a dataset's block list.

    Args:
        store: The dataset.
        key: The key, if there is one here.

    Raises:
        SetupError: If there is a list, and the key is missing or is not the one it was made with.
    """
    try:
        known = json.loads(store.read(KEY_CHECK))
    except Missing:
        return BlockList(key)
    if key is None:
        raise SetupError(
            store.root,
            "photos were forgotten here, and the key of its block list is not on this machine:"
            " without it they would be collected again.",
            "Set TERRAPAIR_BLOCK_KEY, or TERRAPAIR_BLOCK_KEY_FILE to a copy of the file that"
            " `terrapair forget` made.",
        )
    if not hmac.compare_digest(known["check"], _keyed(key, known["salt"], "check", "")):
        raise SetupError(
            store.root,
            "the key of the block list is not the one that it was made with.",
            "Set TERRAPAIR_BLOCK_KEY, or TERRAPAIR_BLOCK_KEY_FILE, to the one that was used with"
            " this dataset before.",
        )
    names = request_names(store)
    hashes: set[str] = set()
    for name in names:
        hashes.update(json.loads(store.read(f"{LISTS}/{name}.json"))["hashes"])
    return BlockList(key, known["salt"], names, frozenset(hashes))


def begin_block_list(store: Store, key: str) -> BlockList:
    """Gives a dataset a block list, or reads the one that it has.

    Raises:
        SetupError: If the key is too short, or not the one that the list was made with.
    """
    if len(key) < SHORTEST_KEY:
        raise SetupError(
            "TERRAPAIR_BLOCK_KEY",
            f"has fewer than {SHORTEST_KEY} characters: it could be found by trying.",
            "Take a longer one, or leave it away: then one is made and kept in a file.",
        )
    if not store.exists(KEY_CHECK):
        salt = secrets.token_hex(16)
        _write(store, KEY_CHECK, {"salt": salt, "check": _keyed(key, salt, "check", "")})
    return open_block_list(store, key)


def add_request(store: Store, blocks: BlockList, hashes: Iterable[str]) -> BlockList:
    """Writes down what must not be collected any more; nothing if all of it was on the list.

    Returns:
        The list with it.
    """
    while new := sorted(set(hashes) - blocks.hashes):
        number = int(blocks.requests[-1]) + 1 if blocks.requests else 1
        _write(store, f"{LISTS}/{number:06d}.json", {"hashes": new})
        blocks = open_block_list(store, blocks.given)
    return blocks


def close_request(store: Store, name: str, record: Mapping[str, Any]) -> None:
    """Writes down that a request was done."""
    _write(store, f"{RECORDS}/{name}.json", record)


def _write(store: Store, path: str, value: Mapping[str, Any]) -> None:
    store.create(path, json.dumps(value, indent=1, sort_keys=True).encode())


def _stems(store: Store, folder: str) -> tuple[str, ...]:
    names = (path.rsplit("/", 1)[1] for path in store.list(folder))
    return tuple(sorted(name.removesuffix(".json") for name in names))
