"""What the catalogue tells of its assets: single ones, and lists of a collection's images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from collectors.sandbox.asset_filters import AssetFilter, parse_filter
from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.encoding import PUBLIC_ASSETS, describe_asset, describe_collection
from collectors.sandbox.paging import Pages
from collectors.sandbox.scenes import SENSORS, TooManyScenesError
from collectors.sandbox.values import scene_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectors.sandbox.limits import Limits
    from collectors.sandbox.scenes import Scene, SceneWorld, Sensor

BASIC_ROWS: Final = 10_000
"""Most assets of a page of `listAssets` with the view BASIC (Earth Engine REST reference)."""


def list_scenes(world: SceneWorld, sensor: Sensor, wanted: AssetFilter) -> list[Scene]:
    """Return the scenes of a collection that pass a filter, ordered by index.

    Raises:
        EarthEngineError: The made-up world cannot list so much of itself.
    """
    try:
        scenes = world.search(sensor, wanted.region, wanted.start_ms, wanted.end_ms)
    except TooManyScenesError:
        what = "listing a collection without intersects(...) of a small place in the filter"
        raise not_implemented(what) from None
    return [scene for scene in scenes if wanted.condition.holds(scene_image(scene))]


@dataclass(slots=True)
class Assets:
    """The public catalogue as its REST methods show it.

    Attributes:
        world: Its scenes.
        limits: Rows of a page.
    """

    world: SceneWorld
    limits: Limits
    _listings: Pages[Scene] = field(default_factory=Pages)

    def read(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the answer to a GET request of `assets/{id}` or `assets/{id}:listAssets`.

        Args:
            path: What follows /v1/.
            query: Parameters of the address.

        Raises:
            EarthEngineError: There is no such asset or method, or a parameter is wrong.
        """
        path, _, verb = path.partition(":")
        name = path.removeprefix(PUBLIC_ASSETS)
        collection = path.startswith(PUBLIC_ASSETS) and name in SENSORS
        if verb == "listAssets" and collection:
            return self._list_assets(name, query)
        if verb:
            scene = self.scene(path)
            what = f"the method {verb} of {scene.asset_id}"
            raise not_implemented(what)
        return describe_collection(name) if collection else describe_asset(self.scene(path))

    def _list_assets(self, name: str, query: Mapping[str, str]) -> dict[str, Any]:
        view = query.get("view", "FULL")
        if view not in ("BASIC", "FULL", "EARTH_ENGINE_ASSET_VIEW_UNSPECIFIED"):
            message = f"Invalid value at 'view': \"{view}\"."
            raise EarthEngineError(message)
        wanted = parse_filter(query.get("filter", ""))
        rows, following = self._listings.page(
            [name, query.get("filter", "")],
            lambda: list_scenes(self.world, SENSORS[name], wanted),
            size=query.get("pageSize"),
            token=query.get("pageToken"),
            most=BASIC_ROWS if view == "BASIC" else self.limits.rows,
        )
        described = [describe_asset(scene) for scene in rows]
        if view == "BASIC":
            described = [{key: row[key] for key in ("type", "name", "id")} for row in described]
        page: dict[str, Any] = {"assets": described} if described else {}
        return page | ({"nextPageToken": following} if following else {})

    def scene(self, path: str) -> Scene:
        """Return the scene of an asset's full name.

        Raises:
            EarthEngineError: 404: there is none.
        """
        scene = None
        if path.startswith(PUBLIC_ASSETS):
            scene = self.world.find(path.removeprefix(PUBLIC_ASSETS))
        if scene is None:
            message = f"Asset '{path}' does not exist or doesn't allow this operation."
            raise EarthEngineError(message, 404)
        return scene
