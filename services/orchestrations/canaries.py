"""Canaries: a published version that takes a share of the starts beside the active one."""

import hashlib
from uuid import UUID

from db import tables
from services import connections, expiry
from services.caller import Caller
from services.definitions.compatibility import breaking_changes
from services.definitions.rows import document_row
from services.errors import Conflict, Invalid
from services.orchestrations.records import Orchestration, VersionSummary
from services.orchestrations.rows import document, found, locked, version_of, without_active_version

# More than there are per cents, so that finer shares would move no key.
_BUCKETS = 10_000


def is_in_canary(orchestration: UUID, key: str, percent: int) -> bool:
    """Whether a start with this key belongs to a canary of that share. The same key always does or does not; a larger
    share takes further keys in and leaves none out.

    >>> [is_in_canary(UUID(int=1), "anna", percent) for percent in (0, 44, 45, 100)]
    [False, False, True, True]
    """
    hashed = hashlib.sha256(f"{orchestration}/{key}".encode()).digest()
    return int.from_bytes(hashed) % _BUCKETS < percent * _BUCKETS // 100


async def canary(
    caller: Caller, *, orchestration: str, number: int | None = None, percent: int, if_version: int | None = None
) -> Orchestration:
    """The orchestration, of which that version takes `percent` of the starts from now on; without a number the version
    that is its canary already. With 0 there is no canary any more.

    Raises:
        NotFound: there is no such orchestration or version.
        Invalid: there is neither a number nor a canary, or the version would break those who rely on the active one.
        Conflict: the version is not published, has expired, is active or of another major than the active one; no
            version is active, or another than number `if_version`.
    """
    caller.require("orchestrations.write")
    async with connections.database().transaction():
        row = await locked(orchestration, if_version)
        if percent == 0:
            await _set(row["id"], None, None)
            return await found(str(row["id"]))
        if row["number"] is None:
            raise without_active_version(row["name"])
        if (chosen := number or row["canary_number"]) is None:
            raise Invalid(f"{row['name']!r} has no canary; give the `number` of a published version")
        version = await version_of(row["id"], chosen)
        active = await version_of(row["id"], row["number"])
        await _check(version, active)
        await _set(row["id"], version.id, percent)
        return await found(str(row["id"]))


async def _check(version: VersionSummary, active: VersionSummary) -> None:
    """Nothing, when those who rely on the active version may get this one."""
    if version.status != "published":
        raise Conflict("version", version.number, state=f"is {version.status}", allowed="one that is published")
    if version.id == active.id:
        raise Conflict("version", version.number, state="is active", allowed="another one beside it")
    await expiry.check("version", version.number, version.expires_at, keep="orchestration.promote")
    if version.major != active.major:
        state = f"is of major {version.major}, and the active one of {active.major}"
        raise Conflict("version", version.number, state=state, allowed="one that can take its place")
    before, after = [document_row(await document(it.id)) for it in (active, version)]
    if problems := breaking_changes(before, after):
        raise Invalid(
            f"version {version.number} would break those who rely on {active.number}, which is active", problems
        )


async def _set(orchestration: UUID, version: UUID | None, percent: int | None) -> None:
    table = tables.Orchestration
    await table.update({table.canary_version_id: version, table.canary_percent: percent}).where(
        table.id == orchestration
    )
