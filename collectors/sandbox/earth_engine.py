"""The Earth Engine REST API (v1) and Google's token service, on loopback."""

from __future__ import annotations

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
from collectors.sandbox.assets import Assets
from collectors.sandbox.compute_meter import QUOTA_HEADER, RESTRICTED, ComputeMeter, Work
from collectors.sandbox.discovery import algorithms_document, discovery_document
from collectors.sandbox.earth_engine_bodies import (
    collection_rows,
    parse_body,
    parse_workload_tag,
)
from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.encoding import (
    describe_image,
    encode,
    encode_feature,
)
from collectors.sandbox.expressions import evaluate
from collectors.sandbox.limits import REAL_LIMITS, Gate, Limits
from collectors.sandbox.paging import Pages
from collectors.sandbox.pixel_requests import read_pixels, write_npy
from collectors.sandbox.prerendered import Prerendered
from collectors.sandbox.request_kinds import EARTH_ENGINE_VERBS
from collectors.sandbox.service_account import GRANT_TYPE, TOKEN_LIFETIME_S, InvalidAssertionError
from collectors.sandbox.values import Feature, Image, scene_image

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request

    from collectors.sandbox.answer_cache import AnswerCache
    from collectors.sandbox.scenes import SceneWorld
    from collectors.sandbox.service_account import ServiceAccount

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
    limits: Limits = REAL_LIMITS,
    prerendered: bool = False,
    kept: AnswerCache | None = None,
) -> list[Route]:
    """Return the routes of the API.

    Args:
        world: The scenes and the ground.
        project: The only cloud project that may be used.
        meter: Called once for each request with its kind, such as "ee.get_pixels".
        now: Gives the seconds since 1970.
        account: The service account that may ask for tokens.
        limits: What is refused.
        prerendered: Whether pixels are sent that were made beforehand and show no place.
        kept: Keeps files of stored pixels.
    """
    service = _Service(
        world,
        project,
        meter,
        now,
        account,
        limits,
        Gate(limits, now),
        ComputeMeter(limits.monthly_eecu_s, now),
        Assets(world, limits),
        Prerendered(write_npy) if prerendered else None,
        kept,
    )
    return [
        Route("/_sandbox/eecu", lambda _: JSONResponse(service.compute_meter.read())),
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
    limits: Limits
    gate: Gate
    compute_meter: ComputeMeter
    assets: Assets
    prerendered: Prerendered | None
    kept: AnswerCache | None
    tables: Pages[Feature | Image] = field(default_factory=Pages)

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
        """Serve GET requests: the list of functions and what is known of assets."""
        path = request.path_params["path"]
        listing = path == f"projects/{self.project}/algorithms"
        self.meter("ee.algorithms" if listing else "ee.assets")
        if listing:
            return await self._serve(request, algorithms_document)
        query = dict(request.query_params)
        return await self._serve(request, lambda: self.assets.read(path, query))

    async def compute(self, request: Request) -> Response:
        """Serve POST requests: values, tables and pixels."""
        path, _, verb = request.path_params["path"].rpartition(":")
        self.meter(EARTH_ENGINE_VERBS.get(verb, "ee.assets"))
        content = await request.body()
        return await self._serve(request, lambda: self._answer(path, verb, content))

    async def _serve(
        self, request: Request, answer: Callable[[], Response | bytes | dict[str, Any]]
    ) -> Response:
        """Let a request in if it may, and answer it in a thread."""
        try:
            self._authorize(request)
            self.gate.enter(restricted=self.compute_meter.restricted)
        except EarthEngineError as error:
            return JSONResponse(error.body(), error.code)
        try:
            content = await run_in_threadpool(answer)
        except EarthEngineError as error:
            content = JSONResponse(error.body(), error.code)
        finally:
            self.gate.leave()
        if isinstance(content, dict):
            content = JSONResponse(content)
        elif isinstance(content, bytes):
            content = Response(content, media_type="application/json")
        if self.compute_meter.restricted:
            content.headers[QUOTA_HEADER] = RESTRICTED
        return content

    def _authorize(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not self.account.accepts(token, self.now()):
            raise EarthEngineError(_UNAUTHENTICATED, 401)

    def _answer(self, path: str, verb: str, content: bytes) -> Response | dict[str, Any]:
        if len(content) > self.limits.payload_bytes:
            message = f"Request payload size exceeds the limit: {self.limits.payload_bytes} bytes."
            raise EarthEngineError(message)
        body = parse_body(content, verb)
        tag = parse_workload_tag(body)
        work = Work()
        try:
            return self._compute(path, verb, body, work)
        finally:
            # What fails has cost its share, too.
            self.compute_meter.charge(work, tag)

    def _compute(
        self, path: str, verb: str, body: Mapping[str, Any], work: Work
    ) -> Response | dict[str, Any]:
        if verb == "getPixels":
            return self._pixels(scene_image(self.assets.scene(path)), body, work)
        project, _, resource = path.removeprefix("projects/").partition("/")
        if project != self.project:
            message = (
                f"Caller does not have required permission to use project {project}. "
                f"The sandbox knows the project {self.project}."
            )
            raise EarthEngineError(message, 403)
        match f"{resource}:{verb}":
            case "value:compute":
                return {"result": encode(self._evaluate(body, work))}
            case "table:computeFeatures":
                return self._features(body, work)
            case "imageCollection:computeImages":
                return self._images(body, work)
            case "image:computePixels":
                image = self._evaluate(body, work)
                if not isinstance(image, Image):
                    message = "The expression of image:computePixels must yield an Image."
                    raise EarthEngineError(message)
                work.computed = True
                return self._pixels(image, body, work)
        what = f"the method {resource}:{verb}"
        raise not_implemented(what)

    def _pixels(self, image: Image, body: Mapping[str, Any], work: Work) -> Response:
        content, media_type = read_pixels(
            image,
            body,
            self.world.landcover,
            limits=self.limits,
            work=work,
            prerendered=self.prerendered,
            kept=self.kept,
        )
        return Response(content, media_type=media_type)

    def _evaluate(self, body: Mapping[str, Any], work: Work) -> object:
        if "expression" not in body:
            message = "The request must have an 'expression'."
            raise EarthEngineError(message)
        return evaluate(body["expression"], self.world, max_depth=self.limits.depth, work=work)

    def _features(self, body: Mapping[str, Any], work: Work) -> dict[str, Any]:
        rows, following = self._elements("computeFeatures", body, work)
        page: dict[str, Any] = {}
        if rows:
            page["type"] = "FeatureCollection"
            page["features"] = [encode_feature(row) for row in rows]
        return page | ({"nextPageToken": following} if following else {})

    def _images(self, body: Mapping[str, Any], work: Work) -> dict[str, Any]:
        rows, following = self._elements("computeImages", body, work)
        images = []
        for row in rows:
            if not isinstance(row, Image):
                message = "The expression of imageCollection:computeImages must yield images."
                raise EarthEngineError(message)
            images.append(describe_image(row))
        page: dict[str, Any] = {"images": images} if images else {}
        return page | ({"nextPageToken": following} if following else {})

    def _elements(
        self, verb: str, body: Mapping[str, Any], work: Work
    ) -> tuple[Sequence[Feature | Image], str | None]:
        return self.tables.page(
            [verb, body.get("expression")],
            lambda: collection_rows(verb, self._evaluate(body, work)),
            size=body.get("pageSize"),
            token=body.get("pageToken"),
            most=self.limits.rows,
        )
