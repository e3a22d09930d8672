"""Executions as their rows have them."""

from typing import Any
from uuid import UUID

import msgspec

from services import connections
from services.errors import NotFound
from services.executions.records import Execution
from services.failure import Failure
from services.json import Json, Unreadable, read

_SHOWN = 500

SELECT = """
SELECT execution.id, orchestration.name AS orchestration, version.number AS version, execution.status,
  execution.input::text, execution.output::text, execution.error::text, execution.started_by ->> 'name' AS started_by,
  execution.parent_execution_id AS parent, execution.idempotency_key, execution.forked_from AS restart_of,
  execution.priority, execution.created_at, execution.available_at, execution.started_at, execution.finished_at
FROM execution
JOIN orchestration_version AS version ON version.id = execution.version_id
JOIN orchestration ON orchestration.id = version.orchestration_id"""


async def one(id: UUID) -> Execution:
    """An execution as its row has it.

    Raises:
        NotFound: there is none.
    """
    row = await connections.pool().fetchrow(f"{SELECT} WHERE execution.id = $1", id)
    if row is None:
        raise NotFound("execution", str(id), hint="`execution.list` shows those there are")
    return execution_of(row)


def execution_of(row: Any) -> Execution:
    """The execution of a row that `SELECT` gives."""
    decoded = {name: None if row[name] is None else _value_of(row[name]) for name in ("input", "output")}
    return Execution(**{**dict(row), **decoded, "error": None if row["error"] is None else _failure_of(row["error"])})


def _value_of(text: str) -> Json:
    try:
        return read(text)
    except Unreadable:  # somebody has put in by hand what only the database can hold
        return None


def _failure_of(text: str) -> Failure:
    try:
        return msgspec.json.decode(text, type=Failure)
    except (ValueError, RecursionError):  # somebody has ended it by hand, and written there what they liked
        return Failure(code="INTERNAL", message=f"its row says {text[:_SHOWN]}", retryable=False)
