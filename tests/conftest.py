"""The suite's database: one server for the session, one migrated template, a copy of it for each test."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from db import embedded
from db.connection import Database, connect
from db.migrate import migrate
from tests.models.aimock import Aimock, aimock_running

# The suite tries the same examples each time; `make laws` looks for new ones, as many as the laws' contract names.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.register_profile("thorough", max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("suite")

# A shell lets what it starts in the background ignore Ctrl-C; the commands that the tests start would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)

CopyOf = Callable[[str], AbstractAsyncContextManager[str]]
NewDirectory = Callable[[], AbstractContextManager[Path]]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server: `ROLECALL_DATABASE_URL`, a container if `ROLECALL_TEST_POSTGRES=container`, or an embedded one."""
    if url := os.environ.get("ROLECALL_DATABASE_URL"):
        yield url
    elif os.environ.get("ROLECALL_TEST_POSTGRES") == "container":
        from testcontainers.community.postgres import PostgresContainer  # needs Docker, so nobody else pays for it

        with PostgresContainer("postgres:17-alpine", driver=None) as container:
            yield container.get_connection_url()
    else:
        with _new_directory() as directory, embedded.start(directory / "data") as server:
            yield server.url


@pytest.fixture(scope="session")
def copy_of(postgres_url: str) -> CopyOf:
    """`async with copy_of(name) as url`: a new database, the same as the one with that name, dropped at the end."""
    return partial(_copy_of, postgres_url)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(copy_of: CopyOf) -> AsyncIterator[str]:
    """The name of a migrated database that nobody is connected to."""
    async with copy_of("template0") as url:
        await migrate(url)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
async def empty_database_url(copy_of: CopyOf) -> AsyncIterator[str]:
    """A database of the test's own, without a single table."""
    async with copy_of("template0") as url:
        yield url


@pytest.fixture
async def database_url(copy_of: CopyOf, template: str) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    async with copy_of(template) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database of the test's own, opened; Piccolo's tables are bound to it."""
    async with await Database.open(database_url) as database:
        yield database


@pytest.fixture(scope="session")
def _aimock() -> Iterator[Aimock]:
    with aimock_running() as aimock:
        yield aimock


@pytest.fixture
def aimock(_aimock: Aimock) -> Iterator[Aimock]:
    """A peer that speaks as the providers of models do; it knows nothing yet and forgets afterwards."""
    yield _aimock
    _aimock.forget()


@pytest.fixture(scope="session")
def new_directory() -> NewDirectory:
    """`with new_directory() as path`: one that an embedded server's account can enter, also when that is not ours."""
    return _new_directory


@contextmanager
def _new_directory() -> Iterator[Path]:
    # In memory where there is plenty of it: an fsync costs nothing there, and no test pulls the plug.
    memory = Path("/dev/shm")
    has_plenty = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30
    directory = Path(tempfile.mkdtemp(prefix="rolecall-tests-", dir=memory if has_plenty else None))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@asynccontextmanager
async def _copy_of(server_url: str, template: str) -> AsyncIterator[str]:
    name = f"rolecall_test_{uuid4().hex}"
    await _execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        await _execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(url: str, statement: str) -> None:
    connection: asyncpg.Connection = await connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


# CI sets ROLECALL_NO_SKIP=1: what is skipped there was never tested anywhere.
NO_SKIP = os.environ.get("ROLECALL_NO_SKIP") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    may_skip = any(map(item.get_closest_marker, ("needs_foreign_data", "needs_browser")))
    return report if may_skip else _without_skips(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _without_skips(report)


def _without_skips(report):
    # An expected failure also counts as skipped, but it did run.
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although ROLECALL_NO_SKIP=1: {report.longrepr}"
    return report
