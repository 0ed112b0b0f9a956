"""The demo: the same build as ever, pointed at stand-ins for both services on this machine."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from shapely.geometry import MultiPolygon, mapping

from collectors.cells import Cell
from collectors.sandbox import Sandbox
from flows.catalogue.catalogue import FILE_NAME, find_catalogue
from flows.catalogue.text import CatalogueError
from flows.runs.running import Surroundings, Task
from flows.settings import PREFIX, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flows.runs.building import Watcher

END_OF_WORLD: Final = datetime(2026, 11, 1, tzinfo=UTC)
"""The made-up world ends here; the demo takes it for today, so that it builds the same for ever."""

DEMO_QUOTA: Final = 40
"""Kept photos for a whole cell: a look at everything in a minute or two."""

_FIT_PICTURES: Final = 1200
_FIT_STEPS: Final = 160
"""What the demo's classifier is trained with: 98 % right on others, in about 30 s of one core."""


@dataclass(frozen=True, slots=True)
class World:
    """What the stand-ins serve.

    Attributes:
        seed: Of what is made up.
        photos: A table of photos instead of made-up ones.
        scenes: Tables of scenes instead of made-up ones.
        awkward: Share of photos with an awkward file or title, and of places that one owner floods.
        faults: A JSON file of what is to go wrong; see `collectors/sandbox/README.md`.
    """

    seed: int = 0
    photos: Path | None = None
    scenes: Path | None = None
    awkward: float = 0.0
    faults: Path | None = None

    def sandbox(self, weights: Path) -> Sandbox:
        """Returns the stand-ins, not yet started.

        Raises:
            CatalogueError: If a file is not there.
        """
        for given in (self.photos, self.scenes, self.faults):
            if given is not None and not given.exists():
                raise CatalogueError(f"there is nothing at {given}")
        return Sandbox(
            seed=self.seed, photos=self.photos, scenes=self.scenes, awkward=self.awkward,
            faults=self.faults, weights=weights,
        )  # fmt: skip


def run_demo(
    *,
    root: Path,
    world: World,
    cells: int,
    watcher: Watcher,
    run: Callable[[Task, Surroundings], dict[str, Any]],
) -> dict[str, Any]:
    """Starts the sandbox and builds against it.

    Args:
        root: The dataset. Its folder `sandbox` holds what a real run would have elsewhere: the
            catalogue, and the weights of the indoor filter.
        world: What the stand-ins serve; of a table of photos the cells that hold them are built.
            Its seed is that of chance, too.
        cells: Cells of each region.
        watcher: Hears how the build goes.
        run: Runs a task.

    Returns:
        The outcome of the run.
    """
    own = root / "sandbox"
    weights = own / "weights" / "sandbox-resnet18.pth.tar"
    sandbox = world.sandbox(weights)
    _make_folder(own)
    catalogue = _write_catalogue(own, world.photos)
    with (
        tempfile.TemporaryDirectory(prefix="terrapair-prefect-") as home,
        sandbox as box,
    ):
        # Prefect's records of a demo are of no use afterwards, and must not mix with real ones.
        os.environ.setdefault("PREFECT_HOME", home)
        watcher.line(
            f"stand-ins for Flickr and Earth Engine at {box.url} (seed {world.seed}); photos and"
            " pixels are made up, and so is the indoor filter, which is fitted to such pictures"
        )
        make_weights(weights, watcher)  # the stand-ins were started first: a wrong file shows early
        settings = read_settings(sandbox_settings(box) | {"weights_cache": Path(home) / "weights"})
        task = Task(
            "build", str(root), catalogue, cells=None if world.photos else cells, seed=world.seed,
        )  # fmt: skip
        outcome = run(task, Surroundings(settings, watcher, END_OF_WORLD))
        outcome["sandbox_requests"] = box.counts()
    return outcome


def sandbox_settings(box: Sandbox) -> dict[str, Any]:
    """Returns the settings that point a run at a sandbox, which is in no need of patience."""
    return {
        "flickr_key": box.flickr_key,
        "flickr_secret": box.flickr_secret,
        "flickr_url": box.flickr_url,
        "flickr_calls_per_second": 50.0,
        "flickr_calls_per_hour": 180_000,
        "photo_hosts": (box.photo_host,),
        "photo_connections": 4,
        "photo_downloads_per_second": 200.0,
        "earth_engine_project": box.project,
        "earth_engine_service_account": json.dumps(box.service_account),
        "earth_engine_url": box.earth_engine_url,
        "earth_engine_connections": 8,
        "weights_url": box.weights_url,
        "patience_seconds": 20.0,
        # Not the one that happens to be quicker today: the demo is the same every time.
        "indoor_engine": "channels_last",
    }


def as_environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Returns settings as the environment variables that they are read from."""
    return {
        PREFIX + name.upper(): json.dumps(value) if isinstance(value, tuple) else str(value)
        for name, value in settings.items()
    }


def serve_sandbox(world: World, weights: Path) -> None:
    """Serves until standard input ends or the process is interrupted; prints the settings."""
    from flows.runs.building import SilentWatcher

    with world.sandbox(weights) as box:
        make_weights(weights, SilentWatcher())
        variables = as_environment(sandbox_settings(box))
        # At once, so that a file that is not empty is whole.
        sys.stdout.write("".join(f"{name}='{text}'\n" for name, text in variables.items()))
        sys.stdout.flush()
        try:
            box.wait()
        except KeyboardInterrupt:
            return


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        from collectors.transport import SetupError

        raise SetupError(
            str(folder), f"cannot be made ({error.strerror}).", "Give --root a folder to write in."
        ) from None


def _write_catalogue(folder: Path, photos: Path | None) -> Path:
    """Writes the demo's catalogue: the shipped one with a small quota, or around given photos."""
    yaml = YAML()
    document = yaml.load(find_catalogue(None).read_text(encoding="utf-8"))
    document["rules"]["quota_per_cell"] = DEMO_QUOTA
    if photos is not None:
        from collectors.sandbox.photo_tables import read_photo_table

        try:
            table = read_photo_table(photos)
        except ValueError as error:
            raise CatalogueError(str(error)) from None
        places = zip(table.longitude.tolist(), table.latitude.tolist(), strict=True)
        cells = sorted({Cell.at(lon, lat) for lon, lat in places})
        ground = MultiPolygon([cell.box.polygon() for cell in cells])
        feature = {"type": "Feature", "properties": {}, "geometry": mapping(ground)}
        collection = {"type": "FeatureCollection", "features": [feature]}
        (folder / "photos.geojson").write_text(json.dumps(collection), encoding="utf-8")
        document["regions"] = {
            "photos": {"title": f"The cells of {photos.name}", "geojson": "photos.geojson"}
        }
        first = datetime.fromtimestamp(int(table.taken.min()), UTC).date()
        document["sources"]["flickr"]["taken_since"] = first
        document["rules"]["quota_per_cell"] = max(len(table), DEMO_QUOTA)
    path = folder / FILE_NAME
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(document, file)
    return path


def make_weights(
    path: Path, watcher: Watcher, *, count: int = _FIT_PICTURES, steps: int = _FIT_STEPS
) -> Path:
    """Returns a file of weights that tells the sandbox's rooms from its landscapes.

    Args:
        path: Where they are, or are to be written.
        watcher: Hears of it.
        count: Made-up pictures that the network is fitted to.
        steps: Steps of training.
    """
    if not path.exists():
        from collectors.sandbox.landcover import Landcover
        from collectors.sandbox.pictures import Pictures
        from filters.indoor_checkpoint import save_checkpoint
        from filters.indoor_training import train

        watcher.line(f"fitting the demo's indoor filter to {count} made-up pictures")
        pictures = Pictures(0, Landcover(0)).sample(count, 0)
        _make_folder(path.parent)
        partial = path.with_suffix(".part")
        trained = train(pictures, seed=0, steps=steps, forms=1)
        save_checkpoint(trained.checkpoint, partial)
        partial.replace(path)
    return path
