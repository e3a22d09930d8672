"""`/session`: how a browser signs in with a token, for a cookie that its pages cannot read, and out again."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, delete, post
from litestar.handlers import HTTPRouteHandler
from litestar.types import BeforeMessageSendHookHandler, Message, Scope

from api.auth import COOKIE, LOOPBACK_COOKIE, Authentication, session_secret
from api.origins import is_on_loopback, source_of
from api.rpc import RpcError
from db.acting import act_as
from services import sessions
from services.errors import Forbidden
from services.principal import Principal

PATH = "/session"

_MAX_BODY_BYTES = 32 * 1024
_DAY_SECONDS = 86_400
_UNKEPT = {"cache-control": "no-store"}


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What signs in: a token of ours, or one of the OIDC issuer."""

    token: str


class SignedIn(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who has signed in, and until when at the latest."""

    principal: Principal
    expires_at: datetime


def cors(allowed_origins: Collection[str]) -> BeforeMessageSendHookHandler:
    """What lets the pages of these origins use `/session`, put on the heads of its answers."""

    async def allow(message: Message, scope: Scope) -> None:
        if not allowed_origins or message["type"] != "http.response.start" or scope["path"] != PATH:
            return
        headers = [*message["headers"], (b"vary", b"origin")]
        origin = dict(scope["headers"]).get(b"origin", b"")
        if origin.decode("latin-1") in allowed_origins:
            headers += [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
            if scope.get("method") == "OPTIONS":
                headers += [
                    (b"access-control-allow-methods", b"POST,DELETE,OPTIONS"),
                    (b"access-control-allow-headers", b"content-type"),
                ]
        message["headers"] = headers

    return allow


def handlers(authentication: Authentication) -> list[HTTPRouteHandler]:
    """The routes."""
    days = authentication.settings.session_days

    @post(PATH, status_code=200, request_max_body_size=_MAX_BODY_BYTES)
    async def sign_in(request: Request[Any, Any, Any]) -> Response[SignedIn]:
        """A session for whomever the token in the body shows."""
        # Otherwise another page could sign a browser in as somebody who then reads what its user does.
        if source_of(request.headers, authentication.settings.allowed_origins) == "foreign":
            raise Forbidden("another site may not sign in here; see ROLECALL_ALLOWED_ORIGINS")
        wanted = await _read(request)
        caller = await authentication.shown(wanted.token, request.client.host if request.client else None)
        with act_as(caller.name, "rpc"):
            begun = await sessions.begin(caller, days=days)
        cookie = _cookie(request, begun.secret, max_age_seconds=days * _DAY_SECONDS)
        signed_in = SignedIn(principal=begun.principal, expires_at=begun.expires_at)
        return Response(signed_in, headers={"set-cookie": cookie, **_UNKEPT})

    @delete(PATH)
    async def sign_out(request: Request[Any, Any, Any]) -> Response[None]:
        """The session is over, if there was one."""
        secret = session_secret(request.headers)
        if secret is not None:
            if source_of(request.headers, authentication.settings.allowed_origins) != "own":
                raise Forbidden("only this server's own pages, marked with Origin or Sec-Fetch-Site, may sign out")
            if (holder := await sessions.holder(secret)) is not None:
                with act_as(holder, "rpc"):
                    await sessions.end(secret)
        cookie = _cookie(request, "", max_age_seconds=0)
        return Response(None, status_code=204, headers={"set-cookie": cookie, **_UNKEPT})

    return [sign_in, sign_out]


async def _read(request: Request[Any, Any, Any]) -> SignIn:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        # Other types can be sent from any page without asking first.
        raise RpcError("UNSUPPORTED_MEDIA_TYPE", "send application/json")
    try:
        return msgspec.json.decode(await request.body(), type=SignIn)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RpcError("BAD_REQUEST", f'send {{"token": "<token>"}}: {error}') from None


def _cookie(request: Request[Any, Any, Any], secret: str, *, max_age_seconds: int) -> str:
    is_plain = request.scope["scheme"] == "http" and is_on_loopback(request.headers)
    name, secure = (LOOPBACK_COOKIE, "") if is_plain else (COOKIE, " Secure;")
    return f"{name}={secret}; Path=/; Max-Age={max_age_seconds};{secure} HttpOnly; SameSite=Strict"
