"""Which scenes may serve a chip, and in which order they are tried."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from collectors.sensors import SceneRule

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from collectors.chips import Chip, Scene
    from collectors.sensors import Sensor


def delta_days(scene: Scene, day: date) -> int:
    """Returns the scene's date minus a day, in whole days; negative when the scene is earlier.

    The scene's date is that of UTC, while a photo's date is the local one: differences below a
    day mean nothing.
    """
    return (scene.acquired_at.astimezone(UTC).date() - day).days


def distance(days: int, rule: SceneRule) -> int:
    """Returns how far a scene is from what a rule wants: the least is tried first.

    Args:
        days: The scene's date minus the target date, in whole days.
        rule: Nearest: days before or after alike; latest: the later, the less.
    """
    return -days if rule is SceneRule.LATEST else abs(days)


def qualifies(scene: Scene, chip: Chip, sensor: Sensor) -> bool:
    """Says whether a scene may serve a chip, before its pixels are seen.

    It must be stored in the chip's own CRS and on its pixels (so that nothing is resampled; where
    pixels are averaged by area, any will do), have every band that
    the sensor needs, lie within the sensor's window of whole days around the target date, and be
    under the scene's cloud limit where there is one. That it covers the chip is asked of Earth
    Engine, which has the footprints.
    """
    if scene.crs != chip.grid.crs or not set(sensor.required_bands) <= set(scene.bands):
        return False
    if not sensor.area_average and not chip.grid.lies_on(scene.transform):
        return False
    if abs(delta_days(scene, chip.target_date)) > sensor.window_days:
        return False
    limit = sensor.scene_cloud_limit_pct
    return limit is None or (scene.cloud_scene_pct is not None and scene.cloud_scene_pct < limit)


def rank(scenes: Iterable[Scene], chip: Chip, sensor: Sensor) -> list[Scene]:
    """Returns the scenes that qualify for a chip, the best first, at most `sensor.candidates`.

    The order is: fewest whole days from the target date, before or after (or the latest day, where
    the sensor's rule says so); less cloud in the scene; newer processing baseline; made later;
    smaller id. Whatever the rule, what does not qualify is never taken.
    """
    ranked = sorted(
        (scene for scene in scenes if qualifies(scene, chip, sensor)),
        key=lambda scene: scene.scene_id,
    )
    # Sorting is stable, so the least important key comes first.
    ranked.sort(
        key=lambda scene: (
            scene.processing,
            scene.generated_at.timestamp() if scene.generated_at is not None else float("-inf"),
        ),
        reverse=True,
    )
    ranked.sort(
        key=lambda scene: (
            distance(delta_days(scene, chip.target_date), sensor.scene_rule),
            scene.cloud_scene_pct or 0.0,
        )
    )
    return ranked[: sensor.candidates]
