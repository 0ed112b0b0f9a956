"""Earth Engine: which scenes may serve which chips, and the pixels of a chip.

Two kinds of request: `resolve` asks for hundreds of chips at once, `read` once for each chip, on
the scene's stored asset (`getPixels`), which needs least of a project's compute quota.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import ee
import numpy as np

from collectors.area_average import SourceWindow, average_by_area, source_window
from collectors.chips import ChipPixels, SceneGone
from collectors.cores import CORES
from collectors.earth_engine_answers import features, pixel_array
from collectors.earth_engine_expressions import candidate_rows, parse_row
from collectors.earth_engine_session import (
    CATALOGUE,
    SERVICE,
    Credentials,
    Missing,
    Persistent,
    ServiceAccount,
    Session,
    TooBig,
)
from collectors.scene_lattices import check_lattices
from collectors.sensors import SCORE_BAND, Quality
from collectors.transport import SetupError, TroubleRemains

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from collectors.chips import Chip, Scene
    from collectors.sensors import Sensor
    from collectors.transport import Patience, Throttle

RESOLVE_BATCH: Final = 500
"""Chips asked for at once: about 45 kB of the 10 MB that a request may have, and with four
candidates at most 3,000 rows, three pages. Source: Earth Engine REST reference,
`computeFeatures`."""

CLOUD_SCORE_PLUS: Final = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
"""Its images have the `system:index` of the Sentinel-2 scene that they score (its page in Earth
Engine's catalogue), so that a stored image can be read without computing a join."""

__all__ = [
    "RESOLVE_BATCH",
    "Credentials",
    "EarthEngine",
    "Persistent",
    "Requests",
    "ServiceAccount",
]

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Requests:
    """How many requests were sent, tries that failed included.

    Attributes:
        resolve: Requests for candidate scenes, one for each page.
        pixels: Requests for pixels.
        other: Requests for anything else but logging in.
    """

    resolve: int = 0
    pixels: int = 0
    other: int = 0


class EarthEngine:
    """The client; one serves any number of threads.

    Attributes:
        requests: Counts of the requests sent.
    """

    def __init__(self, session: Session) -> None:
        """Used by `connect`."""
        self._session = session
        self._counting = threading.Lock()
        self.requests = Requests()

    @classmethod
    def connect(
        cls,
        *,
        project: str,
        credentials: Credentials,
        url: str,
        throttle: Throttle,
        patience: Patience,
        deadline_s: float = 120,
    ) -> EarthEngine:
        """Logs in and loads the list of Earth Engine's functions.

        The client library is global to the process: it is initialised once for the same project,
        login and address, and whoever connects to another one ends the use of the one before.

        Args:
            project: Google Cloud project that the requests are counted for.
            credentials: The login.
            url: Address of the service, such as `https://earthengine-highvolume.googleapis.com`.
            throttle: Limits shared by all threads.
            patience: How long transient trouble is borne.
            deadline_s: A request without an answer for this long has failed, seconds.

        Raises:
            SetupError: If there is no login, the key is bad, or the project may not be used.
            TroubleRemains: If the service was not reached.
        """
        session = Session.open(
            project=project, credentials=credentials, url=url, throttle=throttle,
            patience=patience, deadline_s=deadline_s,
        )  # fmt: skip
        return cls(session)

    def check(self) -> None:
        """Has Earth Engine compute 1 + 1, which needs login, project and service to be in order.

        Raises:
            SetupError: If the login or the project is refused, or the answer is wrong.
            TroubleRemains: If the service was not reached.
        """
        answer = self.send("other", "a check", lambda: ee.Number(1).add(1).getInfo())
        if answer != 2:
            raise SetupError(SERVICE, f"1 + 1 was answered with {answer!r}.", "Check the address.")

    def resolve(
        self, chips: Sequence[Chip], sensors: Mapping[str, Sensor]
    ) -> dict[str, tuple[Scene, ...]]:
        """Finds the candidate scenes of chips, of all sensors together.

        One request for every 500 chips (and one more for every further page of the answer). A
        batch that is too big for Earth Engine is halved.

        Args:
            chips: The chips.
            sensors: Sensor by name, for all sensors of the chips.

        Returns:
            For each chip's id its candidates, nearest day first, at most `candidates` of its
            sensor and two of each of its collections, one collection after the other; empty where
            there is none. `filters.scenes.rank` settles the rest.

        Raises:
            SetupError: If a collection, band or property is not there, access is refused, or the
                sensor's pixels do not lie where the catalogue says.
            TroubleRemains: If the service did not answer within the patience.
        """
        found: dict[str, tuple[Scene, ...]] = {}
        for start in range(0, len(chips), RESOLVE_BATCH):
            found |= self._resolve_batch(chips[start : start + RESOLVE_BATCH], sensors)
        return found

    def _resolve_batch(
        self, chips: Sequence[Chip], sensors: Mapping[str, Sensor]
    ) -> dict[str, tuple[Scene, ...]]:
        """Resolves one batch, in halves if it is too big."""
        what = f"scenes for {len(chips)} chips"
        try:
            rows = self._candidate_rows(chips, sensors, what)
        except TooBig as error:
            if len(chips) == 1:
                raise TroubleRemains(SERVICE, f"{what}: {error}") from error
            half = len(chips) // 2
            return self._resolve_batch(chips[:half], sensors) | self._resolve_batch(
                chips[half:], sensors
            )
        except Missing as error:
            raise SetupError(SERVICE, f"{what}: {error}", CATALOGUE) from error
        found: dict[str, list[Scene]] = {chip.chip_id: [] for chip in chips}
        try:
            for row in rows:
                chip = chips[int(row["chip"])]
                collections = sensors[chip.sensor].collections
                scene = parse_row(row, collections[int(row.get("collection", 0))])
                found[chip.chip_id].append(scene)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise SetupError(
                SERVICE, f"{what}: a row of the answer cannot be read ({error!r}).", CATALOGUE
            ) from error
        check_lattices(chips, found, sensors)
        return {name: tuple(scenes) for name, scenes in found.items()}

    def _candidate_rows(
        self, chips: Sequence[Chip], sensors: Mapping[str, Sensor], what: str
    ) -> list[dict[str, Any]]:
        """Sends the question for one batch and follows the pages of the answer."""
        params = {
            "expression": candidate_rows(chips, sensors),
            "workloadTag": "terrapair-resolve",
        }
        rows: list[dict[str, Any]] = []
        while True:
            page = self.send("resolve", what, lambda: features(params, what))
            rows += [feature["properties"] for feature in page.get("features", [])]
            token = page.get("nextPageToken")
            if not token:
                return rows
            params["pageToken"] = token

    def read(self, chip: Chip, scene: Scene, sensor: Sensor) -> ChipPixels | SceneGone:
        """Reads the pixels of a chip from a scene, in one request; in two with Cloud Score+.

        Sensors on the chip's own scale are read on the chip's grid, which lies on whole pixels of
        the scene, so nothing is resampled but Sentinel-2's 20 m and 60 m bands, which are repeated.
        For sensors with `area_average` the scene's own pixels that cover the chip are read and
        averaged by area here.

        Args:
            chip: The chip.
            scene: A scene in the chip's CRS.
            sensor: The chip's sensor.

        Returns:
            The pixels, or a `SceneGone` if Earth Engine no longer has the scene, or has no
            Cloud Score+ of it where the sensor asks for that.

        Raises:
            ValueError: If the scene is in another CRS or its grid is rotated.
            SetupError: If a band is not there, or access is refused.
            TroubleRemains: If the service did not answer within the patience.
        """
        if scene.crs != chip.grid.crs:
            raise ValueError(f"{scene.scene_id} is in {scene.crs}, {chip.chip_id} is not")
        grid = chip.grid
        bands = tuple(band for band in sensor.bands if band in scene.bands)
        asked = (*bands, *sensor.scene_quality_bands)
        window = (
            source_window(scene.transform, grid) if sensor.area_average
            else SourceWindow(grid.west_m, grid.north_m, grid.scale_m, grid.scale_m,
                              grid.size_px, grid.size_px)
        )  # fmt: skip
        layers = self._pixels(scene.scene_id, asked, window, grid.crs)
        if isinstance(layers, SceneGone):
            return layers
        with CORES:
            data = np.stack([layers[band] for band in bands])
            if sensor.area_average:
                data = average_by_area(data, window, grid)
        if sensor.quality is Quality.CLOUD_SCORE_PLUS:
            score_id = f"{CLOUD_SCORE_PLUS}/{scene.scene_id.rsplit('/', 1)[1]}"
            scores = self._pixels(score_id, (SCORE_BAND,), window, grid.crs)
            if isinstance(scores, SceneGone):
                return SceneGone(scene.scene_id, scores.detail, "no_cloud_score")
            known = np.nan_to_num(scores[SCORE_BAND].astype(np.float64))
            percent = np.floor(100 * known).astype(np.uint8)
            return ChipPixels.of(bands, data, percent, SCORE_BAND)
        name = sensor.quality_band
        if name is None:
            return ChipPixels.of(bands, data, None)
        if sensor.quality is Quality.QA_PIXEL:
            return ChipPixels.of(bands, data, layers[name].astype(np.uint16), name)
        return ChipPixels.of(bands, data, layers[name].astype(np.uint8), name)

    def _pixels(
        self, scene_id: str, bands: tuple[str, ...], window: SourceWindow, crs: str
    ) -> NDArray[Any] | SceneGone:
        """Returns (rows, columns) with one field a band."""
        what = f"pixels of {scene_id}"
        params = {
            "assetId": scene_id,
            "fileFormat": "NPY",
            "bandIds": list(bands),
            "grid": pixel_grid(window, crs),
            "workloadTag": "terrapair-pixels",
        }
        shape = (window.rows, window.columns)
        try:
            return self.send("pixels", what, lambda: pixel_array(params, bands, shape, what))
        except Missing as error:
            return SceneGone(scene_id, str(error))
        except TooBig as error:
            raise TroubleRemains(SERVICE, f"{what}: {error}") from error

    def send(self, kind: str, what: str, call: Callable[[], Answer]) -> Answer:
        """Sends a request and counts its tries."""

        def count() -> None:
            with self._counting:
                setattr(self.requests, kind, getattr(self.requests, kind) + 1)

        return self._session.send(what, call, count)


def pixel_grid(window: SourceWindow, crs: str) -> dict[str, Any]:
    """Returns a north-up pixel grid as Earth Engine takes it: corner to outer edge of a pixel."""
    return {
        "dimensions": {"width": window.columns, "height": window.rows},
        "affineTransform": {
            "scaleX": window.pixel_width_m, "shearX": 0, "translateX": window.west_m,
            "shearY": 0, "scaleY": -window.pixel_height_m, "translateY": window.north_m,
        },
        "crsCode": crs,
    }  # fmt: skip
