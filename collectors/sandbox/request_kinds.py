"""What kind of request a path, a verb and a form stand for; the kinds by which requests count."""

from __future__ import annotations

from typing import Final

EARTH_ENGINE_VERBS: Final = {
    "compute": "ee.value",
    "computeFeatures": "ee.features",
    "computeImages": "ee.features",
    "getPixels": "ee.get_pixels",
    "computePixels": "ee.compute_pixels",
}
FLICKR_METHODS: Final = {
    "flickr.photos.search": "flickr.search",
    "flickr.photos.getInfo": "flickr.info",
    "flickr.photos.licenses.getInfo": "flickr.licenses",
}
KINDS: Final = frozenset(
    {
        *EARTH_ENGINE_VERBS.values(), *FLICKR_METHODS.values(), "ee.token", "ee.discovery",
        "ee.algorithms", "ee.assets", "flickr.other", "photo.get", "weights.get",
    }
)  # fmt: skip
"""All kinds; the part before the dot names the service."""


def kind_of_request(method: str, path: str, flickr_method: str) -> str | None:
    """Says what kind of request something is.

    Args:
        method: the HTTP method.
        path: what follows host and port, without the query.
        flickr_method: the argument `method` of a call of the photo service, else empty.

    Returns:
        One of `KINDS`; None for what belongs to no service, such as the sandbox's own addresses.
    """
    if path == "/services/rest/":
        return FLICKR_METHODS.get(flickr_method, "flickr.other")
    if path.startswith("/photos/"):
        return "photo.get"
    if path.startswith("/weights/"):
        return "weights.get"
    if path == "/token":
        return "ee.token"
    if path.startswith("/$discovery/"):
        return "ee.discovery"
    if not path.startswith("/v1/"):
        return None
    if method == "GET":
        return "ee.algorithms" if path.endswith("/algorithms") else "ee.assets"
    return EARTH_ENGINE_VERBS.get(path.rpartition(":")[2], "ee.assets")
