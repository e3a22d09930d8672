"""The door of the admin pages: who may come in, and what strangers see instead."""

import asyncio
from collections.abc import MutableMapping
from typing import Any, TypeAlias
from urllib.parse import unquote

from litestar import Request, asgi
from litestar.handlers import ASGIRouteHandler
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api import session
from api.admin import sign_in
from api.auth import Authentication
from api.request_ids import request_id_of
from api.rpc import RequestInfo, RpcError
from db.acting import act_as
from services.caller import Caller
from services.errors import Forbidden, Unauthenticated

PATH = "/admin"
MAX_BODY_BYTES = 1024 * 1024

_SIGN_OUT = "/public/logout/"
_HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store"}
# The pages set styles as they go, and have icons and fonts in their style sheet; scripts are files of theirs only.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

AnyRequest: TypeAlias = Request[Any, Any, Any]


def mounted(authentication: Authentication) -> ASGIRouteHandler:
    """The pages, to be mounted in the application."""
    door = Door(authentication)

    @asgi(PATH, is_mount=True, copy_scope=True)
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await door(scope, receive, send)

    return serve


class Door:
    """An ASGI application that lets those in who hold the scope `admin`, and shows others a page to sign in.

    What is done inside is done in their name, by the channel `admin`.
    """

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication
        self._making: asyncio.Task[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request: AnyRequest = Request(scope, receive, send)
        within = _within(scope)
        if within == "" and request.method in ("GET", "HEAD"):
            # The pages ask for what is beside them, so the address has to end in a slash.
            await _answer(scope, receive, send, b"", 308, {"location": f"{PATH}/"})
        elif within == _SIGN_OUT and request.method == "POST":
            answer = await session.ended(request, self._authentication)
            await answer.to_asgi_response(None, request)(scope, receive, send)
        else:
            await self._enter(request, within, scope, receive, send)

    async def _enter(self, request: AnyRequest, within: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller = await self._authentication.caller_of(_info(request))
            caller.require("admin")
        except (Unauthenticated, Forbidden) as error:
            if within != "/" or request.method not in ("GET", "HEAD"):
                raise
            await _ask_for_token(error, scope, receive, send)
            return
        pages = await self._pages()
        with act_as(caller.name, "admin"):
            await pages(_inner(scope, within, caller), _bounded(receive), _guarded(send))

    async def _pages(self) -> ASGIApp:
        if self._making is None or (self._making.done() and self._making.exception() is not None):
            self._making = asyncio.create_task(asyncio.to_thread(_make), name="admin pages")
        return await asyncio.shield(self._making)


def _make() -> ASGIApp:
    # Imported when somebody comes: it takes a second, and ten megabytes that most processes never need.
    from api.admin import pages

    return pages.made()


def _within(scope: Scope) -> str:
    """The path below the mount, empty or from its slash on, as it was asked for: the framework puts a slash behind."""
    return unquote(scope["raw_path"].decode("latin-1")).removeprefix(PATH)


def _info(request: AnyRequest) -> RequestInfo:
    return RequestInfo(
        method=request.method,
        headers=dict(request.headers),
        client=request.client.host if request.client else None,
        connection_params=None,
        calls=(),
        request_id=request_id_of(request.scope),
    )


def _inner(scope: Scope, within: str, caller: Caller) -> Scope:
    from api.admin.person import Person

    root = scope.get("root_path", "")
    inner: dict[str, Any] = {**scope, "path": within, "raw_path": within.encode(), "root_path": root}
    return inner | {"user": Person(caller)}  # type: ignore[return-value]


async def _ask_for_token(error: Unauthenticated | Forbidden, scope: Scope, receive: Receive, send: Send) -> None:
    known = isinstance(error, Forbidden)
    page = sign_in.page(str(error) if known else "")
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": page.content_security_policy}
    await _answer(scope, receive, send, page.html.encode(), 403 if known else 401, headers)


async def _answer(
    scope: Scope, receive: Receive, send: Send, body: bytes, status: int, headers: MutableMapping[str, str]
) -> None:
    answer = ASGIResponse(body=body, status_code=status, headers={**_HEADERS, **headers})
    await answer(scope, receive, send)


def _bounded(receive: Receive) -> Receive:
    """Gives no more of a body than an administrator would type."""
    left = MAX_BODY_BYTES

    async def bounded() -> Any:
        nonlocal left
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message["body"])
            if left < 0:
                raise RpcError("PAYLOAD_TOO_LARGE", f"send {MAX_BODY_BYTES} bytes at most")
        return message

    return bounded


def _guarded(send: Send) -> Send:
    """Puts the headers on an answer that keep browsers to what is ours."""
    headers = [
        (name.encode(), value.encode()) for name, value in {**_HEADERS, "content-security-policy": _POLICY}.items()
    ]
    named = {name for name, _ in headers}

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            others = [(name, value) for name, value in message["headers"] if name.lower() not in named]
            message["headers"] = [*others, *headers]
        await send(message)

    return guarded
