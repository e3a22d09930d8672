"""Roles: who a model plays. A role is a row that people and agents edit; its every content is kept as a version."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from asyncpg import ForeignKeyViolationError, Record, RestrictViolationError, UniqueViolationError
from uuid_utils.compat import uuid7

from db import tables
from services import connections
from services.caller import Caller
from services.definitions.document import Name, Text
from services.errors import Conflict, Invalid, NotFound
from services.json import Json
from services.listing import Limit, id_in
from services.models.selection import ModelConstraints
from services.schema import problems_of_schema
from services.tools import registry

ToolName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Parameters(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is passed to the model with each call. Unset: the provider's own default."""

    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None


class Role(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A role as it is now. `version` counts its contents; an execution keeps to the one it started with."""

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


class RoleChanges(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What to change about a role; what is left out stays as it is."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    description: Text | msgspec.UnsetType = msgspec.UNSET
    base_prompt: Text | msgspec.UnsetType = msgspec.UNSET
    tools: tuple[ToolName, ...] | msgspec.UnsetType = msgspec.UNSET
    needs_tools: bool | msgspec.UnsetType = msgspec.UNSET
    model: ModelConstraints | msgspec.UnsetType = msgspec.UNSET
    parameters: Parameters | msgspec.UnsetType = msgspec.UNSET
    output_schema: Json | msgspec.UnsetType = msgspec.UNSET
    is_active: bool | msgspec.UnsetType = msgspec.UNSET


_COLUMNS = ", ".join(Role.__struct_fields__)
_SELECT = f"SELECT {_COLUMNS} FROM role"  # noqa: S608 names of ours

_model = msgspec.json.Decoder(ModelConstraints)
_parameters = msgspec.json.Decoder(Parameters)


async def create(caller: Caller, *, name: Name, base_prompt: Text, changes: RoleChanges = RoleChanges()) -> Role:  # noqa: B008
    """A new role.

    Raises:
        Invalid: a tool does not exist, or the output schema is none.
        Conflict: the name is taken.
    """
    caller.require("roles.write")
    columns = {"id": uuid7(), "name": name, "base_prompt": base_prompt, **_columns(changes), "created_by": caller.name}
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    insert = f"INSERT INTO role ({', '.join(columns)}) VALUES ({places}) RETURNING {_COLUMNS}"  # noqa: S608 names of ours
    try:
        (row,) = await connections.database().fetch(insert, *columns.values())
    except UniqueViolationError:
        raise Conflict("role", name, state="exists already", allowed="another name, or an update") from None
    return _role(row)


async def list_(caller: Caller, *, tool: str | None = None, limit: Limit = 100, after: str | None = None) -> list[Role]:
    """Roles by name, those after the name `after`; with `tool`, only those that list it."""
    caller.require("roles.read")
    rows = await connections.database().fetch(
        f"{_SELECT} WHERE name > $1 AND ($2::text IS NULL OR $2 = ANY (tools)) ORDER BY name LIMIT $3",
        after or "",  # no name is empty, so that every one comes behind it
        tool,
        limit,
    )
    return [_role(row) for row in rows]


async def get(caller: Caller, *, role: str) -> Role:
    """The role of that name or id.

    Raises:
        NotFound: there is none.
    """
    caller.require("roles.read")
    return await _get(role)


async def update(caller: Caller, *, role: str, changes: RoleChanges) -> Role:
    """The role, changed. Executions that have started keep to the content they started with.

    Raises:
        NotFound, Invalid, Conflict: as `get` and `create`.
    """
    caller.require("roles.write")
    before = await _get(role)
    columns = _columns(changes)
    if columns:
        try:
            await tables.Role.update({**columns}).where(tables.Role.id == before.id)
        except UniqueViolationError:
            raise Conflict("role", changes.name, state="exists already", allowed="another name") from None
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
    """The newest version of each role of these names that there is, by its name."""
    rows = await connections.pool().fetch(
        "SELECT role.name, newest.id FROM role JOIN role_version AS newest"
        " ON newest.role_id = role.id AND newest.number = role.version WHERE role.is_active AND role.name = ANY($1)",
        list(names),
    )
    return {row["name"]: row["id"] for row in rows}


async def content(version: UUID) -> RoleContent:
    """What a role was at a version.

    Raises:
        NotFound: there is no such version.
    """
    table = tables.RoleVersion
    found = await table.select(table.role_id, table.content).where(table.id == version).first().output(load_json=True)
    if found is None:
        raise NotFound("role version", version)
    return msgspec.convert({**found["content"], "id": found["role_id"]}, RoleContent)


async def _get(role: str) -> Role:
    id = id_in(role)
    column, value = ("name", role) if id is None else ("id", id)
    row = await connections.database().fetchrow(f"{_SELECT} WHERE {column} = $1", value)
    if row is None:
        raise NotFound("role", role, hint="`role.list` shows those there are")
    return _role(row)


def _role(row: Record) -> Role:
    schema = row["output_schema"]
    return Role(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        base_prompt=row["base_prompt"],
        tools=tuple(row["tools"]),
        needs_tools=row["needs_tools"],
        model=_model.decode(row["model"]),
        parameters=_parameters.decode(row["parameters"]),
        output_schema=None if schema is None else msgspec.json.decode(schema),
        is_active=row["is_active"],
        version=row["version"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


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
