"""The worker: claims due executions, drives them, and frees what dead workers owned.

A worker lives as long as its row. When others have taken it for dead its row is gone; it drops everything, since every
write it could still make would be refused, and starts again under a new id.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from services.engine import claim, collector
from services.engine.checkpoint import Checkpoint, Entry, Leaving, Reaped, Refused
from services.engine.claim import Claimed, Message
from services.engine.core.events import ExecutionCancelled, ExecutionFailed
from services.engine.core.plan import Plan
from services.engine.exchange import Tell
from services.engine.outages import TRANSIENT, Connect, is_away
from services.engine.performer import Performer
from services.engine.progress import Progress
from services.engine.run import Run
from services.engine.sql import statement
from services.failure import Failed, Failure

_log = logging.getLogger(__name__)

PlanOf: TypeAlias = Callable[[UUID], Awaitable[Plan]]
"""The plan of a version; `Failed` when no worker can ever run it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How much a worker takes on and how fast the others notice its death."""

    executions: int = 200
    attempts: int = 100
    claim_at_once: int = 50
    lease_seconds: int = 15
    heartbeat_seconds: float = 5.0
    poll_seconds: float = 1.0
    reap_seconds: float = 0.25
    grace_seconds: float = 20.0
    retry_seconds: float = 1.0
    put_off_seconds: float = 10.0


_Tenure: TypeAlias = tuple[UUID, int]


@dataclass(slots=True)
class _Life:
    """What a worker holds between registering and being reaped or stopped."""

    id: UUID
    checkpoint: Checkpoint
    # By execution and epoch: one that parked may be claimed again before its earlier task has ended.
    tasks: dict[_Tenure, asyncio.Task[None]] = field(default_factory=dict[_Tenure, asyncio.Task[None]])
    runs: dict[_Tenure, Run] = field(default_factory=dict[_Tenure, Run])
    reaps_at: float = 0.0
    reader: asyncpg.Connection | None = None
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


def _nobody(_execution: UUID, _seq: int, _progress: Callable[[], Progress] | None) -> None:
    """Where nobody can follow."""


class Worker:
    """Runs executions until it is stopped.

    `hint` tells all workers, itself included, that there is something to do; `tell` takes what it knows of each
    execution meanwhile.
    """

    def __init__(
        self,
        connect: Connect,
        plan_of: PlanOf,
        performers: Mapping[str, Performer],
        settings: WorkerSettings | None = None,
        *,
        hint: Callable[[], None] | None = None,
        tell: Tell = _nobody,
    ) -> None:
        self._connect = connect
        self._plan_of = plan_of
        self._performers = performers
        self._settings = settings or WorkerSettings()
        self._hint = hint or self.wake
        self._tell = tell
        self._room = asyncio.Semaphore(self._settings.attempts)
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._life: _Life | None = None
        self._lives = asyncio.Event()

    @property
    def is_live(self) -> bool:
        """Whether the worker is registered and claiming."""
        return self._lives.is_set()

    async def until_live(self) -> None:
        """Return once the worker is registered and claiming."""
        await self._lives.wait()

    def wake(self) -> None:
        """Look at once for what is due and what has arrived."""
        self._wake.set()

    def stop(self) -> None:
        """Claim nothing more, let attempts finish for the grace time, hand the rest back; then `run` returns."""
        self._is_stopping = True
        self._wake.set()
        for run in self._life.runs.values() if self._life else ():
            run.drain()

    async def run(self) -> None:
        """Work until stopped. A database that is away is waited for."""
        with collector.seldom():
            while not self._is_stopping:
                await self._live()

    async def _live(self) -> None:
        try:
            await self._live_once()
        except* Reaped:
            _log.warning("others took this worker for dead; it starts again under a new id")
        except* TRANSIENT as group:
            _log.warning("the database is away, trying again: %r", group.exceptions[0])
            await asyncio.sleep(self._settings.retry_seconds)
        finally:
            self._lives.clear()

    async def _live_once(self) -> None:
        heartbeat = await self._connect()
        try:
            id = await self._register(heartbeat)
            self._life = _Life(id, Checkpoint(id, self._connect))
            await self._work(self._life, heartbeat)
        finally:
            if self._life is not None and self._life.reader is not None:
                self._life.reader.terminate()
            self._life = None
            heartbeat.terminate()

    async def _register(self, heartbeat: asyncpg.Connection) -> UUID:
        """A new worker's id. The lock comes before the row: a row without a lock looks like a dead worker's."""
        id: UUID = uuid7()
        # Two ids may share a hash; then another id is tried, for waiting would be for ever.
        while not await heartbeat.fetchval("SELECT pg_try_advisory_lock($1, hashtext($2))", claim.LIVENESS, str(id)):
            id = uuid7()
        name = f"{socket.gethostname()}:{os.getpid()}"
        lease = self._settings.lease_seconds
        await heartbeat.execute("INSERT INTO worker (id, name, lease_seconds) VALUES ($1, $2, $3)", id, name, lease)
        return id

    async def _work(self, life: _Life, heartbeat: asyncpg.Connection) -> None:
        async with asyncio.TaskGroup() as group:
            services = [
                group.create_task(life.checkpoint.run(), name="checkpoint"),
                group.create_task(self._beat(life, heartbeat), name="heartbeat"),
            ]
            self._lives.set()
            await self._claim_until_stopped(life, group)
            await self._hand_back(life)
            for service in services:
                service.cancel()
        # What did not end in time becomes due again together with the end of the worker's row.
        with suppress(*TRANSIENT):
            async with heartbeat.transaction():
                await heartbeat.execute(statement("free"), [life.id])
                await heartbeat.execute("DELETE FROM worker WHERE id = $1", life.id)

    async def _beat(self, life: _Life, connection: asyncpg.Connection) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            beaten = await connection.execute(
                "UPDATE worker SET heartbeat_at = clock_timestamp() WHERE id = $1", life.id
            )
            if beaten == "UPDATE 0":
                raise Reaped

    async def _claim_until_stopped(self, life: _Life, group: asyncio.TaskGroup) -> None:
        while not self._is_stopping:
            connection: asyncpg.Connection | None = None
            try:
                connection = await self._connect()
                # After a claim whose answer was lost, some of what is owned is not known here yet.
                self._begin(life, group, await claim.owned(connection, life.id))
                while not self._is_stopping:
                    self._wake.clear()
                    await self._reap(life, connection)
                    await self._rest(life, connection, await self._claim_once(life, group, connection))
            except TRANSIENT as error:
                _log.warning("claiming will be tried again: %r", error)
                await asyncio.sleep(self._settings.retry_seconds)
            finally:
                if connection is not None:
                    connection.terminate()

    async def _rest(self, life: _Life, connection: asyncpg.Connection, seconds: float) -> None:
        """Return when there is something to do, or when the time is over; until then look for dead workers."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not self._wake.is_set() and (now := loop.time()) < until:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(until, life.reaps_at) - now):
                    await self._wake.wait()
            await self._reap(life, connection)

    async def _reap(self, life: _Life, connection: asyncpg.Connection) -> None:
        """When it is time to: free what dead workers owned, and look again if there was any."""
        if (now := asyncio.get_running_loop().time()) < life.reaps_at:
            return
        life.reaps_at = now + self._settings.reap_seconds
        if await claim.reap(connection, life.id):
            self._wake.set()

    async def _claim_once(self, life: _Life, group: asyncio.TaskGroup, connection: asyncpg.Connection) -> float:
        """Take what is due and deliver what has arrived; seconds until it is worth looking again."""
        settings = self._settings
        runs = {id: run for (id, _), run in life.runs.items()}
        for message in await claim.inbox(connection, life.id):
            if (run := runs.get(message.execution)) is not None:
                run.deliver(message)
        free = min(settings.executions - len(life.tasks), settings.claim_at_once)
        if free <= 0:
            return settings.poll_seconds
        claimed = await claim.take(connection, life.id, free)
        self._begin(life, group, claimed)
        if len(claimed) == free:
            return 0.0
        next_due = await claim.next_due(connection)
        # What is due already and was not to be had is held by somebody else: asking at once would be asking for ever.
        return settings.poll_seconds if next_due is None or next_due <= 0 else min(settings.poll_seconds, next_due)

    def _begin(self, life: _Life, group: asyncio.TaskGroup, claimed: list[Claimed]) -> None:
        for execution in claimed:
            tenure = (execution.id, execution.epoch)
            if tenure not in life.tasks:
                task = group.create_task(self._drive(life, execution), name=str(execution.id))
                life.tasks[tenure] = task
                task.add_done_callback(partial(self._ended, life, tenure))

    def _ended(self, life: _Life, tenure: _Tenure, _task: asyncio.Task[None]) -> None:
        life.tasks.pop(tenure, None)
        life.runs.pop(tenure, None)
        if len(life.tasks) >= self._settings.executions - 1:
            self._wake.set()  # there is room again

    async def _drive(self, life: _Life, execution: Claimed) -> None:
        """Drive one execution; nothing that goes wrong with it reaches another."""
        run: Run | None = None
        try:
            run = Run(
                execution,
                await self._plan_of(execution.version),
                performers=self._performers,
                checkpoint=life.checkpoint,
                room=self._room,
                read_inbox=partial(self._read_inbox, life),
                announce=self._hint,
                tell=self._tell,
            )
            execution = run.claimed
            life.runs[execution.id, execution.epoch] = run
            if self._is_stopping:
                run.drain()
            await run.drive()
            if run.due_in_seconds is not None and run.due_in_seconds < self._settings.poll_seconds:
                # When it parked, the claimer had long decided how long to sleep.
                asyncio.get_running_loop().call_later(run.due_in_seconds, self._wake.set)
        except Failed as error:
            _log.error("execution %s fails: %s", execution.id, error)
            await self._fail(life, execution, error.failure)
        except Exception as error:
            # A database that is away is nobody's fault, and not for long.
            delay = self._settings.retry_seconds if is_away(error) else self._settings.put_off_seconds
            _log.exception("execution %s is put off for %g s", execution.id, delay)
            await self._put_off(life, execution, len(execution.history.rows) if run is None else run.seq, delay)

    async def _fail(self, life: _Life, execution: Claimed, failure: Failure) -> None:
        """End what cannot be run by anybody."""
        seq = len(execution.history.rows) + 1
        leaving = Leaving(status="failed", error=failure)
        entry = Entry(
            execution=execution.id,
            epoch=execution.epoch,
            seq=seq,
            events=(ExecutionFailed(failure=failure),),
            leaving=leaving,
        )
        with suppress(Refused):  # then it stays owned, and is tried again when this worker ends
            await life.checkpoint.write(entry)

    async def _read_inbox(self, life: _Life, execution: UUID) -> list[Message]:
        async with life.reading:
            life.reader = life.reader or await self._connect()
            try:
                messages = await claim.inbox(life.reader, life.id)
            except BaseException:
                life.reader.terminate()
                life.reader = None
                raise
        return [message for message in messages if message.execution == execution]

    async def _put_off(self, life: _Life, execution: Claimed, seq: int, delay_seconds: float) -> None:
        """Give back what nobody here can go on with; if somebody has asked for that, end it instead."""
        events: tuple[ExecutionCancelled, ...] = ()
        leaving = Leaving(status="queued", delay_seconds=delay_seconds)
        if any(message.kind == "cancel" for message in execution.inbox):
            events = (ExecutionCancelled(reason="it could not go on"),)
            error = Failure(code="CANCELLED", message="cancelled; it could not go on", retryable=False)
            leaving = Leaving(status="cancelled", error=error)
        entry = Entry(execution=execution.id, epoch=execution.epoch, seq=seq + 1, events=events, leaving=leaving)
        with suppress(Refused):  # then it stays owned, and is tried again when this worker ends
            await life.checkpoint.write(entry)

    async def _hand_back(self, life: _Life) -> None:
        """Let what is under way finish, as far as the grace time goes, and give every execution back."""
        tasks = set(life.tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._settings.grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
