"""Runs builds against a sandbox in this process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from flows.demo import END_OF_WORLD, sandbox_settings
from flows.runs.building import SilentWatcher
from flows.runs.running import SURROUNDINGS, Surroundings, Task, run_task
from flows.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.sandbox import Sandbox
    from flows.runs.building import Watcher

SHIPPED = Path(__file__).resolve().parents[2] / "data_catalog.yaml"


def small_catalogue(
    path: Path, change: Callable[[Any], None] = lambda _document: None, *, quota: int = 24
) -> Path:
    """Writes the shipped catalogue with two small regions, a small quota, splits, and a change."""
    yaml = YAML(typ="safe")  # by libyaml: comments are lost, and a second is saved
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    document = yaml.load(SHIPPED.read_text(encoding="utf-8"))
    document["regions"] = {
        "bay": {"box": [-123.1, 36.87, -121.05, 37.83]},
        "alps": {"box": [6.25, 45.5, 7.2, 46.4], "sensors": ["sentinel2"]},
    }
    document["rules"]["quota_per_cell"] = quota
    # with seed 5, the cells of bay are of train and val, those of alps of train and test
    document["splits"] |= {"train_pct": 57, "val_pct": 10, "test_pct": 33}
    change(document)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(document, file)
    return path


@dataclass(slots=True)
class Run:
    """Builds against one sandbox with one catalogue."""

    sandbox: Sandbox
    catalogue: Path
    cache: Path

    def build(
        self,
        root: Path | str,
        *,
        catalogue: Path | None = None,
        now: datetime = END_OF_WORLD,
        watcher: Watcher | None = None,
        settings: dict[str, Any] | None = None,
        clock: Callable[[], datetime] | None = None,
        **task: Any,
    ) -> dict[str, Any]:
        """Runs a task (a build of the first cells, unless said otherwise) and gives its outcome."""
        values = sandbox_settings(self.sandbox) | {"weights_cache": self.cache} | (settings or {})
        around = Surroundings(read_settings(values), watcher or SilentWatcher(), now)
        around.clock = clock or around.clock
        asked = {"kind": "build", "cells": 2, "seed": 5} | task
        token = SURROUNDINGS.set(around)
        try:
            return run_task(
                Task(root=str(root), catalogue_path=catalogue or self.catalogue, **asked)
            )
        finally:
            SURROUNDINGS.reset(token)
