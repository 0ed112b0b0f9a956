"""Writes the pictures of chips into folders, one for each chip."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from rasterio.errors import RasterioError

from collectors.records import Outcome
from collectors.storage import open_store
from collectors.transport import SetupError, WrongUse
from filters.sampling import seeded_hash
from flows.catalogue.blocks import SensorSource
from flows.products.rows import ChipRow
from flows.products.table_rows import row_groups
from flows.products.tables import from_arrow
from flows.products.versions import open_beside, published_version
from flows.progress import no_progress
from flows.renderings.pictures import draw_pictures
from flows.renderings.prompts import write_prompt
from flows.samples.members import read_members
from flows.samples.samples import place_of_chip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue
    from flows.catalogue.rendering_blocks import Rendering
    from flows.products.versions import Version
    from flows.progress import Progress

RECIPE: Final = "render.json"
"""Written last: a folder that has it is whole."""

PROMPT: Final = "prompt.txt"


def render_chips(
    root: str, output: str, catalogue: Catalogue, *, chip_ids: Sequence[str] = (),
    limit: int | None = None, version_name: str | None = None, question: str | None = None,
    answers: Sequence[str] = (), progress: Progress = no_progress,
) -> dict[str, Any]:  # fmt: skip
    """Writes the catalogue's renderings of chips, `OUTPUT/<chip>/<rendering>.png`.

    Each folder has `render.json`, from which a colour leads back to a value, and `prompt.txt`. What
    is there already is left as it is, so that a run that was stopped goes on.

    Args:
        root: The dataset.
        output: A folder, `s3://…` or `gs://…`.
        catalogue: Says how, under `renderings`.
        chip_ids: These chips; none: any with pixels, in an order drawn by the dataset's seed.
        limit: No more chips than this; None for all.
        version_name: A version; the newest by default.
        question: For the prompt.
        answers: For the prompt.
        progress: Hears how many chips are done.

    Returns:
        For JSON: `root`, `version`, and for each chip its id, scene, folder and pictures.

    Raises:
        SetupError: If there is no such version or chip, or the catalogue renders none of them, or
            other files lie where these would.
    """
    store = open_store(root, writable=False)
    version = published_version(store, version_name)
    ways = _by_sensor(catalogue)
    if not ways:
        raise WrongUse(
            "catalogue", "has no renderings.", "Add a block `renderings`; the shipped one has six."
        )
    chips = _chips(store, version, chip_ids, ways, limit)
    target = open_beside(store, output)
    found: list[dict[str, Any]] = []
    for done, chip in enumerate(chips):
        progress("chips rendered", done, len(chips))
        collection = _collection(catalogue, chip.sensor)
        found.append(_render(store, target, chip, ways[chip.sensor], collection, question, answers))
    progress("chips rendered", len(chips), len(chips))
    return {"root": target.root, "version": version.name, "chips": found}


def _by_sensor(catalogue: Catalogue) -> dict[str, dict[str, Rendering]]:
    found: dict[str, dict[str, Rendering]] = {}
    for name, rendering in catalogue.renderings.items():
        found.setdefault(rendering.sensor, {})[name] = rendering
    return found


def _collection(catalogue: Catalogue, sensor: str) -> str:
    source = catalogue.sources[sensor]
    assert isinstance(source, SensorSource)  # noqa: S101 - held by the catalogue
    return source.sensor(sensor).collections[0]


def _chips(
    store: Store, version: Version, chip_ids: Sequence[str],
    ways: dict[str, dict[str, Rendering]], limit: int | None,
) -> list[ChipRow]:  # fmt: skip
    """Finds the rows of the chips, in the order of `chip_ids` or by a seeded hash."""
    wanted = pa.array(dict.fromkeys(chip_ids), pa.string())
    tables = []
    for table in row_groups(store, version, "chips", ["chip_id", "sensor", "outcome"]):
        usable = pc.and_(
            pc.equal(table["outcome"], Outcome.KEPT.value),
            pc.is_in(table["sensor"], pa.array(list(ways), pa.string())),
        )
        if chip_ids:
            usable = pc.is_in(table["chip_id"], wanted)
        tables.append(table.filter(usable).select(["chip_id"]))
    names = pa.concat_tables(tables)["chip_id"].to_pylist() if tables else []
    if chip_ids:
        order = wanted.to_pylist()
        missing = sorted(set(order) - set(names))
        if missing:
            raise WrongUse(
                f"{store.root} {version.name}", f"has no chip {', '.join(missing)}.",
                "`terrapair catalog show chips` lists them.",
            )  # fmt: skip
    else:
        seed = version.manifest["seed"]
        order = sorted(names, key=lambda name: (seeded_hash(seed, name), name))
    chosen = order[:limit]
    rows = {
        row.chip_id: row
        for table in row_groups(store, version, "chips", None)
        for row in from_arrow(
            table.filter(pc.is_in(table["chip_id"], pa.array(chosen, pa.string()))), ChipRow
        )
    }
    for name in chosen:
        row = rows[name]
        if not row.kept:
            raise WrongUse(
                name, f"has no pixels: {row.reason}.", f"`terrapair catalog chip {name}` tells why."
            )
        if row.sensor not in ways:
            raise WrongUse(
                name, f"is of sensor {row.sensor}, of which the catalogue has no renderings.",
                "Add one with `sensor: " + row.sensor + "` to its block `renderings`.",
            )  # fmt: skip
    return [rows[name] for name in chosen]


def _render(
    store: Store, target: Store, chip: ChipRow, ways: dict[str, Rendering], collection: str,
    question: str | None, answers: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """Writes the folder of one chip."""
    try:
        pictures = draw_pictures(read_members(store, [place_of_chip(chip)])[0], ways)
    except (RasterioError, ValueError) as error:
        raise SetupError(
            f"{store.root} {chip.chip_id}", f"cannot be rendered: {error}.",
            "`terrapair verify` says whether the chip is whole; a band that it lacks is one of the"
            " catalogue's `optional_bands`.",
        ) from error  # fmt: skip
    prompt = write_prompt(chip, collection, pictures, question, answers)
    files = {f"{one.name}.png": one.png for one in pictures} | {PROMPT: prompt.encode()}
    about = {
        "schema": "terrapair-render/1", "chip_id": chip.chip_id, "sensor": chip.sensor,
        "scene_id": chip.scene_id, "crs": chip.crs, "transform": list(chip.transform),
        "width": chip.width, "height": chip.height,
        "acquired_at": chip.acquired_at.isoformat() if chip.acquired_at else None,
        "chip_sha256": chip.sha256,
        "images": [
            {"file": f"{one.name}.png", "name": one.name,
             "sha256": hashlib.sha256(one.png).hexdigest()} | one.recipe()
            for one in pictures
        ],
        "prompt": PROMPT, "question": question, "answers": list(answers),
    }  # fmt: skip
    files[RECIPE] = f"{json.dumps(about, indent=1)}\n".encode()
    for name, data in files.items():
        if not target.create(f"{chip.chip_id}/{name}", data):
            raise WrongUse(
                target.uri(f"{chip.chip_id}/{name}"),
                "is there already, made from another chip or by another catalogue or question.",
                "Give --output a folder that is empty.",
            )
    return {
        "chip_id": chip.chip_id, "scene_id": chip.scene_id, "folder": target.uri(chip.chip_id),
        "images": [f"{one.name}.png" for one in pictures],
    }  # fmt: skip
