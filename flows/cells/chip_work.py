"""What is done with a chip, and the rows that come of it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Any

from collectors.chip_files import encode_chip
from collectors.chips import Scene, SceneGone
from collectors.cores import CORES
from collectors.records import Outcome
from filters.chip_quality import measure, refusal
from filters.geotag_uncertainty import uncertainty_m
from filters.placement import position
from filters.scenes import delta_days
from flows.cells.batches import Piece
from flows.cells.steps import adapter
from flows.products.rows import ChipRow, PairRow, RefusedScene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.chips import Chip
    from collectors.sensors import Sensor
    from flows.catalogue.blocks import RuleBlock
    from flows.cells.batches import Finished
    from flows.cells.services import Services
    from flows.products.rows import PhotoRow


def fetch_chip(chip: Chip, scenes: Sequence[Scene], sensor: Sensor, services: Services) -> Piece:
    """Tries the scenes of a chip, the best first, until the pixels of one pass."""
    refused: list[RefusedScene] = []
    for scene in scenes[: sensor.candidates]:
        pixels = services.earth_engine.read(chip, scene, sensor)
        if isinstance(pixels, SceneGone):
            refused.append(_refused(chip, scene, pixels.reason))
            continue
        with CORES:
            measured = measure(pixels, sensor)
        reason = refusal(measured, sensor)
        if reason is not None:
            refused.append(_refused(chip, scene, reason, measured.cloud_pct, measured.valid_pct))
            continue
        tags = {"SCENE_ID": scene.scene_id, "ACQUIRED_AT": scene.acquired_at.isoformat()}
        last = () if pixels.quality_band is None else (pixels.quality_band,)
        verdict = {
            "outcome": Outcome.KEPT,
            "reason": None,
            "scene": adapter(Scene).dump_python(scene, mode="json"),
            "cloud_chip_pct": measured.cloud_pct,
            "shadow_pct": measured.shadow_pct,
            "valid_pct": measured.valid_pct,
            "cover": measured.cover,
            "bands": [*pixels.bands, *last],
            "refused": [asdict(one) for one in refused],
        }
        with CORES:
            data = encode_chip(pixels, chip.grid, tags=tags)
        return Piece(chip.chip_id, verdict, (f"{chip.chip_id}.tif", data))
    verdict = {
        "outcome": Outcome.REJECTED,
        "reason": "all_refused" if refused else "no_scene",
        "scene": None,
        "bands": [],
        "refused": [asdict(one) for one in refused],
    }
    return Piece(chip.chip_id, verdict)


def _refused(
    chip: Chip,
    scene: Scene,
    reason: str,
    cloud_pct: float | None = None,
    valid_pct: float | None = None,
) -> RefusedScene:
    delta = delta_days(scene, chip.target_date)
    return RefusedScene(scene.scene_id, delta, scene.cloud_scene_pct, cloud_pct, valid_pct, reason)


def chip_row(
    chip: Chip, finished: Finished, sensor: Sensor, cell_id: str, generation: int
) -> ChipRow:
    """Makes the row of a chip, with or without pixels; its photos are counted later."""
    verdict, location = finished.verdict, finished.location
    known: Any = verdict["scene"]
    scene = None if known is None else adapter(Scene).validate_python(known)
    return ChipRow(
        chip_id=chip.chip_id, sensor=chip.sensor, cell=cell_id, time_bin=chip.time_bin,
        outcome=verdict["outcome"], reason=verdict["reason"],
        scene_id=scene.scene_id if scene else None,
        acquired_at=scene.acquired_at.astimezone(UTC) if scene else None,
        target_date=chip.target_date,
        delta_days=delta_days(scene, chip.target_date) if scene else None,
        cloud_scene_pct=scene.cloud_scene_pct if scene else None,
        cloud_chip_pct=verdict.get("cloud_chip_pct"), shadow_pct=verdict.get("shadow_pct"),
        valid_pct=verdict.get("valid_pct"), cover=verdict.get("cover"),
        scene_cloud_limit_pct=sensor.scene_cloud_limit_pct,
        chip_cloud_limit_pct=sensor.chip_cloud_limit_pct,
        missing_limit_pct=sensor.missing_limit_pct,
        refused=tuple(RefusedScene(**one) for one in verdict["refused"]), crs=chip.grid.crs,
        transform=chip.grid.transform, width=chip.grid.size_px, height=chip.grid.size_px,
        bands=tuple(verdict["bands"]), scale_m=chip.grid.scale_m,
        source_gsd_m=scene.gsd_m if scene else None,
        processing=scene.processing if scene else None, photos=0,
        shard=location.shard if location else None,
        offset=location.offset if location else None,
        size=location.size if location else None,
        sha256=location.sha256 if location else None, generation=generation,
    )  # fmt: skip


def pair_row(photo: PhotoRow, chip: ChipRow, rules: RuleBlock, generation: int) -> PairRow:
    """Makes the row of a photo in a chip that has pixels."""
    where = position(chip.grid, photo.lon, photo.lat)
    assert chip.acquired_at is not None  # noqa: S101 - a kept chip has a scene
    return PairRow(
        photo_id=photo.photo_id, chip_id=chip.chip_id, sensor=chip.sensor, row=where.row,
        col=where.column,
        delta_days=(chip.acquired_at.astimezone(UTC).date() - photo.taken_at.date()).days,
        distance_m=where.distance_m,
        uncertainty_px=uncertainty_m(photo.accuracy, rules.street_uncertainty_m) / chip.scale_m,
        cell=chip.cell, generation=generation,
    )  # fmt: skip
