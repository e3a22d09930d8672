"""Versions of roles: drafted, proposed, decided about, given up."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import UniqueViolationError

from services import connections, idempotency
from services.caller import Caller
from services.errors import Conflict, Invalid
from services.idempotency import IdempotencyKey
from services.json import JsonObject
from services.listing import Limit, id_in
from services.paging import Listing, Order, page_of, those_given
from services.publication import mark
from services.roles.parts import parts_of_content
from services.roles.records import ContentChanges, RoleVersion, RoleVersionPage, RoleVersionStatus
from services.roles.rows import id_of, no_role, no_version

_SELECT = (
    "SELECT version.id, version.number, version.status, version.number = role.version AS is_present,"
    " version.message, version.created_by, version.created_at, version.decided_by, version.published_at,"
    " version.rejected_at, version.rejection, version.content"
    " FROM role_version AS version JOIN role ON role.id = version.role_id"
)
_LOCK = (
    "SELECT id, name, version, role_content(role) AS content FROM role WHERE id = $2 OR $2::uuid IS NULL AND name = $1"
    " FOR NO KEY UPDATE"
)
_INSERT = (
    "INSERT INTO role_version (role_id, number, status, content, message, created_by)"
    " SELECT $1, max(number) + 1, $2, $3, $4, $5 FROM role_version WHERE role_id = $1 RETURNING number"
)
_PUBLISH = (
    "UPDATE role_version SET status = 'published', published_at = now(), decided_by = $2, problems = '[]' WHERE id = $1"
)
_REJECT = (
    "UPDATE role_version SET status = 'rejected', rejected_at = now(), decided_by = $2, rejection = $3 WHERE id = $1"
)
_NEWEST_FIRST = Order("version.number", "version.id", "number", int, descending=True)
_OWN = frozenset(RoleVersion.__struct_fields__) - frozenset(ContentChanges.__struct_fields__) - {"problems"}


async def versions(
    caller: Caller,
    *,
    role: str,
    status: RoleVersionStatus | None = None,
    cursor: str | None = None,
    limit: Limit = 20,
) -> RoleVersionPage:
    """What a role was at each of its versions, and what it was drafted or proposed to be, the newest first; all, or
    those in a status.

    Raises:
        NotFound: there is no such role.
        Invalid: the cursor is none of this list.
    """
    caller.require("roles.read")
    id = await id_of(role)
    asked = {"version.role_id = {}": id, "version.status = {}": status}
    listing = Listing("role.versions", _NEWEST_FIRST, asked)
    items, next_cursor = await page_of(listing, _SELECT, those_given(asked), _version, cursor=cursor, limit=limit)
    return RoleVersionPage(items=items, next_cursor=next_cursor)


async def draft(
    caller: Caller,
    *,
    role: str,
    changes: ContentChanges,
    number: int | None = None,
    message: str = "",
    if_version: int | None = None,
    idempotency_key: IdempotencyKey | None = None,
) -> RoleVersion:
    """A draft of what the role could be: what it is now with these changes or, with `number`, what that draft was with
    them. No execution uses it before it is published, and it may have problems until then.

    Raises:
        NotFound: there is no such role or version.
        Conflict: the version is no draft, the role is not at version `if_version` any more, or the key was used for
            another request.
    """
    caller.require("roles.write")

    async def make() -> RoleVersion:
        now = await _locked(role, if_version)
        if number is None:
            return await _inserted(caller, now, "draft", _changed(now.content, changes), message)
        before = await _in_status(now, number, "draft")
        await connections.database().fetch(
            "UPDATE role_version SET content = $2, message = $3 WHERE id = $1",
            before["id"],
            _text(_changed(msgspec.json.decode(before["content"]), changes)),
            message,
        )
        return _version(await _row(now, number))

    request = (role, number, changes, message, if_version)
    return await _once(caller, idempotency_key, "role.draft", request, make)


async def propose(
    caller: Caller,
    *,
    role: str,
    changes: ContentChanges,
    message: str = "",
    if_version: int | None = None,
    idempotency_key: IdempotencyKey | None = None,
) -> RoleVersion:
    """A proposal for a role: a version that nobody edits, which somebody else publishes or rejects.

    Raises:
        NotFound: there is no such role.
        Invalid: it has problems; names all of them.
        Conflict: the role is not at version `if_version` any more, or the key was used for another request.
    """
    caller.require("roles.propose")

    async def make() -> RoleVersion:
        now = await _locked(role, if_version)
        content = _changed(now.content, changes)
        _check(content)
        return await _inserted(caller, now, "proposed", content, message)

    request = (role, changes, message, if_version)
    return await _once(caller, idempotency_key, "role.propose", request, make)


async def publish(caller: Caller, *, role: str, number: int, if_version: int | None = None) -> RoleVersion:
    """The version, which is what the role is from now on. Executions that have started keep to what they started with.

    Raises:
        NotFound: there is no such role or version.
        Invalid: it has problems; names all of them.
        Conflict: it is neither a draft nor a proposal, the role is at a later version than it, or not at version
            `if_version` any more; or its name is another role's.
    """
    caller.require("roles.write")
    async with connections.database().transaction():
        now = await _locked(role, if_version)
        await _in_status(now, number, "draft", "proposed")
        await publish_as_it_is(caller.name, now, number)
        return _version(await _row(now, number))


async def publish_as_it_is(by: str, now: "Locked", number: int) -> None:
    """Make what a draft, a proposal or a request holds what the role is.

    Raises:
        Invalid: it has problems; names all of them.
        Conflict: the role is at a later version than it, or its name is another role's.
    """
    version = await _row(now, number)
    if number < now.version:
        state = f"is older than version {now.version}, which the role is at"
        raise Conflict("version", number, state=state, allowed="one that was made since; draft or propose it anew")
    content = msgspec.json.decode(version["content"])
    _check(content)
    await mark()
    try:
        await connections.database().fetch(_PUBLISH, version["id"], by)
    except UniqueViolationError:
        raise Conflict("role", content["name"], state="exists already", allowed="another name") from None


async def reject(caller: Caller, *, role: str, number: int, reason: str = "") -> RoleVersion:
    """The proposal, rejected for good.

    Raises:
        NotFound: there is no such role or version.
        Conflict: it is no proposal.
    """
    caller.require("roles.write")
    async with connections.database().transaction():
        now = await _locked(role)
        version = await _in_status(now, number, "proposed")
        await connections.database().fetch(_REJECT, version["id"], caller.name, reason)
        return _version(await _row(now, number))


async def discard(caller: Caller, *, role: str, number: int) -> RoleVersion:
    """The draft, which is gone now.

    Raises:
        NotFound: there is no such role or version.
        Conflict: it is no draft.
    """
    caller.require("roles.write")
    async with connections.database().transaction():
        now = await _locked(role)
        version = await _in_status(now, number, "draft")
        await connections.database().fetch("DELETE FROM role_version WHERE id = $1", version["id"])
        return _version(version)


async def archive(caller: Caller, *, role: str, number: int) -> RoleVersion:
    """The version that the role was at, given up for good: no roll-back goes there. Executions that have started with
    it keep to it.

    Raises:
        NotFound: there is no such role or version.
        Conflict: it is not published, or it is what the role is.
    """
    caller.require("roles.write")
    async with connections.database().transaction():
        now = await _locked(role)
        version = await _in_status(now, number, "published")
        if number == now.version:
            raise Conflict(
                "version", number, state="is what the role is", allowed="the role to be at another one first"
            )
        await connections.database().fetch("UPDATE role_version SET status = 'archived' WHERE id = $1", version["id"])
        return _version(await _row(now, number))


class Locked(msgspec.Struct, frozen=True):
    """A role as it is, and nobody changes it until this transaction ends."""

    id: UUID
    name: str
    version: int
    content: JsonObject


async def _locked(role: str, if_version: int | None = None) -> Locked:
    row = await connections.database().fetchrow(_LOCK, role, id_in(role))
    if row is None:
        raise no_role(role)
    if if_version is not None and row["version"] != if_version:
        state = f"is at version {row['version']} and not at {if_version}"
        raise Conflict("role", row["name"], state=state, allowed="a change of what it is now; read it again")
    return Locked(row["id"], row["name"], row["version"], msgspec.json.decode(row["content"]))


async def _row(now: Locked, number: int) -> Any:
    query = f"{_SELECT} WHERE version.role_id = $1 AND version.number = $2"
    row = await connections.database().fetchrow(query, now.id, number)
    if row is None:
        raise no_version(number)
    return row


async def _in_status(now: Locked, number: int, *statuses: RoleVersionStatus) -> Any:
    row = await _row(now, number)
    if row["status"] not in statuses:
        allowed = f"one that is {' or '.join(statuses)}"
        raise Conflict("version", number, state=f"is {row['status']}", allowed=allowed)
    return row


async def _inserted(
    caller: Caller, now: Locked, status: RoleVersionStatus, content: JsonObject, message: str
) -> RoleVersion:
    (row,) = await connections.database().fetch(_INSERT, now.id, status, _text(content), message, caller.name)
    return _version(await _row(now, row["number"]))


async def _once(
    caller: Caller, key: str | None, procedure: str, request: Any, make: Callable[[], Awaitable[RoleVersion]]
) -> RoleVersion:
    """As `idempotency.once`, in a transaction also without a key."""
    async with connections.database().transaction():
        return await idempotency.once(caller, key, procedure, request, RoleVersion, make)


def _changed(content: JsonObject, changes: ContentChanges) -> JsonObject:
    given = {
        name: msgspec.to_builtins(value)
        for name in ContentChanges.__struct_fields__
        if (value := getattr(changes, name)) is not msgspec.UNSET
    }
    return {**content, **given}


def _check(content: JsonObject) -> None:
    """Nothing, when a role may be this.

    Raises:
        Invalid: it may not; names all problems.
    """
    if problems := parts_of_content(_text(content)).problems:
        raise Invalid("the role cannot be this", problems)


def _version(row: Any) -> RoleVersion:
    own = {name: row[name] for name in _OWN}
    return RoleVersion(**own, **msgspec.structs.asdict(parts_of_content(row["content"])))


def _text(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
