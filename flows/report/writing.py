"""Makes a report as a folder of files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from collectors.storage import open_store
from flows.products.revoked import while_published
from flows.products.versions import check_apart, published_version
from flows.report.findings import examine
from flows.report.folder import MARK, check_output, report_folder
from flows.report.pages import render
from flows.report.pictures import PictureError, draw

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.storage import Store
    from flows.progress import Progress
    from flows.report.pictures import Picture

DRAWING_THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class Written:
    """A report that was written.

    Attributes:
        folder: Where it lies.
        version: What it is about.
        pairs: Pairs shown one by one.
        of_pairs: Pairs in the version.
        files: How many files it has.
        size: Bytes.
        missing: Pictures that could not be drawn: how many, by reason.
    """

    folder: Path
    version: str
    pairs: int
    of_pairs: int
    files: int
    size: int
    missing: dict[str, int]

    @property
    def index(self) -> Path:
        """The page to open."""
        return self.folder / "index.html"

    def as_json(self) -> dict[str, Any]:
        """Returns it for JSON."""
        return {
            "folder": str(self.folder), "index": self.index.as_uri(), "version": self.version,
            "pairs": self.pairs, "of_pairs": self.of_pairs, "files": self.files,
            "bytes": self.size, "missing_pictures": self.missing,
        }  # fmt: skip


def write_report(
    root: str, output: Path, *, version: str | None, pairs: int, progress: Progress
) -> Written:
    """Writes a report on a version. The same version gives the same bytes.

    Args:
        root: The dataset.
        output: The folder; an older report there is replaced.
        version: The version; the newest by default.
        pairs: Pairs shown one by one, at most.
        progress: Hears how far things are.

    Raises:
        SetupError: If there is no dataset or no such version, something else is in the way, or the
            version was revoked meanwhile; then nothing was written.
    """
    output = output.expanduser().absolute()
    check_output(output)
    store = open_store(root, writable=False)
    check_apart(store, str(output))
    name = published_version(store, version).name
    findings = examine(root, name, pairs, progress)
    mark = {"version": name, "seed": findings.version.manifest["seed"]}
    with report_folder(output, mark) as folder, while_published(store, name):
        missing: dict[str, str] = {}
        pictures = list(findings.album.pictures.values())
        with ThreadPoolExecutor(DRAWING_THREADS) as threads:
            for done, (picture, drawn) in enumerate(
                zip(pictures, threads.map(lambda one: _draw(store, one), pictures), strict=True)
            ):
                progress("drawing pictures", done, len(pictures))
                if isinstance(drawn, bytes):
                    folder.write(picture.name, drawn)
                else:
                    missing[picture.name] = str(drawn)
        progress("writing pages", 0, 0)
        for path, data in render(findings, findings.album.without(missing)).items():
            folder.write(path, data)
    reasons: dict[str, int] = {}
    for why in missing.values():
        reasons[why] = reasons.get(why, 0) + 1
    sample = findings.sample
    return Written(output, findings.version.name, sample.pairs, sample.of_pairs,
                   len(folder.sums) + len([MARK]), folder.size, reasons)  # fmt: skip


def _draw(store: Store, picture: Picture) -> bytes | PictureError:
    try:
        return draw(store, picture)
    except PictureError as error:
        return error
