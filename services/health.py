"""Health: does this installation work right now, and what is to be done if not?"""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, TypeVar

import asyncpg
import msgspec

from db.connection import Database
from services import connections, plugins
from services.engine.outages import TRANSIENT
from services.engine.worker import Worker
from services.errors import Unavailable
from services.models.catalog import Models

T = TypeVar("T")
_log = logging.getLogger(__name__)
VERSION = version("rolecall")

# Both pools are asked, then perhaps a connection of its own, then for a hint: less than two seconds together.
_ACQUIRE_SECONDS = 0.4
_POOLS_SECONDS = 0.9
_ALONE_SECONDS = 0.6
_HINT_SECONDS = 0.3

# What nobody has answered after half a minute is not just taking its time: a look comes every five seconds.
_STATE = """
SELECT current_setting('transaction_read_only') = 'on' AS is_read_only, count(*) AS workers,
  (SELECT problem FROM audit_anchor WHERE taken_at > clock_timestamp() - interval '2 hours') AS not_anchored,
  (SELECT count(*) FROM row_request WHERE requested_at < clock_timestamp() - interval '30 seconds') AS unanswered
FROM worker WHERE heartbeat_at + make_interval(secs => lease_seconds) > clock_timestamp()
"""
_NOT_ANCHORED = (
    "The head of the audit is not anchored: {}. It is tried again soon; see to what ROLECALL_AUDIT_ANCHOR_FILE and"
    " ROLECALL_AUDIT_ANCHOR_URL name."
)

_OF_NO_USE = "A row of models is of no use, {}: {}. `provider.list` and `model.list` show it."


class Health(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether calls are answered and executions run.

    `status` is `ok` when there are no `problems`: sentences that say what is wrong and what to do. `pool` is `starved`
    when the database answers and this process has no connection left to ask it. `hints` are `off` when nobody tells
    this process what has come up, so that it finds it by looking once a second. `worker` is this process's own;
    `workers` counts those of all processes. `unanswered` are requests that rows have made more than 30 seconds ago.
    """

    status: Literal["ok", "degraded"]
    version: str
    database: Literal["up", "down", "read-only"]
    pool: Literal["ok", "starved"]
    hints: Literal["ok", "off"]
    worker: Literal["live", "down", "none"]
    workers: int
    unanswered: int
    problems: tuple[str, ...]
    default_model: str

    @property
    def answers_calls(self) -> bool:
        """Whether a call that only reads can be answered by this process."""
        return self.database != "down" and self.pool == "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the database has said; nothing, when it did not answer."""

    state: asyncpg.Record | None = None
    is_starved: bool = False
    hears: bool = False
    agents_problem: str | None = None


class _Starved(Exception):
    """Every connection of a pool is taken."""


async def check(models: Models, worker: Worker | None) -> Health:
    """What works and what does not; it answers within two seconds, whatever hangs."""
    seen = await _look()
    state = seen.state
    database = "down" if state is None else "read-only" if state["is_read_only"] else "up"
    health = Health(
        status="ok",
        version=VERSION,
        database=database,
        pool="starved" if seen.is_starved else "ok",
        hints="ok" if seen.hears else "off",
        worker="none" if worker is None else "live" if worker.is_live else "down",
        workers=0 if state is None else state["workers"],
        unanswered=0 if state is None else state["unanswered"],
        problems=(),
        default_model=models.default,
    )
    problems = _problems(health, seen.agents_problem)
    if state is not None and state["not_anchored"] is not None:
        problems += (_NOT_ANCHORED.format(state["not_anchored"]),)
    problems += tuple(_OF_NO_USE.format(problem.path, problem.message) for problem in models.configuration.problems)
    problems += plugins.problems()
    return msgspec.structs.replace(health, status="degraded" if problems else "ok", problems=problems)


def _problems(health: Health, agents_problem: str | None) -> tuple[str, ...]:
    if health.database == "down":
        # What else is wrong comes of that, or cannot be known.
        return (
            "The database does not answer: calls are refused and executions stand still until it does. See whether "
            "PostgreSQL runs, has connections left, and is where ROLECALL_DATABASE_URL says.",
        )
    found = {
        "The database takes no writes: nothing starts and no execution goes on. Lead ROLECALL_DATABASE_URL to the "
        "primary, or set default_transaction_read_only to off.": health.database == "read-only",
        "Every database connection of this process is in use, so calls wait. Look for slow statements and waiting "
        "locks in pg_stat_activity, or serve from more processes.": health.pool == "starved",
        "Hints do not arrive, so what comes up is found up to a second later. Connect to PostgreSQL itself, or to a "
        "pooler in session mode; in transaction mode NOTIFY is lost.": health.hints == "off",
        "The worker of this process is not registered; it tries again every second, and its log says what is in the "
        "way.": health.worker == "down",
        "No worker is alive, so executions wait. Start `rolecall work` or `rolecall up`.": health.workers == 0,
        "What rows ask for, such as a publication, has waited for more than 30 seconds. The view row_request shows it; "
        "look into the logs of the servers, and for transactions that hold its rows.": health.unanswered > 0,
        f"What agents ask is asked with this server's own rights: {agents_problem}. As a database administrator run "
        "what `rolecall migrate` says, then migrate and start this process again.": agents_problem is not None,
    }
    return tuple(sentence for sentence, applies in found.items() if applies)


async def _look() -> _Seen:
    try:
        database = connections.database()
    except Unavailable:
        return _Seen()
    try:
        state = await _within(_POOLS_SECONDS, _through_pools(database))
        is_starved = False
    except _Starved:
        state, is_starved = None, True
    if state is None:
        state = await _within(_ALONE_SECONDS, _alone(database))
    if state is None:
        return _Seen()
    hears = await _hears(database, is_starved=is_starved)
    return _Seen(state=state, is_starved=is_starved, hears=hears, agents_problem=database.agents_problem)


async def _through_pools(database: Database) -> asyncpg.Record:
    """The state, when each pool of this process has a connection to ask for it.

    Raises:
        _Starved: one has none.
    """
    assert database.engine.own_pool is not None, "the database is open"
    try:
        async with asyncio.timeout(_ACQUIRE_SECONDS):
            await database.statements.turn()
    except TimeoutError:
        raise _Starved from None
    await _through(database.engine.own_pool)
    return await _through(database.pool)


async def _through(pool: asyncpg.Pool) -> asyncpg.Record:
    try:
        connection = await pool.acquire(timeout=_ACQUIRE_SECONDS)
    except TimeoutError:
        raise _Starved from None
    try:
        return await connection.fetchrow(_STATE)
    except BaseException:
        with suppress(asyncpg.InterfaceError):  # one that the server has cut is given back already
            connection.terminate()  # giving back one that hangs would hang as well
        raise
    finally:
        await pool.release(connection)


async def _alone(database: Database) -> asyncpg.Record | None:
    """The state, as a connection gives it that nobody else uses."""
    connection = await database.connect()
    try:
        return await connection.fetchrow(_STATE)
    finally:
        connection.terminate()


async def _hears(database: Database, *, is_starved: bool) -> bool:
    """Whether the notifier hears what is said to it, not over its own connection: a pooler might give it that back."""
    notifier = connections.notifier()
    if notifier is None or not notifier.is_listening:
        return False
    if is_starved:
        return True
    return bool(await _within(_HINT_SECONDS, notifier.hears(database.pool)))


async def _within(seconds: float, asked: Coroutine[Any, Any, T]) -> T | None:
    """The answer, or None when there is none in time, or the database is away.

    What hangs may hang while it is cancelled, too; nobody waits for that.
    """
    task = asyncio.create_task(asked)
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        task.add_done_callback(lambda it: it.cancelled() or it.exception())
        return None
    try:
        return task.result()
    except TRANSIENT as error:
        _log.warning("the database does not answer for its health: %r", error)
        return None
    except asyncpg.PostgresError as error:
        _log.warning("the database refuses to say how it is: %r", error)
        return None
