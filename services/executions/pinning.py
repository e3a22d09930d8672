"""What an execution keeps to from its start: the versions of all that its steps call, at any depth."""

from typing import Any
from uuid import UUID

from services import connections, expiry
from services.definitions.document import MAX_CALLED
from services.engine.core.events import Called
from services.engine.core.plan import Plan
from services.engine.sql import statement
from services.errors import Conflict


async def calls_of(version: UUID, plan: Plan) -> dict[str, Called]:
    """All that an execution of a version may come to call, by how a step says it, each as it is now.

    Raises:
        Conflict: something that is called cannot be run, or there is too much of it.
    """
    if not plan.calls:
        return {}
    rows = await connections.pool().fetch(statement("closure"), version, MAX_CALLED)
    if len(rows) > MAX_CALLED:
        state = f"is one of more than {MAX_CALLED} that would be called, those called by others counted"
        raise Conflict("orchestration", rows[-1]["call"], state=state, allowed="fewer")
    return {row["call"]: _called(row) for row in rows}


def _called(row: Any) -> Called:
    if row["is_active"] is None:
        raise Conflict("orchestration", row["call"], state="is called, and is not there", allowed="one that is")
    if not row["is_active"]:
        allowed = "an active one; update it with isActive: true"
        raise Conflict("orchestration", row["call"], state="is called, and is inactive", allowed=allowed)
    if row["version_id"] is None:
        raise Conflict(
            "orchestration", row["call"], state="is called, and has no such version", allowed="a published version"
        )
    if row["has_expired"]:
        raise expiry.expired("the called orchestration", row["call"], keep="orchestration.promote")
    if row["expired_role"] is not None:
        raise expiry.expired("role", row["expired_role"], keep="role.promote")
    roles = dict(zip(row["role_names"], row["role_versions"], strict=True))
    return Called(version=row["version_id"], roles=roles, calls=tuple(row["calls"]))
