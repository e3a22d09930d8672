"""The stories of docs/versions.md, performed over a real database."""

import re
from typing import Any

import msgspec
import pytest

from api.context import Context
from api.root import router
from db.connection import Database
from services import connections, orchestrations
from services.caller import OPERATOR
from services.errors import Invalid, ServiceError
from services.models.catalog import Models
from tests.docs.markdown import DOCS, blocks

PAGE = "versions.md"
STORIES = [pytest.param(block.value, id=f"{PAGE}:{block.line}") for block in blocks(PAGE, "json")]


@pytest.mark.parametrize("story", STORIES)
async def test_a_story_goes_as_it_is_told(database: Database, story: list[dict[str, Any]]) -> None:
    (document,) = [block.value for block in blocks(PAGE, "yaml")]
    connections.use(database, None)
    await orchestrations.create(OPERATOR, document=document)
    for act in story:
        if "sql" in act:
            assert _part(await _answered(database, act["sql"]), act["row"]) == act["row"]
            continue
        try:
            told = await _call(act["call"], act["with"])
        except ServiceError as error:
            assert error.code == act.get("refused"), str(error)
            problems = error.problems if isinstance(error, Invalid) else ()
            assert [problem.path for problem in problems] == act.get("problems", [it.path for it in problems])
        else:
            assert "refused" not in act
            assert _part(told, act["answer"]) == act["answer"]
    connections.use(None, None)


def test_each_call_of_the_table_has_a_story() -> None:
    table = re.findall(r"^\|.*\|$", (DOCS / PAGE).read_text(), re.MULTILINE)
    named = {name for row in table for name in re.findall(r"`(\w+\.\w+)`", row)}

    assert named <= {act["call"] for story in STORIES for act in story.values[0] if "call" in act}


async def _answered(database: Database, statement: str) -> dict[str, Any]:
    """The newest version of an orchestration when what `anna` asks for in SQL has been answered."""
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('rolecall.actor', 'anna', true)")
        await connection.execute(statement)
    answer = orchestrations.publication_requests()
    while await answer():
        pass
    row = await database.pool.fetchval(
        "SELECT to_jsonb(it) FROM orchestration_version AS it ORDER BY number DESC LIMIT 1"
    )
    return msgspec.json.decode(row)


async def _call(name: str, input: dict[str, Any]) -> Any:
    procedure = router.procedures[name]
    assert procedure.input_type is not None
    context = Context("story", Models({}, []), None, OPERATOR)
    answer = await procedure.call(context, msgspec.convert(input, procedure.input_type))
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
