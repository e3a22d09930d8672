"""Tokens: how a caller shows who it is. Only a hash of a token's secret is stored."""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from asyncpg import Record, UniqueViolationError
from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from db import tables
from services import connections, usage
from services.caller import Caller, Credential
from services.definitions.document import Name
from services.definitions.structure import read_fields
from services.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from services.expressions.errors import suggestion
from services.listing import Limit, called
from services.principal import NOT_FOR_AGENTS, SCOPES, Kind, Principal, Scope, may_hold
from services.problem import Problem

Days = Annotated[int, msgspec.Meta(ge=1, le=3_650)]

_PREFIX_LETTERS = string.ascii_letters + string.digits
_PREFIX_LENGTH = 8
_SECRET_BYTES = 32
_LOOK_UP = """
SELECT id, name, kind, scopes, hash, revoked_at IS NULL AND coalesce(expires_at > now(), true) AS is_valid,
  coalesce(last_used_at < now() - interval '1 minute', true) AS is_to_be_noted
FROM token WHERE prefix = $1
"""
# What a prefix that nobody has is compared with, so that it takes as long as one that somebody has.
_NOBODYS_HASH = secrets.token_bytes(32)
_FORMAT = re.compile(r"rc_([A-Za-z0-9]{8})_([A-Za-z0-9_-]{43})")
_IS_VALID = "revoked_at IS NULL AND coalesce(expires_at > now(), true)"
# One sentence for every reason: a guesser learns nothing from which it was.
REFUSED = "the token is unknown, revoked or expired; `rolecall token create` makes a new one"


class Token(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A token without its secret. `name` is the principal's; `prefix` stands in the token and may be shown.

    `lastUsedAt` may be a minute old.
    """

    id: UUID
    prefix: str
    name: str
    kind: Kind
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewToken(Token, frozen=True, kw_only=True, rename="camel"):
    """A token with its text, which is shown this once and never again."""

    token: str


async def create(
    caller: Caller,
    *,
    name: Name,
    scopes: Sequence[Scope],
    kind: Kind = "service",
    expires_in_days: Days | None = None,
) -> NewToken:
    """A new token for a principal of that name; without `expires_in_days` it holds until it is revoked.

    Raises:
        Forbidden: the caller lacks `tokens.manage` or a scope that the token would hold, or is no person and wants a
            token for one.
        Invalid: a scope does not exist or is not for agents, or the name is none.
        Conflict: the name is taken.
    """
    caller.require("tokens.manage")
    wanted = _checked(name=name, scopes=list(scopes), kind=kind, expiresInDays=expires_in_days)
    granted = may_hold(wanted.kind, wanted.scopes)
    for scope in granted:
        caller.require(scope)
    if wanted.kind == "human" and caller.principal.kind != "human":
        raise Forbidden(
            f"{caller.principal.kind} {caller.name!r} may make tokens for agents and services, not for people"
        )
    prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(_PREFIX_LENGTH))
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    row = tables.Token(
        prefix=prefix,
        hash=_hash(secret),
        name=wanted.name,
        kind=wanted.kind,
        scopes=list(granted),
        expires_at=_in_days(wanted.expires_in_days),
    )
    try:
        await row.save()
    except UniqueViolationError:
        raise Conflict(
            "token", name, state="exists already", allowed="another name; a revoked token keeps its name"
        ) from None
    made = await _get(str(row.id))
    return NewToken(**msgspec.structs.asdict(made), token=f"rc_{prefix}_{secret}")


async def authenticate(token: str) -> Caller:
    """The caller whose token this is. Revoking takes effect with the next call. The use is noted, beside the call.

    Raises:
        Unauthenticated: the text is no token, or the token is unknown, revoked or expired.
    """
    parts = _FORMAT.fullmatch(token)
    if parts is None:
        raise Unauthenticated("this is no token; one reads rc_<8 characters>_<43 characters>")
    prefix, secret = parts.groups()
    row = await connections.database().fetchrow(_LOOK_UP, prefix)
    is_secret = hmac.compare_digest(_NOBODYS_HASH if row is None else row["hash"], _hash(secret))
    if row is None or not is_secret or not row["is_valid"]:
        raise Unauthenticated(REFUSED)
    if row["is_to_be_noted"]:
        usage.note("token", row["id"])
    return Caller(_principal(row), Credential("token", row["id"]))


async def still_valid(tokens: Collection[UUID]) -> Mapping[UUID, Principal]:
    """The principals of those of these tokens that have not been revoked or deleted and have not expired."""
    rows = await connections.pool().fetch(
        f"SELECT id, name, kind, scopes FROM token WHERE id = ANY($1) AND {_IS_VALID}",  # noqa: S608
        list(tokens),
    )
    return {row["id"]: _principal(row) for row in rows}


async def list_(caller: Caller, *, limit: Limit | None = None, after: str | None = None) -> list[Token]:
    """The tokens that the caller could have made, revoked and expired ones too, by name; those behind `after`.

    Raises:
        Forbidden: the caller lacks `tokens.manage`.
    """
    caller.require("tokens.manage")
    table = tables.Token
    beyond = [scope for scope in SCOPES if scope not in caller.principal.scopes]
    query = table.select().where(WhereRaw("NOT scopes && {}::varchar[]", beyond)).order_by(table.name)
    if after is not None:
        query = query.where(table.name > after)
    if limit is not None:
        query = query.limit(limit)
    return [_token(row) for row in await query]


async def revoke(caller: Caller, *, token: str) -> Token:
    """The token of that name or id, of no use from now on. Revoking it again changes nothing.

    Raises:
        NotFound: there is none.
        Forbidden: the caller lacks `tokens.manage` or a scope that the token holds.
    """
    caller.require("tokens.manage")
    found = await _get(token)
    for scope in found.scopes:
        caller.require(scope)
    table = tables.Token
    await table.update({table.revoked_at: QueryString("now()")}).where(table.id == found.id, table.revoked_at.is_null())
    return await _get(str(found.id))


class _Wanted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: Name
    scopes: tuple[str, ...]
    kind: Kind
    expires_in_days: Days | None


def _checked(**raw: Any) -> _Wanted:
    problems: list[Problem] = []
    values = read_fields(_Wanted, raw, "", problems)
    problems += [
        Problem(
            code="UNKNOWN_SCOPE",
            path=f"/scopes/{index}",
            message=f"there is no scope {scope!r}",
            allowed=SCOPES,
            suggestion=suggestion(scope, SCOPES),
        )
        for index, scope in enumerate(values.get("scopes", ()))
        if scope not in SCOPES
    ]
    if values.get("kind") == "agent":
        problems += [
            Problem(
                code="SCOPE_NOT_FOR_AGENTS",
                path=f"/scopes/{index}",
                message=f"an agent's token cannot hold {scope}",
                allowed=tuple(scope for scope in SCOPES if scope not in NOT_FOR_AGENTS),
            )
            for index, scope in enumerate(values.get("scopes", ()))
            if scope in NOT_FOR_AGENTS
        ]
    if problems:
        raise Invalid("the token cannot be made", problems)
    return _Wanted(**values)


async def _get(token: str) -> Token:
    row = await tables.Token.select().where(called(tables.Token, token)).first()
    if row is None:
        raise NotFound("token", token)
    return _token(row)


def _principal(row: Record) -> Principal:
    return Principal(kind=row["kind"], name=row["name"], scopes=may_hold(row["kind"], row["scopes"]))


def _token(row: dict[str, Any]) -> Token:
    values = {field: row[field] for field in Token.__struct_fields__}
    return Token(**{**values, "scopes": may_hold(row["kind"], row["scopes"])})


def _hash(secret: str) -> bytes:
    # 256 random bits cannot be guessed, so the hash need not be slow.
    return hashlib.sha256(secret.encode()).digest()


def _in_days(days: int | None) -> Any:
    # The database's clock decides, as it does when the token is used.
    return None if days is None else QueryString("now() + make_interval(days => {})", days)
