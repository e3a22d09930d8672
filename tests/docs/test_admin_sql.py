"""docs/admin-sql.md, typed into psql beside a running server."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from db.connection import connect
from services import bundles
from services.caller import OPERATOR
from tests.api.conftest import serving
from tests.conftest import CopyOf
from tests.docs.markdown import DOCS, blocks
from tests.docs.psql import Psql, psql, typed

PAGE = "admin-sql.md"
USER = "anna"


@pytest.fixture
async def session(copy_of: CopyOf, template: str) -> AsyncIterator[Psql]:
    """The psql of somebody with the rights of rolecall_admin, in a database that a server and a worker look after."""
    async with copy_of(template) as url, serving(url):
        (before,) = blocks(PAGE, "yaml")
        await bundles.load(OPERATOR, bundles.read(before.text))
        owner = await connect(url)
        try:
            async with user_of(owner, url) as its_url, psql(its_url) as session:
                yield session
        finally:
            await owner.close()


async def test_the_page_prints_what_it_says(session: Psql) -> None:
    printed: list[str] = []
    for block in typed(PAGE):
        output = await session.type(block.sql)
        async with asyncio.timeout(20):
            while block.is_repeated and output != block.printed:
                output = await session.type(block.sql)
        printed.append(output)

    assert printed == [block.printed for block in typed(PAGE)]


def test_every_function_that_is_called_is_there_and_every_function_is_told_of() -> None:
    text = (DOCS / PAGE).read_text(encoding="utf-8")
    listed = set(re.findall(r"rolecall\.(\w+)\(", next(block.printed for block in typed(PAGE))))

    assert set(re.findall(r"rolecall\.(\w+)", text)) - {"example", "_admin"} >= listed


@asynccontextmanager
async def user_of(owner: asyncpg.Connection, url: str) -> AsyncIterator[str]:
    """The URL under which somebody logs in who is an admin and nothing else."""
    await owner.execute(f"CREATE ROLE {USER} LOGIN PASSWORD 'anna' IN ROLE rolecall_admin")
    parts = urlsplit(url)
    try:
        yield parts._replace(netloc=f"{USER}:anna@{parts.netloc.rpartition('@')[2]}").geturl()
    finally:
        await owner.execute(f"DROP ROLE {USER}")
