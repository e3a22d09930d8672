"""What the page on budgets says is the case: its calls are made, its statements run."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec
import pytest

from api.context import Context
from api.root import router
from db.connection import Database
from services import connections, orchestrations, roles
from services.caller import OPERATOR
from services.errors import ServiceError
from services.models.catalog import Models
from tests.docs.markdown import blocks

PAGE = "budgets.md"
(STORIES, (DOCUMENT,), (SQL,)) = (list(blocks(PAGE, language)) for language in ("json", "yaml", "sql"))


@pytest.mark.parametrize("story", [pytest.param(block.value, id=f"{PAGE}:{block.line}") for block in STORIES])
async def test_a_story_goes_as_it_is_told(database: Database, story: list[dict[str, Any]]) -> None:
    connections.use(database, None)
    await roles.create(OPERATOR, name="Writer", base_prompt="You write.")
    await orchestrations.create(OPERATOR, document=DOCUMENT.value)

    for act in story:
        try:
            told = await _call(act["call"], act["with"])
        except (ServiceError, msgspec.ValidationError) as error:
            assert getattr(error, "code", "INVALID") == act.get("refused"), str(error)
        else:
            assert _part(told, act["answer"]) == act["answer"]
    connections.use(None, None)


async def test_the_statements_run(database: Database) -> None:
    connections.use(database, None)
    await roles.create(OPERATOR, name="Writer", base_prompt="You write.")
    await orchestrations.create(OPERATOR, document=DOCUMENT.value)
    connection: asyncpg.Connection = await database.connect()
    answers = [await connection.fetch(statement) for statement in filter(str.strip, SQL.text.split(";"))]
    await connection.close()
    connections.use(None, None)

    assert [tuple(row) for row in answers[-1]] == [("orchestration", "press", 5, 0, 0)]


async def _call(name: str, input: dict[str, Any]) -> Any:
    procedure = router.procedures[name]
    context = Context("story", Models({}, []), None, OPERATOR)
    given = None if procedure.input_type is None else msgspec.convert(input, procedure.input_type)
    answer = await procedure.call(context, given)
    return msgspec.json.decode(msgspec.json.encode(answer))


def _part(told: Any, of: Any) -> Any:
    """What is told of that which is asked about."""
    match told, of:
        case dict(), dict():
            return {name: _part(told[name], value) for name, value in of.items()}
        case list(), list() if len(told) == len(of):
            return [_part(one, other) for one, other in zip(told, of, strict=True)]
        case _:
            return told
