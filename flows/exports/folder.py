"""The folder of an export: begun with its options, filled portion by portion, committed last.

    export.begun.json      what is being exported, and how; gone when the export is whole
    unfinished/<portion>…  what each finished portion wrote, and pieces of the files that come last
    …                      the export's own files
    export.json            the commit: options, counts, and every file with its size and SHA-256

Every object is created exclusively, so a process that is killed leaves whole files alone, and two
exports into one folder either write the same bytes or stop. Of two that write the same, one commits
and tidies up; the other finds that, at whatever it was.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from collectors.storage import Missing, StorageError
from collectors.transport import SetupError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from collectors.storage import Store

SCHEMA: Final = "terrapair-export/1"
RECORD: Final = "export.json"
BEGUN: Final = "export.begun.json"
UNFINISHED: Final = "unfinished"

_SAFE_PATH: Final = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*/)*"
                               r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")  # fmt: skip
"""Paths of an export: letters, digits, `_`, `-`, and dots inside of a name."""

_LEFT_BY_A_KILL: Final = re.compile(r"(.+)#\d+")
"""Names of what obstore leaves beside a local file when it is killed while it writes."""


class OtherContentError(SetupError):
    """A file of the export is there already, and says something else."""


class ExportFolder:
    """Where an export goes.

    Attributes:
        store: The storage.
        identity: What is exported, and how: what all runs into the folder have to agree on.
    """

    def __init__(self, store: Store, identity: Mapping[str, Any]) -> None:
        """Takes the storage and the identity; nothing is written yet."""
        self.store = store
        self.identity = {"schema": SCHEMA, **identity}

    def complete(self, fill: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Returns the record of the whole export.

        Args:
            fill: Writes what is not there yet, and commits it.

        Raises:
            SetupError: If the folder holds another export, or anything else, or `fill` does.
        """
        found = self.begin()
        if found is not None:
            return found
        try:
            return fill()
        except (Missing, StorageError, OtherContentError):
            found = self._whole()
            if found is None:
                raise
            return found  # another run of the same export has committed it, and tidied up

    def begin(self) -> dict[str, Any] | None:
        """Begins the export, or goes on with it.

        Returns:
            The record of the whole export if there is nothing left to do, else None.

        Raises:
            WrongUse: If the folder holds another export, or anything else.
        """
        found = self._whole()
        if found is not None:
            return found
        begun = self._read(BEGUN)
        if begun is None:
            if self.store.list():
                found = self._whole()  # another run may just have committed it
                if found is not None:
                    return found
                raise WrongUse(
                    self.store.root,
                    "holds files, and no export that could go on.",
                    "Give --output an empty folder.",
                )
            if self.store.create(BEGUN, _json(self.identity)):
                return None
            begun = self._read(BEGUN) or {}
        self._agree(begun)
        return None

    def write(self, path: str, data: bytes) -> str:
        """Writes a file of the export, and returns its line in the record.

        Raises:
            OtherContentError: If the path holds something else already.
            SetupError: If it is made of a name that is not safe on every file system.
        """
        if not _SAFE_PATH.fullmatch(path):
            raise SetupError(
                self.store.root, f"{path!r} is no path that an export may write.",
                "The dataset's tables name it: terrapair verify says what is wrong with them.",
            )  # fmt: skip
        if not self.store.create(path, data):
            raise OtherContentError(
                self.store.uri(path),
                "holds another content than this export would write: another release of the"
                " program or of its libraries wrote it, or it was changed.",
                "Give --output an empty folder.",
            )
        digest = hashlib.sha256(data).hexdigest()
        return json.dumps({"path": path, "bytes": len(data), "sha256": digest})

    def finished(self) -> set[str]:
        """Returns the names of the portions that are finished."""
        paths = self.store.list(UNFINISHED)
        return {path.split("/")[1].removesuffix(".json") for path in paths
                if path.endswith(".json")}  # fmt: skip

    def finish(
        self,
        name: str,
        lines: Iterable[str],
        counts: Mapping[str, int],
        pieces: Mapping[str, bytes],
    ) -> None:
        """Records that a portion is finished.

        Args:
            name: The portion.
            lines: What `write` returned for its files.
            counts: What is in them.
            pieces: Its part of the files that are written last, by what they are pieces of.
        """
        for what, data in pieces.items():
            self.write(f"{UNFINISHED}/{name}.{what}", data)
        journal = {"files": list(lines), "counts": dict(counts)}
        self.write(f"{UNFINISHED}/{name}.json", _json(journal))

    def journal(self, name: str) -> tuple[list[str], dict[str, int]]:
        """Returns the lines and counts of a finished portion."""
        found = json.loads(self.store.read(f"{UNFINISHED}/{name}.json"))
        return found["files"], found["counts"]

    def pieces(self, names: Iterable[str], what: str) -> Iterator[bytes]:
        """Yields the pieces of a file that the finished portions have, in the order given.

        Raises:
            Missing: If the export was committed meanwhile, by another run.
        """
        for name in names:
            try:
                yield self.store.read(f"{UNFINISHED}/{name}.{what}")
            except Missing:
                # Not every portion has one; but another run may have committed, and tidied up.
                if self.store.exists(RECORD):
                    raise

    def commit(self, counts: Mapping[str, Any], lines: Iterable[str]) -> dict[str, Any]:
        """Writes the record and removes what was only there for going on.

        The record is made as text, a line for each file: some 130 bytes of memory each.
        """
        head = json.dumps(self.identity | {"counts": dict(counts)}, indent=1, ensure_ascii=False)
        text = ",\n".join(f"  {line}" for line in lines)
        data = f'{head[:-2]},\n "files": [\n{text}\n ]\n}}\n'.encode()
        self.write(RECORD, data)
        self.clean()
        found: dict[str, Any] = json.loads(data)
        return found

    def clean(self) -> None:
        """Removes what stopped runs and the way here left in a folder that is whole."""
        for path in self.store.list(UNFINISHED):
            self.store.delete(path)
        self.store.delete(BEGUN)
        root = self.store.local_path(RECORD)
        if root is None:
            return
        unfinished = root.parent / UNFINISHED
        for one in root.parent.rglob("*#*"):
            whole = _LEFT_BY_A_KILL.fullmatch(one.name)
            if whole is None or not one.is_file():
                continue
            # Anything else may be somebody's own, or of a run that is writing just now.
            passing = one.parent == unfinished or whole[1] == BEGUN
            if passing or one.with_name(whole[1]).is_file():
                one.unlink(missing_ok=True)
        if unfinished.is_dir() and not any(unfinished.iterdir()):
            unfinished.rmdir()

    def _whole(self) -> dict[str, Any] | None:
        """Returns the record of the export if it is committed, and tidies up."""
        found = self._read(RECORD)
        if found is not None:
            self._agree(found)
            self.clean()
        return found

    def _read(self, path: str) -> dict[str, Any] | None:
        try:
            found = json.loads(self.store.read(path))
        except Missing:
            return None
        except ValueError as error:
            raise WrongUse(
                self.store.uri(path), "is no record of an export.", "Give --output an empty folder."
            ) from error
        return found if isinstance(found, dict) else {}

    def _agree(self, found: Mapping[str, Any]) -> None:
        """Holds what the folder holds to what is asked for.

        Raises:
            WrongUse: If they differ.
        """
        differ = [
            f"{name} {json.dumps(found.get(name))}, not {json.dumps(wanted)}"
            for name, wanted in self.identity.items()
            if found.get(name) != wanted
        ]
        if differ:
            raise WrongUse(
                self.store.root,
                f"holds an export with {'; '.join(differ)}.",
                "Give --output another folder, or the same options.",
            )


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode()
