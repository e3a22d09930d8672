"""What every command needs: settings, a database, an event loop, and the signals that end it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any, TypeVar

import click

import db.migrate
import meta_tools
from db import embedded
from db.acting import act_as
from services import background
from services.caller import OPERATOR
from services.engine.worker import Worker
from services.models.catalog import Models
from services.runtime import Runtime, opened
from services.settings import Settings

T = TypeVar("T")


def settings() -> Settings:
    """What the environment sets."""
    return Settings.from_environment(os.environ)


def with_runtime(main: Callable[[Runtime], Awaitable[T]], *, as_operator: bool = True) -> T:
    """What `main` gives back, called with a runtime over the migrated database.

    The operator acts in it; not so in a process that serves others, where each of them acts, or nobody.

    Raises:
        CannotOpen, EmbeddedError, Invalid, Failed: something in the environment has to be mended first.
    """
    chosen = settings()
    models = Models.from_environment(os.environ)
    with database(chosen) as url:
        return in_loop(_with_runtime(chosen, url, models, main, as_operator=as_operator))


def migrate() -> int:
    """Migrate the database and say what was done, and what is left to a database administrator."""
    with database(settings()) as url:
        done, missing = in_loop(_migrated(url))
    click.echo("\n".join(f"migrated: {id}" for id in done) or "the database has the newest schema already")
    if missing:
        click.echo("the database roles are not complete; as a database administrator run this, then migrate again:")
        click.echo("\n".join(f"  {statement};" for statement in missing))
    return 0


async def _migrated(url: str) -> tuple[list[str], list[str]]:
    return await db.migrate.migrate(url), await db.migrate.establish_roles(url)


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The URL of the database that is set; without one, of the embedded one, started or joined.

    Call it from the main thread, before there are others: the server ends with the thread that started it.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded.start(settings.data_path / "database") as server:
        if not server.is_owner:
            click.echo("joined the embedded database of another rolecall process; it ends with that process", err=True)
        yield server.url


def in_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in an event loop of its own."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


@contextmanager
def on_stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM call `stop` in the event loop and do nothing else."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def working(worker: Worker, *, patience_seconds: float) -> AsyncIterator[asyncio.Task[None]]:
    """A worker at work. At the end it is stopped, and cut off when it is not done in time; nothing is lost by that."""
    task = asyncio.create_task(worker.run(), name="worker")
    try:
        yield task
    finally:
        worker.stop()
        await asyncio.wait({task}, timeout=patience_seconds)
        await background.end(task)


async def _with_runtime(
    settings: Settings, url: str, models: Models, main: Callable[[Runtime], Awaitable[T]], *, as_operator: bool
) -> T:
    await db.migrate.migrate(url)
    meta_tools.install()
    async with opened(settings, url, models) as runtime:
        with act_as(OPERATOR.name, "cli") if as_operator else nullcontext():
            return await main(runtime)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
