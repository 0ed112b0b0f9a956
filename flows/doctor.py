"""What is set up, what is missing, and how to get it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from collectors.transport import ServiceTrouble, redact
from flows.catalogue.catalogue import find_catalogue, load_catalogue
from flows.catalogue.text import CatalogueError
from flows.products.tables import check_products
from flows.progress import no_progress
from flows.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from flows.catalogue.catalogue import Catalogue
    from flows.progress import Progress
    from flows.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a real run needs.

    Attributes:
        name: What was looked at.
        well: Whether it is there.
        said: What was seen, and if it is missing, how to get it.
    """

    name: str
    well: bool
    said: str


def examine(
    catalogue_path: Path | None, root: str | None = None, progress: Progress = no_progress
) -> list[Check]:
    """Looks at catalogue, Flickr, Earth Engine and weights; at most one call to each service.

    Args:
        catalogue_path: The catalogue; the one here, else the shipped one, by default.
        root: A dataset whose block list is looked at as well.
        progress: Hears what is looked at.
    """
    settings = read_settings()
    checks: list[Check] = []
    catalogue: Catalogue | None = None

    def look_at(name: str, look: Callable[[], str]) -> None:
        progress(f"looking at: {name}", 0, 0)
        checks.append(_check(name, settings, look))

    def look_at_catalogue() -> str:
        nonlocal catalogue
        path = find_catalogue(catalogue_path)
        catalogue = load_catalogue(path)
        check_products(catalogue)
        regions = "1 region" if len(catalogue.regions) == 1 else f"{len(catalogue.regions)} regions"
        return f"{path}: {regions}, {', '.join(catalogue.sensors)}"

    look_at("catalogue", look_at_catalogue)
    look_at("flickr", lambda: _look_at_flickr(settings))
    look_at("earth engine", lambda: _look_at_earth_engine(settings))
    if catalogue is not None:
        found = catalogue
        look_at("indoor weights", lambda: _look_at_weights(settings, found))
    if root is not None:
        look_at("block key", lambda: _look_at_block_key(settings, root))
    return checks


def _look_at_flickr(settings: Settings) -> str:
    from collectors.flickr import Flickr

    key, secret = settings.flickr_login()
    with Flickr(
        key, secret, url=settings.flickr_url, throttle=settings.flickr_throttle(),
        patience=_brief(settings),
    ) as flickr:  # fmt: skip
        flickr.check()
    return f"{settings.flickr_url} takes the key, and its licences are the known ones"


def _look_at_earth_engine(settings: Settings) -> str:
    from collectors.earth_engine import EarthEngine

    project = settings.earth_engine_project_name()
    EarthEngine.connect(
        project=project,
        credentials=settings.earth_engine_credentials(),
        url=settings.earth_engine_url,
        throttle=settings.earth_engine_throttle(),
        patience=_brief(settings),
    ).check()
    return f"{settings.earth_engine_url} answers for project {project}"


def _look_at_weights(settings: Settings, catalogue: Catalogue) -> str:
    from flows.cells.weights import find_weights

    return find_weights(settings, catalogue)


def _look_at_block_key(settings: Settings, root: str) -> str:
    from flows.planning.opening import find_dataset
    from flows.products.block_keys import find_key
    from flows.products.block_list import (
        check_no_open_request,
        open_block_list,
        request_names,
    )

    store = find_dataset(root, settings)
    if store is None:
        return f"none is needed: there is no dataset at {root} yet"
    if not request_names(store):
        return f"none is needed: nobody's photos were forgotten at {root}"
    known = len(open_block_list(store, find_key(settings)).requests)
    check_no_open_request(store)
    requests = "1 request" if known == 1 else f"{known:,} requests"
    where = "TERRAPAIR_BLOCK_KEY" if settings.block_key is not None else settings.block_key_file
    return f"{where} fits the block list of {root} ({requests}); keep a copy of it"


def _brief(settings: Settings) -> Any:
    """Returns a patience that suits somebody who waits for the answer."""
    from collectors.transport import Patience

    return Patience(
        budget_s=min(5.0, settings.patience_seconds), first_wait_s=0.5, longest_wait_s=2.0
    )


def _check(name: str, settings: Settings, look: Callable[[], str]) -> Check:
    from filters.indoor_weights import WeightsError

    try:
        return Check(name, well=True, said=look())
    except (CatalogueError, ServiceTrouble, WeightsError) as trouble:
        said = str(trouble)
        if said.lower().startswith(f"{name}: "):  # its name stands before it anyway
            said = said[len(name) + 2 :]
        return Check(name, well=False, said=redact(said, settings.secrets))


def show_examination(console: Console, checks: list[Check], *, as_json: bool) -> None:
    """Prints what was found."""
    if as_json:
        console.print_json(json.dumps([asdict(check) for check in checks]))
        return
    for check in checks:
        sign, style = ("ok     ", "green") if check.well else ("missing", "red")
        console.print(Text.assemble((sign, style), f"  {check.name}: {check.said}"), soft_wrap=True)
    if all(check.well for check in checks):
        console.print("A real run can start: terrapair build --root ROOT")
