"""What the pages on the engine and on scaling say is the case: tables, calls, commands and queries."""

import inspect
import shlex
from typing import Any

import asyncpg
import click
import msgspec
import pytest

from api.cli import root
from api.root import router
from db.connection import Database
from services.health import Health
from tests.docs import states
from tests.docs.markdown import blocks, rows

PAGES = ("engine.md", "scaling.md")


def test_the_tables_of_states_are_fresh() -> None:
    page = states.PAGE.read_text(encoding="utf-8")

    assert page == states.fresh(page), "run `make generate`"


def shown(language: str, *pages: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{page}:{block.line}") for page in pages or PAGES for block in blocks(page, language)
    ]


@pytest.mark.parametrize("block", shown("json"))
def test_each_call_is_one_that_can_be_made(block: Any) -> None:
    call: Any = block.value
    procedure = router.procedures[call["procedure"]]

    assert block.word == "call"
    msgspec.convert(call["input"], procedure.input_type)


@pytest.mark.parametrize("block", [*shown("sh"), *shown("sh", "operating.md")])
def test_each_command_is_one_that_there_is(block: Any) -> None:
    for line in block.text.splitlines():
        program, name, *arguments = shlex.split(line, comments=True)
        command = root.commands[name]

        assert program == "rolecall"
        with command.make_context(name, arguments, parent=click.Context(root)):
            pass


@pytest.mark.parametrize("block", shown("sql"))
async def test_each_query_is_one_that_runs(database_url: str, block: Any) -> None:
    connection = await asyncpg.connect(database_url)
    for query in filter(str.strip, block.text.split(";")):
        await connection.fetch(query)
    await connection.close()


def test_the_fields_of_health_are_told() -> None:
    told = {row.cells["field"] for row in rows("engine.md", "field", "says")}

    assert told == {field.encode_name for field in msgspec.structs.fields(Health)} - {
        "status",
        "version",
        "defaultModel",
    }


def test_the_pools_are_as_large_as_they_say() -> None:
    parameters = inspect.signature(Database.open).parameters
    pools = sum(parameters[name].default for name in ("pool_size", "table_pool_size", "statements_at_once"))

    for row in rows("scaling.md", "process", "together"):
        assert int(row.cells["pools, at most"]) == pools
        assert int(row.cells["together"]) == pools + int(row.cells["of its own"])
