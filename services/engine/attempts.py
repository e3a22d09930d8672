"""The attempts of one execution that are under way: started, delayed, performed and stopped."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias
from uuid import UUID

import msgspec

from services.definitions.document import Step
from services.engine.core.commands import StartStep
from services.engine.core.events import ModelCall, StepNoted
from services.engine.core.paths import is_within
from services.engine.outages import DATABASE_AWAY, is_away
from services.engine.performer import Attempt, Performer, expired, failure_of, timed_out
from services.engine.progress import AttemptStarted, Delta, Progress
from services.failure import Failed, Failure
from services.json import Json, holds_nul
from services.principal import Principal

MAX_OUTPUT_BYTES = 1024 * 1024

_log = logging.getLogger(__name__)
_AGAIN_SECONDS = 1.0


class Start(msgspec.Struct, frozen=True):
    """An attempt that is wanted, and from when on (by the monotonic clock; 0.0 for at once)."""

    command: StartStep
    due: float


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attempt: its output, or why there is none."""

    command: StartStep
    output: Json = None
    failure: Failure | None = None
    calls: tuple[ModelCall, ...] = ()
    duration_ms: int = 0


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a performer wants kept; `committed` is done once it is."""

    event: StepNoted
    committed: asyncio.Future[None]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that has waited asks to begin; `granted` is done once nothing speaks against it."""

    command: StartStep
    granted: asyncio.Future[None]


Post: TypeAlias = Callable[[Answer | Note | Request], None]
Report: TypeAlias = Callable[[Callable[[], Progress]], None]


class Attempts:
    """The tasks of one execution, by the path of their step.

    `post` takes what they have to say; `report` takes what goes on in them, made only if somebody wants to know.
    """

    def __init__(
        self,
        execution: UUID,
        initiator: Principal,
        *,
        epoch: int,
        is_budgeted: bool,
        performers: Mapping[str, Performer],
        room: asyncio.Semaphore,
        post: Post,
        report: Report,
    ) -> None:
        self._execution = execution
        self._name = str(execution)
        self._loop = asyncio.get_running_loop()  # asked for it every time, Python 3.11 makes a system call
        self._initiator = initiator
        self._epoch = epoch
        self._is_budgeted = is_budgeted
        self._performers = performers
        self._room = room
        self._post = post
        self._report = report
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._starts: dict[str, Start] = {}
        self._stopped: set[asyncio.Task[None]] = set()
        self.due: dict[str, float] = {}
        """Those that have not begun yet, and from when on they may."""

    @property
    def any_begun(self) -> bool:
        """Whether some performer is at work."""
        return len(self._tasks) > len(self.due)

    def start(self, start: Start, step: Step, role_version: UUID | None, called: UUID | None = None) -> None:
        """Perform an attempt, in a task of its own, when it is due and there is room."""
        path = start.command.path
        self.due[path] = start.due
        self._starts[path] = start
        instance = f"{self._name}/{path}"
        task = self._perform(start, step, role_version, called, instance)
        self._tasks[path] = self._loop.create_task(task, name=instance)

    def take_back(self) -> dict[str, Start]:
        """Those that have not begun yet; they are not started any more."""
        unbegun = {path: self._starts[path] for path in self.due}
        for path in unbegun:
            self.stop(path)
        return unbegun

    def answered(self, path: str) -> None:
        """The answer of `path` has been read; its task is over."""
        self._tasks.pop(path, None)
        self._starts.pop(path, None)

    def stop(self, path: str) -> None:
        """Stop what is under way at `path` and inside it; it posts nothing more."""
        for each in [each for each in self._tasks if each == path or is_within(each, path)]:
            self.due.pop(each, None)
            self._starts.pop(each, None)
            task = self._tasks.pop(each)
            task.cancel()
            self._stopped.add(task)

    async def stop_all(self) -> None:
        """Stop everything and wait until it has stopped."""
        for path in list(self._tasks):
            self.stop(path)
        await asyncio.gather(*self._stopped, return_exceptions=True)
        # It refers to whoever holds us; the two would stay in memory until the collector comes by.
        self._report = _ignore

    async def _perform(
        self, start: Start, step: Step, role_version: UUID | None, called: UUID | None, instance: str
    ) -> None:
        command = start.command
        has_waited = self._room.locked()
        if start.due and (delay := start.due - time.monotonic()) > 0:
            await asyncio.sleep(delay)
            has_waited = True
        if command.is_expiry:
            if step.event is not None:
                await self._permission(command)  # what has come in time, and was not read yet, is read before
            self.due.pop(command.path, None)
            self._post(Answer(command=command, failure=expired(step, command), duration_ms=command.delay_ms))
            return
        notes = list(command.notes)
        async with self._room:
            if has_waited:
                await self._permission(command)
            self.due.pop(command.path, None)
            began = time.monotonic()
            self._report(partial(_started, command))
            while True:
                attempt = Attempt(
                    execution=self._execution,
                    path=command.path,
                    step=step,
                    number=command.attempt,
                    input=command.input,
                    timeout_ms=command.timeout_ms,
                    idempotency_key=command.idempotency_key or instance,
                    role_version=role_version,
                    called=called,
                    initiator=self._initiator,
                    epoch=self._epoch,
                    is_budgeted=self._is_budgeted,
                    notes=list(notes),
                    keep=partial(self._keep, command, notes),
                    emit=partial(self._emit, command),
                    accounted=command.accounted,
                    show=self._show,
                )
                try:
                    output, failure = await self._outcome(attempt)
                    break
                except DATABASE_AWAY as error:
                    # That is nobody's failure: the attempt goes on from its notes when the database is back.
                    _log.warning("%s waits for the database: %r", attempt.idempotency_key, error)
                    await asyncio.sleep(_AGAIN_SECONDS)
        self._post(
            Answer(
                command=command,
                output=output,
                failure=failure,
                calls=attempt.calls,
                duration_ms=round((time.monotonic() - began) * 1000),
            )
        )

    async def _permission(self, command: StartStep) -> None:
        """Return when the attempt may begin: meanwhile somebody may have cancelled, and nothing begins after that."""
        granted: asyncio.Future[None] = self._loop.create_future()
        self._post(Request(command=command, granted=granted))
        await granted

    async def _outcome(self, attempt: Attempt) -> tuple[Json, Failure | None]:
        task = self._tasks[attempt.path]
        output: Json = None
        error: BaseException | None = None
        # A handle and no asyncio.timeout(), which would cost as much as all else that is done here.
        expiry = self._loop.call_later(attempt.timeout_ms / 1000, task.cancel)
        try:
            output = await self._performers[attempt.step.kind](attempt)
        except asyncio.CancelledError as cancelled:
            if self._tasks.get(attempt.path) is not task:
                raise  # we have stopped it
            error = cancelled
        except Exception as raised:
            error = raised
        finally:
            expiry.cancel()
        if expiry.when() <= self._loop.time():
            task.uncancel()  # without effect when the answer came just before
            return None, timed_out(attempt)
        if error is None:
            return output, unstorable(output)
        if is_away(error):
            raise error
        return None, failure_of(error, attempt)

    def _emit(self, command: StartStep, text: str) -> None:
        self._report(partial(Delta, path=command.path, attempt=command.attempt, text=text))

    def _show(self, progress: Progress) -> None:
        self._report(lambda: progress)

    async def _keep(self, command: StartStep, notes: list[Json], note: Json) -> None:
        if (failure := unstorable(note)) is not None:
            raise Failed(failure)
        committed: asyncio.Future[None] = self._loop.create_future()
        event = StepNoted(path=command.path, attempt=command.attempt, note=note)
        self._post(Note(event=event, committed=committed))
        await committed
        notes.append(note)


def _ignore(_: Callable[[], Progress]) -> None:
    """Nobody is told any more."""


def _started(command: StartStep) -> AttemptStarted:
    return AttemptStarted(path=command.path, attempt=command.attempt, at=datetime.now(UTC))


def unstorable(value: Json, *, noun: str = "output", max_bytes: int = MAX_OUTPUT_BYTES) -> Failure | None:
    """Why Postgres could not keep `value`, or it should not, if that is so; it is called by the `noun`.

    >>> unstorable({"text": "fine"}) is None
    True
    """
    try:
        encoded = msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        return Failure(code="OUTPUT_INVALID", message=f"the {noun} is not JSON: {error}", retryable=False)
    if holds_nul(encoded):
        message = f"the {noun} holds a NUL character, which Postgres cannot store"
        return Failure(code="OUTPUT_INVALID", message=message, retryable=True)
    if len(encoded) > max_bytes:
        message = f"the {noun} has {len(encoded):,} bytes; up to {max_bytes:,} are kept"
        return Failure(code="CONTEXT_TOO_LARGE", message=message, retryable=False)
    return None
