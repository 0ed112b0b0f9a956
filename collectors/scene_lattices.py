"""Whether the pixels of scenes lie where the catalogue says that a sensor's pixels lie.

A chip's grid is laid out before any scene is known. If it does not lie on whole pixels of the
scenes, Earth Engine takes the nearest pixel of each without a word, and everything is shifted by up
to half a pixel: no row and no picture would show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors.transport import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collectors.chips import Chip, Scene
    from collectors.sensors import Sensor


def check_lattices(
    chips: Sequence[Chip], found: Mapping[str, Sequence[Scene]], sensors: Mapping[str, Sensor]
) -> None:
    """Checks that of each sensor's scenes some lie under its chips' grids.

    A single scene that is shifted is passed over (`filters.scenes.qualifies`); if all are, the
    catalogue is wrong about the sensor.

    Args:
        chips: Chips of any sensors.
        found: The scenes found for each, by its id.
        sensors: Sensor by name.

    Raises:
        SetupError: If all scenes in the CRS of their chips, of a sensor, are shifted.
    """
    shifted: dict[str, tuple[Chip, Scene] | None] = {}
    for chip in chips:
        if sensors[chip.sensor].area_average:
            continue  # pixels are cut where the chip's edges are
        for scene in found[chip.chip_id]:
            if scene.crs != chip.grid.crs:
                continue
            if chip.grid.lies_on(scene.transform):
                shifted[chip.sensor] = None
            shifted.setdefault(chip.sensor, (chip, scene))
    for name, example in shifted.items():
        if example is None:
            continue
        scale, scene = sensors[name].scale_m, example[1]
        west, north = scene.transform[2] % scale, scene.transform[5] % scale
        remedy = (
            f"Write `lattice_offset_m: {west:g}` into its block." if west == north
            else "Average by area (`area_average: true`): x and y differ."
        )  # fmt: skip
        raise SetupError(
            f"sources.{name}",
            f"no scene's pixels lie under its chips: the corners of {scene.scene_id} lie"
            f" {west:g} m east and {north:g} m north of multiples of {scale:g} m, and"
            f" lattice_offset_m is {sensors[name].lattice_offset_m:g}.",
            remedy,
        )
