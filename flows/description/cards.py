"""The card, the datasheet and the summary of licences, as Markdown from templates."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import jinja2

from collectors.licences import licence_by_code
from flows.description import statements
from flows.description.band_statistics import SAMPLE
from flows.description.bands import band_of, platform_of
from flows.description.stac import described_sensors

if TYPE_CHECKING:
    from flows.description.facts import Facts
    from flows.products.versions import Version

_SIZES: Final = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"),
)  # fmt: skip
"""The Hugging Face hub's categories of size, each with the number at which the next begins."""


def size_category(rows: int) -> str:
    """Returns the hub's name for so many examples."""
    return next((name for end, name in _SIZES if rows < end), "1B<n<10B")


def card(version: Version, facts: Facts, statistics: dict[str, Any]) -> str:
    """Returns the dataset card: README.md with the front matter of the Hugging Face hub."""
    return _render("README.md.jinja", version, facts, statistics)


def datasheet(version: Version, facts: Facts, statistics: dict[str, Any]) -> str:
    """Returns the datasheet: how it was made, for what, and for what not."""
    return _render("DATASHEET.md.jinja", version, facts, statistics)


def licence_summary(version: Version, facts: Facts) -> str:
    """Returns how many photos are under which licence."""
    return _render("LICENSE.md.jinja", version, facts, {})


def index_card(version: Version, facts: Facts) -> str:
    """Returns the card of the form without bytes of photos."""
    return _render("INDEX.md.jinja", version, facts, {})


def _render(template: str, version: Version, facts: Facts, statistics: dict[str, Any]) -> str:
    sensors = described_sensors(facts)
    blocks = version.manifest["sensors"]
    platforms = {name: platform_of(blocks[name]["collection"]) for name in sensors}
    return _templates().get_template(template).render(
        version=version, manifest=version.manifest, facts=facts, statistics=statistics,
        sensors=sensors, blocks=blocks, platforms=platforms, statements=statements,
        licence_by_code=licence_by_code, size_category=size_category,
        noncommercial=sum(
            count for code, count in facts.licences.items() if licence_by_code(code).noncommercial
        ),
        share_alike=sum(count for code, count in facts.licences.items() if "-SA-" in code),
        band_of=band_of, max_chips=SAMPLE,
    )  # fmt: skip


@cache
def _templates() -> jinja2.Environment:
    """Returns the templates. What they are filled with is the project's own; no owner's words."""
    environment = jinja2.Environment(  # noqa: S701 - Markdown, and nothing from outside
        loader=jinja2.PackageLoader("flows.description"), undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["share"] = lambda part, whole: f"{100 * part / whole:.1f}" if whole else "0"
    environment.filters["figure"] = lambda number: f"{number:,.1f}"
    environment.filters["megabytes"] = _size
    return environment


def _size(size: int) -> str:
    """Returns a number of bytes for people."""
    if size >= 1e12:
        return f"{size / 1e12:.1f} TB"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
