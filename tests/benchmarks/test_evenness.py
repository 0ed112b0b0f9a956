"""How evenly photos are kept over a world in which 1 % of the cells hold half of them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from math import cos, hypot, radians
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pytest
from PIL import Image

from collectors.cells import Cell, Ground, tile_at
from collectors.flickr import Flickr, PhotoSearch
from collectors.geo import Box
from collectors.records import PhotoImage
from collectors.sandbox import Sandbox
from collectors.storage import open_store
from collectors.transport import Patience, Throttle
from filters.evenness import coverage, fair_shares, gini, uniqueness
from filters.sampling import part_of
from filters.selection import BOXES_ACROSS
from flows.catalogue.catalogue import load_catalogue
from flows.cells.batches import Batches
from flows.cells.orders import Order, Summary
from flows.cells.photo_stage import PhotoStage
from flows.cells.services import Services
from flows.cells.state import CellState
from flows.cells.steps import Steps
from flows.cells.work import CellWork
from flows.demo import END_OF_WORLD
from tests.benchmarks.lines import report
from tests.benchmarks.uneven_world import ALLOWED, CELLS, METRES_PER_DEGREE, World, make_world
from tests.flows.runs import small_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from collectors.records import Photo

pytestmark = pytest.mark.benchmark

SEED: Final = 20261121
QUOTA: Final = 40
SHIPPED_QUOTA: Final = 300
OWNER_SHARE: Final = 0.2
FIRST, LAST = date(2017, 4, 1), date(2026, 10, 31)
RADIUS_M: Final = 2000.0
JPEG_END: Final = b"\xff\xd9"
PEER_PAGES: Final = 3
"""Pages that GRAFT's scripts get of a place: their paging ends at 750 photos."""


class Files:
    """Stands in for the photo host: a grey picture, which is like no other, then its id."""

    def __init__(self) -> None:
        file = BytesIO()
        Image.new("L", (16, 12), 128).save(file, "JPEG")
        self._grey = file.getvalue()

    def fetch(self, photo: Photo) -> PhotoImage:
        """Returns a picture of which `Judge` knows whose it is."""
        data = self._grey + photo.photo_id.encode()
        return PhotoImage(data, 16, 12, f"https://127.0.0.1/{photo.photo_id}")


@dataclass
class Judge:
    """Stands in for the indoor filter: it knows the world."""

    indoor: dict[str, bool]

    def probabilities(self, jpegs: Sequence[bytes]) -> list[float]:
        """Returns 1 for photos taken indoors, else 0."""
        return [float(self.indoor[jpeg.rpartition(JPEG_END)[2].decode()]) for jpeg in jpegs]


@dataclass(frozen=True)
class Collected:
    """What came of a way of sampling: ids that were kept, and calls that were made."""

    kept: list[str]
    calls: int
    uniqueness: list[float]


@pytest.fixture(scope="module")
def world() -> World:
    """The world."""
    return make_world(SEED)


@pytest.fixture(scope="module")
def flickr(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flickr]:
    """A client of the sandbox that serves the world."""
    table = world.write(tmp_path_factory.mktemp("world") / "photos.parquet")
    with Sandbox(photos=table) as box, Flickr(
        box.flickr_key, box.flickr_secret, url=box.flickr_url,
        throttle=Throttle(10_000, 1.0, 1), patience=Patience(10, 0.1, 1.0),
    ) as client:  # fmt: skip
        yield client


@pytest.fixture(scope="module")
def services(
    world: World, flickr: Flickr, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """The services of a build, pictures and their network left out."""
    folder = tmp_path_factory.mktemp("even")
    indoor = dict(zip(world.photo_id.tolist(), world.indoor.tolist(), strict=True))
    with ThreadPoolExecutor(2) as pool:
        yield Services(
            store=open_store(str(folder / "d")),
            catalogue=load_catalogue(small_catalogue(folder / "c.yaml", quota=QUOTA)),
            flickr=flickr,
            photo_host=cast("Any", Files()),
            earth_engine=cast("Any", None),
            classifier=cast("Any", Judge(indoor)),
            weights="",
            photo_pool=pool,
            pixel_pool=pool,
        )


@pytest.fixture(scope="module")
def ours(services: Services) -> Collected:
    """Every cell surveyed and judged as a build does it."""
    states = [collect(services, cell) for cell in CELLS]
    surveys = [one for state in states for one in state.surveyed]
    return Collected(
        [row.photo_id for state in states for row in state.photos],
        sum(len(one.found) for one in surveys),
        uniqueness((one.found, one.new) for one in surveys),
    )


def collect(services: Services, cell: Cell, key: str = "even") -> CellState:
    """Runs the first half of a cell's story."""
    order = Order(Ground(cell, cell.box.polygon(), 1.0), (), FIRST, LAST, END_OF_WORLD, SEED)
    steps = Steps.of(services.store, cell.cell_id, 1, key)
    batches = Batches(services.store, cell.cell_id, (), key)
    work = CellWork(order, END_OF_WORLD, 1, services, steps, batches, Summary())
    return PhotoStage(work, CellState(cell.cell_id), lambda _count: None).run()


@pytest.fixture(scope="module")
def peer(world: World, flickr: Flickr, ours: Collected) -> Collected:
    """The peer's way over the whole region."""
    first, last = CELLS[0].box, CELLS[-1].box
    region = Box(first.west, first.south, last.east, last.north)
    return by_points(world, flickr, region, ours.calls)


def by_points(world: World, flickr: Flickr, region: Box, budget: int) -> Collected:
    """Points uniform in degrees, 2 km around each, the first pages; until as many calls are made.

    What is found is judged by the same rules, and each photo counts once.
    """
    rng = np.random.default_rng(SEED)
    good = dict(zip(world.photo_id.tolist(), world.eligible.tolist(), strict=True))
    kept: set[str] = set()
    calls = 0
    while calls < budget:
        lon = rng.uniform(region.west, region.east)
        lat = rng.uniform(region.south, region.north)
        high = RADIUS_M / METRES_PER_DEGREE
        wide = high / cos(radians(lat))
        wanted = PhotoSearch(
            Box(lon - wide, lat - high, lon + wide, lat + high), FIRST, LAST, END_OF_WORLD, ALLOWED
        )
        for page in flickr.search_all(wanted, PEER_PAGES):
            calls += 1
            kept.update(
                photo.photo_id for photo in page.photos
                if good[photo.photo_id]
                and hypot((photo.lon - lon) / wide, (photo.lat - lat) / high) <= 1.0
            )  # fmt: skip
    return Collected(sorted(kept), calls, [])


def possible(world: World) -> list[int]:
    """What an all-knowing sampler could keep in each cell: the quota, or all that rules allow."""
    cap = part_of(QUOTA, OWNER_SHARE)
    owners: list[Counter[str]] = [Counter() for _ in CELLS]
    for number in np.flatnonzero(world.eligible):
        owners[world.cell[number]][world.owner[number]] += 1
    return [min(QUOTA, sum(min(cap, n) for n in one.values())) for one in owners]


def by_cell(world: World, ids: Sequence[str]) -> list[int]:
    """How many of some photos lie in each cell."""
    place = dict(zip(world.photo_id.tolist(), world.cell.tolist(), strict=True))
    counts = Counter(place[name] for name in ids)
    return [counts[number] for number in range(len(CELLS))]


def gini_of_boxes(world: World, ids: Sequence[str], cell: int) -> float:
    """Gini over a cell's 10 km boxes: kept over the fairest share of the quota that there is."""
    kept = set(ids)
    held: Counter[tuple[int, int]] = Counter()
    there: Counter[tuple[int, int]] = Counter()
    for number in np.flatnonzero((world.cell == cell) & world.eligible):
        box = tile_at(world.lon[number], world.lat[number], BOXES_ACROSS)
        there[box] += 1
        held[box] += world.photo_id[number] in kept
    boxes = sorted(there)
    fair = fair_shares([there[box] for box in boxes], SHIPPED_QUOTA)
    return gini([held[box] / want for box, want in zip(boxes, fair, strict=True) if want])


def test_evenness_gini(world: World, ours: Collected, peer: Collected) -> None:
    """Kept over what could be kept, over 1,000 cells; and over 10 km boxes of the densest."""
    best = possible(world)
    shares: dict[str, list[float]] = {}
    for name, sample in (("ours", ours), ("peer", peer)):
        kept = by_cell(world, sample.kept)
        shares[name] = [have / want for have, want in zip(kept, best, strict=True) if want]
    kept = by_cell(world, ours.kept)
    peer_kept = by_cell(world, peer.kept)
    value, other = gini(shares["ours"]), gini(shares["peer"])
    report(
        "evenness_gini", round(value, 5), "1", "<= 0.05",
        peer=round(other, 5), peer_is="points uniform in degrees, 2 km, first pages; as many calls",
        ratio=round(value / other, 5), calls=ours.calls, peer_calls=peer.calls, cells=len(CELLS),
        quota=QUOTA, kept=len(ours.kept), peer_kept=len(peer.kept), possible=sum(best),
        shortfall=sum(max(0, want - have) for have, want in zip(kept, best, strict=True)),
        peer_shortfall=sum(max(0, b - have) for have, b in zip(peer_kept, best, strict=True)),
        coverage=round(coverage(kept, best), 5), peer_coverage=round(coverage(peer_kept, best), 5),
        uniqueness_by_call=[round(one, 3) for one in ours.uniqueness],
        seed=SEED,
    )  # fmt: skip


def test_evenness_inside_dense_cells(world: World, services: Services, flickr: Flickr) -> None:
    """The ten densest cells with the shipped quota: Gini over 10 km boxes that hold photos."""
    services.catalogue = services.catalogue.model_copy(
        update={"rules": services.catalogue.rules.model_copy(
            update={"quota_per_cell": SHIPPED_QUOTA})}
    )  # fmt: skip
    dense = np.argsort(np.bincount(world.cell, minlength=len(CELLS)))[::-1][:10].tolist()
    figures, others, kept, calls = [], [], 0, 0
    for number in dense:
        state = collect(services, CELLS[number], key="dense")
        cost = sum(len(one.found) for one in state.surveyed)
        around = by_points(world, flickr, CELLS[number].box, cost)
        figures.append(gini_of_boxes(world, [row.photo_id for row in state.photos], number))
        others.append(gini_of_boxes(world, around.kept, number))
        kept, calls = kept + len(state.photos), calls + cost
    value, other = float(np.mean(figures)), float(np.mean(others))
    report(
        "evenness_inside_dense_cells", round(value, 4), "1", "none stated", peer=round(other, 4),
        peer_is="points uniform in degrees, 2 km, first pages; as many calls in the same cells",
        ratio=round(value / other, 4), worst=round(max(figures), 4), cells=len(dense),
        quota=SHIPPED_QUOTA, kept=kept, calls=calls, seed=SEED,
    )  # fmt: skip
