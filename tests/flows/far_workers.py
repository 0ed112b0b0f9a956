"""A small world for builds in other processes, which get everything from their environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.demo import as_environment, sandbox_settings
from flows.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.sandbox import Sandbox

SIZE_PX = 160


def shrink(document: Any) -> None:
    """Makes chips small: what happens to them is the same, and quicker."""
    for name in ("sentinel2", "naip"):
        document["sources"][name] |= {"size_px": SIZE_PX, "area_px": SIZE_PX // 2}


def environment_of(sandbox: Sandbox, cache: Path) -> dict[str, str]:
    """Returns the variables that point a program at the sandbox.

    Where a real server of Prefect keeps the limits, a busy machine keeps it from answering for a
    while, so the patience is that of the real services.
    """
    patience_s = Settings.model_fields["patience_seconds"].default
    changes = {"weights_cache": cache, "patience_seconds": patience_s}
    return as_environment(sandbox_settings(sandbox) | changes)
