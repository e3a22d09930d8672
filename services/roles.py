"""Roles: who a model plays. A role is a row that people and agents edit; its every content is kept as a version."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from asyncpg import ForeignKeyViolationError, Record, RestrictViolationError, UniqueViolationError
from uuid_utils.compat import uuid7

from db import tables
from services import connections, expiry, idempotency, paging
from services.caller import Caller
from services.definitions.document import Name, Text
from services.errors import Conflict, Invalid, NotFound
from services.idempotency import IdempotencyKey
from services.json import Json
from services.listing import Limit, id_in
from services.models.selection import ModelConstraints
from services.paging import Listing, Order, Page, containing, page_of, those_given
from services.problem import Problem, said
from services.role_parts import Parameters, parts_of_content, parts_of_row, unreadable
from services.schema import problems_of_schema
from services.tools import registry

ToolName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


RoleVersionStatus = Literal["draft", "proposed", "publishing", "published", "rejected", "archived"]


class Role(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A role as it is now. `version` counts its contents; an execution keeps to the one it started with. After
    `expiresAt` none starts any more whose steps use it.

    `problems` are what keeps it from being used, when somebody has written nonsense into its row or a tool has gone:
    what cannot be read has its default here.
    """

    id: UUID
    name: str
    description: str
    base_prompt: str
    tools: tuple[str, ...]
    needs_tools: bool
    model: ModelConstraints
    parameters: Parameters
    output_schema: Json
    is_active: bool
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    problems: tuple[Problem, ...] = ()


class RolePage(Page[Role], frozen=True, kw_only=True, rename="camel"):
    """Roles in the order that was asked for."""


class RoleSort(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """By what, and which way."""

    by: Literal["name", "createdAt", "updatedAt"] = "name"
    order: paging.Direction = "asc"


class RoleVersion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a role is or was while its `version` was this `number`, or what somebody has drafted or proposed it to be.

    `publishing` is what somebody has asked a server to publish. `createdBy` is who drafted or proposed it, and null
    where the role itself was edited. `decidedBy` is who published or rejected it; `rejection` says why. `problems` are
    what keeps it from being published or used; what cannot be read has its default here.
    """

    number: int
    status: RoleVersionStatus
    is_present: bool
    message: str
    created_by: str | None
    created_at: datetime
    decided_by: str | None
    published_at: datetime | None
    rejected_at: datetime | None
    rejection: str
    problems: tuple[Problem, ...]
    name: str
    description: str
    base_prompt: str
    tools: tuple[str, ...]
    needs_tools: bool
    model: ModelConstraints
    parameters: Parameters
    output_schema: Json


class RoleVersionPage(Page[RoleVersion], frozen=True, kw_only=True, rename="camel"):
    """The versions of a role, the newest first."""


class RoleContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a role was at one of its versions. `id` is the role's own, whatever it is called by now."""

    id: UUID
    name: str
    base_prompt: str
    tools: tuple[str, ...] = ()
    needs_tools: bool = False
    model: ModelConstraints = ModelConstraints()
    parameters: Parameters = Parameters()
    output_schema: Json = None


class ContentChanges(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What to change about the content of a role; what is left out stays as it is."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    description: Text | msgspec.UnsetType = msgspec.UNSET
    base_prompt: Text | msgspec.UnsetType = msgspec.UNSET
    tools: tuple[ToolName, ...] | msgspec.UnsetType = msgspec.UNSET
    needs_tools: bool | msgspec.UnsetType = msgspec.UNSET
    model: ModelConstraints | msgspec.UnsetType = msgspec.UNSET
    parameters: Parameters | msgspec.UnsetType = msgspec.UNSET
    output_schema: Json | msgspec.UnsetType = msgspec.UNSET


class RoleChanges(ContentChanges, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What to change about a role; what is left out stays as it is."""

    is_active: bool | msgspec.UnsetType = msgspec.UNSET


_BY_NAME = RoleSort()
_NO_CHANGES = RoleChanges()

_ORDERS = {"name": ("name", str), "createdAt": ("created_at", datetime), "updatedAt": ("updated_at", datetime)}

_COLUMNS = ", ".join(name for name in Role.__struct_fields__ if name != "problems")
_CONTENTS = "SELECT id, role_id, number, status, content::text FROM role_version"
_MAX_USABLE = 10_000
# Versions of roles that were looked at and found to have no problems: they do not change.
_usable: dict[UUID, None] = {}
_SELECT = f"SELECT {_COLUMNS} FROM role"  # noqa: S608 names of ours
_LOCK = "SELECT id, version FROM role WHERE id = {} FOR NO KEY UPDATE"


async def create(
    caller: Caller,
    *,
    name: Name,
    base_prompt: Text,
    changes: RoleChanges = _NO_CHANGES,
    idempotency_key: IdempotencyKey | None = None,
) -> Role:
    """A new role.

    Raises:
        Invalid: a tool does not exist, or the output schema is none.
        Conflict: the name is taken, or the key was used for another request.
    """
    caller.require("roles.write")

    async def make() -> Role:
        columns = {"id": uuid7(), "name": name, "base_prompt": base_prompt, **_columns(changes)}
        columns["created_by"] = caller.name
        columns["expires_at"] = await expiry.of_new(caller)
        places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
        insert = f"INSERT INTO role ({', '.join(columns)}) VALUES ({places}) RETURNING {_COLUMNS}"  # noqa: S608 names of ours
        try:
            (row,) = await connections.database().write(insert, *columns.values())
        except UniqueViolationError:
            raise Conflict("role", name, state="exists already", allowed="another name, or an update") from None
        return _role(row)

    request = (name, base_prompt, changes)
    return await idempotency.once(caller, idempotency_key, "role.create", request, Role, make)


async def list_(
    caller: Caller,
    *,
    q: str | None = None,
    tool: str | None = None,
    is_active: bool | None = None,
    created_by: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    after: str | None = None,
    sort: RoleSort = _BY_NAME,
    cursor: str | None = None,
    limit: Limit = 100,
) -> RolePage:
    """Roles: all, or those that list a `tool`, contain `q` in name or description, have a state or an author, or were
    made within a time; those whose names come after the name `after`.

    Each order is that of an index, which is walked from the cursor on until the page is full: what is rare takes long
    to find.

    Raises:
        Invalid: the cursor is none of this list.
    """
    caller.require("roles.read")
    asked = {
        "(name ILIKE {0} OR description ILIKE {0})": containing(q),
        "{} = ANY(tools)": tool,
        "is_active = {}": is_active,
        "created_by = {}": created_by,
        "created_at >= {}": created_after,
        "created_at < {}": created_before,
        "name > {}": after,
    }
    column, type_ = _ORDERS[sort.by]
    listing = Listing("role.list", Order(column, "id", column, type_, sort.order == "desc"), asked)
    items, next_cursor = await page_of(listing, _SELECT, those_given(asked), _role, cursor=cursor, limit=limit)
    return RolePage(items=items, next_cursor=next_cursor)


async def get(caller: Caller, *, role: str) -> Role:
    """The role of that name or id.

    Raises:
        NotFound: there is none.
    """
    caller.require("roles.read")
    return await _get(role)


async def update(
    caller: Caller,
    *,
    role: str,
    changes: RoleChanges,
    if_version: int | None = None,
    idempotency_key: IdempotencyKey | None = None,
) -> Role:
    """The role, changed. Executions that have started keep to the content they started with.

    Raises:
        NotFound, Invalid, Conflict: as `get` and `create`; Conflict also when it is not at version `if_version` any
            more.
    """
    caller.require("roles.write")

    async def make() -> Role:
        async with connections.database().transaction():
            before = await _locked(role, if_version)
            if columns := _columns(changes):
                try:
                    await tables.Role.update({**columns}).where(tables.Role.id == before)
                except UniqueViolationError:
                    raise Conflict("role", changes.name, state="exists already", allowed="another name") from None
            return await _get(str(before))

    request = (role, changes, if_version)
    return await idempotency.once(caller, idempotency_key, "role.update", request, Role, make)


async def rollback(
    caller: Caller,
    *,
    role: str,
    number: int | None = None,
    if_version: int | None = None,
    idempotency_key: IdempotencyKey | None = None,
) -> Role:
    """The role with the content that it had at version `number`, or at the published one before its present version: a
    new version. Its name stays.

    Raises:
        NotFound: there is no such role, or it had no such version.
        Invalid: a tool that it had then does not exist any more.
        Conflict: it is not at version `if_version` any more, it has no earlier version, that was never published or is
            archived, or the key was used for another request.
    """
    caller.require("roles.write")

    async def make() -> Role:
        async with connections.database().transaction():
            id = await _locked(role, if_version)
            now = await _get(str(id))
            changes = await _content_at(now, await _before(now) if number is None else number)
            await tables.Role.update({**_columns(changes)}).where(tables.Role.id == id)
            return await _get(str(id))

    request = (role, number, if_version)
    return await idempotency.once(caller, idempotency_key, "role.rollback", request, Role, make)


async def promote(caller: Caller, *, role: str) -> Role:
    """The role, which does not expire any more: somebody has looked at it.

    Raises:
        NotFound: there is none.
        Forbidden: it is no person who asks.
    """
    caller.require("roles.write")
    before = await _get(role)
    expiry.require_person(caller, f"role {before.name!r}")
    await tables.Role.update({tables.Role.expires_at: None}).where(tables.Role.id == before.id)
    return await _get(str(before.id))


async def delete(caller: Caller, *, role: str) -> Role:
    """The role, which is gone now.

    Raises:
        NotFound: there is none.
        Conflict: a step of some orchestration's version uses it.
    """
    caller.require("roles.write")
    before = await _get(role)
    try:
        await tables.Role.delete().where(tables.Role.id == before.id)
    except (ForeignKeyViolationError, RestrictViolationError):  # which of them depends on the server's version
        state, allowed = (
            "is used by steps of orchestrations",
            "no version to use it; switch it off with isActive: false",
        )
        raise Conflict("role", before.name, state=state, allowed=allowed) from None
    return before


async def active() -> list[Role]:
    """Every role that can be played and does not expire, by name."""
    query = f"{_SELECT} WHERE is_active AND expires_at IS NULL ORDER BY name"
    return [_role(row) for row in await connections.database().fetch(query)]


async def named(names: Iterable[str]) -> list[Role]:
    """Those of these names that there are, also where they are switched off."""
    rows = await connections.database().fetch(f"{_SELECT} WHERE name = ANY($1)", list(names))
    return [_role(row) for row in rows]


async def ids_by_name() -> dict[str, UUID]:
    """Every active role's id by its name: what a document may refer to."""
    rows = await tables.Role.select(tables.Role.name, tables.Role.id).where(tables.Role.is_active.eq(True))
    return {row["name"]: row["id"] for row in rows}


async def id_of(role: str) -> UUID:
    """The id of the role of that name or id.

    Raises:
        NotFound: there is none.
    """
    return (await _get(role)).id


async def newest_versions(names: Iterable[str]) -> dict[str, UUID]:
    """The newest version of each role of these names that there is, by its name.

    Raises:
        Conflict: one of them has expired.
    """
    rows = await connections.pool().fetch(
        "SELECT role.name, newest.id, coalesce(expires_at <= clock_timestamp(), false) AS has_expired"
        " FROM role JOIN role_version AS newest ON newest.role_id = role.id AND newest.number = role.version"
        " WHERE role.is_active AND role.name = ANY($1)",
        list(names),
    )
    for row in rows:
        if row["has_expired"]:
            raise expiry.expired("role", row["name"], keep="role.promote")
    return {row["name"]: row["id"] for row in rows}


async def content(version: UUID) -> RoleContent:
    """What a role was at a version.

    Raises:
        NotFound: there is no such version.
        Conflict: somebody has written into the role what cannot be read; names all of that.
    """
    row = await connections.database().fetchrow(f"{_CONTENTS} WHERE id = $1", version)
    if row is None:
        raise NotFound("role version", version)
    found = parts_of_content(row["content"])
    if problems := unreadable(found.problems):
        raise _unusable(found.name, row["number"], problems)
    own = {name: getattr(found, name) for name in RoleContent.__struct_fields__ if name != "id"}
    return RoleContent(id=row["role_id"], **own)


async def check_usable(versions: Collection[UUID]) -> None:
    """Nothing, when these versions of roles have no problems.

    Raises:
        Conflict: one has some; names it and all of them.
    """
    unknown = [version for version in versions if version not in _usable]
    if not unknown:
        return
    query = f"{_CONTENTS} WHERE id = ANY($1::uuid[]) ORDER BY id"
    for row in await connections.database().fetch(query, unknown):
        found = parts_of_content(row["content"])
        if found.problems:
            raise _unusable(found.name, row["number"], found.problems)
        if len(_usable) >= _MAX_USABLE:
            _usable.pop(next(iter(_usable)))
        _usable[row["id"]] = None


async def _locked(role: str, if_version: int | None) -> UUID:
    """The id of the role, which nobody else changes until this transaction ends.

    Raises:
        NotFound: there is none.
        Conflict: it is not at the version that the caller read.
    """
    now = await _get(role)
    (row,) = await tables.Role.raw(_LOCK, now.id) or (None,)
    if row is None:
        raise _not_found(role)
    if if_version is not None and row["version"] != if_version:
        state = f"is at version {row['version']} and not at {if_version}"
        raise Conflict("role", now.name, state=state, allowed="an update of what it is now; read it again")
    return row["id"]


async def _before(role: Role) -> int:
    """The number of the published version before the present one."""
    (row,) = await tables.RoleVersion.raw(
        "SELECT max(number) AS number FROM role_version WHERE role_id = {} AND status = 'published' AND number < {}",
        role.id,
        role.version,
    )
    if row["number"] is None:
        raise Conflict("role", role.name, state="has no published version before", allowed="an earlier one")
    return row["number"]


async def _content_at(role: Role, number: int) -> RoleChanges:
    """What makes of a role what it was at that version, but for its name."""
    query = f"{_CONTENTS} WHERE role_id = $1 AND number = $2"
    row = await connections.database().fetchrow(query, role.id, number)
    if row is None:
        raise NotFound("version", number, hint=f"`role.versions` shows those of {role.name!r}")
    if row["status"] != "published":
        raise Conflict("version", number, state=f"is {row['status']}", allowed="one that is published")
    found = parts_of_content(row["content"])
    if problems := unreadable(found.problems):
        raise Invalid(f"version {number} of the role {role.name!r} cannot be read", problems)
    kept = [name for name in ContentChanges.__struct_fields__ if name != "name"]
    return RoleChanges(**{name: getattr(found, name) for name in kept})


async def _get(role: str) -> Role:
    id = id_in(role)
    column, value = ("name", role) if id is None else ("id", id)
    row = await connections.database().fetchrow(f"{_SELECT} WHERE {column} = $1", value)
    if row is None:
        raise _not_found(role)
    return _role(row)


def _role(row: Record) -> Role:
    parts = parts_of_row(row["tools"], row["model"], row["parameters"], row["output_schema"])
    return Role(
        **msgspec.structs.asdict(parts),
        id=row["id"],
        name=row["name"],
        description=row["description"],
        base_prompt=row["base_prompt"],
        needs_tools=row["needs_tools"],
        is_active=row["is_active"],
        version=row["version"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        expires_at=row["expires_at"],
    )


def _unusable(name: str, number: int, problems: Sequence[Problem]) -> Conflict:
    state = f"has problems at version {number} and cannot be used: {said(problems)}"
    return Conflict("role", name, state=state, allowed="a role without problems", problems=problems)


def _not_found(role: str) -> NotFound:
    return NotFound("role", role, hint="`role.list` shows those there are")


def _columns(changes: RoleChanges) -> dict[str, Any]:
    """The columns that `changes` sets, checked."""
    given = {
        name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not msgspec.UNSET
    }
    problems = (
        problems_of_schema(given["output_schema"], "/outputSchema") if given.get("output_schema") is not None else []
    )
    problems += registry.problems_of_names(given.get("tools", ()), "/tools")
    if problems:
        raise Invalid("the role cannot be saved", problems)
    for name in ("model", "parameters", "output_schema"):
        if given.get(name) is not None:
            given[name] = msgspec.json.encode(given[name]).decode()
    if "tools" in given:
        given["tools"] = list(given["tools"])
    return given
