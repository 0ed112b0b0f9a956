"""Everything that a report says of a version, found in one pass over its tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flows.inspection.version_query import open_version
from flows.report.album import make_album
from flows.report.counts import count_all
from flows.report.ground import count_cells, first_view, land, places, shade, squares
from flows.report.samples import (
    sample_empty_chips,
    sample_pairs,
    sample_refused,
    sample_rejects,
)
from flows.report.sections import figure_sections, funnel_charts

if TYPE_CHECKING:
    from flows.products.versions import Version
    from flows.progress import Progress
    from flows.report.album import Album
    from flows.report.charts import Chart
    from flows.report.counts import Counts
    from flows.report.ground import CellCounts, Shading
    from flows.report.samples import PairSample, Record
    from flows.report.sections import Section

    """Is told what is being done, how much of it is done, and how much there is (0: unknown)."""

MEMORY: Final = "1GB"
"""What DuckDB may take; beyond it writes to its temporary folder."""

THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class Ground:
    """What the map shows: see `flows.report.ground`."""

    cells: tuple[CellCounts, ...]
    shading: Shading
    squares: dict[int, str]
    view: tuple[float, float, float, float]
    places: list[dict[str, Any]]
    land: str | None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a report says of a version.

    Attributes:
        version: The version.
        counts: Its funnel.
        funnel: Charts of it.
        sections: Charts of everything else.
        ground: The map.
        sample: The pairs that are shown one by one.
        album: The same as data and pictures.
        rejects: Some photos that were left out.
        refused: Some scenes that were refused.
        empty_chips: Some chips without pixels.
        owners: How many owners the photos have.
        taken: First and last local day of capture, ISO; None without photos.
        stored_bytes: Bytes of all photos and chips.
    """

    version: Version
    counts: Counts
    funnel: tuple[Chart, ...]
    sections: tuple[Section, ...]
    ground: Ground
    sample: PairSample
    album: Album
    rejects: list[Record]
    refused: list[Record]
    empty_chips: list[Record]
    owners: int
    taken: tuple[str, str] | None
    stored_bytes: int


def examine(root: str, name: str | None, pairs: int, progress: Progress) -> Findings:
    """Finds what a report says.

    Args:
        root: The dataset.
        name: The version; the newest by default.
        pairs: Pairs shown one by one, at most.
        progress: Hears how far things are.

    Raises:
        WrongUse: If there is no dataset, nothing was published, or no version of that name.
    """
    progress("reading the tables", 0, 0)
    with open_version(root, name) as (version, base):
        base.execute(f"SET memory_limit = '{MEMORY}'")
        base.execute(f"SET threads = {THREADS}")
        # Else times would be those of the machine's zone.
        base.execute("SET TimeZone = 'UTC'")
        manifest = version.manifest
        seed = int(manifest["seed"])
        progress("counting", 0, 0)
        counts = count_all(base)
        cells = count_cells(base, manifest["cells"])
        shading = shade(cells)
        ground = Ground(
            cells, shading, squares(cells, shading), first_view(cells), places(cells), land()
        )
        progress("drawing charts", 0, 0)
        funnel = funnel_charts(counts)
        sections = figure_sections(base, manifest, cells, shading)
        progress("drawing samples", 0, 0)
        sample = sample_pairs(base, seed, pairs)
        area = {sensor: one.get("area_px") for sensor, one in manifest["sensors"].items()}
        first, last, owners, photo_bytes = base.execute(
            "SELECT min(taken_at), max(taken_at), count(DISTINCT owner), coalesce(sum(size), 0)"
            " FROM photos"
        ).fetchall()[0]
        chip_bytes = base.execute("SELECT coalesce(sum(size), 0) FROM chips").fetchall()[0][0]
        return Findings(
            version=version,
            counts=counts,
            funnel=funnel,
            sections=sections,
            ground=ground,
            sample=sample,
            album=make_album(sample, area),
            rejects=sample_rejects(base, seed),
            refused=sample_refused(base, seed),
            empty_chips=sample_empty_chips(base, seed),
            owners=owners,
            taken=None if first is None else (first.date().isoformat(), last.date().isoformat()),
            stored_bytes=int(photo_bytes + chip_bytes),
        )
