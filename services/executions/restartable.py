"""What a restart has to fulfil: the versions that it keeps to are there, and the context can be changed so."""

from uuid import UUID

import msgspec

from services import connections
from services.definitions.structure import pointer
from services.engine.attempts import unstorable
from services.engine.core.decide import replay
from services.engine.core.events import ExecutionRestarted, ExecutionStarted
from services.engine.core.plan import Plan
from services.engine.core.state import State
from services.errors import Conflict, Invalid
from services.expressions.errors import suggestion
from services.problem import Problem


def check_context(plan: Plan, state: State, event: ExecutionRestarted) -> None:
    """Nothing, when the values may take the place of those that the step sees.

    Raises:
        Invalid: there are no such keys, the database cannot keep the values, or they are too large.
    """
    if (failure := unstorable(event.context)) is not None:
        raise Invalid("the context cannot be changed", [_misfit("UNSTORABLE", failure.message)])
    seen = dict.fromkeys(key for frame in state.frames.values() for key in frame.context if key != "input")
    if problems := [_unknown_key(key, tuple(seen)) for key in event.context if key not in seen]:
        raise Invalid("the context cannot be changed", problems)
    if not event.context and event.input is msgspec.UNSET:
        return
    size = max(frame.context_bytes for frame in replay(plan, [event], state).frames.values())
    if size > plan.max_context_bytes:
        message = f"the context would have {size:,} bytes; up to {plan.max_context_bytes:,} are kept"
        raise Invalid("the context cannot be changed", [_misfit("CONTEXT_TOO_LARGE", message)])


async def check_pinned(execution: UUID, start: ExecutionStarted) -> None:
    """Nothing, when all versions that the execution keeps to are there and have not expired: of roles, and of what it
    calls with its roles.

    Raises:
        Conflict: some are not, or have; names what they are of.
    """
    called = start.calls.values()
    roles = {
        **{assigned.version: assigned.role for assigned in start.role_assignments.values()},
        **{version: role for own in (start.roles, *(it.roles for it in called)) for role, version in own.items()},
    }
    calls = {it.version: call for call, it in start.calls.items()}
    rows = await connections.pool().fetch(
        "SELECT version.id, expires_at <= clock_timestamp() AS has_expired"
        " FROM role_version AS version JOIN role ON role.id = role_id WHERE version.id = ANY($1::uuid[])"
        " UNION ALL SELECT id, expires_at <= clock_timestamp() FROM orchestration_version WHERE id = ANY($2::uuid[])",
        [*roles],
        [*calls],
    )
    there = {row["id"] for row in rows}
    if over := sorted((calls | roles)[row["id"]] for row in rows if row["has_expired"]):
        allowed = "somebody to keep it, with `orchestration.promote` or `role.promote`"
        raise Conflict(
            "execution", str(execution), state=f"keeps to what has expired: {', '.join(over)}", allowed=allowed
        )
    for pinned, said, instead in (
        (calls, "calls what is deleted", "a new start, which calls what there is now"),
        (roles, "was started with roles that are deleted", "a new start with other roles"),
    ):
        if gone := sorted(name for version, name in pinned.items() if version not in there):
            raise Conflict("execution", str(execution), state=f"{said}: {', '.join(gone)}", allowed=instead)


def _unknown_key(key: str, seen: tuple[str, ...]) -> Problem:
    message = "the input is given as `input`" if key == "input" else f"by then there is no {key!r} in the context"
    near = suggestion(key, seen)
    return Problem(code="UNKNOWN_KEY", path="/context" + pointer(key), message=message, allowed=seen, suggestion=near)


def _misfit(code: str, message: str) -> Problem:
    return Problem(code=code, path="/context", message=message)
