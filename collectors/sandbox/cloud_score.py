"""Cloud Score+ images: which are missing, and what their metadata say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from collectors.sandbox.noise import uniform

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_CLOUD_SCORE_SHARE: Final = 0.03
"""Share of the scenes without Cloud Score+ (its backfill is in progress, the catalogue)."""


def lacks_cloud_score(datatake: int) -> bool:
    """Return whether an overpass has no Cloud Score+ images."""
    return uniform(datatake, 12) < NO_CLOUD_SCORE_SHARE


def describe_cloud_score(source: Mapping[str, object], asset_id: str) -> dict[str, object]:
    """Return the properties of a Cloud Score+ image (the schema of the catalogue).

    Args:
        source: Properties of the Sentinel-2 image that it was made from.
        asset_id: Id of that image.
    """
    kept = {
        name: value
        for name, value in source.items()
        if name.startswith("system:") or name == "MGRS_TILE"
    }
    sensed = str(source["system:index"])[:8]
    return kept | {
        "DATE_PRODUCT_GENERATED": f"{sensed[:4]}-{sensed[4:6]}-{sensed[6:8]}",
        "MODEL_VERSION": "1",
        "NO_CONTEXT_FRACTION": 0.0,
        "PROCESSING_SOFTWARE_VERSION": "1.0.0",
        "SOURCE_ASSET_ID": asset_id,
        "SOURCE_PRODUCT_ID": source.get("PRODUCT_ID", asset_id.rpartition("/")[2]),
    }
