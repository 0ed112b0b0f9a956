"""As small a build as has every stage: one cell, a few photos, small chips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.flows.runs import Run, small_catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.sandbox import Sandbox

SIZE_PX = 160
QUOTA = 6


def shrink(document: Any) -> None:
    """Makes the chips of a catalogue small: what happens to them is the same, and quicker."""
    for name in ("sentinel2", "naip"):
        document["sources"][name] |= {"size_px": SIZE_PX, "area_px": SIZE_PX // 2}


def small_run(sandbox: Sandbox, folder: Path, quota: int = QUOTA) -> Run:
    """Returns a run with a small catalogue in a folder."""
    catalogue = small_catalogue(folder / "data_catalog.yaml", shrink, quota=quota)
    return Run(sandbox, catalogue, folder / "cache")


def build_one_cell(run: Run, root: Path, **more: Any) -> dict[str, Any]:
    """Builds one cell with both sensors."""
    return run.build(root, **{"regions": ("bay",), "cells": 1} | more)
