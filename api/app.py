"""The application: the RPC endpoint, what load balancers and people ask first, and a clear no to everything else."""

from functools import partial
from typing import Any

from litestar import HttpMethod, Litestar, MediaType, Request, Response, asgi, get, route
from litestar.exceptions import HTTPException
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.types import Receive, Scope, Send

from api import generate
from api.context import context_of
from api.errors import refusal
from api.policy import checked, guard
from api.root import router
from api.rpc import RpcApp
from services import health
from services.engine.worker import Worker
from services.health import VERSION, Health
from services.runtime import Runtime

INDEX = {
    "name": "Rolecall",
    "version": VERSION,
    "about": "AI roles and multi-step orchestrations, run durably, called over tRPC.",
    "rpc": "/trpc/<procedure>, e.g. /trpc/system.health; all but that one need `Authorization: Bearer <token>`",
    "procedures": "/docs for people, /openapi.json for programs",
    "health": "/health",
}

PLACES = ("/", "/docs", "/health", "/openapi.json", "/trpc/<procedure>")


def create_app(runtime: Runtime, *, worker: Worker | None) -> Litestar:
    """The application over an open runtime, which the caller opens, works with `worker` and closes."""
    rpc = RpcApp(
        checked(router),
        create_context=partial(context_of, models=runtime.models, worker=worker),
        guard=guard,
        on_error=refusal,
    )
    return Litestar(
        route_handlers=[_mounted(rpc), _health(runtime, worker), _index(), _docs(), _openapi()],
        exception_handlers={HTTPException: _refused},
        openapi_config=None,
        logging_config=None,
    )


def _mounted(rpc: RpcApp) -> ASGIRouteHandler:
    # Raw, because a handler of the framework's would cost a third of the throughput.
    @asgi("/trpc", is_mount=True, copy_scope=True)
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await rpc(scope, receive, send)  # type: ignore[arg-type]

    return serve


def _health(runtime: Runtime, worker: Worker | None) -> HTTPRouteHandler:
    @route("/health", http_method=[HttpMethod.GET, HttpMethod.HEAD])
    async def answer() -> Response[Health]:
        """503 takes this process out of rotation; without a worker, or with writes refused, it still answers calls."""
        found = await health.check(runtime.models, worker)
        return Response(found, status_code=200 if found.answers_calls else 503)

    return answer


def _index() -> HTTPRouteHandler:
    @get("/")
    async def answer() -> dict[str, str]:
        return INDEX

    return answer


def _docs() -> HTTPRouteHandler:
    page = generate.reference_page()
    headers = {
        "content-security-policy": page.content_security_policy,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }

    @get("/docs", media_type=MediaType.HTML, response_headers=headers)
    async def answer() -> str:
        return page.html

    return answer


def _openapi() -> HTTPRouteHandler:
    document = generate.openapi_json()

    @get("/openapi.json", media_type=MediaType.JSON)
    async def answer() -> bytes:
        return document.encode()

    return answer


def _refused(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    message = f"{error.detail}: {request.method} {request.url.path}"
    body = {"error": {"message": message, "status": error.status_code, "places": PLACES}}
    return Response(body, status_code=error.status_code, headers=error.headers)
