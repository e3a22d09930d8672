"""Orchestrations as procedures: each active one is called by a name of its own, and answers with its output."""

from collections.abc import Iterable
from typing import Any

import msgspec

from services import connections, executions
from services.caller import Caller
from services.errors import Conflict, Invalid, NotCompleted, NotFound
from services.executions import Execution
from services.executions.awaiting import ended, failed_step
from services.idempotency import MAX_KEY
from services.json import Json
from services.procedure_names import letters, procedure_name
from services.schema import problems_of_schema, problems_of_value, with_defaults

_RULE = "a procedure is called as its orchestration, in camelCase"
_ENDED = {"failed": "failed", "timed_out": "timed out", "cancelled": "was cancelled"}


class Runnable(msgspec.Struct, frozen=True, kw_only=True):
    """An orchestration that can be called as `procedure`: what it takes and what it gives, as JSON Schemas.

    A schema is `true` where the orchestration has none. The input may be left out where `{}` will do.
    """

    procedure: str
    orchestration: str
    version: int
    description: str
    input_schema: Json
    output_schema: Json
    needs_input: bool


async def run(
    caller: Caller, *, procedure: str, input: Json, idempotency_key: str | None = None, wait_seconds: float
) -> Json:
    """Start the orchestration that is called so, wait until it has ended, and give its output.

    The execution is durable: it goes on when nobody waits any more. With the same key, later calls wait for the
    execution that the first one started.

    Raises:
        NotFound: no active orchestration is called so.
        Conflict: several are, it is inactive, or the key was used for another request.
        Invalid: `input` does not fit the orchestration's input schema, or the key is too long.
        NotCompleted: the execution failed, timed out or was cancelled.
        StillRunning: it has not ended within `wait_seconds`.
    """
    caller.require("executions.run")
    if idempotency_key is not None and not 1 <= len(idempotency_key) <= MAX_KEY:
        raise Invalid(f"an idempotency key has 1 to {MAX_KEY} characters, not {len(idempotency_key)}")
    started = await _started(caller, await _called(procedure), input, idempotency_key)
    execution = await ended(started.id, wait_seconds=wait_seconds)
    if execution.status == "completed":
        return execution.output
    step = await failed_step(execution.id)
    raise NotCompleted(_told(execution, step), execution=execution.id, failure=execution.error, step=step)


async def runnable(caller: Caller) -> list[Runnable]:
    """Every orchestration that can be called as a procedure, by the procedure's name."""
    caller.require("orchestrations.read")
    rows = await connections.pool().fetch(
        "SELECT orchestration.name, orchestration.description, version.number,"
        " version.document -> 'input' AS input_schema, version.document -> 'outputSchema' AS output_schema"
        " FROM orchestration JOIN orchestration_version AS version ON version.id = orchestration.active_version_id"
        " WHERE orchestration.is_active ORDER BY orchestration.name"
    )
    named: dict[str, list[Any]] = {}
    for row in rows:
        named.setdefault(procedure_name(row["name"]), []).append(row)
    return [_runnable(name, *found) for name, found in sorted(named.items()) if len(found) == 1]


def _runnable(procedure: str, row: Any) -> Runnable:
    input_schema, output_schema = (_schema(row[column]) for column in ("input_schema", "output_schema"))
    return Runnable(
        procedure=procedure,
        orchestration=row["name"],
        version=row["number"],
        description=row["description"],
        input_schema=input_schema,
        output_schema=output_schema,
        needs_input=bool(problems_of_value(input_schema, with_defaults(input_schema, {}))),
    )


def _schema(text: str | None) -> Json:
    """The schema that a document holds; true, which everything fits, where it has none or what is none."""
    schema = None if text is None else msgspec.json.decode(text)
    return True if schema is None or problems_of_schema(schema) else schema


async def _called(procedure: str) -> str:
    """The id of the one orchestration that is called so."""
    rows = await connections.pool().fetch(
        "SELECT id, name, is_active AND active_version_id IS NOT NULL AS is_active FROM orchestration"
        " WHERE translate(lower(name COLLATE \"C\"), ' _.-', '') = $1 ORDER BY name",
        letters(procedure),
    )
    found = [row for row in rows if procedure_name(row["name"]) == procedure]
    chosen = [row for row in found if row["is_active"]] or found
    if not chosen:
        raise NotFound("orchestration", procedure, hint="`orchestration.list` shows those there are, and " + _RULE)
    if len(chosen) > 1:
        state = f"could be any of {_listed(row['name'] for row in chosen)}"
        raise Conflict("procedure", f"run.{procedure}", state=state, allowed="all but one of them renamed or inactive")
    return str(chosen[0]["id"])


async def _started(caller: Caller, orchestration: str, input: Json, key: str | None) -> Execution:
    try:
        return await executions.start(caller, orchestration=orchestration, input=input, idempotency_key=key)
    except Invalid as error:
        # There the input is a field; here it is everything.
        problems = [
            msgspec.structs.replace(problem, path=problem.path.removeprefix("/input")) for problem in error.problems
        ]
        raise Invalid(error.message, problems) from None


def _told(execution: Execution, step: str | None) -> str:
    at = f" at the step {step}" if step else ""
    failure = None if execution.status == "cancelled" else execution.error
    why = f": {failure.code}: {failure.message}" if failure else ""
    return f"execution {str(execution.id)!r} of {execution.orchestration!r} {_ENDED[execution.status]}{at}{why}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
