"""Exports in a process of its own, and says how much memory that took.

    python -m tests.benchmarks.export_run FORM ROOT OUTPUT

prints the most memory that the process held, MiB, as a line of JSON.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from flows.exports.exporting import export_version
from flows.exports.geotiff_files import GeotiffFiles
from flows.exports.graft_lists import GraftLists
from flows.exports.huggingface_tables import HuggingfaceTables
from flows.exports.webdataset_shards import WebDatasetShards
from tests.benchmarks.placement_run import peak_gb

if TYPE_CHECKING:
    from flows.exports.forms import Form

SENSOR: Final = "naip"

FORMS: Final[dict[str, Form]] = {
    "webdataset": WebDatasetShards(10**8, 8, shuffle=1),
    "graft": GraftLists(),
    "geotiff": GeotiffFiles(),
    "huggingface": HuggingfaceTables(10**8, 8),
}


def export(form: str, root: str, output: str) -> None:
    """Exports the chips of one sensor."""
    export_version(root, output, FORMS[form], sensor=SENSOR)


if __name__ == "__main__":
    export(*sys.argv[1:])
    sys.stdout.write(json.dumps({"peak_mib": peak_gb() * 1024}) + "\n")
