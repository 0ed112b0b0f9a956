"""The folder of a report: written beside its place, then put there, over an older report only."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from collectors.transport import SetupError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK: Final = "report.json"
"""Says that a folder is a report, and which files of it are the report's."""

SCHEMA: Final = "terrapair-report/1"

_ATTEMPTS: Final = 5
"""How often a whole report is put in its place, where others come between."""


class ReportFolder:
    """A folder that is being filled; nothing of it is seen under its name before it is whole."""

    def __init__(self, folder: Path) -> None:
        """Use `report_folder`."""
        self._folder = folder
        self.sums: dict[str, str] = {}
        self.size = 0

    def write(self, path: str, data: bytes) -> None:
        """Writes a file.

        Args:
            path: Relative, with `/`.
            data: What it holds.
        """
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        self.sums[path] = hashlib.sha256(data).hexdigest()
        self.size += len(data)


@contextmanager
def report_folder(output: Path, mark: dict[str, Any]) -> Iterator[ReportFolder]:
    """Gives a folder to fill, which takes the place of an older report when all went well.

    Args:
        output: Where it is to be.
        mark: What `report.json` says besides the files.

    Raises:
        WrongUse: If there is something else in that place.
        SetupError: If it cannot be written.
    """
    check_output(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    except OSError as error:
        raise _unwritable(output, error) from None
    try:
        fresh = work / "new"
        fresh.mkdir()
        filling = ReportFolder(fresh)
        yield filling
        said = {"schema": SCHEMA} | mark | {"files": dict(sorted(filling.sums.items()))}
        (fresh / MARK).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
        _put_in_place(fresh, output)
    except OSError as error:
        raise _unwritable(output, error) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _put_in_place(fresh: Path, output: Path) -> None:
    """Gives a whole report its name; the older one is there again if that does not come about.

    Another report may be put there between any two steps: then its turn was first, and it is the
    older one.

    Raises:
        WrongUse: If something else is in that place.
        OSError: If it cannot be written.
    """
    for left in reversed(range(_ATTEMPTS)):
        old = fresh.with_name(f"old-{left}")
        try:
            check_output(output)
            if output.exists():
                output.rename(old)
            fresh.rename(output)
        except BaseException as error:  # Ctrl-C as well: both would be gone with the work's folder
            if old.exists() and not output.exists():
                with suppress(OSError):  # another report is there by now
                    old.rename(output)
            if not left or not isinstance(error, OSError | WrongUse):
                raise
        else:
            return


def check_output(output: Path) -> None:
    """Sees that a report may be put somewhere: nothing is there, or an older report and no more.

    Raises:
        WrongUse: If there is something else.
    """
    try:
        _look_over(output)
    except (OSError, WrongUse):
        _look_over(output)  # another report may have taken the place while this one looked


def _look_over(output: Path) -> None:
    if not output.exists() and not output.is_symlink():
        return
    if output.is_symlink() or not output.is_dir():
        raise _refused(output, "is not a folder")
    found = {path.relative_to(output).as_posix() for path in output.rglob("*")
             if path.is_symlink() or not path.is_dir()}  # fmt: skip
    if not found:
        return
    if MARK not in found:
        raise _refused(output, "holds files and is no report")
    try:
        said = json.loads((output / MARK).read_text(encoding="utf-8"))
        known = set(said["files"]) if said["schema"] == SCHEMA else set()
    except (OSError, ValueError, KeyError, TypeError):
        known = set()
    foreign = sorted(found - known - {MARK})
    if foreign:
        raise _refused(output, f"holds files that no report wrote, such as {foreign[0]!r}")


def _refused(output: Path, what: str) -> WrongUse:
    return WrongUse(
        str(output), f"{what}; nothing was written.",
        "Give --output a folder that does not exist yet, that is empty, or that holds an older"
        " report and nothing else.",
    )  # fmt: skip


def _unwritable(output: Path, error: OSError) -> SetupError:
    return SetupError(
        str(output), f"cannot be written ({error.strerror}).", "Give --output another folder."
    )
