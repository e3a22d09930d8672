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
from services.engine.core.events import StepNoted, Usage
from services.engine.core.paths import is_within
from services.engine.outages import DATABASE_AWAY, is_away
from services.engine.performer import Attempt, Performer, failure_of, timed_out
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
    usage: Usage | None = None
    duration_ms: int = 0


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a performer wants kept; `committed` is done once it is."""

    event: StepNoted
    committed: asyncio.Future[None]


Post: TypeAlias = Callable[[Answer | Note], None]
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
        performers: Mapping[str, Performer],
        room: asyncio.Semaphore,
        post: Post,
        report: Report,
    ) -> None:
        self._execution = execution
        self._initiator = initiator
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

    def start(self, start: Start, step: Step, role_version: UUID | None) -> None:
        """Perform an attempt, in a task of its own, when it is due and there is room."""
        path = start.command.path
        self.due[path] = start.due
        self._starts[path] = start
        task = self._perform(start, step, role_version)
        self._tasks[path] = asyncio.create_task(task, name=f"{self._execution}/{path}")

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

    async def _perform(self, start: Start, step: Step, role_version: UUID | None) -> None:
        command = start.command
        if start.due:
            await asyncio.sleep(start.due - time.monotonic())
        notes = list(command.notes)
        async with self._room:
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
                    own_key=command.idempotency_key,
                    role_version=role_version,
                    initiator=self._initiator,
                    notes=list(notes),
                    keep=partial(self._keep, command, notes),
                    emit=partial(self._emit, command),
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
                usage=attempt.usage,
                duration_ms=round((time.monotonic() - began) * 1000),
            )
        )

    async def _outcome(self, attempt: Attempt) -> tuple[Json, Failure | None]:
        bound = asyncio.timeout(attempt.timeout_ms / 1000)
        try:
            async with bound:
                output = await self._performers[attempt.step.kind](attempt)
        except TimeoutError as error:
            return None, timed_out(attempt) if bound.expired() else failure_of(error, attempt)
        except asyncio.CancelledError as error:
            if self._tasks.get(attempt.path) is not asyncio.current_task():
                raise  # we have stopped it
            return None, failure_of(error, attempt)
        except Exception as error:
            if is_away(error):
                raise
            return None, failure_of(error, attempt)
        return output, unstorable(output)

    def _emit(self, command: StartStep, text: str) -> None:
        self._report(partial(Delta, path=command.path, attempt=command.attempt, text=text))

    async def _keep(self, command: StartStep, notes: list[Json], note: Json) -> None:
        if (failure := unstorable(note)) is not None:
            raise Failed(failure)
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        event = StepNoted(path=command.path, attempt=command.attempt, note=note)
        self._post(Note(event=event, committed=committed))
        await committed
        notes.append(note)


def _started(command: StartStep) -> AttemptStarted:
    return AttemptStarted(path=command.path, attempt=command.attempt, at=datetime.now(UTC))


def unstorable(value: Json) -> Failure | None:
    """Why Postgres could not keep `value`, if it could not.

    >>> unstorable({"text": "fine"}) is None
    True
    """
    try:
        encoded = msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        return Failure(code="OUTPUT_INVALID", message=f"the output is not JSON: {error}", retryable=False)
    if holds_nul(encoded):
        message = "the output holds a NUL character, which Postgres cannot store"
        return Failure(code="OUTPUT_INVALID", message=message, retryable=True)
    if len(encoded) > MAX_OUTPUT_BYTES:
        message = f"the output has {len(encoded):,} bytes; up to {MAX_OUTPUT_BYTES:,} are kept"
        return Failure(code="CONTEXT_TOO_LARGE", message=message, retryable=False)
    return None
