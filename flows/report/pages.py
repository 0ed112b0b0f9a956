"""Findings as pages: HTML with everything from outside escaped, scripts of data, and assets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from collectors.records import Stage
from flows.report.album import data_script
from flows.report.ground import parallels
from flows.report.making import describe_making
from flows.report.meanings import words
from flows.report.pictures import STRETCH
from flows.report.samples import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flows.report.album import Album
    from flows.report.findings import Findings
    from flows.report.samples import Record

POLICY: Final = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file:;"
    " base-uri 'none'; form-action 'none'"
)
"""What the pages may load: files of their own. A page opened from disk has no origin that all
browsers compare alike, hence `file:`; a page that came over HTTP cannot load such an address."""

SERVED_POLICY: Final = POLICY.replace(" file:", "")

CELLS_AT_ONCE: Final = 15
"""Rows of a page of the table of cells."""

ASSETS: Final = ("report.css", "charts.js", "map.js", "pairs.js", "icon.svg")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the report.

    Attributes:
        file: Its file.
        name: In the navigation.
        title: Its heading.
        scripts: What it loads, in order.
    """

    file: str
    name: str
    title: str
    scripts: tuple[str, ...]


PAGES: Final = (
    Page("index.html", "Overview", "What is in the dataset",
         ("assets/charts.js", "data/cells.js", "assets/map.js")),
    Page("figures.html", "Figures", "Figures", ("assets/charts.js",)),
    Page("pairs.html", "Pairs", "Photos and their chips", ("data/index.js", "assets/pairs.js")),
    Page("left-out.html", "Left out", "Refused, rejected and failed", ()),
    Page("made.html", "How it was made", "How it was made", ()),
)  # fmt: skip


def render(findings: Findings, album: Album, *, policy: str = POLICY) -> dict[str, bytes]:
    """Returns all files of a report but its pictures, by path.

    Args:
        findings: What the report says.
        album: The pairs to show, without the pictures that could not be drawn.
        policy: The content security policy of the pages.
    """
    templates = Environment(
        loader=PackageLoader("flows.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    templates.filters |= {
        "words": words,
        "breakable": breakable,
        "count": lambda number: f"{number:,}",
        "share": lambda share: f"{share:.1%}",
    }
    context = _context(findings) | {"policy": policy}
    made = {
        page.file: templates.get_template(page.file).render(context, page=page).encode()
        for page in PAGES
    }
    made |= {f"assets/{name}": asset(name) for name in ASSETS}
    return made | album.data_files() | {"data/cells.js": _cells_script(findings)}


def breakable(text: object) -> Markup:
    """Returns a text that may be broken after the joints of a long name; all of it is escaped."""
    pieces = re.split(r"(?<=[_/])", str(text))
    return Markup("<wbr>").join(pieces)


def asset(name: str) -> bytes:
    """Returns a file that all reports have."""
    return (files("flows.report") / "assets" / name).read_bytes()


def _context(findings: Findings) -> dict[str, Any]:
    counts, ground = findings.counts, findings.ground
    return {
        "pages": PAGES,
        "version": findings.version.name,
        "notes": findings.version.manifest.get("notes", []),
        "keys": _keys(findings),
        "counts": counts,
        "funnel": findings.funnel,
        "sections": findings.sections,
        "cells": ground.cells,
        "cells_at_once": CELLS_AT_ONCE,
        "map": {
            "view": [round(number, 2) for number in ground.view],
            "places": ground.places,
            "land": ground.land,
            "squares": ground.squares,
            "classes": ground.shading.classes,
        },
        "land_note": (
            "The land is Natural Earth's at 1:110 million, for orientation only: up close its"
            " coasts are some kilometres off."
            if ground.land
            else "No coastline is at hand on this machine; lines of longitude and latitude are"
            " drawn instead."
        ),
        "stretch": STRETCH,
        "sample_text": _sample_text(findings),
        "examples": EXAMPLES,
        "refused": [_refused(one) for one in findings.refused],
        "empty_chips": [
            (one["chip_id"], one["sensor"], one["outcome"], words(one["reason"] or "—"),
             one["cell"], str(one["target_date"]))
            for one in findings.empty_chips
        ],
        "rejects": _rejects(findings.rejects),
        "made": describe_making(findings.version),
    }  # fmt: skip


def _keys(findings: Findings) -> list[tuple[str, str]]:
    counts = findings.counts
    taken = "—" if findings.taken is None else f"{findings.taken[0][:4]}–{findings.taken[1][:4]}"
    return [
        ("photos", f"{counts.kept:,}"),
        ("chips with pixels", f"{sum(one.kept for one in counts.sensors):,}"),
        ("pairs", f"{sum(one.pairs for one in counts.sensors):,}"),
        ("cells", f"{len(findings.ground.cells):,}"),
        ("owners", f"{findings.owners:,}"),
        ("taken", taken),
        ("bytes stored", _size(findings.stored_bytes)),
        ("seed", str(findings.version.manifest["seed"])),
    ]


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"


def _sample_text(findings: Findings) -> str:
    sample = findings.sample
    if not sample.of_pairs:
        return "This version has no pairs."
    if sample.whole:
        return f"All {sample.of_pairs:,} pairs of the version, in {len(sample.chips):,} chips."
    return (
        f"A sample: {sample.pairs:,} of {sample.of_pairs:,} pairs, in {len(sample.chips):,} of"
        f" {sample.of_chips:,} chips of {sample.cells:,} cells. It is drawn by the dataset's seed,"
        " evenly over cells and sensors: the first chip of each before any second one."
    )


def _refused(one: Record) -> tuple[str, ...]:
    limit = "missing_limit_pct" if one["reason"] == "missing" else "chip_cloud_limit_pct"
    return (
        one["chip_id"], one["sensor"], words(one["reason"]), one["scene_id"],
        str(one["delta_days"]), _percent(one["cloud_scene_pct"]), _percent(one["cloud_chip_pct"]),
        _percent(one[limit]), _percent(one["valid_pct"]), one["outcome"],
    )  # fmt: skip


def _rejects(rows: Iterable[Record]) -> list[tuple[str, list[tuple[str, ...]]]]:
    order = {str(stage): place for place, stage in enumerate(Stage)}
    return [
        (
            stage,
            [
                (one["photo_id"], one["outcome"], words(one["reason"]), one["detail"] or "—",
                 one["cell"],
                 "—" if one["taken_at"] is None else one["taken_at"].isoformat(" ")[:16],
                 one["licence"] or "—",
                 "—" if one["indoor_probability"] is None
                 else f"{one['indoor_probability']:.1%}")
                for one in found
            ],
        )
        for stage, found in groupby(
            sorted(rows, key=lambda one: order.get(one["stage"], len(order))),
            key=lambda one: one["stage"],
        )
    ]  # fmt: skip


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value:.3g} %"


def _cells_script(findings: Findings) -> bytes:
    """Returns the script with the map's data."""
    rows = [
        [one.cell.cell_id, one.x, one.y, one.seen, one.kept, one.chips, one.pairs, one.zone]
        for one in findings.ground.cells
    ]
    return (
        data_script("cells", rows)
        + data_script("parallels", parallels())
        + data_script("cellsAtOnce", CELLS_AT_ONCE)
    )
