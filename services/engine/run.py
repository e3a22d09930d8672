"""One execution in its worker: from the claim until it is finished or parked.

Whatever happens arrives in one mailbox and is folded in turns: advance (pure), checkpoint, then start what follows. A
step's successor starts only after the step's result has committed.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeAlias
from uuid import UUID

from services.definitions.calls import call_of
from services.engine.attempts import Answer, Attempts, Note, Request, Start
from services.engine.checkpoint import Checkpoint, Entry, Leaving, Receipt, Refused
from services.engine.children import ChildEnd
from services.engine.claim import Claimed, Message
from services.engine.core.commands import StartStep, StopStep
from services.engine.core.decide import Limit, Turn, advance, follow_up, replay, resume
from services.engine.core.events import (
    AnyEvent,
    ExecutionFailed,
    StepCompleted,
    StepFailed,
    StepNoted,
    TimeExpired,
    usage_of,
)
from services.engine.core.evolve import evolve
from services.engine.core.paths import is_within, name_of
from services.engine.core.plan import Plan
from services.engine.core.settle import complete
from services.engine.core.state import FINISHED, State
from services.engine.exchange import Tell
from services.engine.mailbox import Mailbox
from services.engine.offspring import Offspring
from services.engine.orders import events_of
from services.engine.performer import Performer
from services.engine.progress import Progress
from services.expressions.instants import seconds_of
from services.failure import Failure

_LIMIT = Limit(events=100, bytes=2 * 1024 * 1024)


class _Nudge:
    """Nothing happened; look again at what is to be done."""


class _Expired:
    """The time that the execution may work is over."""


_Mail: TypeAlias = Answer | Note | Request | Message | _Nudge | _Expired
ReadInbox: TypeAlias = Callable[[UUID], Awaitable[list[Message]]]


class Run:
    """An owned execution and its attempts under way."""

    def __init__(
        self,
        claimed: Claimed,
        plan: Plan,
        *,
        performers: Mapping[str, Performer],
        checkpoint: Checkpoint,
        room: asyncio.Semaphore,
        read_inbox: ReadInbox,
        announce: Callable[[], None],
        tell: Tell,
    ) -> None:
        self.claimed = claimed.without_history()
        """What it was claimed with; its history is in the state now."""
        self._plan = plan
        self._checkpoint = checkpoint
        self._read_inbox = read_inbox
        self._announce = announce
        self._tell = tell
        self._state = replay(plan, claimed.history.events)
        self._seq = len(claimed.history.events)
        self._wake_seq = claimed.wake_seq
        self._mailbox: Mailbox[_Mail] = Mailbox()
        self._attempts = Attempts(
            claimed.id,
            claimed.initiator,
            epoch=claimed.epoch,
            is_budgeted=claimed.is_budgeted,
            performers=performers,
            room=room,
            post=self._mailbox.put,
            report=self._report,
        )
        self._delayed_ages = dict(claimed.history.delayed_ages)
        self._read: set[int] = set()
        self._is_draining = False
        self._held: dict[str, Start] = {}
        self._offspring = Offspring(plan, self._state)
        self._began = time.monotonic()
        self.due_in_seconds: float | None = None
        """Once the execution is parked: how long from then on."""

    @property
    def seq(self) -> int:
        """How many events the journal holds."""
        return self._seq

    def deliver(self, message: Message) -> None:
        """Put a row of the inbox into the mailbox."""
        self._mailbox.put(message)

    def drain(self) -> None:
        """Start nothing more: let what is under way finish, then give the execution back."""
        self._is_draining = True
        self._mailbox.put(_Nudge())

    async def drive(self) -> None:
        """Go on until the execution is finished, parked or given back, or turns out to be somebody else's."""
        expiry = self._expire_later()
        try:
            arrived = self._events_of(self._state, self.claimed.inbox)
            turn = resume(self._plan, self._state, *arrived, limit=_LIMIT)
            goes_on = await self._take_turn(turn, self.claimed.inbox)
            while goes_on:
                goes_on = await self._handle(await self._mailbox.take())
        except Refused as error:
            message = f"the database refused what the execution wrote: {error}"
            await self._end(Failure(code="INTERNAL", message=message, retryable=False))
        finally:
            if expiry is not None:
                expiry.cancel()
            await self._attempts.stop_all()

    def _expire_later(self) -> asyncio.TimerHandle | None:
        if self._plan.timeout_ms is None:
            return None
        left = max(0, self._plan.timeout_ms - self.claimed.active_ms) / 1000
        return asyncio.get_running_loop().call_later(left, self._mailbox.put, _Expired())

    async def _handle(self, mail: list[_Mail]) -> bool:
        """Take a turn with what has arrived: notes first, for their performers wait, then answers; messages last."""
        notes = [item for item in mail if isinstance(item, Note) and self._is_running(self._state, item.event)]
        events: list[AnyEvent] = [item.event for item in notes]
        state = replay(self._plan, events, self._state)
        for item in mail:
            # Each answer is judged by what the ones before it have left.
            if isinstance(item, Answer) and (event := self._event_of(state, item)) is not None:
                events.append(event)
                state = evolve(self._plan, state, event)
            elif isinstance(item, _Expired):
                events.append(TimeExpired())
                state = evolve(self._plan, state, events[-1])
        messages = tuple([item for item in mail if isinstance(item, Message)])
        if messages:
            arrived = self._events_of(state, messages)
            state = replay(self._plan, arrived, state)
            events += arrived
        waiting = [item.committed for item in notes]
        waiting += [item.granted for item in mail if isinstance(item, Request)]
        turn = follow_up(self._plan, state, *events, limit=_LIMIT)
        goes_on = await self._take_turn(turn, messages, asks=bool(waiting))
        for each in waiting:
            if goes_on and not each.done():  # it is done when its attempt was stopped
                each.set_result(None)
        return goes_on

    @staticmethod
    def _is_running(state: State, attempt: StepNoted | StartStep) -> bool:
        """Whether the attempt is still wanted; what one says that was stopped meanwhile is not used."""
        step = state.steps.get(attempt.path)
        return step is not None and step.status in ("running", "waiting") and step.attempt == attempt.attempt

    def _event_of(self, state: State, answer: Answer) -> AnyEvent | None:
        path, attempt = answer.command.path, answer.command.attempt
        if not self._is_running(state, answer.command):
            return None
        self._attempts.answered(path)
        if answer.failure is not None:
            return StepFailed(
                path=path,
                attempt=attempt,
                failure=answer.failure,
                fraction=self._fraction(path),
                usage=usage_of(answer.calls),
                calls=answer.calls,
                duration_ms=answer.duration_ms,
            )
        if self._plan.calls and self._plan.steps[name_of(path)].definition.kind == "orchestration":
            return self._offspring.started(state, answer.command, answer.output)
        return complete(
            self._plan,
            state,
            path,
            attempt=attempt,
            output=answer.output,
            calls=answer.calls,
            duration_ms=answer.duration_ms,
        )

    def _fraction(self, path: str) -> float:
        """The random part of a delay, drawn here because the core is pure."""
        is_jittered = self._plan.steps[name_of(path)].definition.retry.jitter == "full"
        return random.random() if is_jittered else 1.0  # noqa: S311  # spreads retries, guards nothing

    async def _take_turn(self, turn: Turn, messages: tuple[Message, ...], *, asks: bool = False) -> bool:
        """Commit a turn and start what it wants; whether there is more to do here.

        A commit whose receipt shows a new message reads that first: nothing starts after a cancel has committed.
        """
        wanted = self._stop_and_collect(turn, {})
        events, is_cut = turn.events, turn.is_cut
        decided_at = time.monotonic()
        while True:
            if arrived := self._events_of(turn.state, messages):
                turn = advance(self._plan, turn.state, *arrived, limit=_LIMIT)
                wanted = self._stop_and_collect(turn, wanted)
                events, is_cut = (*events, *turn.events), is_cut or turn.is_cut
            wanted = self._hold_while_paused(turn.state, wanted)
            if self._plan.calls or self._plan.events:
                wanted = self._without_idle_timers(turn.state, wanted)
            stops = self._offspring.to_stop(turn.state)
            leaving = None if is_cut else self._leaving(turn.state, wanted)
            receipt = await self._commit(events, messages, leaving, stops, asks=asks)
            self._state = turn.state
            if receipt.has_left and leaving is not None:
                self.due_in_seconds = leaving.delay_seconds
            if not receipt.held or receipt.has_left:
                return False
            events, messages = (), ()
            if receipt.wake_seq > self._wake_seq:
                self._wake_seq = receipt.wake_seq
                messages = tuple(await self._read_inbox(self.claimed.id))
            elif is_cut:
                # A long turn goes on in parts, so that others have their turn too, and no commit grows without bound.
                await asyncio.sleep(0)
                turn = resume(self._plan, turn.state, limit=_LIMIT)
                wanted = self._stop_and_collect(turn, wanted)
                events, is_cut = turn.events, turn.is_cut
            else:
                break
        # A delay counts from the commit of what it follows.
        passed = time.monotonic() - decided_at
        for path, start in wanted.items():
            if start.due:
                start = Start(start.command, start.due + passed)
            step = self._plan.steps[name_of(path)].definition
            assigned = self._state.role_assignments.get(step.name)
            version = assigned.version if assigned else self._state.roles.get(step.role_name or "")
            called = self._state.calls.get(call_of(step) or "") if self._plan.calls else None
            self._attempts.start(start, step, version, None if called is None else called.version)
        return True

    def _stop_and_collect(self, turn: Turn, wanted: dict[str, Start]) -> dict[str, Start]:
        if self._plan.events:
            self._stop_timers(turn)
        for command in turn.commands:
            if isinstance(command, StopStep):
                for starts in (wanted, self._held):
                    for path in [path for path in starts if path == command.path or is_within(path, command.path)]:
                        del starts[path]
                self._attempts.stop(command.path)
            else:
                wanted[command.path] = Start(command, self._due(command))
        return {} if self._is_draining else wanted

    def _stop_timers(self, turn: Turn) -> None:
        """Stop those of the waits whose event has come."""
        for event in turn.events:
            if isinstance(event, StepCompleted | StepFailed) and event.signal is not None:
                self._attempts.stop(event.path)

    def _hold_while_paused(self, state: State, wanted: dict[str, Start]) -> dict[str, Start]:
        """What may begin: while the execution is paused nothing, and afterwards what was held back as well."""
        if not state.is_paused:
            if not self._held:
                return wanted
            held, self._held = self._held, {}
            return {path: start for path, start in held.items() if path in state.steps} | wanted
        self._held |= self._attempts.take_back() | wanted
        return {}

    def _without_idle_timers(self, state: State, wanted: dict[str, Start]) -> dict[str, Start]:
        """What may begin, but for the timers of what has ended in the meantime: children, and waits for events."""
        return {
            path: start
            for path, start in wanted.items()
            if not start.command.is_expiry or self._is_running(state, start.command)
        }

    def _due(self, command: StartStep) -> float:
        """When an attempt may begin, by the monotonic clock. What went by before the claim is over already."""
        if command.until is not None:
            return time.monotonic() + seconds_of(command.until) - time.time()
        age = self._delayed_ages.pop(command.path, 0.0)
        return time.monotonic() + command.delay_ms / 1000 - age if command.delay_ms else 0.0

    def _events_of(self, state: State, messages: tuple[Message, ...]) -> list[AnyEvent]:
        """The events of what was not read before, each message judged by what the ones before it have left."""
        events: list[AnyEvent] = []
        for message in messages:
            self._wake_seq = max(self._wake_seq, message.wake_seq)
            if message.id in self._read:
                continue
            self._read.add(message.id)
            if state.phase in FINISHED:
                continue  # what comes too late stands nowhere behind the end
            end = message.end
            following = events_of(self._plan, state, message) if end is None else self._child_ended(state, end)
            state = replay(self._plan, following, state)
            events += following
        return events

    def _child_ended(self, state: State, end: ChildEnd) -> tuple[AnyEvent, ...]:
        self._delayed_ages.pop(end.path, None)
        is_known = name_of(end.path) in self._plan.steps
        event = self._offspring.ended(state, end, self._fraction(end.path) if is_known else 1.0)
        if event is None:
            return ()
        self._attempts.stop(end.path)  # its timer
        return (event,)

    def _leaving(self, state: State, wanted: dict[str, Start]) -> Leaving | None:
        """How the execution leaves this worker now, if nothing keeps it here."""
        is_over = state.phase in FINISHED
        if self._attempts.any_begun and not is_over:
            return None
        now = time.monotonic()
        active_ms = round((now - self._began) * 1000)
        if is_over:
            return Leaving(status=_status(state), output=state.output, error=_error(state), active_ms=active_ms)
        due = [*self._attempts.due.values(), *[start.due for start in wanted.values()]]
        if any(time <= now for time in due):
            return None
        if state.is_paused:
            return Leaving(status="paused", wake_seq=self._wake_seq, active_ms=active_ms)
        if self._is_draining:
            return Leaving(status="queued", delay_seconds=0.0, wake_seq=self._wake_seq, active_ms=active_ms)
        if due:
            # Whatever waits for its retry holds no worker: the execution is due again when the first delay is over.
            delay = max(0.0, min(due) - now)
            return Leaving(status="waiting", delay_seconds=delay, wake_seq=self._wake_seq, active_ms=active_ms)
        # What is open are children and waits for events; the end of each, and the signal, comes as a message.
        return Leaving(status="waiting", wake_seq=self._wake_seq, active_ms=active_ms)

    async def _commit(
        self,
        events: tuple[AnyEvent, ...],
        messages: tuple[Message, ...],
        leaving: Leaving | None,
        stops: tuple[UUID, ...] = (),
        *,
        asks: bool = False,
    ) -> Receipt:
        if not events and not messages and leaving is None and not asks:
            return Receipt(held=True, wake_seq=self._wake_seq)
        children = self._offspring.to_start(events)
        receipt = await self._checkpoint.write(
            Entry(
                execution=self.claimed.id,
                epoch=self.claimed.epoch,
                seq=self._seq + 1,
                events=events,
                consumed=tuple([message.id for message in messages]),
                leaving=leaving,
                children=children,
                stops=stops,
            )
        )
        self._seq += len(events)
        is_over = leaving is not None and leaving.is_final and (self._state.depth > 0 or bool(self._plan.calls))
        if children or stops or is_over:
            self._announce()  # others are due now, or have something to read
        if events and receipt.held:
            self._tell(self.claimed.id, self._seq, None)
        return receipt

    def _report(self, progress: Callable[[], Progress]) -> None:
        self._tell(self.claimed.id, self._seq, progress)

    async def _end(self, failure: Failure) -> None:
        """End an execution that cannot go on; nothing else is done before that."""
        event = ExecutionFailed(failure=failure)
        state = replay(self._plan, [event], self._state)
        await self._commit((event,), (), self._leaving(state, {}))


def _status(state: State) -> Literal["completed", "failed", "timed_out", "cancelled"]:
    match state.phase:
        case "completed":
            return "completed"
        case "cancelled":
            return "cancelled"
        case _:
            return "timed_out" if state.has_timed_out else "failed"


def _error(state: State) -> Failure | None:
    if state.phase == "cancelled":
        return Failure(code="CANCELLED", message=state.reason or "cancelled", retryable=False)
    return state.failure
