"""The running parts of a process, wired: database, notifier, feed, models, tools and, where it works, a worker."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from db.connection import CannotOpen, Database, shown
from services import (
    background,
    budgets,
    connections,
    credentials,
    executions,
    expiry,
    mcp,
    metrics,
    orchestrations,
    plans,
    plugins,
    retention,
    roles,
    row_requests,
    secrets,
)
from services.credential_watch import CredentialWatch
from services.engine.exchange import Exchange
from services.engine.feed import Feed
from services.engine.notifier import Notifier
from services.engine.performer import Performer
from services.engine.worker import Worker, WorkerSettings
from services.models.catalog import Models
from services.models.configuration import watch
from services.models.configuration.watch import ConfigurationWatch
from services.outbound import Guard, Outbound
from services.outbound.allowed import allowed, patterns
from services.programs import tool as program_tool
from services.programs.workers import Workers
from services.row_requests import RowRequests
from services.secrets.keyring import Keyring
from services.settings import Settings
from services.steps import agent, llm, orchestration, tool, wait
from services.tools import data, http, opened_folder, registry, time, web

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a process has open."""

    settings: Settings
    database: Database
    notifier: Notifier
    exchange: Exchange
    models: Models
    outbound: Outbound

    def worker(self) -> Worker:
        """A worker over this runtime; it works once it is run."""
        settings = WorkerSettings(
            executions=self.settings.executions,
            attempts=self.settings.attempts,
            lease_seconds=self.settings.lease_seconds,
            heartbeat_seconds=self.settings.heartbeat_seconds,
        )
        worker = Worker(
            self.database.connect,
            plans.to_run,
            self._performers(),
            settings,
            hint=self.notifier.hint,
            tell=self.exchange.tell,
        )
        self.notifier.listen(worker.wake)
        return worker

    def _performers(self) -> Mapping[str, Performer]:
        # A transform needs nobody: the core gives its resolved input back.
        return {
            **plugins.performers(),
            "agent": partial(agent.perform, self.models),
            "llm": partial(llm.perform, self.models),
            "tool": tool.perform,
            "wait": wait.perform,
            "orchestration": orchestration.perform,
        }


@asynccontextmanager
async def opened(
    settings: Settings, url: str, models: Models, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[Runtime]:
    """A runtime over the migrated database at `url`, closed at the end. `environ` has the keys that are in no row.

    Raises:
        CannotOpen: nobody answers at `url`, it is too old, or it lacks the database roles that the settings require.
        Invalid: the key that anchors are signed with, or that secrets are encrypted with, cannot be used.
    """
    secrets.use(Keyring.from_environment(environ))
    anchoring = _anchoring(settings)
    outbound = _outbound(settings)
    registry.register(*await opened_folder.tools(settings.files_dir, writable=settings.files_writable))
    registry.register(*data.TOOLS, *time.TOOLS, *http.tools(outbound), *web.tools(outbound))
    programs = Workers(at_most=settings.programs)
    registry.register(*program_tool.tools(programs))
    registry.register(*plugins.tools())
    expiry.use(settings.agent_made_expire_days)
    async with await Database.open(url) as database:
        _check_roles(database, is_required=settings.require_database_roles)
        notifier = Notifier(database.connect)
        exchange = Exchange(notifier)
        connections.use(database, notifier, Feed(database.pool, exchange), CredentialWatch(credentials.still_valid))
        requests = RowRequests(
            {
                "publication": orchestrations.publication_requests(),
                "publication of a role": roles.publication_requests(),
                "start": executions.start_requests(),
            }
        )
        configured, paid = ConfigurationWatch(models, environ, outbound.guard), budgets.BudgetWatch()
        watch.use(configured)
        await paid.look()
        sources = mcp.Sources(settings.mcp_commands, outbound.guard)
        mcp.use(sources)

        def look() -> None:
            for waiting in (requests, configured, paid, sources):
                waiting.wake()

        notifier.hear(row_requests.CHANNEL, lambda _: look(), greet=look)
        hints = asyncio.create_task(notifier.run(), name="notifier")
        answers = asyncio.create_task(requests.run(), name="row requests")
        upkeep = asyncio.create_task(retention.tidy_daily(), name="upkeep")
        configuring = asyncio.create_task(configured.run(), name="configuration watch")
        paying = asyncio.create_task(paid.run(), name="budgets")
        asking = asyncio.create_task(sources.run(), name="tool sources")
        counting = asyncio.create_task(metrics.keep_hourly(), name="metrics")
        tasks = [hints, upkeep, answers, configuring, paying, asking, counting]
        if anchoring is not None:
            tasks.append(asyncio.create_task(anchoring(), name="anchoring"))
        try:
            await configured.refresh()
            await sources.refresh()
            yield Runtime(settings, database, notifier, exchange, models, outbound)
        finally:
            await background.end(*tasks)
            watch.use(None)
            mcp.use(None)
            await sources.close()
            connections.use(None, None)
            await models.close()
            await programs.close()
            await outbound.close()
            await configured.close()


def _check_roles(database: Database, *, is_required: bool) -> None:
    if database.agents_problem is None:
        return
    if is_required:
        raise CannotOpen(
            f"{shown(database.url)} cannot tell agents from others, as ROLECALL_REQUIRE_DATABASE_ROLES asks: "
            f"{database.agents_problem}; `rolecall migrate` says what a database administrator has to run"
        )
    _log.warning("what agents ask is asked with this server's own rights: %s", database.agents_problem)


def _outbound(settings: Settings) -> Outbound:
    return Outbound(Guard(allowed(settings.outbound_allow), patterns(settings.outbound_hosts)))


def _anchoring(settings: Settings) -> Callable[[], Coroutine[Any, Any, None]] | None:
    if settings.audit_anchor_key_file is None:
        return None
    # Imported where it is wanted: an HTTP client and cryptography come with it, and most processes need neither.
    from services.audit.anchoring import anchoring_of

    return anchoring_of(settings, key_file=Path(settings.audit_anchor_key_file)).run
