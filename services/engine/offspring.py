"""The children of one execution, as the worker that drives it knows them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.definitions.calls import call_of
from services.engine.children import Child, ChildEnd
from services.engine.core.children import awaited, ended, handed_down, is_left_alone
from services.engine.core.commands import StartStep
from services.engine.core.events import AnyEvent, ChildStarted, ExecutionStarted, StepCompleted, StepFailed
from services.engine.core.paths import name_of
from services.engine.core.plan import Plan
from services.engine.core.state import State
from services.json import Json


class Offspring:
    """Children that start when the event of them is kept, and those whose end is waited for."""

    def __init__(self, plan: Plan, state: State) -> None:
        self._plan = plan
        self._unborn: dict[UUID, Child] = {}
        self._awaited = awaited(plan, state)

    def started(self, state: State, command: StartStep, input: Json) -> ChildStarted:
        """The event of an attempt that knows what its child is to work on; the child starts when that is kept."""
        path = command.path
        called = state.calls[call_of(self._plan.steps[name_of(path)].definition) or ""]
        started = ExecutionStarted(
            execution=uuid7(),
            at=datetime.now(UTC),
            input=input,
            roles=called.roles,
            calls=handed_down(state.calls, called),
            depth=state.depth + 1,
        )
        is_detached = is_left_alone(self._plan, path)
        self._unborn[started.execution] = Child(
            started=started, version=called.version, path=path, attempt=command.attempt, is_detached=is_detached
        )
        if not is_detached:
            self._awaited |= {started.execution}
        return ChildStarted(path=path, attempt=command.attempt, execution=started.execution)

    def ended(self, state: State, end: ChildEnd, fraction: float) -> StepCompleted | StepFailed | None:
        """The event that the end of a child is for its step; None where nobody waits for it."""
        self._awaited -= {end.child}
        return ended(
            self._plan,
            state,
            end.path,
            end.child,
            output=end.value,
            failure=end.failure,
            fraction=fraction,
            duration_ms=end.duration_ms,
        )

    def to_start(self, events: Iterable[AnyEvent]) -> tuple[Child, ...]:
        """Those that start with these events."""
        if not self._unborn:
            return ()
        return tuple(self._unborn.pop(event.execution) for event in events if isinstance(event, ChildStarted))

    def to_stop(self, state: State) -> tuple[UUID, ...]:
        """Those that nobody waits for any more in this state, though they have not ended; each is given once."""
        if not self._plan.calls:
            return ()
        before, self._awaited = self._awaited, awaited(self._plan, state)
        return tuple(before - self._awaited)
