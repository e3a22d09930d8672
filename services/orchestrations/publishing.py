"""How a document comes into rows, and how these are published: checked, counted, compared with what callers rely on."""

from typing import Any
from uuid import UUID

import msgspec
from asyncpg import UniqueViolationError
from piccolo.querystring import QueryString
from uuid_utils.compat import uuid7

from db import tables
from services import catalog, expiry
from services.caller import Caller
from services.definitions.bound import max_step_runs
from services.definitions.calls import called
from services.definitions.catalog import Catalog
from services.definitions.check import Checked, check
from services.definitions.compatibility import breaking_changes
from services.definitions.digest import digest
from services.definitions.document import Document, as_json
from services.definitions.rows import document_row, step_rows
from services.errors import Conflict, Invalid
from services.json import Json
from services.orchestrations.closure import closure_now
from services.orchestrations.effects import effects_now
from services.orchestrations.rows import document as document_of
from services.publication import mark

# What callers rely on: the active version or, where none is active, what was published last.
_RELIED_ON = """
SELECT version.document, orchestration.name, version.number, version.major, (
  SELECT max(major) FROM orchestration_version WHERE orchestration_id = {} AND status IN ('published', 'archived')
) AS newest_major
FROM orchestration_version AS version JOIN orchestration ON orchestration.id = version.orchestration_id
WHERE orchestration.id = {} AND version.status IN ('published', 'archived')
ORDER BY version.id = active_version_id DESC NULLS LAST, version.published_at DESC, version.number DESC LIMIT 1
"""
# Since it was drafted, a role may have come, or another may have taken its name.
_RESOLVE = """
UPDATE orchestration_step AS step SET role_id = role.id FROM role
WHERE step.version_id = {} AND role.name = step.role_name AND step.role_id IS DISTINCT FROM role.id
"""
_OTHERS = """
SELECT step.name FROM orchestration_step AS step JOIN role ON role.name = step.role_name
WHERE step.version_id = {} AND step.role_id IS DISTINCT FROM role.id
"""


async def checked(raw: Json) -> tuple[Checked, Catalog]:
    """The document and its problems, and what it was checked against."""
    known = await catalog.current()
    return check(raw, known), known


def accepted(found: Checked) -> Document:
    """The document, which has no problems.

    Raises:
        Invalid: it has; names all of them.
    """
    if found.problems or found.document is None:
        raise Invalid("the orchestration has problems", found.problems)
    return found.document


async def insert_orchestration(caller: Caller, document: Document) -> UUID:
    """The id of a new orchestration that is called as the document says, and has no version yet.

    Raises:
        Conflict: the name is taken.
    """
    row = tables.Orchestration(
        name=document.name, description=document.description, tags=list(document.tags), created_by=caller.name
    )
    try:
        await row.save()
    except UniqueViolationError:
        allowed = "another name, or an update"
        raise Conflict("orchestration", document.name, state="exists already", allowed=allowed) from None
    return row.id


async def insert_draft(
    caller: Caller, orchestration: UUID, document: Document, known: Catalog, message: str = ""
) -> tuple[UUID, int]:
    """The id and the number of a new draft with this document. The orchestration is locked, or new."""
    table = tables.OrchestrationVersion
    query = "SELECT coalesce(max(number), 0) + 1 AS number FROM orchestration_version WHERE orchestration_id = {}"
    number = (await table.raw(query, orchestration))[0]["number"]
    version = table(
        orchestration_id=orchestration,
        number=number,
        document=_row_text(document),
        message=message,
        created_by=caller.name,
        expires_at=await expiry.of_new(caller),
    )
    await version.save()
    await _insert_steps(version.id, document, known)
    return version.id, number


async def replace_draft(version: UUID, document: Document, known: Catalog, message: str) -> None:
    """Put another document into a draft."""
    table, step = tables.OrchestrationVersion, tables.OrchestrationStep
    await step.delete().where(step.version_id == version)
    await table.update({table.document: _row_text(document), table.message: message}).where(table.id == version)
    await _insert_steps(version, document, known)


async def publish_as_it_is(by: str, orchestration: UUID, version: UUID, *, activate: bool, breaking: bool) -> None:
    """Publish what the rows of a draft, a proposal or a request hold, and make it active if that is wanted.

    Raises:
        Invalid: it has problems, or would break callers, and `breaking` does not say that it may.
        Conflict: no document can be read from the rows, its name is another's, it would be active and has expired, or
            as `publish`.
    """
    # Whoever edits its steps holds the version meanwhile: what is read is what is published.
    await tables.OrchestrationVersion.raw("SELECT FROM orchestration_version WHERE id = {} FOR NO KEY UPDATE", version)
    if activate:
        table = tables.OrchestrationVersion
        (row,) = await table.select(table.number, table.expires_at).where(table.id == version)
        await expiry.check("version", row["number"], row["expires_at"], keep="orchestration.promote")
    found, known = await checked(as_json(await document_of(version)))
    document = accepted(found)
    await publish(by, orchestration, version, document, known, breaking=breaking)
    if activate:
        await make_active(orchestration, version, document)


async def publish(
    by: str, orchestration: UUID, version: UUID, document: Document, known: Catalog, *, breaking: bool
) -> None:
    """Publish a draft, a proposal or a request, whose document was found to have no problems.

    Raises:
        Invalid: the document would break callers, and `breaking` does not say that it may; or it came to have problems.
        Conflict: it was proposed with other roles than those that have their names now.
    """
    if called(document):
        # Two that are published at once could call each other: the second waits here, and finds the first one there.
        await tables.OrchestrationVersion.raw("SELECT pg_advisory_xact_lock(hashtext('orchestration_version.publish'))")
        found, known = await checked(as_json(document))
        document = accepted(found)
    major = await _major(orchestration, document, breaking=breaking)
    await mark()
    await _resolve_roles(version)
    table = tables.OrchestrationVersion
    await table.update(
        {
            table.status: "published",
            # Of what the rows give back, for that is what is compared before it is run.
            table.digest: digest(await document_of(version)),
            table.max_step_runs: max_step_runs(document, known.orchestrations),
            table.major: major,
            table.decided_by: by,
            table.published_at: QueryString("now()"),
            table.problems: "[]",
            table.effects: _text(await effects_now(document, known)),
            table.closure: _text(await closure_now(version)),
        }
    ).where(table.id == version)


async def make_active(orchestration: UUID, version: UUID, document: Document) -> None:
    """Let executions start from a published version; the orchestration is called and described as that one says.

    Raises:
        Conflict: the name is another's.
    """
    table = tables.Orchestration
    changes: dict[Any, Any] = {
        table.active_version_id: version,
        table.name: document.name,
        table.description: document.description,
        table.tags: list(document.tags),
    }
    try:
        await table.update(changes).where(table.id == orchestration)
    except UniqueViolationError:
        raise Conflict("orchestration", document.name, state="exists already", allowed="another name") from None


async def _major(orchestration: UUID, document: Document, *, breaking: bool) -> int:
    rows = await tables.OrchestrationVersion.raw(_RELIED_ON, orchestration, orchestration)
    if not rows:
        return 1
    before, relied_on = rows[0], msgspec.json.decode(rows[0]["document"])
    problems = breaking_changes(relied_on, document_row(document))
    if problems and not breaking:
        message = (
            f"this would break those who rely on version {before['number']} of {before['name']!r}; if it may, say "
            f"`breaking`, and it is published as major {before['newest_major'] + 1}"
        )
        raise Invalid(message, problems)
    return before["newest_major"] + 1 if problems else before["major"]


async def _resolve_roles(version: UUID) -> None:
    table = tables.OrchestrationVersion
    (row,) = await table.select(table.status, table.requested_from, table.number).where(table.id == version)
    if "draft" in (row["status"], row["requested_from"] if row["status"] == "publishing" else None):
        await table.raw(_RESOLVE, version)
    elif others := await table.raw(_OTHERS, version):
        state = f"was proposed when the role of its step {others[0]['name']!r} was another"
        raise Conflict("version", row["number"], state=state, allowed="the roles that it was proposed with")


async def _insert_steps(version: UUID, document: Document, known: Catalog) -> None:
    rows = step_rows(document, known.roles, uuid7)
    await tables.OrchestrationStep.insert(*(tables.OrchestrationStep(**row, version_id=version) for row in rows))


def _row_text(document: Document) -> str:
    return _text(document_row(document))


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
