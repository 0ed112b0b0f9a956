"""The Earth Engine REST API (v1) and Google's token service, on loopback."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from collectors.sandbox import (
    functions_collections,
    functions_dates,
    functions_elements,
    functions_filters,
    functions_geometry,
    functions_image_arithmetic,
    functions_images,
    functions_lists,
    functions_numbers,
)
from collectors.sandbox.discovery import algorithms_document, discovery_document
from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.encoding import (
    PUBLIC_ASSETS,
    describe_asset,
    describe_collection,
    encode,
    encode_feature,
)
from collectors.sandbox.expressions import evaluate
from collectors.sandbox.pixel_requests import read_pixels
from collectors.sandbox.scenes import SENSORS
from collectors.sandbox.service_account import GRANT_TYPE, TOKEN_LIFETIME_S, InvalidAssertionError
from collectors.sandbox.values import Collection, Feature, Image, scene_image

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from collectors.sandbox.scenes import Scene, SceneWorld
    from collectors.sandbox.service_account import ServiceAccount

MAX_PAYLOAD_BYTES: Final = 10_485_760
"""Largest body of a request (the service's own error message)."""

PAGE_SIZE: Final = 1_000
"""Rows of a page of `computeFeatures`: default and maximum."""

FUNCTION_MODULES: Final = (
    functions_collections,
    functions_dates,
    functions_elements,
    functions_filters,
    functions_geometry,
    functions_image_arithmetic,
    functions_images,
    functions_lists,
    functions_numbers,
)
"""The modules whose import fills the registry of functions."""

_KEPT_TABLES: Final = 8
_UNAUTHENTICATED: Final = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie "
    "or other valid authentication credential."
)


def routes(
    world: SceneWorld,
    *,
    project: str,
    meter: Callable[[str], None],
    now: Callable[[], float],
    account: ServiceAccount,
) -> list[Route]:
    """Return the routes of the API.

    Args:
        world: The scenes and the ground.
        project: The only cloud project that may be used.
        meter: Called once for each request with its kind, such as "ee.get_pixels".
        now: Gives the seconds since 1970.
        account: The service account that may ask for tokens.
    """
    service = _Service(world, project, meter, now, account)
    return [
        Route("/token", service.token, methods=["POST"]),
        Route("/$discovery/rest", service.discovery, methods=["GET"]),
        Route("/v1/{path:path}", service.read, methods=["GET"]),
        Route("/v1/{path:path}", service.compute, methods=["POST"]),
    ]


@dataclass(slots=True)
class _Service:
    world: SceneWorld
    project: str
    meter: Callable[[str], None]
    now: Callable[[], float]
    account: ServiceAccount
    tables: dict[str, list[Feature | Image]] = field(default_factory=dict)

    async def token(self, request: Request) -> Response:
        """Exchange a signed assertion for an access token (RFC 7523)."""
        self.meter("ee.token")
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        if form.get("grant_type") != [GRANT_TYPE]:
            description = f"Unsupported grant_type: {form.get('grant_type')}"
            error = {"error": "unsupported_grant_type", "error_description": description}
            return JSONResponse(error, 400)
        try:
            self.account.check_assertion(form.get("assertion", [""])[0], self.now())
        except InvalidAssertionError as refusal:
            error = {"error": "invalid_grant", "error_description": str(refusal)}
            return JSONResponse(error, 400)
        token = self.account.issue_token(self.now())
        return JSONResponse(
            {"access_token": token, "expires_in": TOKEN_LIFETIME_S, "token_type": "Bearer"}
        )

    async def discovery(self, request: Request) -> Response:
        """Serve the discovery document, which needs no token."""
        self.meter("ee.discovery")
        del request
        content = await run_in_threadpool(discovery_document)
        return Response(content, media_type="application/json")

    async def read(self, request: Request) -> Response:
        """Serve GET requests: the list of functions and what is known of an asset."""
        path = request.path_params["path"]
        listing = path == f"projects/{self.project}/algorithms"
        self.meter("ee.algorithms" if listing else "ee.assets")
        try:
            self._authorize(request)
            if listing:
                content = await run_in_threadpool(algorithms_document)
                return Response(content, media_type="application/json")
            return JSONResponse(await run_in_threadpool(self._asset, path))
        except EarthEngineError as error:
            return JSONResponse(error.body(), error.code)

    async def compute(self, request: Request) -> Response:
        """Serve POST requests: values, tables and pixels."""
        path, _, verb = request.path_params["path"].rpartition(":")
        kind = {
            "compute": "ee.value",
            "computeFeatures": "ee.features",
            "getPixels": "ee.get_pixels",
            "computePixels": "ee.compute_pixels",
        }.get(verb, "ee.assets")
        self.meter(kind)
        try:
            self._authorize(request)
            content = await request.body()
            if len(content) > MAX_PAYLOAD_BYTES:
                message = f"Request payload size exceeds the limit: {MAX_PAYLOAD_BYTES} bytes."
                raise EarthEngineError(message)
            return await run_in_threadpool(self._answer, path, verb, _parse_body(content))
        except EarthEngineError as error:
            return JSONResponse(error.body(), error.code)

    def _authorize(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not self.account.accepts(token, self.now()):
            raise EarthEngineError(_UNAUTHENTICATED, 401)

    def _answer(self, path: str, verb: str, body: Mapping[str, Any]) -> Response:
        if verb == "getPixels":
            scene = self._scene(path)
            content, media_type = read_pixels(scene_image(scene), body, self.world.landcover)
            return Response(content, media_type=media_type)
        project, _, resource = path.removeprefix("projects/").partition("/")
        if project != self.project:
            message = (
                f"Caller does not have required permission to use project {project}. "
                f"The sandbox knows the project {self.project}."
            )
            raise EarthEngineError(message, 403)
        match f"{resource}:{verb}":
            case "value:compute":
                return JSONResponse({"result": encode(self._evaluate(body))})
            case "table:computeFeatures":
                return JSONResponse(self._features(body))
            case "image:computePixels":
                image = self._evaluate(body)
                if not isinstance(image, Image):
                    message = "The expression of image:computePixels must yield an Image."
                    raise EarthEngineError(message)
                content, media_type = read_pixels(image, body, self.world.landcover)
                return Response(content, media_type=media_type)
        what = f"the method {resource}:{verb}"
        raise not_implemented(what)

    def _evaluate(self, body: Mapping[str, Any]) -> object:
        if "expression" not in body:
            message = "The request must have an 'expression'."
            raise EarthEngineError(message)
        return evaluate(body["expression"], self.world)

    def _features(self, body: Mapping[str, Any]) -> dict[str, Any]:
        size = body.get("pageSize") or PAGE_SIZE
        if not isinstance(size, int) or size < 0:
            message = "pageSize must be a positive number."
            raise EarthEngineError(message)
        size = min(size, PAGE_SIZE)
        text = json.dumps(body.get("expression"), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        start = _parse_page_token(body.get("pageToken"), digest)
        rows = self.tables.get(digest)
        if rows is None:
            rows = _rows(self._evaluate(body))
        page: dict[str, Any] = {}
        if rows:
            page["type"] = "FeatureCollection"
            page["features"] = [encode_feature(row) for row in rows[start : start + size]]
        if start + size < len(rows):
            page["nextPageToken"] = f"{digest}-{start + size}"
            # The following pages come from the same table, which is kept for a while.
            while len(self.tables) >= _KEPT_TABLES:
                self.tables.pop(next(iter(self.tables)), None)
            self.tables[digest] = rows
        return page

    def _asset(self, path: str) -> dict[str, Any]:
        if ":" in path:
            what = f"the method {path.rpartition(':')[2]} of assets"
            raise not_implemented(what)
        name = path.removeprefix(PUBLIC_ASSETS)
        if path.startswith(PUBLIC_ASSETS) and name in SENSORS:
            return describe_collection(name)
        return describe_asset(self._scene(path))

    def _scene(self, path: str) -> Scene:
        scene = None
        if path.startswith(PUBLIC_ASSETS):
            scene = self.world.find(path.removeprefix(PUBLIC_ASSETS))
        if scene is None:
            message = f"Asset '{path}' does not exist or doesn't allow this operation."
            raise EarthEngineError(message, 404)
        return scene


def _parse_body(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        message = "Invalid JSON payload received. An object is expected."
        raise EarthEngineError(message)
    return body


def _parse_page_token(token: str | None, digest: str) -> int:
    if not token:
        return 0
    owner, _, start = token.partition("-")
    if owner != digest or not start.isdigit():
        message = "Invalid page token: it belongs to another request."
        raise EarthEngineError(message)
    return int(start)


def _rows(table: object) -> list[Feature | Image]:
    if not isinstance(table, Collection):
        message = "The expression of table:computeFeatures must yield a collection."
        raise EarthEngineError(message)
    rows: list[Feature | Image] = []
    for element in table.elements():
        if isinstance(element, Collection):
            message = "A collection of collections must be flattened before it is sent."
            raise EarthEngineError(message)
        rows.append(element)
    return rows
