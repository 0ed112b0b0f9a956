"""Opens what a plan may ask, and what it may read, without writing anything."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from collectors.answers import Answers
from collectors.storage import local_folder, open_store
from collectors.transport import WrongUse
from flows.cells.finished import leave_out_finished
from flows.cells.state import latest_generations, read_commit
from flows.limits.budgets import Ledger
from flows.planning.probing import Outside
from flows.products.block_keys import find_key
from flows.products.block_list import BlockList, open_block_list
from flows.products.versions import IDENTITY, known_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from collectors.storage import Store
    from filters.indoor import IndoorClassifier
    from flows.catalogue.catalogue import Catalogue
    from flows.cells.orders import Order
    from flows.settings import Settings


def find_dataset(root: str, settings: Settings) -> Store | None:
    """Returns the dataset at a root; None if there is none yet. Nothing is created."""
    folder = local_folder(root)
    if folder is not None and not folder.exists():
        return None
    store = open_store(root, writable=False, patience_s=settings.patience_seconds)
    return store if store.exists(IDENTITY) else None


def seed_of(store: Store | None, given: int | None) -> int:
    """Returns the seed that a build would have.

    Raises:
        WrongUse: If the dataset has another than the one that is given.
    """
    if store is None:
        return 0 if given is None else given
    found = known_seed(store)
    if given is not None and given != found:
        raise WrongUse(
            store.root,
            f"this dataset was begun with seed {found}, not {given}.",
            "Leave --seed away, or plan another dataset under another root.",
        )
    return found


def open_orders(
    orders: Sequence[Order],
    catalogue: Catalogue,
    store: Store | None,
    tell: Callable[[str], None],
) -> list[Order]:
    """Returns the orders on cells in which there is something to do."""
    latest = {} if store is None else latest_generations(store)
    if store is None or not latest:
        return list(orders)
    first = min(latest)
    weights = read_commit(store, first, latest[first])["weights"]

    class _Known:
        """What is read of `flows.cells.services.Services`."""

    known = cast("Any", _Known())
    known.store, known.catalogue, known.weights = store, catalogue, weights
    return leave_out_finished(orders, known, tell)[0]


@contextmanager
def opened(
    settings: Settings,
    catalogue: Catalogue,
    store: Store | None,
    allowed: int | None,
    clock: Callable[[], datetime],
    tell: Callable[[str], None],
) -> Iterator[Outside]:
    """Opens the services, within the limits that builds keep to, and closes them again.

    What a plan asks of Earth Engine counts against the month's budget where there is a dataset to
    keep it. The indoor filter is used if its weights are on this machine; they are not downloaded.

    Raises:
        SetupError: If a key, a login or an address is missing or wrong; the key of the dataset's
            block list as well, if it has one.
    """
    from collectors.earth_engine import EarthEngine
    from collectors.flickr import Flickr
    from collectors.photo_files import PhotoHost
    from collectors.photo_pictures import PictureRules
    from flows.limits.limits import open_limits

    ledger = None if allowed is None or store is None else Ledger(store, allowed, clock)
    limits = open_limits(settings, tell, ledger)
    try:
        patience = replace(settings.patience, answers=Answers())
        key, secret = settings.flickr_login()
        classifier = find_classifier(settings, catalogue)
        blocks = BlockList() if store is None else open_block_list(store, find_key(settings))
        with Flickr(
            key, secret, url=settings.flickr_url, throttle=limits.flickr, patience=patience
        ) as flickr:
            yield Outside(
                flickr,
                PhotoHost(
                    allowed_hosts=frozenset(settings.photo_hosts), throttle=limits.photos,
                    patience=patience, user_agent=settings.user_agent,
                    rules=PictureRules(shortest_side_px=catalogue.rules.photo_shortest_side_px),
                ),
                EarthEngine.connect(
                    project=settings.earth_engine_project_name(),
                    credentials=settings.earth_engine_credentials(),
                    url=settings.earth_engine_url, throttle=limits.earth_engine, patience=patience,
                ),
                classifier,
                blocks,
            )  # fmt: skip
    finally:
        limits.close()


def find_classifier(settings: Settings, catalogue: Catalogue) -> IndoorClassifier | None:
    """Returns the indoor filter if its weights are on this machine."""
    from filters.indoor import IndoorClassifier
    from filters.indoor_weights import cache_path, load

    block = catalogue.rules.indoor_weights
    url = settings.weights_url or block.url
    digest = settings.weights_sha256 if settings.weights_url else block.sha256
    path = block.path if url is None else cache_path(url, settings.weights_cache)
    if path is None or not path.exists():
        return None
    engine = "channels_last" if settings.indoor_engine == "auto" else settings.indoor_engine
    return IndoorClassifier(
        load(path, sha256=digest), threads=settings.cpu_threads, engine=engine,
        rule=catalogue.rules.indoor_rule,
    )  # fmt: skip
