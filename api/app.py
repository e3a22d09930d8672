"""The application: the RPC endpoint, what load balancers and people ask first, and a clear no to everything else."""

import logging
from functools import partial
from typing import Any

from litestar import HttpMethod, Litestar, MediaType, Request, Response, asgi, get, route
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.types import Receive, Scope, Send

from api import admin, generate, session
from api.auth import Authentication
from api.context import context_of, within
from api.errors import refusal
from api.gate import gate
from api.limits import Limits
from api.policy import checked
from api.request_ids import give_back, request_id_of
from api.root import router
from api.rpc import RpcApp, RpcError, Sockets, Streams
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
    "types": "/router.ts, with a token: the type `AppRouter` of this server, its orchestrations included",
    "session": '/session; a browser that POSTs {"token": "<token>"} there needs no header',
    "admin": "/admin, pages for people who hold the scope `admin`",
    "health": "/health",
}

PLACES = ("/", "/admin", "/docs", "/health", "/openapi.json", "/router.ts", "/session", "/trpc/<procedure>")

_logger = logging.getLogger(__name__)


def create_app(runtime: Runtime, *, worker: Worker | None) -> Litestar:
    """The application over an open runtime, which the caller opens, works with `worker` and closes."""
    authentication = Authentication(runtime.settings)
    rpc = RpcApp(
        checked(router),
        create_context=partial(
            context_of,
            authentication=authentication,
            models=runtime.models,
            worker=worker,
            run_wait_seconds=runtime.settings.run_wait_seconds,
        ),
        guard=gate(Limits(runtime.settings)),
        on_error=refusal,
        within=within,
        allowed_origins=runtime.settings.allowed_origins,
    )
    return Litestar(
        route_handlers=[
            _mounted(rpc),
            _health(runtime, worker),
            _index(),
            _docs(),
            _openapi(),
            _router_ts(authentication),
            *session.handlers(authentication),
            admin.mounted(authentication),
        ],
        exception_handlers={HTTPException: _refused, Exception: _failed},
        before_send=[give_back, session.cors(runtime.settings.allowed_origins)],
        state=State({"sockets": rpc.sockets, "streams": rpc.streams}),
        openapi_config=None,
        logging_config=None,
    )


def sockets_of(app: Litestar) -> Sockets:
    """The sockets that are open at an application; who ends it asks their clients to go on elsewhere first."""
    return app.state.sockets


def streams_of(app: Litestar) -> Streams:
    """The streams that are open at an application; who ends it ends them first, so that clients go on elsewhere."""
    return app.state.streams


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


def _router_ts(authentication: Authentication) -> HTTPRouteHandler:
    @get("/router.ts")
    async def answer(request: Request[Any, Any, Any]) -> Response[Any]:
        try:
            client = request.client.host if request.client else None
            caller = await authentication.bearer(request.headers.get("authorization"), client)
            return Response(await generate.served_router_ts(caller), media_type="text/plain; charset=utf-8")
        except Exception as error:
            if (refused := refusal(error)) is None:
                raise
            status = refused.numbers.http
            body = {"error": {"message": refused.message, "status": status}}
            return Response(body, status_code=status, headers=refused.headers, media_type=MediaType.JSON)

    return answer


def _refused(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    message = f"{error.detail}: {request.method} {request.url.path}"
    body = {"error": {"message": message, "status": error.status_code, "places": PLACES}}
    return Response(body, status_code=error.status_code, headers=error.headers)


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """What a service or the database has refused, as a procedure would tell it; anything else is our mistake."""
    known = error if isinstance(error, RpcError) else refusal(error)
    if known is None:
        id = request_id_of(request.scope)
        _logger.error("request %s: %s %s failed", id, request.method, request.url.path, exc_info=error)
        message = "something went wrong on our side; the request id finds it in our log"
        known = RpcError("INTERNAL_SERVER_ERROR", message, data={"requestId": id})
    status = known.numbers.http
    told = {"code": known.code, "message": known.message, "status": status, **known.data}
    return Response({"error": told}, status_code=status, headers=known.headers)
