"""Orchestrations, made and changed whole: what is handed over is published, and active at once."""

from uuid import UUID

from asyncpg import ForeignKeyViolationError, ObjectNotInPrerequisiteStateError, RestrictViolationError

from db import tables
from services import connections, idempotency
from services.caller import Caller
from services.definitions.digest import digest
from services.definitions.document import as_json
from services.errors import Conflict
from services.idempotency import IdempotencyKey
from services.json import Json, JsonObject
from services.orchestrations.publishing import (
    accepted,
    checked,
    insert_draft,
    insert_orchestration,
    make_active,
    publish,
)
from services.orchestrations.records import Orchestration, OrchestrationSummary
from services.orchestrations.rows import found, locked, row_of, summary_of


async def create(caller: Caller, *, document: Json, idempotency_key: IdempotencyKey | None = None) -> Orchestration:
    """A new orchestration, published as version 1 and active.

    Raises:
        Invalid: the document has problems; names all of them.
        Conflict: the name is taken, or the key was used for another request.
    """
    caller.require("orchestrations.write")

    async def make() -> Orchestration:
        result, known = await checked(document)
        good = accepted(result)
        async with connections.database().transaction():
            id = await insert_orchestration(caller, good)
            version, _ = await insert_draft(caller, id, good, known)
            await publish(caller.name, id, version, good, known, breaking=False)
            await make_active(id, version, good)
            return await found(str(id))

    return await idempotency.once(caller, idempotency_key, "orchestration.create", document, Orchestration, make)


async def update(
    caller: Caller,
    *,
    orchestration: str,
    changes: JsonObject | None = None,
    is_active: bool | None = None,
    if_version: int | None = None,
    if_digest: str | None = None,
    breaking: bool = False,
    idempotency_key: IdempotencyKey | None = None,
) -> Orchestration:
    """The orchestration, changed. `changes` replaces fields of its document: a new version, active at once.

    Executions that have started keep to their version.

    Raises:
        NotFound, Conflict, Invalid: as `get` and `create`; Conflict also when its active version is not number
            `if_version` or has not that digest any more, and Invalid when callers would be broken that rely on the
            active version, and `breaking` does not say that they may.
    """
    caller.require("orchestrations.write")

    async def make() -> Orchestration:
        async with connections.database().transaction():
            row = await locked(orchestration, if_version)
            id: UUID = row["id"]
            if if_digest is not None:
                await _check_digest(id, if_digest)
            if changes:
                await _replace(caller, id, changes, breaking=breaking)
            if is_active is not None:
                table = tables.Orchestration
                await table.update({table.is_active: is_active}).where(table.id == id)
            return await found(str(id))

    request = (orchestration, changes, is_active, if_version, if_digest, breaking)
    return await idempotency.once(caller, idempotency_key, "orchestration.update", request, Orchestration, make)


async def delete(caller: Caller, *, orchestration: str) -> OrchestrationSummary:
    """The orchestration, which is gone now with its versions.

    Raises:
        NotFound: there is none.
        Conflict: it was executed, and its history stays; or executions under way may call it.
    """
    caller.require("orchestrations.write")
    row = await row_of(orchestration)
    try:
        await tables.Orchestration.delete().where(tables.Orchestration.id == row["id"])
    except (ForeignKeyViolationError, RestrictViolationError):  # which of them depends on the server's version
        allowed = "one that never was; switch it off with isActive: false"
        raise Conflict("orchestration", row["name"], state="was executed", allowed=allowed) from None
    except ObjectNotInPrerequisiteStateError:
        allowed = "one that nothing under way may call; switch it off with isActive: false"
        raise Conflict("orchestration", row["name"], state="may be called by executions", allowed=allowed) from None
    return summary_of(row)


async def _check_digest(id: UUID, expected: str) -> None:
    now = await found(str(id))
    if now.digest != expected:
        state = f"is another than that of digest {expected[:100]!r}"
        raise Conflict("orchestration", now.name, state=state, allowed=f"ifDigest {now.digest!r}; read it again")


async def _replace(caller: Caller, id: UUID, changes: JsonObject, *, breaking: bool) -> None:
    """Put `changes` into the document; a new version when it is another one then."""
    before = await found(str(id))
    result, known = await checked({**as_json(before.document), **changes})
    good = accepted(result)
    if digest(good) == before.digest:
        return
    version, _ = await insert_draft(caller, id, good, known)
    await publish(caller.name, id, version, good, known, breaking=breaking)
    await make_active(id, version, good)
