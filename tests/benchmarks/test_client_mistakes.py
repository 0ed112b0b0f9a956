"""The table of mistakes stays in step with the source, so that measuring it does not rot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.client_mistakes import MISTAKES, Mistake

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_a_mistake_has_its_place_in_the_source(mistake: Mistake) -> None:
    """What would be replaced stands in the file exactly once."""
    assert (ROOT / mistake.file).read_text(encoding="utf-8").count(mistake.old) == 1
