"""The charts of a report, section by section, each with what it says in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.report import spreads
from flows.report.charts import columns, histogram, named
from flows.report.meanings import words
from flows.report.spreads import Bar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from flows.report.charts import Chart
    from flows.report.counts import Counts
    from flows.report.ground import CellCounts, Shading
    from flows.report.spreads import Spread


@dataclass(frozen=True, slots=True)
class Section:
    """Some charts under one heading.

    Attributes:
        key: Unique on its page.
        title: The heading.
        text: What to know before looking.
        charts: The charts.
    """

    key: str
    title: str
    text: str
    charts: tuple[Chart, ...]


def funnel_charts(counts: Counts) -> tuple[Chart, ...]:
    """Draws the photos that are left after each stage, and the pairs of each split."""
    steps = [Bar(step.name, step.photos) for step in counts.steps]
    charts = [
        named(
            "steps", "Photos left after each stage",
            f"Of {counts.seen:,} photos seen, {counts.kept:,} are in the dataset and"
            f" {counts.paired:,} have a chip.",
            steps, what="photos", of="photos that",
        ),
        named(
            "ends", "Reasons to leave a photo out",
            "The most frequent is " + words(max(counts.photos, key=lambda one: one.count).reason)
            + "." if counts.photos else "No photo was left out.",
            [Bar(words(one.reason), one.count)
             for one in sorted(counts.photos, key=lambda one: -one.count)[:10]],
            what="photos", of="reason",
        ),
    ]  # fmt: skip
    for sensor in counts.sensors:
        order = [name for name in ("train", "val", "test", "none") if name in sensor.splits]
        order += sorted(set(sensor.splits) - set(order))
        charts.append(
            named(
                f"splits-{sensor.sensor}", f"Pairs of {sensor.sensor} by split",
                f"{sensor.pairs:,} pairs in {sensor.kept:,} chips with pixels,"
                f" of {sensor.placed:,} placed.",
                [Bar(name, sensor.splits[name]) for name in order], what="pairs", of="split",
            )
        )  # fmt: skip
    return tuple(charts)


def figure_sections(
    base: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    cells: Sequence[CellCounts],
    shading: Shading,
) -> tuple[Section, ...]:
    """Draws all figures of a version that has photos."""
    return (
        _evenness(manifest, cells, shading),
        _dates(base),
        Section(
            "gaps", "Days from photo to scene",
            "Negative where the scene is older than the photo; whole days.",
            tuple(
                histogram(
                    f"gap-{sensor}", f"{sensor}: days from photo to scene", _middle(spread, "days"),
                    spread, what="pairs", unit="days, scene minus photo",
                )
                for sensor, spread in spreads.gaps(base).items()
            ),
        ),
        Section(
            "cloud", "Cloud",
            "Measured in the chip's own pixels, and as the provider says of the whole scene;"
            " sensors without a measure are not shown.",
            (
                *_clouds("in chip", spreads.cloud_in_chips(base)),
                *_clouds("in scene", spreads.cloud_in_scenes(base)),
            ),
        ),
        Section(
            "chips", "Photos in a chip",
            f"At most {manifest['rules']['photos_per_chip']} photos share a chip.",
            tuple(
                columns(
                    f"photos-{sensor}", f"{sensor}: photos in a chip", _middle(spread, "photos"),
                    spread.bars, what="chips", of="photos",
                )
                for sensor, spread in spreads.photos_per_chip(base).items()
            ),
        ),
        _rights(base),
        _indoors(base, float(manifest["rules"]["indoor_threshold"])),
    )  # fmt: skip


def _evenness(
    manifest: Mapping[str, Any], cells: Sequence[CellCounts], shading: Shading
) -> Section:
    said = manifest.get("evenness", {})
    bars = [Bar(f"{one.label} photos", one.cells) for one in shading.classes]
    charts = [
        named(
            "kept-by-cell", "Cells by kept photos",
            f"{len(cells):,} cells; a whole cell is asked for"
            f" {manifest['rules']['quota_per_cell']:,} photos.",
            bars, what="cells", of="kept",
        )
    ]  # fmt: skip
    uniqueness = said.get("uniqueness", [])[:60]
    if uniqueness:
        charts.append(_new_by_search(uniqueness))
    text = (
        f"Of what the cells were asked for, {said['coverage']:.1%} is there, on average over"
        f" cells; the Gini coefficient of kept over wanted photos is {said['gini']:g} (0 is even)."
        f" {said['met']:,} of the cells have their quota, {said['exhausted']:,} no more to give."
        if said
        else "This version says nothing about how evenly it covers the ground."
    )
    return Section("evenness", "Evenness", text, tuple(charts))


def _new_by_search(shares: Sequence[float]) -> Chart:
    """Draws how the share of new photos falls from search to search."""
    bars = [Bar(str(call), share) for call, share in enumerate(shares, start=1)]
    return columns(
        "new", "New photos by search",
        "Share of photos on the answers to a cell's first search, its second and so on that no"
        " search before had brought, of all cells together.",
        bars, what="share", of="search", share=True,
    )  # fmt: skip


def _dates(base: duckdb.DuckDBPyConnection) -> Section:
    by_year = spreads.years(base)
    span = f"From {by_year.bars[0].label} to {by_year.bars[-1].label}." if by_year.bars else ""
    return Section(
        "dates", "Dates", "When photos were taken, by the clock of the place.",
        (
            columns("years", "Years", span, by_year.bars, what="photos", of="year"),
            columns("months", "Months", _peak(spreads.months(base)), spreads.months(base).bars,
                    what="photos", of="month"),
            columns("hours", "Hours", _peak(spreads.hours(base)), spreads.hours(base).bars,
                    what="photos", of="hour of the day"),
        ),
    )  # fmt: skip


def _rights(base: duckdb.DuckDBPyConnection) -> Section:
    licences = spreads.licences(base)
    found = spreads.owners(base)
    shares = [Bar("the largest" if rank == 1 else f"the {rank:,} largest", share)
              for rank, share in found.shares]  # fmt: skip
    one = f"The largest one has {found.shares[0][1]:.1%} of the photos." if found.shares else ""
    return Section(
        "rights", "Licences and owners",
        "Owners are counted, not named; every photo's own line stands beside it.",
        (
            named("licences", "Licences", f"{len(licences.bars)} licences.", licences.bars,
                  what="photos", of="licence"),
            named("owners", "Share of the largest owners", f"{found.owners:,} owners. {one}",
                  shares, what="share of photos", of="owners", share=True),
        ),
    )  # fmt: skip


def _indoors(base: duckdb.DuckDBPyConnection, threshold: float) -> Section:
    scores = spreads.indoor_scores(base)
    judged = int(sum(bar.count for bar in scores.bars))
    return Section(
        "indoors", "Indoor scores",
        "The filter's probability that a photo was taken indoors, of all photos that were judged;"
        f" at {threshold:g} or above, the dashed line, a photo is left out.",
        (
            histogram(
                "indoor", "Probability of being indoors",
                f"{judged:,} photos judged. Heights go by the square root, so that rare scores"
                " are seen as well; series overlap.",
                scores, what="photos", unit="probability", line=threshold, root=True,
            ),
        ),
    )  # fmt: skip


def _clouds(where: str, found: Mapping[str, Spread]) -> list[Chart]:
    key = where.replace(" ", "-")
    return [
        histogram(
            f"cloud-{key}-{sensor}", f"{sensor}: cloud {where}", _middle(spread, "%"), spread,
            what="chips", unit=f"cloud {where}, %", root=True,
        )
        for sensor, spread in found.items()
    ]  # fmt: skip


def _middle(spread: Spread, unit: str) -> str:
    """Returns a spread's quantiles as a sentence."""
    return " ".join(
        f"Median {_short(one.median)} {unit.removesuffix('s') if one.median == 1 else unit};"
        f" nine of ten {_between(_short(one.low), _short(one.high))}."
        for one in spread.quantiles
    )


def _between(low: str, high: str) -> str:
    return f"have {low}" if low == high else f"between {low} and {high}"


def _short(number: float) -> str:
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}" if abs(number) >= 0.01 or number == 0 else f"{number:.3f}"


def _peak(spread: Spread) -> str:
    top = max(spread.bars, key=lambda bar: bar.count)
    return f"Most in {top.label}." if top.count else ""
