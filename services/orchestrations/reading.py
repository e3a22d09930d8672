"""Orchestrations and their versions, to look at: lists, documents, differences, and what a new execution runs."""

from datetime import datetime
from uuid import UUID

from services import catalog, connections, expiry
from services.caller import Caller
from services.definitions.bound import max_step_runs
from services.definitions.check import check
from services.definitions.diff import Change
from services.definitions.diff import diff as changes_between
from services.definitions.digest import digest
from services.definitions.document import Document
from services.errors import Conflict, Invalid, NotFound
from services.json import Json
from services.listing import Limit, id_in
from services.orchestrations.canaries import is_in_canary
from services.orchestrations.publishing import accepted
from services.orchestrations.records import (
    Active,
    Orchestration,
    OrchestrationPage,
    OrchestrationSort,
    Validation,
    Version,
    VersionPage,
    VersionStatus,
)
from services.orchestrations.rows import (
    SUMMARIES,
    VERSIONS,
    document,
    found,
    id_of,
    not_found,
    row_of,
    summary_of,
    summary_of_version,
    version_of,
    whole,
    without_active_version,
)
from services.paging import Listing, Order, containing, page_of, those_given

_BY_NAME = OrchestrationSort()
_COLUMNS = {
    "name": ("orchestration.name", "name", str),
    "createdAt": ("orchestration.created_at", "created_at", datetime),
    "updatedAt": ("orchestration.updated_at", "updated_at", datetime),
}
# A canary that has expired is none.
_STARTED = """
SELECT orchestration.id, name, is_active, active_version_id, active.number,
  active.expires_at <= clock_timestamp() AS has_expired, canary.id AS canary_version_id, canary_percent
FROM orchestration
LEFT JOIN orchestration_version AS active ON active.id = active_version_id
LEFT JOIN orchestration_version AS canary ON canary.id = canary_version_id
  AND coalesce(canary.expires_at > clock_timestamp(), true)
WHERE orchestration.id = $2 OR $2::uuid IS NULL AND name = $1
"""
_NEWEST_FIRST = Order("version.number", "version.id", "number", int, descending=True)


async def list_(
    caller: Caller,
    *,
    q: str | None = None,
    tags: tuple[str, ...] = (),
    is_active: bool | None = None,
    created_by: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    after: str | None = None,
    sort: OrchestrationSort = _BY_NAME,
    cursor: str | None = None,
    limit: Limit = 100,
) -> OrchestrationPage:
    """Orchestrations: all, or those that have every one of `tags`, contain `q` in name or description, have a state or
    an author, or were made within a time; those whose names come after the name `after`.

    Each order is that of an index, which is walked from the cursor on until the page is full: what is rare takes long
    to find.

    Raises:
        Invalid: the cursor is none of this list.
    """
    caller.require("orchestrations.read")
    asked = {
        "(orchestration.name ILIKE {0} OR description ILIKE {0})": containing(q),
        "tags @> {}": list(tags) or None,
        "is_active = {}": is_active,
        "orchestration.created_by = {}": created_by,
        "orchestration.created_at >= {}": created_after,
        "orchestration.created_at < {}": created_before,
        "orchestration.name > {}": after,
    }
    column, name, type_ = _COLUMNS[sort.by]
    order = Order(column, "orchestration.id", name, type_, sort.order == "desc")
    listing = Listing("orchestration.list", order, asked)
    items, next_cursor = await page_of(listing, SUMMARIES, those_given(asked), summary_of, cursor=cursor, limit=limit)
    return OrchestrationPage(items=items, next_cursor=next_cursor)


async def get(caller: Caller, *, orchestration: str) -> Orchestration:
    """The orchestration of that name or id, with its active version.

    Raises:
        NotFound: there is none.
        Conflict: it has no active version.
    """
    caller.require("orchestrations.read")
    return await found(orchestration)


async def versions(
    caller: Caller,
    *,
    orchestration: str,
    status: VersionStatus | None = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> VersionPage:
    """The versions of an orchestration without their documents, the newest first; all, or those in a status.

    Raises:
        NotFound: there is no such orchestration.
        Invalid: the cursor is none of this list.
    """
    caller.require("orchestrations.read")
    asked = {"orchestration_id = {}": await id_of(orchestration), "version.status = {}": status}
    listing = Listing("orchestration.versions", _NEWEST_FIRST, asked)
    items, next_cursor = await page_of(
        listing, VERSIONS, those_given(asked), summary_of_version, cursor=cursor, limit=limit
    )
    return VersionPage(items=items, next_cursor=next_cursor)


async def version(caller: Caller, *, orchestration: str, number: int) -> Version:
    """The version of that number with its document.

    Raises:
        NotFound: there is no such orchestration or version.
        Conflict: somebody has written rows that no document can be read from.
    """
    caller.require("orchestrations.read")
    return await whole(await version_of(await id_of(orchestration), number))


async def validate(caller: Caller, *, document: Json) -> Validation:
    """Every problem of a document; nothing is saved."""
    caller.require("orchestrations.read")
    known = await catalog.current()
    checked = check(document, known)
    if checked.problems or checked.document is None:
        return Validation(problems=checked.problems)
    runs = max_step_runs(checked.document, known.orchestrations)
    return Validation(problems=(), digest=digest(checked.document), max_step_runs=runs)


async def diff(
    caller: Caller, *, orchestration: str, from_: int | None = None, to: int | None = None, document: Json = None
) -> tuple[Change, ...]:
    """What makes another of one version: `from_`, or the active one, is compared with the version `to`, or with a
    `document`, or with the active one when neither is given.

    Raises:
        NotFound: there is no such orchestration or version.
        Conflict: a version that is not named is the active one, and there is none.
        Invalid: both `to` and a document are given, or the document has problems.
    """
    caller.require("orchestrations.read")
    if to is not None and document is not None:
        raise Invalid("a version is compared with another, `to`, or with a `document`; give one of them")
    row = await row_of(orchestration)
    before = await _document_at(row["id"], row["name"], row["number"] if from_ is None else from_)
    if document is not None:
        return changes_between(before, accepted(check(document, await catalog.current())))
    return changes_between(before, await _document_at(row["id"], row["name"], row["number"] if to is None else to))


async def active(orchestration: str, *, key: str) -> Active:
    """What a new execution of the orchestration runs: its active version, or its canary where that takes the key.

    Raises:
        NotFound: there is no such orchestration.
        Conflict: it is inactive, or has no active version, or one that has expired.
    """
    row = await connections.pool().fetchrow(_STARTED, orchestration, id_in(orchestration))
    if row is None:
        raise not_found(orchestration)
    if not row["is_active"]:
        allowed = "an active one; update it with isActive: true"
        raise Conflict("orchestration", row["name"], state="is inactive", allowed=allowed)
    if row["active_version_id"] is None:
        raise without_active_version(row["name"])
    if row["has_expired"]:
        noun = f"version {row['number']} of orchestration"
        raise expiry.expired(noun, row["name"], keep="orchestration.promote")
    canary, percent = row["canary_version_id"], row["canary_percent"]
    if canary is not None and is_in_canary(row["id"], key, percent):
        return Active(id=row["id"], name=row["name"], version=canary)
    return Active(id=row["id"], name=row["name"], version=row["active_version_id"])


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
    """The newest version of each role that the steps of a version name, by that name.

    Raises:
        Conflict: a role has expired.
    """
    rows = await connections.pool().fetch(
        "SELECT DISTINCT step.role_name, newest.id, coalesce(expires_at <= clock_timestamp(), false) AS has_expired"
        " FROM orchestration_step AS step JOIN role ON role.id = step.role_id"
        " JOIN role_version AS newest ON newest.role_id = role.id AND newest.number = role.version"
        " WHERE step.version_id = $1",
        version,
    )
    for row in rows:
        if row["has_expired"]:
            raise expiry.expired("role", row["role_name"], keep="role.promote")
    return {row["role_name"]: row["id"] for row in rows}


async def _document_at(orchestration: UUID, name: str, number: int | None) -> Document:
    if number is None:
        raise without_active_version(name)
    return await document((await version_of(orchestration, number)).id)
