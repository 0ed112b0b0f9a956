"""Charts of a report: drawn by Vega-Lite when the report is made, kept as SVG with its ARIA.

Colours are a few known values that the style sheet puts others in place of, for light and dark.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import altair as alt
import vl_convert
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.report.spreads import Bar, Spread

INK: Final = "#1f2933"
LINES: Final = "#d5dbe1"
SERIES: Final = ("#0f766e", "#c2410c")
"""The first series and the second; the style sheet knows them by these values."""

_WIDTH: Final = 340
"""Of a whole chart, px: a phone's width, so that text is never shrunk; wider pages hold several."""

_HEIGHT: Final = 190
_BAR: Final = 24
_LETTER: Final = 6.6
"""Width of a letter of a label in the widest font that a reader may have instead, px."""

_TICKS: Final = 4
_ROOM: Final = 40
"""For the figures of a standing axis, px, so that its title never lies on them."""

_FONT: Final = "Liberation Sans"
"""It comes with the library that draws, so text is measured alike on every machine."""

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and the table that says the same.

    Attributes:
        key: Unique on its page, a word.
        title: What it shows.
        summary: The same in a sentence or two with the main figures, for those who do not see it.
        svg: The drawing.
        headers: Of the table.
        rows: Of the table.
    """

    key: str
    title: str
    summary: str
    svg: Markup
    headers: Row
    rows: tuple[Row, ...]


def named(
    key: str, title: str, summary: str, bars: Sequence[Bar], *, what: str, of: str,
    share: bool = False,
) -> Chart:  # fmt: skip
    """Draws lying bars, one for each name, in the order given.

    Args:
        key: See `Chart`.
        title: See `Chart`.
        summary: See `Chart`.
        bars: The bars.
        what: What the figures are, such as "photos".
        of: What the names are, such as "licence".
        share: Whether the figures are shares, 0 to 1.
    """
    room = min(_LETTER * max((len(bar.label) for bar in bars), default=0), 165)
    base = alt.Chart(_data(bars)).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=145, minExtent=room)),
        x=alt.X("count:Q", title=what, axis=_figures(bars, share=share)),
        description=alt.Description("text:N"),
    )
    chart = base.mark_bar(color=SERIES[0])
    return _made(
        key, title, summary, chart, (of, what),
        tuple((bar.label, _figure(bar.count, share=share)) for bar in bars),
        height=_BAR * max(len(bars), 1) + 44,
    )  # fmt: skip


def columns(
    key: str, title: str, summary: str, bars: Sequence[Bar], *, what: str, of: str,
    share: bool = False,
) -> Chart:  # fmt: skip
    """Draws standing bars, one for each name, in the order given; arguments as for `named`."""
    every = math.ceil(len(bars) / 7)
    values = [bar.label for bar in bars][:: max(1, every)]
    chart = (
        alt.Chart(_data(bars))
        .mark_bar(color=SERIES[0])
        .encode(
            x=alt.X("label:N", sort=None, title=of, axis=alt.Axis(labelAngle=0, values=values)),
            y=alt.Y("count:Q", title=what, axis=_figures(bars, share=share, minExtent=_ROOM)),
            description=alt.Description("text:N"),
        )
    )
    rows = tuple((bar.label, _figure(bar.count, share=share)) for bar in bars)
    return _made(key, title, summary, chart, (of, what), rows)


def histogram(
    key: str, title: str, summary: str, spread: Spread, *, what: str, unit: str,
    line: float | None = None, root: bool = False,
) -> Chart:  # fmt: skip
    """Draws a histogram; several series are stacked.

    Args:
        key: See `Chart`.
        title: See `Chart`.
        summary: See `Chart`.
        spread: Bars with `low` and `high`.
        what: What is counted, such as "photos".
        unit: What the horizontal axis shows, with its unit.
        line: Where to draw a line across, such as a threshold.
        root: Whether heights go by the square root, so that rare bins are seen as well.
    """
    groups = sorted({bar.group for bar in spread.bars if bar.group})
    scale = alt.Scale(type="sqrt") if root else alt.Scale()
    chart: Any = (
        alt.Chart(_data(spread.bars))
        .mark_bar(color=SERIES[0])
        .encode(
            x=alt.X("low:Q", bin="binned", title=unit,
                    axis=alt.Axis(tickCount=6, labelOverlap="greedy", labelSeparation=8)),
            x2="high:Q",
            y=alt.Y("count:Q", title=what, scale=scale, stack=None if root else "zero",
                    axis=_figures(spread.bars, minExtent=_ROOM)),
            description=alt.Description("text:N"),
        )
    )  # fmt: skip
    if groups:
        chart = chart.encode(
            color=alt.Color(
                "group:N",
                scale=alt.Scale(domain=groups, range=list(SERIES)),
                legend=alt.Legend(title=None, orient="top"),
            )
        )
    if line is not None:
        mark = {"low": line, "text": f"threshold: {line:g}"}
        chart += (
            alt.Chart(alt.InlineData([mark]))
            .mark_rule(color=INK, strokeWidth=2, strokeDash=[4, 3])
            .encode(x="low:Q", description=alt.Description("text:N"))
        )
    headers = (unit, "which", what) if groups else (unit, what)
    rows = tuple(
        (bar.label, bar.group, _figure(bar.count)) if groups else (bar.label, _figure(bar.count))
        for bar in spread.bars
        if bar.count
    )
    return _made(key, title, summary, chart, headers, rows)


def _figures(bars: Sequence[Bar], *, share: bool = False, **more: Any) -> alt.Axis:
    """Returns an axis of shares or of counts; of few things no halves are marked."""
    if share:
        return alt.Axis(tickCount=_TICKS, format=".0%", **more)
    most = math.ceil(max((bar.count for bar in bars), default=1))
    return alt.Axis(tickCount=min(_TICKS, max(1, most)), format=",d", **more)


def _data(bars: Sequence[Bar]) -> alt.InlineData:
    return alt.InlineData(
        [
            {
                "label": bar.label, "count": bar.count, "group": bar.group, "low": bar.low,
                "high": bar.high,
                "text": f"{bar.label}{', ' if bar.group else ''}{bar.group}: "
                + _figure(bar.count, share=isinstance(bar.count, float)),
            }
            for bar in bars
        ]
    )  # fmt: skip


def _figure(count: float, *, share: bool = False) -> str:
    return f"{count:.1%}" if share else f"{count:,}"


def _made(
    key: str,
    title: str,
    summary: str,
    chart: Any,
    headers: Row,
    rows: tuple[Row, ...],
    height: int = _HEIGHT,
) -> Chart:
    """Draws a chart of a fixed size."""
    quiet = {"labelFontSize": 11, "titleFontSize": 11, "labelColor": INK, "titleColor": INK,
             "titleFontWeight": "normal", "gridColor": LINES, "domainColor": LINES,
             "tickColor": LINES}  # fmt: skip
    specification = (
        chart.properties(
            width=_WIDTH, height=height,
            autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        )
        .configure(background="transparent", font=_FONT, padding=4)
        .configure_view(stroke=None)
        .configure_axis(**quiet)
        .configure_legend(labelFontSize=11, labelColor=INK)
    ).to_dict()  # fmt: skip
    drawn = vl_convert.vegalite_to_svg(specification, allowed_base_urls=[])
    return Chart(key, title, summary, _framed(drawn, summary), headers, rows)


def _framed(drawn: str, summary: str) -> Markup:
    """Returns an SVG that fits its page and says what it is."""
    inside = drawn[drawn.index(">") + 1 :]
    size = re.search(r'viewBox="0 0 [\d. ]+"', drawn)
    if size is None:
        raise ValueError(f"no drawing: {drawn[:80]}")
    # What Vega wrote is markup, with all text in it escaped; what is put in here is escaped too.
    head = Markup('<svg xmlns="http://www.w3.org/2000/svg" {} role="graphics-document"'
                  ' aria-roledescription="chart" aria-label="{}">')  # fmt: skip
    return head.format(Markup(size[0]), summary) + Markup(inside)  # noqa: S704
