"""Who calls: by the token that is sent along or, in a browser that has signed in, by its cookie."""

import hashlib
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from api.limits import Attempts, Clock
from api.origins import is_on_loopback, source_of
from api.rpc import RequestInfo
from services import sessions, tokens
from services.caller import Caller
from services.errors import Forbidden, Unauthenticated
from services.settings import Settings

if TYPE_CHECKING:
    from services.oidc import Issuer

# The prefix has browsers take the cookie over TLS only, for this host only, and from nobody else.
COOKIE: Final = "__Host-rolecall"
# Over plain HTTP, which they take no such cookie from, on this machine only.
LOOPBACK_COOKIE: Final = "rolecall"

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


class Authentication:
    """How the callers of one process are known, as its settings say."""

    def __init__(self, settings: Settings, *, clock: Clock = time.monotonic) -> None:
        self.settings = settings
        self._issuer = _issuer_of(settings)
        self._attempts = Attempts(settings, clock=clock)

    async def caller_of(self, request: RequestInfo) -> Caller:
        """The caller of a request. A token wins over a cookie.

        Raises:
            Unauthenticated: there is neither, the header is malformed, or the token or session is not valid.
            Forbidden: there is a cookie, and no sign that a page of ours has sent it.
            LimitExceeded: too many attempts from this address have failed.
            Unavailable: too many callers are being looked up, or the OIDC issuer does not tell its keys.
        """
        authorization, secret = authorization_of(request), session_secret(request.headers)
        if authorization is not None or secret is None:
            return await self.bearer(authorization, request.client)
        self._check_source(request)
        # Not counted when it fails: a page that was left open shows its old cookie again and again.
        with self._attempts.look_up():
            return await sessions.authenticate(secret, idle_hours=self.settings.session_idle_hours)

    async def bearer(self, authorization: str | None, client: str | None) -> Caller:
        """The caller whose token stands in an Authorization header. Raises as `caller_of` does."""
        if authorization is None:
            raise Unauthenticated("no token was sent; send the header `Authorization: Bearer <token>`")
        return await self.shown(_bearer(authorization), client)

    async def shown(self, token: str, client: str | None) -> Caller:
        """Whom this token shows, of ours or of the OIDC issuer, sent from the address `client`.

        Raises:
            Unauthenticated: it is neither, or not valid.
            LimitExceeded, Unavailable: as of `caller_of`.
        """
        digest = hashlib.blake2b(token.encode(), digest_size=16).digest()
        with self._attempts.attempt(client, digest):
            try:
                found = await self._found(token)
            except Unauthenticated:
                self._attempts.failed(client, digest)
                raise
        self._attempts.worked(digest)
        return found

    async def _found(self, token: str) -> Caller:
        if self._issuer is not None and self._issuer.may_have_signed(token):
            return await self._issuer.authenticate(token)
        return await tokens.authenticate(token)

    def _check_source(self, request: RequestInfo) -> None:
        source = source_of(request.headers, self.settings.allowed_origins)
        # What only reads may come from nowhere that is said, since no other page can see the answer.
        if source == "own" or (source == "unsaid" and _only_reads(request)):
            return
        raise Forbidden(
            "a session counts in requests of this server's own pages, which browsers mark with Origin or"
            " Sec-Fetch-Site; anything else sends the header `Authorization: Bearer <token>`"
        )


def authorization_of(request: RequestInfo) -> str | None:
    """What a request shows as its authorization: the header or, in a browser that cannot send one, a parameter."""
    params = request.connection_params or {}
    if "authorization" in request.headers:
        return request.headers["authorization"]
    return f"Bearer {params['token']}" if "token" in params else params.get("authorization")


def session_secret(headers: Mapping[str, str]) -> str | None:
    """The secret of a browser's session, out of its cookie."""
    cookies: dict[str, str] = {}
    for pair in headers.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        cookies.setdefault(name, value)
    # Other hosts of the domain may set a cookie without the prefix; those of this machine are its own.
    return cookies.get(COOKIE) or (cookies.get(LOOPBACK_COOKIE) if is_on_loopback(headers) else None) or None


def _bearer(authorization: str) -> str:
    bearer = _BEARER.fullmatch(authorization.strip())
    if bearer is None:
        raise Unauthenticated("the Authorization header is malformed; it should read `Bearer <token>`")
    return bearer[1]


def _only_reads(request: RequestInfo) -> bool:
    # A subscription is no query: it stays open, and a socket, whose calls come later, may do anything.
    kinds = {call.procedure.kind for call in request.calls if call.procedure is not None}
    return request.method == "GET" and bool(request.calls) and kinds <= {"query"}


def _issuer_of(settings: Settings) -> "Issuer | None":
    if settings.oidc_issuer is None:
        return None
    # Imported where there is one: what checks signatures is large.
    from services import oidc

    return oidc.issuer_of(settings)
