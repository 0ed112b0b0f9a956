"""Which weights the indoor filter uses, and how they get here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import requests

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flows.catalogue.catalogue import Catalogue
    from flows.settings import Settings

SILENCE_S: Final = 2.0
"""A download that takes longer says how far it is."""


def find_weights(settings: Settings, catalogue: Catalogue) -> str:
    """Says where the weights are, without downloading them.

    Raises:
        WeightsError: If they are neither here nor to be had, or the file is not usable.
    """
    from filters.indoor_weights import WeightsError, cache_path, load

    block = catalogue.rules.indoor_weights
    url = settings.weights_url or block.url
    if url is None:
        assert block.path is not None  # noqa: S101 - held by the catalogue's model
        return f"{block.path}, SHA-256 {load(block.path, sha256=block.sha256).sha256}"
    expected = settings.weights_sha256 if settings.weights_url else block.sha256
    path = cache_path(url, settings.weights_cache)
    if path.exists():
        return f"{path}, SHA-256 {load(path, sha256=expected).sha256}"
    try:
        answer = requests.head(url, timeout=10, allow_redirects=True)
    except requests.RequestException as error:
        raise WeightsError(
            f"{url} cannot be reached ({type(error).__name__}). Look at the connection, or give"
            " `path:` of a file in the catalogue's rules.indoor_weights"
        ) from None
    if not answer.ok:
        raise WeightsError(
            f"{url} answers {answer.status_code}. Give another `url:` or a `path:` in the"
            " catalogue's rules.indoor_weights"
        )
    size = int(answer.headers.get("Content-Length", 0)) >> 20
    return f"{url} ({size} MB) will be downloaded on first use"


def obtain_weights(
    settings: Settings, catalogue: Catalogue, tell: Callable[[str], None]
) -> tuple[Path, str | None]:
    """Returns the file of the weights and the SHA-256 it must have, downloading it if need be.

    The setting comes before the catalogue; there is no fallback from one to another.

    Raises:
        WeightsError: If they cannot be had.
    """
    from filters.indoor_weights import fetch

    block = catalogue.rules.indoor_weights
    if settings.weights_url is not None:
        url, sha256 = settings.weights_url, settings.weights_sha256
    elif block.path is not None:
        return block.path, block.sha256
    else:
        assert block.url is not None  # noqa: S101 - held by the catalogue's model
        url, sha256 = block.url, block.sha256
    told = time.monotonic()

    def say(arrived: int, total: int | None) -> None:
        nonlocal told
        if time.monotonic() - told >= SILENCE_S:
            told = time.monotonic()
            tell(f"indoor filter's weights: {arrived >> 20} of {(total or 0) >> 20} MB")

    return fetch(url, settings.weights_cache, sha256=sha256, on_progress=say), sha256
