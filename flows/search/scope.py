"""Where is looked, and which chips may be found, by words and by a model alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collectors.storage import open_store
from collectors.transport import WrongUse
from flows.products.versions import published_version
from flows.search.indexing import drop_stale, find_index
from flows.wording.reading import Regions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from collectors.storage import Store
    from filters.splits import Split
    from flows.catalogue.blocks import Region
    from flows.products.versions import Version
    from flows.progress import Progress


@dataclass(frozen=True, slots=True)
class Scope:
    """Where is looked.

    Attributes:
        root: The dataset: a local path, `s3://…` or `gs://…`.
        regions: The catalogue's regions.
        cache: Folder where indices and embeddings are kept.
        version: A version; None for the newest.
        region: Only chips whose centre lies in this region of the catalogue.
        split: Only chips with a pair of this split.
        sensor: Only chips of this sensor.
    """

    root: str
    regions: Mapping[str, Region]
    cache: Path
    version: str | None = None
    region: str | None = None
    split: Split | None = None
    sensor: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which chips may be found.

    Attributes:
        region: Title of a region that must hold the chip's centre.
        split: A split that one of its pairs must have.
        sensor: Its sensor.
    """

    region: str | None = None
    split: Split | None = None
    sensor: str | None = None

    def condition(self) -> tuple[str, list[str]]:
        """Returns it as SQL with its parameters."""
        parts, values = ["1"], []
        for column, value in (("regions", self.region), ("splits", self.split)):
            if value is not None:
                parts.append(f"? IN (SELECT value FROM json_each({column}))")  # noqa: S608
                values.append(str(value))
        if self.sensor is not None:
            parts.append("sensor = ?")
            values.append(self.sensor)
        return " AND ".join(parts), values


@dataclass(frozen=True, slots=True)
class Index:
    """The index of a version, and what is asked of it.

    Attributes:
        store: The dataset.
        version: The version.
        regions: The catalogue's regions.
        path: The index.
        wanted: Which chips may be found.
    """

    store: Store
    version: Version
    regions: Regions
    path: Path
    wanted: Wanted


def open_index(scope: Scope, progress: Progress) -> Index:
    """Returns the index of a version, which is made if it is not there.

    Raises:
        WrongUse: If there is no such version, region or sensor.
    """
    region = scope.region
    if region is not None and region not in scope.regions:
        raise WrongUse(
            "search", f"the catalogue has no region {region}.",
            f"It has {', '.join(sorted(scope.regions)) or 'none'}.",
        )  # fmt: skip
    store = open_store(scope.root, writable=False)
    drop_stale(store, scope.cache)
    version = published_version(store, scope.version, scope.sensor)
    grounds = Regions(scope.regions)
    path = find_index(store, version, grounds, scope.cache, progress)
    title = None if region is None else grounds.titles[region]
    return Index(store, version, grounds, path, Wanted(title, scope.split, scope.sensor))
