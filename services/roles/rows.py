"""Roles as rows."""

from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Record

from services import connections
from services.errors import Invalid, NotFound
from services.listing import id_in
from services.roles.parts import parts_of_row
from services.roles.records import Role, RoleChanges
from services.schema import problems_of_schema
from services.tools import registry

COLUMNS = ", ".join(name for name in Role.__struct_fields__ if name != "problems")
SELECT = f"SELECT {COLUMNS} FROM role"  # noqa: S608 names of ours


async def role_named(role: str) -> Role:
    """The role of that name or id.

    Raises:
        NotFound: there is none.
    """
    id = id_in(role)
    column, value = ("name", role) if id is None else ("id", id)
    row = await connections.database().fetchrow(f"{SELECT} WHERE {column} = $1", value)
    if row is None:
        raise no_role(role)
    return role_of_row(row)


def role_of_row(row: Record) -> Role:
    """The role that `SELECT` has found."""
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


async def id_of(role: str) -> UUID:
    """The id of the role of that name or id.

    Raises:
        NotFound: there is none.
    """
    row = await connections.database().fetchrow(
        "SELECT id FROM role WHERE id = $2 OR $2::uuid IS NULL AND name = $1", role, id_in(role)
    )
    if row is None:
        raise no_role(role)
    return row["id"]


def columns_of(changes: RoleChanges) -> dict[str, Any]:
    """The columns that `changes` sets, checked.

    Raises:
        Invalid: a tool does not exist, or the output schema is none; names all of that.
    """
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


def no_role(role: str) -> NotFound:
    """That there is none of that name or id."""
    return NotFound("role", role, hint="`role.list` shows those there are")


def no_version(number: object) -> NotFound:
    """That a role has no version of that number."""
    return NotFound("version", number, hint="`role.versions` shows those there are")
