"""Changes of roles as they are now; each makes a version."""

from uuid import UUID

from asyncpg import ForeignKeyViolationError, RestrictViolationError, UniqueViolationError
from uuid_utils.compat import uuid7

from db import tables
from services import connections, expiry, idempotency
from services.caller import Caller
from services.definitions.document import Name, Text
from services.errors import Conflict, Invalid, NotFound
from services.idempotency import IdempotencyKey
from services.roles.parts import parts_of_content, unreadable
from services.roles.records import ContentChanges, Role, RoleChanges
from services.roles.rows import COLUMNS, columns_of, no_role, role_named, role_of_row

_NO_CHANGES = RoleChanges()
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
        columns = {"id": uuid7(), "name": name, "base_prompt": base_prompt, **columns_of(changes)}
        columns["created_by"] = caller.name
        columns["expires_at"] = await expiry.of_new(caller)
        places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
        insert = f"INSERT INTO role ({', '.join(columns)}) VALUES ({places}) RETURNING {COLUMNS}"  # noqa: S608 names of ours
        try:
            (row,) = await connections.database().write(insert, *columns.values())
        except UniqueViolationError:
            raise Conflict("role", name, state="exists already", allowed="another name, or an update") from None
        return role_of_row(row)

    request = (name, base_prompt, changes)
    return await idempotency.once(caller, idempotency_key, "role.create", request, Role, make)


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
            if columns := columns_of(changes):
                try:
                    await tables.Role.update({**columns}).where(tables.Role.id == before)
                except UniqueViolationError:
                    raise Conflict("role", changes.name, state="exists already", allowed="another name") from None
            return await role_named(str(before))

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
            now = await role_named(str(id))
            changes = await _content_at(now, await _before(now) if number is None else number)
            await tables.Role.update({**columns_of(changes)}).where(tables.Role.id == id)
            return await role_named(str(id))

    request = (role, number, if_version)
    return await idempotency.once(caller, idempotency_key, "role.rollback", request, Role, make)


async def promote(caller: Caller, *, role: str) -> Role:
    """The role, which does not expire any more: somebody has looked at it.

    Raises:
        NotFound: there is none.
        Forbidden: it is no person who asks.
    """
    caller.require("roles.write")
    before = await role_named(role)
    expiry.require_person(caller, f"role {before.name!r}")
    await tables.Role.update({tables.Role.expires_at: None}).where(tables.Role.id == before.id)
    return await role_named(str(before.id))


async def delete(caller: Caller, *, role: str) -> Role:
    """The role, which is gone now.

    Raises:
        NotFound: there is none.
        Conflict: a step of some orchestration's version uses it.
    """
    caller.require("roles.write")
    before = await role_named(role)
    try:
        await tables.Role.delete().where(tables.Role.id == before.id)
    except (ForeignKeyViolationError, RestrictViolationError):  # which of them depends on the server's version
        state, allowed = (
            "is used by steps of orchestrations",
            "no version to use it; switch it off with isActive: false",
        )
        raise Conflict("role", before.name, state=state, allowed=allowed) from None
    return before


async def _locked(role: str, if_version: int | None) -> UUID:
    """The id of the role, which nobody else changes until this transaction ends.

    Raises:
        NotFound: there is none.
        Conflict: it is not at the version that the caller read.
    """
    now = await role_named(role)
    (row,) = await tables.Role.raw(_LOCK, now.id) or (None,)
    if row is None:
        raise no_role(role)
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
    query = "SELECT status, content::text FROM role_version WHERE role_id = $1 AND number = $2"
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
