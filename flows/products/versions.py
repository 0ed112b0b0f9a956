"""What belongs to a dataset as a whole: its seed, its versions, and where their tables are."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from collectors.storage import Missing, local_folder, open_store
from collectors.transport import SetupError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from collectors.storage import Store

IDENTITY: Final = "dataset.json"
MANIFESTS: Final = "manifests"
LATEST: Final = f"{MANIFESTS}/LATEST"
INDICES: Final = "index"
"""Folder of the indices of versions, which hold no byte of a photo but name each one."""
REVOKED: Final = "REVOKED.json"
"""Lies beside the manifest of a version that is not to be used any more."""


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of a dataset.

    Attributes:
        name: Such as `v0003`.
        manifest: Its manifest.json.
        revoked: Whether it is not to be used any more, because photos in it had to be forgotten.
            Its tables are gone, and its manifest says little more than what it was.
    """

    name: str
    manifest: dict[str, Any]
    revoked: bool = False

    def rows(self, product: str) -> int:
        """Returns how many rows a product has."""
        return sum(one["rows"] for one in self.manifest["tables"][product])

    def files(self, product: str) -> list[str]:
        """Returns the paths of a product's files, relative to the root."""
        return [one["path"] for one in self.manifest["tables"][product]]

    @property
    def size(self) -> int:
        """Bytes of all tables."""
        return sum(one["bytes"] for files in self.manifest["tables"].values() for one in files)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the checksums of all tables: two versions of one have the same rows."""
        tables = self.manifest["tables"]
        digests = [one["sha256"] for product in sorted(tables) for one in tables[product]]
        return hashlib.sha256("".join(digests).encode()).hexdigest()


def settle_seed(store: Store, given: int | None) -> int:
    """Returns the dataset's seed, writing it down with the first build.

    The seed orders chance; one dataset has one, else "the 25 smallest hashes" would mean nothing.

    Raises:
        WrongUse: If another seed is given than the dataset has.
    """
    seed = 0 if given is None else given
    data = json.dumps({"schema": "terrapair/1", "seed": seed}).encode()
    if store.create(IDENTITY, data):
        return seed
    found = known_seed(store)
    if given is not None and given != found:
        raise WrongUse(
            store.root,
            f"this dataset was begun with seed {found}, not {given}.",
            "Leave --seed away, or begin another dataset under another root.",
        )
    return found


def known_seed(store: Store) -> int:
    """Returns the seed that a dataset was begun with.

    Raises:
        SetupError: If the file that holds it is torn.
    """
    return int(_read_json(store, IDENTITY)["seed"])


def _read_json(store: Store, path: str) -> dict[str, Any]:
    try:
        value = json.loads(store.read(path))
    except ValueError as error:
        raise SetupError(
            store.uri(path), f"cannot be read as JSON ({error}): it was changed, or a copy broke.",
            "Put it back from another copy of the dataset.",
        ) from None  # fmt: skip
    if not isinstance(value, dict):
        raise SetupError(
            store.uri(path), "is not what it should be: it was changed.",
            "Put it back from another copy of the dataset.",
        )  # fmt: skip
    return value


def version_names(store: Store) -> list[str]:
    """Returns the names of the published versions, oldest first."""
    names = {path.split("/")[1] for path in store.list(MANIFESTS)
             if re.fullmatch(rf"{MANIFESTS}/v\d{{4,}}/manifest\.json", path)}  # fmt: skip
    return sorted(names, key=lambda name: int(name[1:]))


def newest_name(store: Store) -> str | None:
    """Returns the name of the newest version that was not revoked; None if there is none."""
    for name in reversed(version_names(store)):
        if not store.exists(f"{MANIFESTS}/{name}/{REVOKED}"):
            return name
    return None


def published_version(store: Store, name: str | None = None, sensor: str | None = None) -> Version:
    """Returns a version, by default the newest, of a dataset that has to have one.

    Args:
        store: The dataset.
        name: The version.
        sensor: One that it has to have.

    Raises:
        SetupError: If nothing was published, there is no such version or sensor, or it was revoked.
    """
    version = read_version(store, name)
    if version is None:
        raise nothing_published(store)
    known = sorted(version.manifest["sensors"])
    if sensor is not None and sensor not in known:
        raise WrongUse(
            store.root, f"{version.name} has no sensor {sensor}.", f"It has {', '.join(known)}."
        )
    return version


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """Returns what a version's manifest is written as, whole or cut down, and a mark beside it."""
    return json.dumps(manifest, indent=1, sort_keys=True).encode()


def nothing_published(store: Store) -> WrongUse:
    """Returns the error of a dataset without a version, for who needs one."""
    return WrongUse(
        store.root, "holds no published version.", "Build one: terrapair build --root …"
    )


def open_beside(store: Store, output: str) -> Store:
    """Opens where something goes that is made of a dataset.

    Raises:
        WrongUse: If that lies in the dataset itself; then nothing was made there.
        StorageError: If it cannot be written.
    """
    check_apart(store, output)
    return open_store(output)


def check_only(target: Store, own: tuple[str, ...], what: str) -> None:
    """Sees that nothing else lies where something goes that is made of a dataset.

    Args:
        target: Where it goes.
        own: Paths, or what they begin with, that may lie there.
        what: What goes there, for the message.

    Raises:
        WrongUse: If something else does.
    """
    for path in target.list():
        if not path.startswith(own):
            raise WrongUse(
                target.uri(path), f"is there already, and is no part of {what}.",
                "Give --output a folder that is empty.",
            )  # fmt: skip


def check_apart(store: Store, output: str) -> None:
    """Sees that what is made of a dataset does not go into it: it holds its own files alone.

    Raises:
        WrongUse: If it would.
    """
    one, other = local_folder(store.root), local_folder(output)
    if one is not None and other is not None:
        inside = other.resolve().is_relative_to(one.resolve())
    else:
        inside = PurePosixPath(output).is_relative_to(PurePosixPath(store.root))
    if inside:
        raise WrongUse(
            output, "lies in the dataset itself, which holds nothing but its own files.",
            "Give --output a folder beside it.",
        )  # fmt: skip


def read_version(
    store: Store, name: str | None = None, *, revoked_too: bool = False
) -> Version | None:
    """Returns a version, by default the newest; None where nothing was published.

    Args:
        store: The dataset.
        name: The version.
        revoked_too: Whether to return one that was revoked, for what is left of its manifest.

    Raises:
        SetupError: If there is no version of that name, or it was revoked.
    """
    newest = name is None
    if name is None:
        names = version_names(store)
        if not names:
            return None
        name = names[-1]
    try:
        manifest = _read_json(store, f"{MANIFESTS}/{name}/manifest.json")
    except Missing:
        raise WrongUse(
            store.root,
            f"there is no version {name}.",
            f"It has {', '.join(version_names(store)) or 'none yet'}.",
        ) from None
    revoked = store.exists(f"{MANIFESTS}/{name}/{REVOKED}")
    if revoked and not revoked_too:
        raise SetupError(
            store.root,
            f"version {name} was revoked: photos in it had to be forgotten.",
            "Bring that to its end: terrapair forget --root … --yes." if newest
            else "Use the newest version, and delete your copies of this one.",
        )  # fmt: skip
    return Version(name, manifest, revoked)


@contextmanager
def local_files(store: Store, paths: list[str]) -> Iterator[list[Path]]:
    """Gives files of a dataset as paths on this machine; remote ones are copied for the while."""
    with tempfile.TemporaryDirectory(prefix="terrapair-") as folder:
        found = []
        for number, path in enumerate(paths):
            local = store.local_path(path)
            if local is None:
                local = Path(folder) / f"{number:05d}.parquet"
                local.write_bytes(store.read(path))
            found.append(local)
        yield found
