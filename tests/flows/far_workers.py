"""A small world for builds in other processes, which get everything from their environment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flows.demo import sandbox_settings
from flows.settings import PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.sandbox import Sandbox

SIZE_PX = 160


def shrink(document: Any) -> None:
    """Makes chips small: what happens to them is the same, and quicker."""
    for name in ("sentinel2", "naip"):
        document["sources"][name] |= {"size_px": SIZE_PX, "area_px": SIZE_PX // 2}


def environment_of(sandbox: Sandbox, cache: Path) -> dict[str, str]:
    """Returns the variables that point a program at the sandbox."""
    values = sandbox_settings(sandbox) | {"weights_cache": cache}
    return {
        PREFIX + name.upper(): json.dumps(value) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
    }


def manifests(root: Path) -> dict[str, bytes]:
    """Returns the files of all versions."""
    folder = root / "manifests"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}
