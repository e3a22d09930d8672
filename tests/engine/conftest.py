"""A database with services over it, and workers whose performers the test scripts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from db.connection import Database
from services import connections, executions, orchestrations, plans
from services.caller import OPERATOR
from services.definitions.document import Document, as_json
from services.engine import journal
from services.engine.core.events import AnyEvent
from services.engine.exchange import Exchange
from services.engine.feed import Feed
from services.engine.notifier import Notifier
from services.engine.performer import Attempt, Performer
from services.engine.worker import Worker, WorkerSettings
from services.json import Json
from services.steps import orchestration, wait
from services.tools import files, registry

FAST = WorkerSettings(heartbeat_seconds=0.2, lease_seconds=2, poll_seconds=0.1, retry_seconds=0.05, grace_seconds=5.0)


@dataclass
class Script:
    """A performer of tool steps: counts attempts, answers by step name, holds what it is told to hold."""

    answers: dict[str, Callable[[Attempt], Awaitable[Json]]] = field(default_factory=dict)
    attempts: list[tuple[str, int]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    began: dict[str, asyncio.Event] = field(default_factory=dict)
    release: dict[str, asyncio.Event] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)

    def hold(self, name: str) -> asyncio.Event:
        """Let the step `name` wait after it has begun, until its release is set; gives the event of its beginning."""
        self.release[name] = asyncio.Event()
        return self.began.setdefault(name, asyncio.Event())

    async def perform(self, attempt: Attempt) -> Json:
        name = attempt.step.name
        self.attempts.append((name, attempt.number))
        self.keys.append(attempt.idempotency_key.partition("/")[2])
        self.began.setdefault(name, asyncio.Event()).set()
        try:
            if name in self.release:
                await self.release[name].wait()
        except asyncio.CancelledError:
            self.stopped.append(name)
            raise
        if name in self.answers:
            return await self.answers[name](attempt)
        return f"{name} done"


@dataclass
class Engine:
    """Services over a database of the test's own."""

    database: Database
    exchange: Exchange
    script: Script = field(default_factory=Script)

    async def start(self, document: Document, input: Json = None) -> UUID:
        await orchestrations.create(OPERATOR, document=as_json(document))
        return (await executions.start(OPERATOR, orchestration=document.name, input=input)).id

    def worker(self, perform: Performer | None = None, settings: WorkerSettings = FAST) -> Worker:
        performers: dict[str, Performer] = {
            "tool": perform or self.script.perform, "wait": wait.perform, "orchestration": orchestration.perform
        }  # fmt: skip
        return Worker(self.database.connect, plans.to_run, performers, settings, tell=self.exchange.tell)

    @asynccontextmanager
    async def working(self, *workers: Worker) -> AsyncIterator[None]:
        """Workers at work; stopped in an orderly way at the end."""
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        try:
            yield
        finally:
            for worker in workers:
                worker.stop()
            await asyncio.gather(*tasks)

    async def finished(self, execution: UUID) -> executions.ExecutionDetail:
        """The execution once it is over."""
        return await self.until(execution, lambda found: found.status in executions.FINISHED)

    async def until(
        self, execution: UUID, condition: Callable[[executions.ExecutionDetail], bool]
    ) -> executions.ExecutionDetail:
        """The execution once `condition` holds, asked again as fast as the database answers."""
        async with asyncio.timeout(20):
            while not condition(found := await executions.get(OPERATOR, execution=execution)):
                pass
            return found

    async def waiting_for_a_lock(self) -> None:
        """Return once some connection to the database waits for a lock."""
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        async with asyncio.timeout(10):
            while not await self.database.pool.fetch(waiting):
                pass

    async def history(self, execution: UUID) -> list[AnyEvent]:
        histories = await journal.load(self.database.pool, [execution])
        return histories[execution].events


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[Engine]:
    registry.register(*files.tools(None))
    notifier = Notifier(database.connect)
    exchange = Exchange(notifier)
    hints = asyncio.create_task(notifier.run())
    connections.use(database, notifier, Feed(database.pool, exchange))
    yield Engine(database, exchange)
    connections.use(None, None)
    hints.cancel()
    await asyncio.gather(hints, return_exceptions=True)
