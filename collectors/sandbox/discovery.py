"""The discovery document of the REST API, from the copy that the client library ships.

That copy is a stub of 2020: it names the version v1alpha, lists algorithms under `project`, and
lacks `filter` and `view` on `listAssets`. The service's own document of v1 differs in these.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from collectors.sandbox.signatures import library_file


@cache
def discovery_document() -> bytes:
    """Return the discovery document of v1 as JSON."""
    text = library_file("cloud_api_discovery_document.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text.replace("v1alpha", "v1"))
    projects = document["resources"]["projects"]
    for methods in (projects["methods"], projects["resources"]["assets"]["methods"]):
        parameters = methods["listAssets"]["parameters"]
        for name in ("filter", "view"):
            parameters[name] = {"location": "query", "type": "string"}
    listing = projects["resources"]["algorithms"]["methods"]["list"]
    listing["parameters"]["parent"] = listing["parameters"].pop("project")
    listing["parameterOrder"] = ["parent"]
    listing["path"] = "v1/{+parent}/algorithms"
    return json.dumps(document).encode()


@cache
def algorithms_document() -> bytes:
    """Return the list of functions, as the library ships it."""
    return library_file("algorithms.json").read_bytes()
