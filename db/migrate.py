"""Bring a database to the newest schema."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, cast
from weakref import WeakKeyDictionary

from asyncpg import InsufficientPrivilegeError
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.apps.migrations.tables import Migration

from db import migrations
from db.connection import CannotOpen, SchemaEngine, connect, shown
from db.migrations import APP_NAME

# Any number will do, as long as nobody else takes it.
LOCK = int.from_bytes(b"rolecall")

# Migrations may take long and wait long for locks; the timeouts of everyday sessions are not for them.
SESSION = {"application_name": "rolecall migrate", "timezone": "UTC"}

# Piccolo's migration code finds its engine in a module, so there is one migration at a time in a process.
_one_at_a_time: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


async def migrate(url: str) -> list[str]:
    """Run the migrations that the database has not had yet and return their ids, oldest first.

    Each runs in a transaction together with the record that it ran. Processes that do this at the same time wait for
    each other, and the later ones find nothing to do.

    Raises:
        CannotOpen: the URL is malformed, nobody answers there, or they refuse.
    """
    engine = SchemaEngine(url, server_settings=SESSION)
    async with _one_at_a_time.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        connection = await connect(url, session=SESSION, command_timeout_seconds=None)
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
            with _kept_in(engine):
                return await _run_pending(engine)
        finally:
            await connection.close()  # which gives the lock back


async def establish_roles(url: str) -> list[str]:
    """Make the database roles and give them their rights, as far as that is permitted: also when they were made, or the
    user was put into them, after the migration. Returns the statements that somebody with more rights has to run.

    Raises:
        CannotOpen: nobody answers, they refuse, or the tables are somebody else's.
    """
    connection = await connect(url, session=SESSION, command_timeout_seconds=None)
    try:
        return [row[0] for row in await connection.fetch("SELECT database_roles_establish()")]
    except InsufficientPrivilegeError as problem:
        allowed = "migrate as the owner of the tables"
        raise CannotOpen(
            f"cannot give the database roles their rights in {shown(url)}: {problem}; {allowed}"
        ) from problem
    finally:
        await connection.close()


async def _run_pending(engine: SchemaEngine) -> list[str]:
    if not await Migration.table_exists():
        await Migration.create_table()
    modules = _modules()
    done = await Migration.get_migrations_which_ran(app_name=APP_NAME)
    pending = sorted(modules.keys() - set(done))
    if pending:
        with _piccolo_uses(engine), redirect_stdout(io.StringIO()):
            for id in pending:
                await _run(engine, id, modules[id])
    return pending


async def _run(engine: SchemaEngine, id: str, module: ModuleType) -> None:
    async with engine.transaction():
        manager = await module.forwards()
        if isinstance(manager, MigrationManager):
            await manager.run()
        await Migration.insert(Migration(name=id, app_name=APP_NAME))


def _modules() -> dict[str, ModuleType]:
    # Piccolo's own loader would put the folder on sys.path, once more each time.
    names = [module.name for module in iter_modules(migrations.__path__)]
    modules = [import_module(f"{migrations.__name__}.{name}") for name in names]
    return {module.ID: module for module in modules}


@contextmanager
def _kept_in(engine: SchemaEngine) -> Iterator[None]:
    """Inside, the record of migrations that have run is the one in that database."""
    Migration._meta.db = engine
    try:
        yield
    finally:
        Migration._meta._db = None


@contextmanager
def _piccolo_uses(engine: SchemaEngine) -> Iterator[None]:
    # Imported where a migration runs: it brings a code formatter along, a tenth of the time that `rolecall up` takes to
    # start, and most starts find nothing to do.
    from piccolo.conf.apps import Finder

    configuration = cast(Any, Finder().get_piccolo_conf_module())
    before = vars(configuration).get("DB")
    configuration.DB = engine
    try:
        yield
    finally:
        if before is None:
            del configuration.DB
        else:
            configuration.DB = before
