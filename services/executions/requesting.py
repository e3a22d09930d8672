"""Requests to start: what somebody has asked for with `rolecall.run` in SQL is started here, or refused in its row."""

from collections.abc import Collection, Sequence
from uuid import UUID

import asyncpg
import msgspec

from db.acting import act_as
from services import connections
from services.caller import Caller
from services.definitions.document import MAX_CONTEXT_BYTES
from services.engine.attempts import unstorable
from services.errors import Invalid, ServiceError, Unavailable
from services.executions.starting import start
from services.json import Json
from services.principal import Principal, Scope
from services.problem import Problem
from services.row_requests import OneByOne

_AT_ONCE = 100
# What people with psql may do anyway: everything but handing out tokens.
_SCOPES: tuple[Scope, ...] = (
    "roles.read",
    "roles.write",
    "orchestrations.read",
    "orchestrations.propose",
    "orchestrations.write",
    "executions.read",
    "executions.run",
)
_PENDING = """
SELECT id FROM execution_request WHERE answered_at IS NULL AND id <> ALL ($1::uuid[]) ORDER BY requested_at LIMIT $2
"""
_TAKE = """
SELECT orchestration, input::text, idempotency_key, requested_by,
  EXISTS (SELECT FROM execution WHERE execution.id = $1) AS has_started
FROM execution_request WHERE id = $1 AND answered_at IS NULL FOR UPDATE SKIP LOCKED
"""
_WRITE = """
UPDATE execution_request SET answered_at = clock_timestamp(), execution_id = $2, problems = $3::text::jsonb
WHERE id = $1 AND answered_at IS NULL
"""


def start_requests() -> OneByOne[UUID]:
    """What answers the requests to start."""
    return OneByOne(_pending, _answer, _give_up)


async def _pending(left_out: Collection[UUID]) -> list[UUID]:
    """Up to a hundred requests that wait, the oldest first, without those that are to be left out."""
    return [row["id"] for row in await connections.database().fetch(_PENDING, list(left_out), _AT_ONCE)]


async def _answer(request: UUID) -> bool:
    """Start the execution that a request wants, in the name of who asked, or say in its row why not.

    False when the request is not to be had: somebody else answers it, has answered it, or it was withdrawn. The
    execution has the id of the request; so when a process ends in between, another finds it started and only says so.
    """
    async with connections.database().transaction():
        row = await connections.database().fetchrow(_TAKE, request)
        if row is None:
            return False
        try:
            execution = request if row["has_started"] else await _started(request, row)
        except Unavailable:
            raise
        except ServiceError as refusal:
            await _write(request, None, _problems(refusal))
        else:
            await _write(request, execution, ())
        return True


async def _give_up(request: UUID) -> None:
    """Say in the row that this request cannot be answered here."""
    message = "no server could answer this; their logs say why. Ask again when that is mended"
    await _write(request, None, [Problem(code="INTERNAL", path="", message=message)])


async def _started(request: UUID, row: asyncpg.Record) -> UUID:
    caller = Caller(Principal(kind="human", name=row["requested_by"], scopes=_SCOPES))
    with act_as(caller.name, "sql"):
        execution = await start(
            caller,
            orchestration=row["orchestration"],
            input=_read(row["input"]),
            idempotency_key=row["idempotency_key"],
            id=request,
        )
    return execution.id


def _read(text: str) -> Json:
    """The input, which in the database can be more than a program can hold.

    Raises:
        Invalid: it is.
    """
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"the input cannot be read: {error}") from None
    if (failure := unstorable(value, noun="input", max_bytes=MAX_CONTEXT_BYTES)) is not None:
        raise Invalid(failure.message)
    return value


def _problems(refusal: ServiceError) -> Sequence[Problem]:
    own = refusal.problems if isinstance(refusal, Invalid) else ()
    return own or [Problem(code=refusal.code, path="", message=str(refusal))]


async def _write(request: UUID, execution: UUID | None, problems: Sequence[Problem]) -> None:
    await connections.database().fetch(_WRITE, request, execution, msgspec.json.encode(problems).decode())
