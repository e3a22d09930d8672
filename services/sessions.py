"""Sessions: browsers that have signed in. Each shows a secret, of which only a hash is stored.

A session that was begun with a token has the token's rights as they are now, and ends with it. One of a person whom an
OIDC issuer has named keeps the scopes that it began with.
"""

import hashlib
import re
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Record

from services import connections, usage
from services.caller import Caller, Credential
from services.errors import Forbidden, Unauthenticated
from services.principal import Principal, may_hold

_SECRET_BYTES = 32
_FORMAT = re.compile(r"[A-Za-z0-9_-]{43}")
_REFUSED = "the session has ended; sign in again"
_BEGIN = """
INSERT INTO session (hash, token_id, name, scopes, expires_at)
VALUES ($1, $2, $3, $4, now() + make_interval(days => $5)) RETURNING expires_at
"""
_WHOSE = """
session.id, coalesce(token.kind, 'human') AS kind, coalesce(token.name, session.name) AS name,
  coalesce(token.scopes, session.scopes) AS scopes
"""
_HAS_NOT_ENDED = """
session.revoked_at IS NULL AND session.expires_at > now()
  AND token.revoked_at IS NULL AND coalesce(token.expires_at > now(), true)
"""
_SESSIONS = "session LEFT JOIN token ON token.id = session.token_id"
# Nobody can choose a hash, so finding it by an index tells nothing of others.
_LOOK_UP = f"""
SELECT {_WHOSE}, {_HAS_NOT_ENDED} AND session.last_used_at > now() - make_interval(hours => $2) AS is_valid,
  session.last_used_at < now() - interval '1 minute' AS is_to_be_noted
FROM {_SESSIONS} WHERE session.hash = $1
"""  # noqa: S608
_HOLDER = f"SELECT {_WHOSE} FROM {_SESSIONS} WHERE session.hash = $1"  # noqa: S608
_STILL_VALID = f"SELECT {_WHOSE} FROM {_SESSIONS} WHERE session.id = ANY($1) AND {_HAS_NOT_ENDED}"  # noqa: S608


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session with its secret, which goes to the browser and is never shown again."""

    secret: str
    principal: Principal
    expires_at: datetime


async def begin(caller: Caller, *, days: int) -> NewSession:
    """A session of the caller for up to so many days, which ends with the token that was shown, if that is of ours.

    Raises:
        Forbidden: the principal is an agent, which has no browser.
    """
    principal, shown = caller.principal, caller.credential
    if principal.kind == "agent":
        raise Forbidden(f"agent {principal.name!r} cannot sign in; sessions are for people and services")
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    token_id = shown.id if shown is not None and shown.kind == "token" else None
    own = (None, None) if token_id is not None else (principal.name, list(principal.scopes))
    (row,) = await connections.database().write(_BEGIN, _hash(secret), token_id, *own, days)
    return NewSession(secret=secret, principal=principal, expires_at=row["expires_at"])


async def authenticate(secret: str, *, idle_hours: int) -> Caller:
    """The caller whose session this is; it ends when it was not used for so many hours.

    Raises:
        Unauthenticated: there is no such session, or it has ended.
    """
    if not _FORMAT.fullmatch(secret):
        raise Unauthenticated(_REFUSED)
    row = await connections.database().fetchrow(_LOOK_UP, _hash(secret), idle_hours)
    if row is None or not row["is_valid"]:
        raise Unauthenticated(_REFUSED)
    if row["is_to_be_noted"]:
        usage.note("session", row["id"])
    return Caller(_principal(row), Credential("session", row["id"]))


async def still_valid(sessions: Collection[UUID]) -> Mapping[UUID, Principal]:
    """The principals of those of these sessions that have not ended. Being idle ends none: somebody looks on."""
    rows = await connections.pool().fetch(_STILL_VALID, list(sessions))
    return {row["id"]: _principal(row) for row in rows}


async def holder(secret: str) -> str | None:
    """Who has begun the session with this secret, also when it has ended; None when there is none."""
    row = await connections.database().fetchrow(_HOLDER, _hash(secret))
    return None if row is None else row["name"]


async def end(secret: str) -> None:
    """End the session with this secret now, if there is one."""
    await connections.database().write(
        "UPDATE session SET revoked_at = now() WHERE hash = $1 AND revoked_at IS NULL RETURNING id", _hash(secret)
    )


async def delete_ended() -> None:
    """Delete the sessions that were revoked, or whose time is over."""
    await connections.database().write("DELETE FROM session WHERE least(expires_at, revoked_at) < now() RETURNING id")


def _principal(row: Record) -> Principal:
    return Principal(kind=row["kind"], name=row["name"], scopes=may_hold(row["kind"], row["scopes"]))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
