"""A plan for a reader, as GeoJSON, and beside what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text
from shapely.geometry import box, mapping

from flows.planning.plan_map import draw_maps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

_TITLES: Final = {
    "found": "photos found", "screened": "photos screened", "photos": "photos kept",
    "chips": "chips", "pairs": "pairs", "flickr_calls": "Flickr calls",
    "downloads": "photo downloads", "earth_engine_requests": "Earth Engine requests",
    "bytes": "gigabytes stored",
}  # fmt: skip
_SERVICES: Final = {
    "flickr": "Flickr", "photo_host": "the photo host", "earth_engine": "Earth Engine",
}  # fmt: skip


def title_of(name: str) -> str:
    """Returns what a figure is called."""
    what, _, sensor = name.partition("_")
    if name not in _TITLES and what in {"chips", "pairs"}:
        return f"  {what} of {sensor}"
    return _TITLES.get(name, name.replace("_", " "))


def show_plan(console: Console, plan: Mapping[str, Any]) -> None:
    """Prints a plan: figures, hours, map."""
    cells = plan["cells"]
    left = cells["asked"] - cells["finished"]
    console.print(
        _counted(cells["asked"], "cell")
        + (f", {cells['finished']:,} of them finished; {left:,} to do"
           if cells["finished"] else ""),
        highlight=False,
    )  # fmt: skip
    for line in draw_maps(plan["map"], min(console.width, 100)):
        console.print(Text(line), soft_wrap=True)
    table = Table(box=None, header_style="bold")
    table.add_column("")
    for name in ("low", "likely", "high"):
        table.add_column(name, justify="right")
    for name in sorted(plan["figures"], key=_place):
        if name in {"resolve_requests", "pixel_requests"}:
            continue
        figure = plan["figures"][name]
        table.add_row(title_of(name), *_numbers(figure, 1e-9 if name == "bytes" else 1))
    binding = plan["hours"]["binding"]
    for name, service in _SERVICES.items():
        style = "bold" if name == binding else ""
        table.add_row(f"hours by {service}", *_numbers(plan["hours"][name], 1), style=style)
    months = plan["earth_engine"]["budget_months"]
    if months is not None:
        table.add_row("months of the budget", *_numbers(months, 1))
    if (eecu := plan["earth_engine"]["eecu_hours"]) is not None:
        table.add_row("EECU-hours", *_numbers(eecu, 1))
        for tier, taken in plan["earth_engine"]["tier_months"].items():
            table.add_row(f"  months of {tier}", *_numbers(taken, 1))
    console.print(table)
    console.print(
        f"{_SERVICES[binding][0].upper()}{_SERVICES[binding][1:]} binds; the services are asked at"
        " the same time.", highlight=False,
    )  # fmt: skip
    if eecu is None:
        means = plan["earth_engine"]["tier_eecu_seconds_per_request"]
        fits = ", ".join(
            f"{tier} {_number(mean)}" for tier, mean in means.items() if mean is not None
        )
        if fits:
            console.print(
                "Earth Engine's compute is not known"
                " (TERRAPAIR_EARTH_ENGINE_EECU_SECONDS_PER_REQUEST); it fits into one month if a"
                f" request takes less EECU-seconds than: {fits}",
                highlight=False, soft_wrap=True,
            )  # fmt: skip
    console.print(f"from: {'; '.join(plan['sources'])}", highlight=False, soft_wrap=True)


def show_comparison(console: Console, compared: Mapping[str, Any]) -> None:
    """Prints what was planned beside what came."""
    title = f"Planned and come ({_counted(compared['runs'], 'run')} since the plan)"
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    table.add_column("")
    for name in ("low", "likely", "high", "came", ""):
        table.add_column(name, justify="right")
    figures = compared["figures"]
    for name in sorted(figures, key=_place):
        if name in {"resolve_requests", "pixel_requests"}:
            continue
        one = figures[name]
        table.add_row(
            title_of(name), *_numbers(one, 1), f"{one['came']:,}",
            "" if one["within"] else "outside",
        )  # fmt: skip
    console.print(table)


def as_geojson(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the cells with their figures as a collection of features, in degrees."""
    features = [
        {
            "type": "Feature",
            "id": row["cell"],
            "geometry": mapping(box(*row["box"])),
            "properties": {name: value for name, value in row.items() if name != "box"},
        }
        for row in plan["map"]
    ]
    return {"type": "FeatureCollection", "features": features}


def _place(name: str) -> tuple[int, str]:
    """Says where a figure stands in a table: those of a sensor below that of all sensors."""
    titles = list(_TITLES)
    what = name if name in _TITLES else name.partition("_")[0]
    return titles.index(what) if what in _TITLES else len(titles), name


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _numbers(figure: Mapping[str, float], factor: float) -> list[str]:
    return [_number(figure[name] * factor) for name in ("low", "likely", "high")]


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"
