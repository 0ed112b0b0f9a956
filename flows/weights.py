"""Which weights the indoor filter uses, and how they get here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flows.catalogue import Catalogue
    from flows.settings import Settings

SILENCE_S: Final = 2.0
"""A download that takes longer says how far it is."""


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
