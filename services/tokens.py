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
from asyncpg import UniqueViolationError
from piccolo.querystring import QueryString

from db import tables
from services import connections
from services.caller import Caller
from services.definitions.document import Name
from services.definitions.structure import read_fields
from services.errors import Conflict, Invalid, NotFound, Unauthenticated
from services.expressions.errors import suggestion
from services.listing import called
from services.principal import SCOPES, Kind, Principal, Scope
from services.problem import Problem

Days = Annotated[int, msgspec.Meta(ge=1, le=3_650)]

_PREFIX_LETTERS = string.ascii_letters + string.digits
_PREFIX_LENGTH = 8
_SECRET_BYTES = 32
_FORMAT = re.compile(r"rc_([A-Za-z0-9]{8})_([A-Za-z0-9_-]{43})")
_IS_VALID = "revoked_at IS NULL AND coalesce(expires_at > now(), true)"
# One sentence for every reason: a guesser learns nothing from which it was.
_REFUSED = "the token is unknown, revoked or expired; `rolecall token create` makes a new one"


class Token(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A token without its secret. `name` is the principal's; `prefix` stands in the token and may be shown."""

    id: UUID
    prefix: str
    name: str
    kind: Kind
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


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
        Forbidden: the caller lacks a scope that the token would hold.
        Invalid: a scope does not exist, or the name is none.
        Conflict: the name is taken.
    """
    wanted = _checked(name=name, scopes=list(scopes), kind=kind, expiresInDays=expires_in_days)
    granted = _known(wanted.scopes)
    for scope in granted:
        caller.require(scope)
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
    """The caller whose token this is. Revoking takes effect with the next call.

    Raises:
        Unauthenticated: the text is no token, or the token is unknown, revoked or expired.
    """
    parts = _FORMAT.fullmatch(token)
    if parts is None:
        raise Unauthenticated("this is no token; one reads rc_<8 characters>_<43 characters>")
    prefix, secret = parts.groups()
    row = await connections.pool().fetchrow(
        f"SELECT id, name, kind, scopes, hash, {_IS_VALID} AS is_valid FROM token WHERE prefix = $1",  # noqa: S608
        prefix,
    )
    if row is None or not hmac.compare_digest(row["hash"], _hash(secret)) or not row["is_valid"]:
        raise Unauthenticated(_REFUSED)
    return Caller(_principal(row), row["id"])


async def still_valid(tokens: Collection[UUID]) -> Mapping[UUID, Principal]:
    """The principals of those of these tokens that have not been revoked or deleted and have not expired."""
    rows = await connections.pool().fetch(
        f"SELECT id, name, kind, scopes FROM token WHERE id = ANY($1) AND {_IS_VALID}",  # noqa: S608
        list(tokens),
    )
    return {row["id"]: _principal(row) for row in rows}


async def list_(caller: Caller) -> list[Token]:
    """The tokens that the caller could have made, revoked and expired ones too, by name."""
    rows = await tables.Token.select().order_by(tables.Token.name)
    held = set(caller.principal.scopes)
    return [token for token in map(_token, rows) if held.issuperset(token.scopes)]


async def revoke(caller: Caller, *, token: str) -> Token:
    """The token of that name or id, of no use from now on. Revoking it again changes nothing.

    Raises:
        NotFound: there is none.
        Forbidden: the caller lacks a scope that the token holds.
    """
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
    if problems:
        raise Invalid("the token cannot be made", problems)
    return _Wanted(**values)


async def _get(token: str) -> Token:
    row = await tables.Token.select().where(called(tables.Token, token)).first()
    if row is None:
        raise NotFound("token", token)
    return _token(row)


def _principal(row: Mapping[str, Any]) -> Principal:
    return Principal(kind=row["kind"], name=row["name"], scopes=_known(row["scopes"]))


def _token(row: dict[str, Any]) -> Token:
    values = {field: row[field] for field in Token.__struct_fields__}
    return Token(**{**values, "scopes": _known(row["scopes"])})


def _known(scopes: Sequence[str]) -> tuple[Scope, ...]:
    """The scopes there are, each once: what an admin mistyped grants nothing."""
    return tuple(scope for scope in SCOPES if scope in scopes)


def _hash(secret: str) -> bytes:
    # 256 random bits cannot be guessed, so the hash need not be slow.
    return hashlib.sha256(secret.encode()).digest()


def _in_days(days: int | None) -> Any:
    # The database's clock decides, as it does when the token is used.
    return None if days is None else QueryString("now() + make_interval(days => {})", days)
