"""Orchestrations and versions as their rows have them. Read with tables: a transaction sees what it has made."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Record

from db import tables
from services import catalog, connections
from services.definitions.catalog import all_that_is_named
from services.definitions.check import check
from services.definitions.digest import digest
from services.definitions.document import Document, as_json
from services.definitions.rows import UnreadableRows, document_of
from services.definitions.structure import pointer
from services.errors import Conflict, NotFound
from services.json import Unreadable, read
from services.listing import id_in
from services.orchestrations.records import Orchestration, OrchestrationSummary, Version, VersionSummary
from services.problem import Problem, said

VERSIONS = (
    "SELECT version.id, orchestration.name AS orchestration, version.number, version.status,"
    " coalesce(version.id = orchestration.active_version_id, false) AS is_active, version.major, version.digest,"
    " version.max_step_runs, version.message, version.created_by, version.created_at, version.decided_by,"
    " version.published_at, version.rejected_at, version.rejection"
    " FROM orchestration_version AS version JOIN orchestration ON orchestration.id = version.orchestration_id"
)
SUMMARIES = (
    "SELECT orchestration.id, orchestration.name, description, tags, is_active, active_version_id, active.number,"
    " orchestration.created_by, orchestration.created_at, updated_at FROM orchestration"
    " LEFT JOIN orchestration_version AS active ON active.id = active_version_id"
)


_VERSION = (
    "SELECT version.id, version.number, version.document, version.digest, version.max_step_runs,"
    " orchestration.name AS orchestration FROM orchestration_version AS version"
    " JOIN orchestration ON orchestration.id = version.orchestration_id WHERE version.id = $1"
)
_STEPS = "SELECT * FROM orchestration_step WHERE version_id = $1"
_JSON_COLUMNS = ("document", "condition", "input_mapping", "output_mapping", "config")


async def row_of(orchestration: str) -> Record:
    """The row of the orchestration of that name or id, with the `number` of its active version.

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
    return Orchestration(
        **msgspec.structs.asdict(summary_of(row)),
        version_id=row["active_version_id"],
        digest=version["digest"],
        max_step_runs=version["max_step_runs"],
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
    its_document = await document(version.id)
    problems: tuple[Problem, ...] = ()
    if version.status in ("draft", "proposed"):
        problems = check(as_json(its_document), await catalog.current()).problems
    own = msgspec.structs.asdict(version)
    own["digest"] = version.digest or digest(its_document)
    return Version(**own, document=its_document, problems=problems)


async def document(version: UUID) -> Document:
    """The document of a version.

    Raises:
        NotFound: there is no such version.
        Conflict: somebody has written rows that no document can be read from.
    """
    return await _document_of(await _version_row(version))


async def executable(version: UUID) -> Document:
    """The document of a published version, as its publication has judged it.

    What the rows say is what was published when the digest of it is. Where it is not, because somebody has written them
    past the checks or another version of the program counts other defaults in, it is judged anew, but for what it names
    outside itself: that may have gone since.

    Raises:
        NotFound: there is no such version.
        Conflict: somebody has written rows that no document can be read from, or one with problems; names all of them.
    """
    row = await _version_row(version)
    its_document = await _document_of(row)
    if digest(its_document) != row["digest"]:
        problems = check(as_json(its_document), all_that_is_named(its_document)).problems
        if problems:
            raise _unusable(row, f"has rows that nobody can run: {said(problems)}", problems)
    return its_document


def summary_of(row: Any) -> OrchestrationSummary:
    """The summary of a row that has the `number` of the active version."""
    values = {field: row[field] for field in OrchestrationSummary.__struct_fields__ if field != "version"}
    return OrchestrationSummary(**{**values, "tags": tuple(row["tags"]), "version": row["number"]})


def summary_of_version(row: Any) -> VersionSummary:
    """The version of a row that `VERSIONS` gives."""
    return VersionSummary(**dict(row))


def not_found(orchestration: str) -> NotFound:
    """That there is no such orchestration."""
    return NotFound("orchestration", orchestration, hint="`orchestration.list` shows those there are")


def without_active_version(name: str) -> Conflict:
    """That nothing of the orchestration is active."""
    return Conflict("orchestration", name, state="has no active version", allowed="a published version")


async def _document_of(row: Record) -> Document:
    steps = await connections.database().fetch(_STEPS, row["id"])
    try:
        # Who writes the row by hand has named the orchestration already.
        own = {"name": row["orchestration"], **_decoded(row)["document"]}
        return document_of(own, [_decoded(step) for step in steps])
    except UnreadableRows as error:
        raise _unusable(row, f"has rows that no document can be read from: {error}", error.problems) from None


def _unusable(row: Record, state: str, problems: Sequence[Problem]) -> Conflict:
    name = f"{row['orchestration']}@{row['number']}"
    return Conflict("version", name, state=state, allowed="rows as documents are written to", problems=problems)


def _decoded(row: Record) -> dict[str, Any]:
    """The row with its JSON decoded."""
    values = dict(row)
    for column in _JSON_COLUMNS:
        if values.get(column) is not None:
            try:
                values[column] = read(values[column])
            except Unreadable as error:
                place = pointer(column) if "name" not in values else pointer(values["name"], column)
                raise UnreadableRows([Problem(code="WRONG_VALUE", path=place, message=str(error))]) from None
    return values


async def _version_row(version: UUID) -> Record:
    row = await connections.database().fetchrow(_VERSION, version)
    if row is None:
        raise NotFound("orchestration version", version)
    return row
