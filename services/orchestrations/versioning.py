"""Versions, one by one: drafted or proposed, decided about, made active, given up."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from asyncpg import Record
from piccolo.querystring import QueryString

from db import tables
from services import connections, expiry, idempotency
from services.caller import Caller
from services.definitions.check import Checked
from services.definitions.digest import digest
from services.definitions.document import Document
from services.errors import Conflict, Invalid
from services.idempotency import IdempotencyKey
from services.json import Json
from services.orchestrations import publishing
from services.orchestrations.publishing import accepted, checked
from services.orchestrations.records import Orchestration, Version, VersionStatus, VersionSummary
from services.orchestrations.rows import document as document_of
from services.orchestrations.rows import found, locked, version_of, whole, without_active_version

# What no rows can hold; every other problem of a draft is found when it is published.
_UNWRITABLE = ("DUPLICATE_NAME", "RESERVED_NAME", "ORDER_CONFLICT", "GROUP_NOT_CONTIGUOUS")


async def draft(
    caller: Caller,
    *,
    document: Json,
    orchestration: str | None = None,
    number: int | None = None,
    message: str = "",
    if_digest: str | None = None,
    idempotency_key: IdempotencyKey | None = None,
) -> Version:
    """A draft with this document: of a new orchestration, of one there is, or, with `number`, in place of what that
    draft held. Nothing runs it before it is published, and it may have problems until then.

    Raises:
        Invalid: the document cannot be read, or two steps have one name or one place; or there is a number without an
            orchestration.
        NotFound: there is no such orchestration or version.
        Conflict: the name of a new one is taken, the version is no draft or has not the digest `if_digest` any more, or
            the key was used for another request.
    """
    caller.require("orchestrations.write")

    async def make() -> Version:
        result, known = await checked(document)
        good = _writable(result)
        if orchestration is None:
            if number is not None:
                raise Invalid("a number counts within an orchestration; give `orchestration` too")
            id = await publishing.insert_orchestration(caller, good)
        else:
            id = (await locked(orchestration))["id"]
        if number is None:
            _, its_number = await publishing.insert_draft(caller, id, good, known, message)
            return await whole(await version_of(id, its_number))
        before = await _in_status(id, number, "draft")
        if if_digest is not None and if_digest != digest(await document_of(before.id)):
            state = f"is another than that of digest {if_digest[:100]!r}"
            raise Conflict("version", number, state=state, allowed="an edit of what it is now; read it again")
        await publishing.replace_draft(before.id, good, known, message)
        return await whole(await version_of(id, number))

    request = (orchestration, number, document, message, if_digest)
    return await _once(caller, idempotency_key, "orchestration.draft", request, Version, make)


async def propose(
    caller: Caller,
    *,
    orchestration: str,
    document: Json,
    message: str = "",
    idempotency_key: IdempotencyKey | None = None,
) -> Version:
    """A proposal for an orchestration: a version that nobody edits, which somebody else publishes or rejects.

    Raises:
        NotFound: there is no such orchestration.
        Invalid: the document has problems; names all of them.
        Conflict: the key was used for another request.
    """
    caller.require("orchestrations.propose")

    async def make() -> Version:
        id = (await locked(orchestration))["id"]
        result, known = await checked(document)
        version, number = await publishing.insert_draft(caller, id, accepted(result), known, message)
        await _update(version, {"status": "proposed"})
        return await whole(await version_of(id, number))

    request = (orchestration, document, message)
    return await _once(caller, idempotency_key, "orchestration.propose", request, Version, make)


async def publish(
    caller: Caller,
    *,
    orchestration: str,
    number: int,
    activate: bool = True,
    breaking: bool = False,
    if_version: int | None = None,
) -> Version:
    """The version, published, and active unless it should not be.

    Raises:
        NotFound: there is no such orchestration or version.
        Invalid: it has problems; or it would break callers, and `breaking` does not say that it may.
        Conflict: it is neither a draft nor a proposal, another version than number `if_version` is active, or its name
            is taken by another orchestration; or it has expired, and would be active.
    """
    caller.require("orchestrations.write")
    async with connections.database().transaction():
        id = (await locked(orchestration, if_version))["id"]
        version = await _in_status(id, number, "draft", "proposed")
        await publishing.publish_as_it_is(caller.name, id, version.id, activate=activate, breaking=breaking)
        return await whole(await version_of(id, number))


async def reject(caller: Caller, *, orchestration: str, number: int, reason: str = "") -> Version:
    """The proposal, rejected for good.

    Raises:
        NotFound: there is no such orchestration or version.
        Conflict: it is no proposal.
    """
    caller.require("orchestrations.write")
    async with connections.database().transaction():
        id = (await locked(orchestration))["id"]
        version = await _in_status(id, number, "proposed")
        rejected = {"status": "rejected", "decided_by": caller.name, "rejection": reason}
        await _update(version.id, {**rejected, "rejected_at": QueryString("now()")})
        return await whole(await version_of(id, number))


async def activate(caller: Caller, *, orchestration: str, number: int, if_version: int | None = None) -> Orchestration:
    """The orchestration, of which that published version is active now, also when an older one.

    Raises:
        NotFound: there is no such orchestration or version.
        Conflict: the version is not published or has expired, another than number `if_version` is active, or its name
            is taken by another orchestration.
    """
    caller.require("orchestrations.write")
    async with connections.database().transaction():
        row = await locked(orchestration, if_version)
        await _make_active(row["id"], await _unexpired(row["id"], number, "published"))
        return await found(str(row["id"]))


async def rollback(
    caller: Caller,
    *,
    orchestration: str,
    number: int | None = None,
    if_version: int | None = None,
    idempotency_key: IdempotencyKey | None = None,
) -> Orchestration:
    """The orchestration, of which the published version before the active one that has not expired is active now, or
    that of an earlier number. A canary ends with that.

    Raises:
        NotFound: there is no such orchestration or version.
        Invalid: the number is not an earlier one.
        Conflict: no version is active, none before it is published or all have expired, another than number
            `if_version` is active, its name is taken by another orchestration, or the key was used for another request.
    """
    caller.require("orchestrations.write")

    async def make() -> Orchestration:
        async with connections.database().transaction():
            row = await locked(orchestration, if_version)
            if row["number"] is None:
                raise without_active_version(row["name"])
            if number is not None and number >= row["number"]:
                message = f"version {number} is not before {row['number']}, which is active; `orchestration.activate`"
                raise Invalid(f"{message} takes any published one")
            earlier = await _newest_before(row) if number is None else number
            await _make_active(row["id"], await _unexpired(row["id"], earlier, "published"))
            return await found(str(row["id"]))

    request = (orchestration, number, if_version)
    return await _once(caller, idempotency_key, "orchestration.rollback", request, Orchestration, make)


async def archive(caller: Caller, *, orchestration: str, number: int) -> Version:
    """The published version, given up for good: it is never active again. Executions that have started keep to it.

    Raises:
        NotFound: there is no such orchestration or version.
        Conflict: it is not published, or it is active or the canary.
    """
    caller.require("orchestrations.write")
    async with connections.database().transaction():
        id = (await locked(orchestration))["id"]
        version = await _in_status(id, number, "published")
        if version.is_active:
            raise Conflict("version", number, state="is active", allowed="another one to be active first")
        if version.canary_percent is not None:
            raise Conflict("version", number, state="is the canary", allowed="the canary to end; set its percent to 0")
        await _update(version.id, {"status": "archived"})
        return await whole(await version_of(id, number))


async def promote(caller: Caller, *, orchestration: str, number: int) -> Version:
    """The version, which does not expire any more: somebody has looked at it.

    Raises:
        NotFound: there is no such orchestration or version.
        Forbidden: it is no person who asks.
        Conflict: it is rejected or archived.
    """
    caller.require("orchestrations.write")
    async with connections.database().transaction():
        id = (await locked(orchestration))["id"]
        version = await _in_status(id, number, "draft", "proposed", "publishing", "published")
        expiry.require_person(caller, f"version {number} of {version.orchestration!r}")
        await _update(version.id, {"expires_at": None})
        return await whole(await version_of(id, number))


async def discard(caller: Caller, *, orchestration: str, number: int) -> VersionSummary:
    """The draft, which is gone now.

    Raises:
        NotFound: there is no such orchestration or version.
        Conflict: it is no draft.
    """
    caller.require("orchestrations.write")
    async with connections.database().transaction():
        id = (await locked(orchestration))["id"]
        version = await _in_status(id, number, "draft")
        await tables.OrchestrationVersion.delete().where(tables.OrchestrationVersion.id == version.id)
        return version


async def _once(
    caller: Caller, key: str | None, procedure: str, request: Any, type_: type[Any], make: Callable[[], Awaitable[Any]]
) -> Any:
    """As `idempotency.once`, in a transaction also without a key."""
    async with connections.database().transaction():
        return await idempotency.once(caller, key, procedure, request, type_, make)


def _writable(result: Checked) -> Document:
    unwritable = [problem for problem in result.problems if problem.code in _UNWRITABLE]
    if result.document is None or unwritable:
        raise Invalid("the draft cannot be kept", unwritable or result.problems)
    return result.document


async def _unexpired(orchestration: UUID, number: int, *statuses: VersionStatus) -> VersionSummary:
    """As `_in_status`, of one that executions may start from.

    Raises:
        Conflict: it has expired.
    """
    version = await _in_status(orchestration, number, *statuses)
    await expiry.check("version", number, version.expires_at, keep="orchestration.promote")
    return version


async def _in_status(orchestration: UUID, number: int, *statuses: VersionStatus) -> VersionSummary:
    version = await version_of(orchestration, number)
    if version.status not in statuses:
        allowed = f"one that is {' or '.join(statuses)}"
        raise Conflict("version", number, state=f"is {version.status}", allowed=allowed)
    return version


async def _newest_before(row: Record) -> int:
    """The number of the newest published version before the active one that has not expired."""
    table = tables.OrchestrationVersion
    query = (
        "SELECT max(number) AS number FROM orchestration_version"
        " WHERE orchestration_id = {} AND status = 'published' AND number < {}"
        " AND coalesce(expires_at > clock_timestamp(), true)"
    )
    (earlier,) = await table.raw(query, row["id"], row["number"])
    if earlier["number"] is None:
        state = f"has no published version before {row['number']}"
        raise Conflict("orchestration", row["name"], state=state, allowed="one to go back to")
    return earlier["number"]


async def _make_active(orchestration: UUID, version: VersionSummary) -> None:
    await publishing.make_active(orchestration, version.id, await document_of(version.id))


async def _update(version: UUID, changes: dict[str, Any]) -> None:
    table = tables.OrchestrationVersion
    await table.update({**changes}).where(table.id == version)
