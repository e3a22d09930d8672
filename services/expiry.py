"""Expiry: what agents make can be used for some days, where that is set, unless a person keeps it."""

from dataclasses import dataclass
from datetime import datetime

from db.acting import acting
from services import connections
from services.caller import Caller
from services.errors import Conflict, Forbidden


@dataclass(slots=True)
class _Process:
    agent_made_days: int | None = None


_process = _Process()


def use(agent_made_days: int | None) -> None:
    """Let what agents make from now on expire after as many days; never, when it is None."""
    _process.agent_made_days = agent_made_days


async def of_new(caller: Caller) -> datetime | None:
    """When that which the caller makes now expires; None when it does not."""
    if _process.agent_made_days is None or not _is_agent(caller):
        return None
    row = await connections.database().fetchrow(
        "SELECT clock_timestamp() + make_interval(days => $1) AS expires_at", _process.agent_made_days
    )
    assert row is not None, "a SELECT without FROM has a row"
    return row["expires_at"]


async def check(noun: str, id: object, expires_at: datetime | None, *, keep: str) -> None:
    """Nothing, unless it has expired by the clock of the database. `keep` is the procedure that keeps it.

    Raises:
        Conflict: it has.
    """
    if expires_at is None:
        return
    row = await connections.database().fetchrow("SELECT clock_timestamp() >= $1 AS has_expired", expires_at)
    if row is not None and row["has_expired"]:
        raise expired(noun, id, keep=keep)


def expired(noun: str, id: object, *, keep: str) -> Conflict:
    """That it has expired, and what keeps it."""
    return Conflict(noun, id, state="has expired", allowed=f"somebody to keep it, with `{keep}`")


def require_person(caller: Caller, what: str) -> None:
    """Nothing, when it is a person who asks.

    Raises:
        Forbidden: it is an agent, also one that acts for a person, or a service.
    """
    if caller.principal.kind != "human" or _is_agent(caller):
        raise Forbidden(f"{what} is kept by people: what agents make is to be looked at by somebody")


def _is_agent(caller: Caller) -> bool:
    now = acting()
    return caller.principal.kind == "agent" or (now is not None and now.is_agent)
