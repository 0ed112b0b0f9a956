"""Reads from object storage in a process that was forked.

obstore keeps threads of its own, and a fork does not take threads along: once the first process
has used it, any call of it in a forked one waits for ever. PyTorch's workers are forked on Linux
(before Python 3.14). So a forked process has a small one started anew, which reads for it:

    asked       [["shards/…", offset, size], …]             a line of JSON
    answered    {"size": …} or {"missing": …} or {"error": [where, what, remedy]}, a line for each,
                the bytes after it
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, BinaryIO

from collectors.storage import Missing, StorageError, open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

_lock = threading.Lock()
_helpers: dict[str, subprocess.Popen[bytes]] = {}
_forked = False


def _note_fork() -> None:
    global _forked, _lock  # noqa: PLW0603 - a fork is a matter of the whole process
    _forked = True
    _lock = threading.Lock()  # a thread that is gone may hold the old one
    _helpers.clear()  # those are the first process's


os.register_at_fork(after_in_child=_note_fork)


def is_forked() -> bool:
    """Says whether this process was forked since this module was first needed."""
    return _forked


def read_ranges(root: str, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
    """Reads ranges of objects by a process that was not forked.

    Args:
        root: The storage root.
        ranges: (path, offset, size) each.

    Raises:
        Missing: If an object is not there.
        StorageError: If the storage cannot be read.
    """
    with _lock:
        helper = _helpers.get(root)
        if helper is None or helper.poll() is not None:
            helper = _helpers[root] = _start(root)
        assert helper.stdin is not None  # noqa: S101 - pipes were asked for
        assert helper.stdout is not None  # noqa: S101
        try:
            helper.stdin.write(json.dumps(list(ranges)).encode() + b"\n")
            helper.stdin.flush()
            answers = [_take(helper.stdout) for _ in ranges]
        except (OSError, ValueError) as error:
            raise StorageError(
                root, f"the process that reads for a forked one has ended ({error}).",
                "Start workers anew instead: multiprocessing_context='spawn'.",
            ) from error  # fmt: skip
    for one in answers:
        if isinstance(one, Exception):
            raise one
    return [one for one in answers if isinstance(one, bytes)]


def _start(root: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(one for one in sys.path if one)
    return subprocess.Popen(  # noqa: S603 - this module itself
        [sys.executable, "-m", "flows.samples.forked_reads", root],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip


def _take(answers: BinaryIO | Any) -> bytes | Exception:
    head = json.loads(answers.readline())
    if "missing" in head:
        return Missing(head["missing"])
    if "error" in head:
        return StorageError(*head["error"])
    data: bytes = answers.read(head["size"])
    if len(data) != head["size"]:
        raise ValueError("its answer was cut off")
    return data


def serve(root: str, asked: BinaryIO, answers: BinaryIO) -> None:
    """Reads what is asked for until nobody asks any more."""
    store = open_store(root, writable=False)
    for line in asked:
        for path, offset, size in json.loads(line):
            head: dict[str, Any]
            try:
                data = store.read_range(path, offset, size)
            except Missing as error:
                head, data = {"missing": str(error)}, b""
            except StorageError as error:
                head, data = {"error": list(error.args)}, b""
            else:
                head = {"size": len(data)}
            answers.write(json.dumps(head).encode() + b"\n" + data)
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
