"""The engine's core: what follows from what happened. No clock, no randomness, no I/O.

A turn is *evolve, then decide until quiet*. The laws that the tests hold it to: a turn leaves nothing to decide; an
unfinished execution always waits for something; the journal replays to the same state from any cut; the order of
independent answers does not change the output.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from services.engine.core.agenda import Agenda, everything
from services.engine.core.commands import Command, Record, StartStep, StopStep
from services.engine.core.events import (
    AnyEvent,
    BlockEntered,
    ResumeRequested,
    StepCancelled,
    StepCompleted,
    StepOverridden,
    StepStarted,
    StepWaiting,
)
from services.engine.core.evolve import evolve
from services.engine.core.paths import is_within
from services.engine.core.plan import Plan
from services.engine.core.state import NEW, State, size_of


class Limit(msgspec.Struct, frozen=True):
    """How much a turn may bring about before it is cut: so many events, and so many bytes of outputs."""

    events: int
    bytes: int

    def room(self) -> "_Room":
        return _Room(self.events, self.bytes)


@dataclass(slots=True)
class _Room:
    events: int
    bytes: int

    @property
    def is_used_up(self) -> bool:
        return self.events <= 0 or self.bytes <= 0

    def take(self, event: AnyEvent) -> None:
        self.events -= 1
        if isinstance(event, StepCompleted | StepWaiting | BlockEntered):
            self.bytes -= size_of(event)


class Turn(msgspec.Struct, frozen=True):
    """What one event led to: the new state, the events to journal (the given one first), what to do after that.

    A turn that `is_cut` at its limit goes on with `resume`.
    """

    state: State
    events: tuple[AnyEvent, ...]
    commands: tuple[StartStep | StopStep, ...]
    is_cut: bool = False


def advance(plan: Plan, state: State, *events: AnyEvent, limit: Limit | None = None) -> Turn:
    """Let `events` happen, then decide until nothing is left to decide, or the `limit` is reached."""
    return follow_up(plan, replay(plan, events, state), *events, limit=limit)


def follow_up(plan: Plan, state: State, *events: AnyEvent, limit: Limit | None = None) -> Turn:
    """What follows in a state that the `events` have led to already."""
    agenda = Agenda()
    wanted: dict[str, StartStep | StopStep] = {}
    resumes = False
    for event in events:
        agenda.touch(event)
        if isinstance(event, StepOverridden):  # nobody waits for its attempt any more, nor for what is inside it
            wanted[event.path] = StopStep(path=event.path)
        elif isinstance(event, ResumeRequested):
            resumes = True
    if resumes:
        agenda = everything(state)  # whatever was left alone in the meantime
    return _until_quiet(plan, state, agenda, list(events), wanted, limit)


def resume(plan: Plan, state: State, *events: AnyEvent, limit: Limit | None = None) -> Turn:
    """What is wanted by an execution that was just replayed, after `events`: all that was under way, once more."""
    state = replay(plan, events, state)
    return _until_quiet(plan, state, everything(state), list(events), {}, limit)


def decide(plan: Plan, state: State) -> tuple[Command, ...]:
    """What is wanted and not yet asked for. What can be settled at once comes alone, before anything is started."""
    return everything(state).next(plan, state)


def replay(plan: Plan, history: Iterable[AnyEvent], state: State = NEW) -> State:
    """The state after `history`."""
    for event in history:
        state = evolve(plan, state, event)
    return state


def _until_quiet(
    plan: Plan,
    state: State,
    agenda: Agenda,
    happened: list[AnyEvent],
    wanted: dict[str, StartStep | StopStep],
    limit: Limit | None,
) -> Turn:
    room = limit.room() if limit is not None else None
    while commands := agenda.next(plan, state):
        for command in commands:
            event = _event_of(state, command)
            state = evolve(plan, state, event)
            if isinstance(command, StartStep):
                wanted[command.path] = command
                continue
            if isinstance(command, StopStep):
                _stop(wanted, command)
            happened.append(event)
            agenda.touch(event)
            if room is not None:
                room.take(event)
        if isinstance(commands[-1], StartStep):
            break  # starts come last, all together, and nothing follows from them
        if room is not None and room.is_used_up:
            return Turn(state, tuple(happened), tuple(wanted.values()), is_cut=True)
    return Turn(state, tuple(happened), tuple(wanted.values()))


def _event_of(state: State, command: Command) -> AnyEvent:
    if isinstance(command, StartStep):
        return StepStarted(path=command.path, attempt=command.attempt, input=command.input)
    if isinstance(command, Record):
        return command.event
    step = state.steps.get(command.path)
    return StepCancelled(path=command.path, attempt=step.attempt if step else 0)


def _stop(wanted: dict[str, StartStep | StopStep], command: StopStep) -> None:
    # A start of this very turn has not reached anybody yet: it is enough to forget it.
    for path in [path for path in wanted if is_within(path, command.path)]:
        del wanted[path]
    if wanted.pop(command.path, None) is None:
        wanted[command.path] = command
