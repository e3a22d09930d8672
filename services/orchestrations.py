"""Orchestrations: workflows by name. Each state of one is a version; a published version never changes."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import (
    ForeignKeyViolationError,
    ObjectNotInPrerequisiteStateError,
    Record,
    RestrictViolationError,
    UniqueViolationError,
)
from piccolo.query.functions import Max
from piccolo.querystring import QueryString
from uuid_utils.compat import uuid7

from db import tables
from services import catalog, connections
from services.caller import Caller
from services.definitions.bound import max_step_runs
from services.definitions.calls import called
from services.definitions.catalog import Catalog
from services.definitions.check import Checked, check
from services.definitions.diff import Change
from services.definitions.diff import diff as changes_between
from services.definitions.digest import digest
from services.definitions.document import Document, as_json
from services.definitions.rows import document_of, document_row, step_rows
from services.errors import Conflict, Invalid, NotFound
from services.json import Json, JsonObject
from services.listing import Limit, id_in
from services.problem import Problem


class OrchestrationSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An orchestration in a list."""

    id: UUID
    name: str
    description: str
    tags: tuple[str, ...]
    is_active: bool
    version: int | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class Orchestration(OrchestrationSummary, frozen=True, kw_only=True, rename="camel"):
    """An orchestration with the document of its active version."""

    version_id: UUID
    digest: str
    max_step_runs: int
    document: Document


class Active(msgspec.Struct, frozen=True, kw_only=True):
    """The orchestration that a new execution belongs to, and the version that it runs."""

    id: UUID
    name: str
    version: UUID


class Validation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is wrong with a document. Without problems: its digest and the most steps that an execution can run."""

    problems: tuple[Problem, ...]
    digest: str | None = None
    max_step_runs: int | None = None


_SELECT = """
SELECT orchestration.id, name, description, tags, is_active, active_version_id, version.number AS version,
  orchestration.created_by, orchestration.created_at, updated_at
FROM orchestration LEFT JOIN orchestration_version AS version ON version.id = active_version_id"""


async def create(caller: Caller, *, document: Json) -> Orchestration:
    """A new orchestration, published as version 1 and active.

    Raises:
        Invalid: the document has problems; names all of them.
        Conflict: the name is taken.
    """
    caller.require("orchestrations.write")
    checked, known = await _check(document)
    good = _accepted(checked)
    try:
        async with connections.database().transaction():
            row = tables.Orchestration(
                name=good.name, description=good.description, tags=list(good.tags), created_by=caller.name
            )
            await row.save()
            await _publish(caller, row.id, 1, good, known)
    except UniqueViolationError:
        raise Conflict(
            "orchestration", good.name, state="exists already", allowed="another name, or an update"
        ) from None
    return await _find(good.name)


async def list_(
    caller: Caller,
    *,
    tag: str | None = None,
    is_active: bool | None = None,
    limit: Limit = 100,
    after: str | None = None,
) -> list[OrchestrationSummary]:
    """Orchestrations by name, those after the name `after`; all, or those with a tag or a state."""
    caller.require("orchestrations.read")
    rows = await connections.database().fetch(
        f"{_SELECT} WHERE name > $1 AND ($2::text IS NULL OR $2 = ANY (tags))"
        " AND ($3::boolean IS NULL OR is_active = $3) ORDER BY name LIMIT $4",
        after or "",  # no name is empty, so that every one comes behind it
        tag,
        is_active,
        limit,
    )
    return [_summary(row) for row in rows]


async def get(caller: Caller, *, orchestration: str) -> Orchestration:
    """The orchestration of that name or id, with its active version.

    Raises:
        NotFound: there is none.
        Conflict: it has no active version.
    """
    caller.require("orchestrations.read")
    return await _find(orchestration)


async def update(
    caller: Caller, *, orchestration: str, changes: JsonObject | None = None, is_active: bool | None = None
) -> Orchestration:
    """The orchestration, changed. `changes` replaces fields of its document: a new version, active at once.

    Executions that have started keep to their version.

    Raises:
        NotFound, Conflict, Invalid: as `get` and `create`.
    """
    caller.require("orchestrations.write")
    id = await id_of(orchestration)
    table = tables.Orchestration
    try:
        async with connections.database().transaction():
            # The lock comes before the reading: an update that waits here builds on what the other one has made.
            await table.select(table.id).where(table.id == id).lock_rows("NO KEY UPDATE")
            if changes:
                await _replace(caller, id, changes)
            if is_active is not None:
                await table.update({table.is_active: is_active}).where(table.id == id)
    except UniqueViolationError:
        raise Conflict(
            "orchestration", (changes or {}).get("name"), state="exists already", allowed="another name"
        ) from None
    return await _find(str(id))


async def delete(caller: Caller, *, orchestration: str) -> OrchestrationSummary:
    """The orchestration, which is gone now with its versions.

    Raises:
        NotFound: there is none.
        Conflict: it was executed, and its history stays; or executions under way may call it.
    """
    caller.require("orchestrations.write")
    row = await _row(orchestration)
    try:
        await tables.Orchestration.delete().where(tables.Orchestration.id == row["id"])
    except (ForeignKeyViolationError, RestrictViolationError):  # which of them depends on the server's version
        allowed = "one that never was; switch it off with isActive: false"
        raise Conflict("orchestration", row["name"], state="was executed", allowed=allowed) from None
    except ObjectNotInPrerequisiteStateError:
        allowed = "one that nothing under way may call; switch it off with isActive: false"
        raise Conflict("orchestration", row["name"], state="may be called by executions", allowed=allowed) from None
    return _summary(row)


async def validate(caller: Caller, *, document: Json) -> Validation:
    """Every problem of a document; nothing is saved."""
    caller.require("orchestrations.read")
    checked, known = await _check(document)
    if checked.problems or checked.document is None:
        return Validation(problems=checked.problems)
    runs = max_step_runs(checked.document, known.orchestrations)
    return Validation(problems=(), digest=digest(checked.document), max_step_runs=runs)


async def diff(caller: Caller, *, orchestration: str, document: Json) -> tuple[Change, ...]:
    """What would change if `document` replaced the active version; nothing is saved.

    Raises:
        NotFound, Conflict, Invalid: as `get` and `create`.
    """
    before = await get(caller, orchestration=orchestration)
    checked, _ = await _check(document)
    return changes_between(before.document, _accepted(checked))


async def id_of(orchestration: str) -> UUID:
    """The id of the orchestration of that name or id.

    Raises:
        NotFound: there is none.
    """
    return (await _row(orchestration))["id"]


async def active(orchestration: str) -> Active:
    """What a new execution of the orchestration runs.

    Raises:
        NotFound: there is no such orchestration.
        Conflict: it is inactive, or has no active version.
    """
    row = await connections.pool().fetchrow(
        "SELECT id, name, active_version_id, is_active FROM orchestration"
        " WHERE id = $2 OR $2::uuid IS NULL AND name = $1",
        orchestration,
        id_in(orchestration),
    )
    if row is None:
        raise _not_found(orchestration)
    if not row["is_active"]:
        allowed = "an active one; update it with isActive: true"
        raise Conflict("orchestration", row["name"], state="is inactive", allowed=allowed)
    if row["active_version_id"] is None:
        raise Conflict("orchestration", row["name"], state="has no active version", allowed="a published version")
    return Active(id=row["id"], name=row["name"], version=row["active_version_id"])


async def document(version: UUID) -> Document:
    """The document of a version.

    Raises:
        NotFound: there is no such version.
    """
    row = await _version(version)
    step = tables.OrchestrationStep
    steps = await step.select().where(step.version_id == version).output(load_json=True)
    return document_of(row["document"], steps)


async def version_ids(orchestration: str, *, number: int | None = None) -> list[UUID]:
    """All versions of an orchestration, by its id or its name, or the one of that number.

    Raises:
        NotFound: there is no such orchestration, or no such version of it.
    """
    rows = await connections.pool().fetch(
        "SELECT id FROM orchestration_version WHERE orchestration_id = $1 AND number = coalesce($2, number)",
        await id_of(orchestration),
        number,
    )
    if number is not None and not rows:
        raise NotFound("version", number, hint=f"of orchestration {orchestration!r}")
    return [row["id"] for row in rows]


async def newest_roles(version: UUID) -> dict[str, UUID]:
    """The newest version of each role that the steps of a version name, by that name."""
    rows = await connections.pool().fetch(
        "SELECT DISTINCT step.role_name, newest.id FROM orchestration_step AS step JOIN role ON role.id = step.role_id"
        " JOIN role_version AS newest ON newest.role_id = role.id AND newest.number = role.version"
        " WHERE step.version_id = $1",
        version,
    )
    return {row["role_name"]: row["id"] for row in rows}


async def _check(raw: Json) -> tuple[Checked, Catalog]:
    known = await catalog.current()
    return check(raw, known), known


def _accepted(checked: Checked) -> Document:
    if checked.problems or checked.document is None:
        raise Invalid("the orchestration has problems", checked.problems)
    return checked.document


async def _replace(caller: Caller, id: UUID, changes: JsonObject) -> None:
    """Put `changes` into the document; a new version when it is another one then."""
    before = await _find(str(id))
    checked, known = await _check({**as_json(before.document), **changes})
    good = _accepted(checked)
    table = tables.Orchestration
    await table.update({table.name: good.name, table.description: good.description, table.tags: list(good.tags)}).where(
        table.id == id
    )
    if digest(good) != before.digest:
        await _publish(caller, id, await _next_number(id), good, known)


async def _publish(caller: Caller, orchestration: UUID, number: int, document: Document, known: Catalog) -> None:
    if called(document):
        # Two that are published at once could call each other: the second waits here, and finds the first one there.
        await tables.OrchestrationVersion.raw("SELECT pg_advisory_xact_lock(hashtext('orchestration_version.publish'))")
        checked, known = await _check(as_json(document))
        document = _accepted(checked)
    version = tables.OrchestrationVersion(
        orchestration_id=orchestration,
        number=number,
        document=msgspec.json.encode(document_row(document)).decode(),
        created_by=caller.name,
    )
    await version.save()
    rows = step_rows(document, known.roles, uuid7)
    await tables.OrchestrationStep.insert(*(tables.OrchestrationStep(**row, version_id=version.id) for row in rows))
    table = tables.OrchestrationVersion
    await table.update(
        {
            table.status: "published",
            table.digest: digest(document),
            table.max_step_runs: max_step_runs(document, known.orchestrations),
            table.published_at: QueryString("now()"),
        }
    ).where(table.id == version.id)
    await tables.Orchestration.update({tables.Orchestration.active_version_id: version.id}).where(
        tables.Orchestration.id == orchestration
    )


async def _next_number(orchestration: UUID) -> int:
    table = tables.OrchestrationVersion
    newest = await table.select(Max(table.number)).where(table.orchestration_id == orchestration)
    return 1 + newest[0]["max"]


async def _find(orchestration: str) -> Orchestration:
    row = await _row(orchestration)
    if row["active_version_id"] is None:
        raise Conflict("orchestration", row["name"], state="has no active version", allowed="a published version")
    version = await _version(row["active_version_id"])
    return Orchestration(
        **msgspec.structs.asdict(_summary(row)),
        version_id=row["active_version_id"],
        digest=version["digest"],
        max_step_runs=version["max_step_runs"],
        document=await document(row["active_version_id"]),
    )


async def _row(orchestration: str) -> Record:
    id = id_in(orchestration)
    column, value = ("name", orchestration) if id is None else ("orchestration.id", id)
    row = await connections.database().fetchrow(f"{_SELECT} WHERE {column} = $1", value)
    if row is None:
        raise _not_found(orchestration)
    return row


def _not_found(orchestration: str) -> NotFound:
    return NotFound("orchestration", orchestration, hint="`orchestration.list` shows those there are")


async def _version(version: UUID) -> dict[str, Any]:
    table = tables.OrchestrationVersion
    row = await table.select().where(table.id == version).first().output(load_json=True)
    if row is None:
        raise NotFound("orchestration version", version)
    return row


def _summary(row: Record) -> OrchestrationSummary:
    return OrchestrationSummary(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        tags=tuple(row["tags"]),
        is_active=row["is_active"],
        version=row["version"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
