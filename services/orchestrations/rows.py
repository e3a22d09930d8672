"""Orchestrations and versions as their rows have them. Read with tables: a transaction sees what it has made."""

from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Record

from db import tables
from services import catalog, connections
from services.definitions.check import check
from services.definitions.digest import digest
from services.definitions.document import Document, as_json
from services.definitions.effects import Effect
from services.definitions.rows import UnreadableRows, document_of
from services.definitions.structure import pointer
from services.errors import Conflict, NotFound
from services.json import Unreadable, read
from services.listing import id_in
from services.orchestrations.closure import Closure, closure_now
from services.orchestrations.effects import effects_now
from services.orchestrations.records import Canary, Orchestration, OrchestrationSummary, Version, VersionSummary
from services.problem import Problem

VERSIONS = (
    "SELECT version.id, orchestration.name AS orchestration, version.number, version.status,"
    " coalesce(version.id = orchestration.active_version_id, false) AS is_active,"
    " CASE WHEN version.id = canary_version_id THEN canary_percent END AS canary_percent,"
    " version.major, version.digest, version.max_step_runs, version.message, version.created_by, version.created_at,"
    " version.decided_by, version.published_at, version.rejected_at, version.rejection, version.expires_at"
    " FROM orchestration_version AS version JOIN orchestration ON orchestration.id = version.orchestration_id"
)
SUMMARIES = (
    "SELECT orchestration.id, orchestration.name, description, tags, is_active, active_version_id, active.number,"
    " active.expires_at, canary.number AS canary_number, canary_percent,"
    " orchestration.created_by, orchestration.created_at, updated_at FROM orchestration"
    " LEFT JOIN orchestration_version AS active ON active.id = active_version_id"
    " LEFT JOIN orchestration_version AS canary ON canary.id = canary_version_id"
)


_VERSION = (
    "SELECT version.*, orchestration.name AS orchestration FROM orchestration_version AS version"
    " JOIN orchestration ON orchestration.id = version.orchestration_id WHERE version.id = $1"
)
_STEPS = "SELECT * FROM orchestration_step WHERE version_id = $1"
_JSON_OF_STEPS = ("condition", "input_mapping", "output_mapping", "config")


async def row_of(orchestration: str) -> Record:
    """The row of the orchestration of that name or id, with the `number` of its active version and that of its canary.

    Raises:
        NotFound: there is none.
    """
    id = id_in(orchestration)
    column, value = ("name", orchestration) if id is None else ("id", id)
    row = await connections.database().fetchrow(f"{SUMMARIES} WHERE orchestration.{column} = $1", value)
    if row is None:
        raise not_found(orchestration)
    return row


async def id_of(orchestration: str) -> UUID:
    """The id of the orchestration of that name or id.

    Raises:
        NotFound: there is none.
    """
    return (await row_of(orchestration))["id"]


async def locked(orchestration: str, if_version: int | None = None) -> Record:
    """The row of the orchestration, of which nobody else makes or decides a version until this transaction ends.

    Raises:
        NotFound: there is none.
        Conflict: its active version is not number `if_version`, which the caller has read.
    """
    id = await id_of(orchestration)
    # The lock comes before the reading: whoever waits here builds on what the other one has made.
    await tables.Orchestration.raw("SELECT id FROM orchestration WHERE id = {} FOR NO KEY UPDATE", id)
    row = await row_of(str(id))
    if if_version is not None and row["number"] != if_version:
        is_at = "has no active version" if row["number"] is None else f"is at version {row['number']}"
        allowed = f"version {if_version} to be active; read it again"
        raise Conflict("orchestration", row["name"], state=is_at, allowed=allowed)
    return row


async def found(orchestration: str) -> Orchestration:
    """The orchestration of that name or id, with its active version.

    Raises:
        NotFound: there is none.
        Conflict: it has no active version.
    """
    row = await row_of(orchestration)
    if row["active_version_id"] is None:
        raise without_active_version(row["name"])
    version = await _version_row(row["active_version_id"])
    effects, _ = _reach_of(version)
    return Orchestration(
        **msgspec.structs.asdict(summary_of(row)),
        version_id=row["active_version_id"],
        digest=version["digest"],
        max_step_runs=version["max_step_runs"],
        effects=effects,
        document=await _document_of(version),
    )


async def version_of(orchestration: UUID, number: int) -> VersionSummary:
    """The version of that number.

    Raises:
        NotFound: there is none.
    """
    query = f"{VERSIONS} WHERE orchestration.id = {{}} AND version.number = {{}}"
    rows = await tables.OrchestrationVersion.raw(query, orchestration, number)
    if not rows:
        raise NotFound("version", number, hint="`orchestration.versions` shows those there are")
    return summary_of_version(rows[0])


async def whole(version: VersionSummary) -> Version:
    """The version with its document, and with its problems while it is not decided.

    Raises:
        Conflict: somebody has written rows that no document can be read from.
    """
    row = await _version_row(version.id)
    its_document = await _document_of(row)
    known, closure = await catalog.current(), await closure_now(version.id)
    problems: tuple[Problem, ...] = ()
    drift: tuple[str, ...] = ()
    if version.status in ("published", "archived"):
        now = closure
        effects, closure = _reach_of(row)
        drift = closure.drift(now)
    else:
        effects = await effects_now(its_document, known)
        if version.status != "rejected":
            problems = check(as_json(its_document), known).problems
    own = msgspec.structs.asdict(version)
    own["digest"] = version.digest or digest(its_document)
    return Version(**own, document=its_document, problems=problems, effects=effects, closure=closure, drift=drift)


async def document(version: UUID) -> Document:
    """The document of a version.

    Raises:
        NotFound: there is no such version.
        Conflict: somebody has written rows that no document can be read from.
    """
    return await _document_of(await _version_row(version))


async def published_document(version: UUID) -> Document:
    """The document of a version that executions run, which is the one that was published.

    Raises:
        NotFound: there is no such version.
        Conflict: it was not published, or its rows are not what was published any more.
    """
    row = await _version_row(version)
    its_document = await _document_of(row)
    found = digest(its_document)
    if found != row["digest"]:
        state = f"is not what a server has published: its digest is {found}, not {row['digest']}"
        allowed = "its rows as they were; or make a draft of what it is now, and have that published"
        problem = Problem(code="NOT_PUBLISHED", path="", message=f"version {row['number']} {state}")
        raise Conflict(
            f"version {row['number']} of orchestration",
            its_document.name,
            state=state,
            allowed=allowed,
            problems=(problem,),
        )
    return its_document


def summary_of(row: Any) -> OrchestrationSummary:
    """The summary of a row that has the `number` of the active version."""
    own = {field: row[field] for field in OrchestrationSummary.__struct_fields__ if field not in ("version", "canary")}
    canary = row["canary_number"] and Canary(version=row["canary_number"], percent=row["canary_percent"])
    return OrchestrationSummary(**{**own, "tags": tuple(row["tags"]), "version": row["number"], "canary": canary})


def summary_of_version(row: Any) -> VersionSummary:
    """The version of a row that `VERSIONS` gives."""
    return VersionSummary(**dict(row))


def not_found(orchestration: str) -> NotFound:
    """That there is no such orchestration."""
    return NotFound("orchestration", orchestration, hint="`orchestration.list` shows those there are")


def without_active_version(name: str) -> Conflict:
    """That nothing of the orchestration is active."""
    return Conflict("orchestration", name, state="has no active version", allowed="a published version")


async def _document_of(row: dict[str, Any]) -> Document:
    steps = await connections.database().fetch(_STEPS, row["id"])
    try:
        return document_of(_read(row, "document"), [_step_of(step) for step in steps])
    except UnreadableRows as error:
        name = f"{row['orchestration']}@{row['number']}"
        state = f"has rows that no document can be read from: {error}"
        allowed = "rows as documents are written to"
        raise Conflict("version", name, state=state, allowed=allowed, problems=error.problems) from None


def _step_of(row: Record) -> dict[str, Any]:
    return {**row, **{column: _read(row, column, pointer(row["name"])) for column in _JSON_OF_STEPS}}


def _read(row: Any, column: str, place: str = "") -> Any:
    """The JSON of a column, which may be null.

    Raises:
        UnreadableRows: somebody has written there what only the database can hold.
    """
    try:
        return None if row[column] is None else read(row[column])
    except Unreadable as error:
        raise UnreadableRows([Problem(code="WRONG_VALUE", path=place + pointer(column), message=str(error))]) from None


def _reach_of(row: dict[str, Any]) -> tuple[tuple[Effect, ...], Closure]:
    """What a version was found to reach and to lead to when it was published."""
    try:
        effects, closure = _read(row, "effects"), _read(row, "closure")
        return msgspec.convert(effects, tuple[Effect, ...]), msgspec.convert(closure, Closure)
    except ValueError as error:
        state = f"has effects or a closure that no server has written ({error})"
        problem = Problem(code="NOT_PUBLISHED", path="", message=f"version {row['number']} {state}")
        allowed = "what was written when it was published"
        raise Conflict("version", row["number"], state=state, allowed=allowed, problems=(problem,)) from None


async def _version_row(version: UUID) -> dict[str, Any]:
    row = await connections.database().fetchrow(_VERSION, version)
    if row is None:
        raise NotFound("orchestration version", version)
    return dict(row)
