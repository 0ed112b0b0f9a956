"""The sandbox, once for all tests of this folder that ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from collectors.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Both services on loopback, with the world of seed 0."""
    with Sandbox(seed=0) as running:
        yield running
