"""Charts of a report: what stands on their axes."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from flows.report.charts import _LETTER, Chart, columns, histogram, named
from flows.report.spreads import Bar, Spread


def _texts(chart: Chart) -> list[str]:
    return re.findall(r">([^<>]+)</text>", str(chart.svg))


@pytest.mark.parametrize("most", [0, 1, 2, 3, 4, 5, 7, 99, 12_345])
def test_no_figure_stands_twice_on_an_axis_of_counts(most: int) -> None:
    """Of few things no halves are marked, which would be rounded to their neighbours."""
    bars = [Bar("a", most, low=500, high=501), Bar("b", 0, low=501, high=502)]
    for chart in (
        named("k", "t", "s", bars, what="cells", of="kept"),
        columns("k", "t", "s", bars, what="cells", of="kept"),
        histogram("k", "t", "s", Spread(tuple(bars)), what="cells", unit="days"),
    ):
        figures = [one for one in _texts(chart) if one.replace(",", "").isdigit()]
        assert "0" in figures
        assert len(figures) == len(set(figures)), figures


def test_labels_of_a_histogram_do_not_touch() -> None:
    """Where there is no room for a number it is left out, also in a wider font than Vega's."""
    bars = [Bar("x", 1, low=low, high=low + 100) for low in range(-1_100, 700, 100)]
    chart = histogram("k", "t", "s", Spread(tuple(bars)), what="pairs", unit="days")
    axis = str(chart.svg).partition("role-axis-label")[2].partition("</g>")[0]
    labels = [
        (float(place), text)
        for place, shown, text in re.findall(
            r'translate\(([\d.]+),[\d.]+\)"[^>]*opacity="(\d)">([^<]+)<', axis
        )
        if shown == "1"
    ]
    assert len(labels) >= 3
    for (left, one), (right, other) in pairwise(sorted(labels)):
        assert right - left > _LETTER * (len(one) + len(other)) / 2
