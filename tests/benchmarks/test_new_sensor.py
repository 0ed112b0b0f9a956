"""How many lines a new sensor takes."""

from __future__ import annotations

import pytest

from tests.benchmarks.lines import report
from tests.flows.pages import ROOT
from tests.landsat import TEXT

MODULES = ("filters/qa_pixel.py",)
"""Modules that are there for Landsat alone."""

STAND_IN = ("collectors/sandbox/landsat.py", "collectors/sandbox/landsat_pixels.py")
"""Modules of the made-up Earth Engine that are there for Landsat alone: no collection needs them
but to be tried without a key."""


def lines_of(text: str) -> int:
    """Counts the lines that hold something."""
    return sum(bool(line.strip()) for line in text.splitlines())


def code_lines_of(text: str) -> int:
    """Counts the lines of a module that are not blank and no text or comment on its own."""
    kept, inside = 0, False
    for line in map(str.strip, text.splitlines()):
        marks = line.count('"""')
        if not inside and line and not line.startswith(("#", '"""')):
            kept += 1
        inside ^= marks % 2 == 1
    return kept


@pytest.mark.benchmark
def test_a_new_sensor_is_a_block_and_at_most_a_small_module() -> None:
    """Lines of the block as it stands on the page, and of the modules that exist only for it."""
    modules = [(ROOT / path).read_text(encoding="utf-8") for path in MODULES]
    block, module = lines_of(TEXT), sum(map(lines_of, modules))
    report(
        "new_sensor_lines", block + module, "lines", "a block and at most one small module",
        sensor="Landsat 8 and 9, Collection 2 Level 2", block=block, modules=list(MODULES),
        module_lines=module, module_code_lines=sum(map(code_lines_of, modules)),
        stand_in_lines=sum(
            lines_of((ROOT / path).read_text(encoding="utf-8")) for path in STAND_IN
        ),
    )  # fmt: skip
    assert len(MODULES) <= 1
    assert block + module < 100
