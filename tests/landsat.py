"""The block of the page on new sensors, and the sensor that it makes."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML

from flows.catalogue.blocks import SensorSource
from tests.flows.pages import ROOT, steps_of

PAGE = ROOT / "docs" / "new-sensor.md"

TEXT = next(
    step.typed for step in steps_of(PAGE.read_text(encoding="utf-8")) if step.key == "sources"
)
"""The block as it stands on the page."""


def landsat_block() -> dict[str, Any]:
    """Returns the block's keys and values."""
    block: dict[str, Any] = YAML(typ="safe").load(TEXT)["landsat"]
    return block


LANDSAT = SensorSource.model_validate(landsat_block()).sensor("landsat")
