"""What a run came to: the funnel and the counts, as a table on the screen and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from collectors.answers import by_service, trouble_line
from flows.products.rows import ROWS

if TYPE_CHECKING:
    from collections import Counter

    from rich.console import Console

    from flows.cells.orders import Summary
    from flows.products.versions import Version


def as_json(summary: Summary, version: Version | None, *, new: bool, root: str) -> dict[str, Any]:
    """Returns a run's outcome as plain values."""
    requests = summary.requests_per_chip
    return {
        "root": root,
        "version": version.name if version else None,
        "version_is_new": new,
        "cells": dict(sorted(summary.cells.items())),
        "funnel": {
            "seen": summary.seen,
            "screened": summary.screened,
            "outdoor": summary.kept,
            "paired": summary.paired,
        },
        "chips": dict(sorted(summary.chips.items())),
        "scenes_refused": summary.scenes_refused,
        "reasons": dict(summary.reasons.most_common()),
        "unpaired": dict(summary.unpaired.most_common()),
        "requests": {
            "flickr": summary.flickr_calls,
            "photo_host": summary.photo_requests,
            "earth_engine_resolve": summary.resolve_requests,
            "earth_engine_pixels": summary.pixel_requests,
            "earth_engine_per_chip": None if requests is None else round(requests, 4),
        },
        "work": {
            "searches": summary.searched,
            "photos_downloaded": summary.downloaded,
            "chips_fetched": summary.fetched,
            "cell_seconds": round(summary.seconds, 1),
        },
        "answers": by_service(summary.answers),
        "short_of_quota": dict(sorted(summary.short.items())),
        "evenness": version.manifest["evenness"] if version else None,
        "troubles": dict(sorted(summary.troubles.items())),
        "stopped": summary.stopped or None,
        "rows": _rows(version),
    }


def _rows(version: Version | None) -> dict[str, int]:
    if version is None:
        return {}
    return {product: version.rows(product) for product in ROWS}


def show(console: Console, outcome: dict[str, Any]) -> None:
    """Prints a run's outcome for a reader."""
    funnel = outcome["funnel"]
    table = Table(title="This run", title_justify="left", show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("cells", _joined(outcome["cells"]))
    table.add_row(
        "photos",
        f"{funnel['seen']:,} seen → {funnel['screened']:,} screened →"
        f" {funnel['outdoor']:,} outdoor → {funnel['paired']:,} paired",
    )
    table.add_row("left out", _joined(outcome["reasons"]))
    table.add_row("chips", _joined(outcome["chips"]))
    table.add_row("scenes refused", f"{outcome['scenes_refused']:,}")
    table.add_row("unpaired", _joined(outcome["unpaired"]))
    requests = outcome["requests"]
    per_chip = requests["earth_engine_per_chip"]
    table.add_row(
        "requests",
        f"Flickr {requests['flickr']:,}, photo host {requests['photo_host']:,}, Earth Engine"
        f" {requests['earth_engine_resolve']:,} to resolve + {requests['earth_engine_pixels']:,}"
        " for pixels" + (f" ({per_chip:.3f} a chip)" if per_chip is not None else ""),
    )
    if trouble := trouble_line(outcome["answers"]):
        table.add_row("trouble", trouble)
    if outcome["short_of_quota"]:
        short = outcome["short_of_quota"]
        cells = "1 cell" if len(short) == 1 else f"{len(short):,} cells"
        table.add_row("short of quota", f"{cells}, {sum(short.values()):,} photos")
    if (even := outcome["evenness"]) is not None:
        table.add_row(
            "evenness",
            f"{even['coverage']:.0%} of what {_asked(even['cells'])} asked for, Gini"
            f" {even['gini']:.2f}; {_have(even['met'], 'their')} quota,"
            f" {_have(even['exhausted'], 'no')} more to give",
        )
    console.print(table)
    if outcome.get("planned"):
        from flows.planning.plan_view import show_comparison

        show_comparison(console, outcome["planned"])
    if outcome["version"]:
        how = "published" if outcome["version_is_new"] else "nothing new; still"
        rows = ", ".join(f"{count:,} {name}" for name, count in outcome["rows"].items())
        console.print(f"[bold]{how} {outcome['version']}[/]: {rows}", highlight=False)
        console.print(
            f"manifests   {outcome['root'].rstrip('/')}/manifests/{outcome['version']}/",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
        console.print(
            f"bytes       {outcome['root'].rstrip('/')}/shards/", highlight=False, soft_wrap=True
        )
    for cell, trouble in outcome["troubles"].items():
        console.print(f"[red]cell {cell} failed[/]: ", end="", highlight=False)
        console.print(trouble, markup=False, highlight=False, soft_wrap=True)


def _asked(cells: int) -> str:
    return "1 cell was" if cells == 1 else f"{cells:,} cells were"


def _have(cells: int, what: str) -> str:
    """Returns that so many cells have something: theirs, or none."""
    if cells == 1:
        return f"1 has {'its' if what == 'their' else what}"
    return f"{cells:,} have {what}"


def _joined(counts: dict[str, int] | Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "—"
