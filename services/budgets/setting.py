"""The budgets of days: set by people and services, never by agents, and kept in the audit."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from services import connections, orchestrations, roles
from services.budgets.records import DailyBudget, DailyTokens
from services.caller import Caller
from services.definitions.document import Dollars
from services.errors import Invalid
from services.problem import Problem

# The ids of a role and of an orchestration, one of which is null; both are of the whole installation.
_Subject: TypeAlias = tuple[UUID | None, UUID | None]

_COLUMNS = ", ".join(f"overview.{name}" for name in DailyBudget.__struct_fields__)
_LIST = f"""
SELECT {_COLUMNS} FROM budget_overview AS overview
ORDER BY array_position(ARRAY['installation', 'orchestration', 'role'], kind), name
"""  # noqa: S608 names of ours
_IS_MEANT = "role_id IS NOT DISTINCT FROM $1 AND orchestration_id IS NOT DISTINCT FROM $2"
_GET = f"""
SELECT {_COLUMNS} FROM budget JOIN budget_overview AS overview USING (id) WHERE {_IS_MEANT}
"""  # noqa: S608
_CHANGE = f"UPDATE budget SET usd_per_day = $3, tokens_per_day = $4 WHERE {_IS_MEANT} RETURNING id"  # noqa: S608
_ADD = "INSERT INTO budget (role_id, orchestration_id, usd_per_day, tokens_per_day) VALUES ($1, $2, $3, $4)"
_FORGET = "DELETE FROM budget_account WHERE day < (now() AT TIME ZONE 'UTC' - $1::interval)::date"
_REMOVE = f"DELETE FROM budget WHERE {_IS_MEANT}"  # noqa: S608


async def list_(caller: Caller) -> list[DailyBudget]:
    """Every budget with what is reserved and spent of it today: that of the whole installation first."""
    caller.require("executions.read")
    return [DailyBudget(**row) for row in await connections.database().statements.fetch(_LIST)]


async def get(caller: Caller, *, role: str | None = None, orchestration: str | None = None) -> DailyBudget | None:
    """The budget of a role, of an orchestration or, with neither, of the whole installation; None where it has none.

    Raises:
        NotFound: there is no such role or orchestration.
        Invalid: both are named.
    """
    caller.require("executions.read")
    return await _found(await _subject(role, orchestration))


async def set_(
    caller: Caller,
    *,
    role: str | None = None,
    orchestration: str | None = None,
    usd_per_day: Dollars | None = None,
    tokens_per_day: DailyTokens | None = None,
) -> DailyBudget | None:
    """The budget, which limits the days from now on to this; without any limit there is none any more: null.

    What was spent of today counts. Who lowers a budget below that stops further calls; calls under way are paid.

    Raises:
        NotFound: there is no such role or orchestration.
        Invalid: both are named.
    """
    caller.require("budgets.write")
    subject = await _subject(role, orchestration)
    database = connections.database()
    async with database.transaction():
        # Two who set what was not there would both add it.
        await database.fetch("LOCK TABLE budget IN SHARE ROW EXCLUSIVE MODE")
        if usd_per_day is None and tokens_per_day is None:
            await database.fetch(_REMOVE, *subject)
            return None
        limits: tuple[Any, ...] = (None if usd_per_day is None else Decimal(usd_per_day), tokens_per_day)
        if not await database.fetch(_CHANGE, *subject, *limits):
            await database.fetch(_ADD, *subject, *limits)
    return await _found(subject)


async def forget_days(older_than: timedelta) -> None:
    """Let go of what was spent on days that are longer ago than that; budgets stay."""
    await connections.database().statements.fetch(_FORGET, older_than)


async def _subject(role: str | None, orchestration: str | None) -> _Subject:
    if role is not None and orchestration is not None:
        message = "a budget is for a role or for an orchestration; leave one of them out"
        problem = Problem(code="FIELD_CONFLICT", path="/orchestration", message=message)
        raise Invalid("it is not clear whose budget is meant", [problem])
    role_id = None if role is None else await roles.id_of(role)
    orchestration_id = None if orchestration is None else await orchestrations.id_of(orchestration)
    return role_id, orchestration_id


async def _found(subject: _Subject) -> DailyBudget | None:
    rows = await connections.database().statements.fetch(_GET, *subject)
    return DailyBudget(**rows[0]) if rows else None
