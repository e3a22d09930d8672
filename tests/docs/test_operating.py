"""The stories of docs/operating.md, performed by a real worker over a real database."""

import asyncio
import re
from typing import Any

import msgspec
import pytest

from api.context import Context
from api.root import router
from db.connection import Database
from services import executions, orchestrations
from services.caller import OPERATOR
from services.engine.performer import Attempt
from services.failure import failed
from services.json import Json
from services.models.catalog import Models
from services.tools import registry
from services.tools.tool import tool
from tests.docs.markdown import DOCS, blocks
from tests.engine.conftest import Engine, engine

__all__ = ["engine"]

PAGE = "operating.md"
STORIES = [pytest.param(block.value, id=f"{PAGE}:{block.line}") for block in blocks(PAGE, "json")]


class Shop:
    """Answers by the name of the step, and writes down which it was asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.performed: list[str] = []
        self.is_stuck = asyncio.Event()

    async def perform(self, attempt: Attempt) -> Json:
        self.performed.append(attempt.path)
        answer = self.answers.get(attempt.path)
        match answer:
            case {"$fails": code}:
                raise failed(code, "no", retryable=False)
            case {"$never": True}:
                self.is_stuck.set()
                await asyncio.Event().wait()
        return answer


@pytest.mark.parametrize("story", STORIES)
async def test_a_story_goes_as_it_is_told(
    engine: Engine, story: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_tools", {})
    registry.register(*(tool(name)(_nothing) for name in ("shop.reserve", "shop.charge", "shop.thank")))
    for block in blocks(PAGE, "yaml"):
        await orchestrations.create(OPERATOR, document=block.value)
    shop, told = Shop(), None
    async with engine.working(engine.worker(shop.perform)):
        for act in story:
            shop.answers, shop.performed = act.get("answers", {}), []
            answer = await _call(act["call"], told, act.get("with", {}))
            if isinstance(answer, executions.Retried):
                assert {name: getattr(answer, name) for name in act["counts"]} == act["counts"]
                assert await _ends_of_restarts(engine) == {act["status"]}
                assert sorted(shop.performed) == act["performed"]
                continue
            told = answer
            if act["status"] == "running":
                await shop.is_stuck.wait()
                found = await executions.get(OPERATOR, execution=told.id)
            else:
                found = await engine.until(told.id, lambda it, wanted=act["status"]: it.status == wanted)

            assert (found.status, found.output) == (act["status"], act.get("output"))
            assert shop.performed == act["performed"]


async def _ends_of_restarts(engine: Engine) -> set[str]:
    found = (await executions.list_(OPERATOR, orchestration="order")).items
    return {(await engine.finished(one.id)).status for one in found if one.restart_of is not None}


async def _call(
    name: str, execution: executions.Execution | None, input: dict[str, Any]
) -> executions.Execution | executions.Retried:
    """The answer to a call, which is about `execution` when it takes one."""
    procedure = router.procedures[name]
    assert procedure.input_type is not None
    if execution is not None and "execution" in procedure.input_type.__struct_fields__:
        input = {"execution": str(execution.id), **input}
    context = Context("story", Models({}, []), None, OPERATOR)
    return await procedure.call(context, msgspec.convert(input, procedure.input_type))


async def _nothing(*, item: str = "") -> None:
    """Never called: the shop performs every step."""


async def test_each_query_is_one_that_runs(database: Database) -> None:
    queries = [block.text for block in blocks(PAGE, "sql")]

    assert len(queries) == 3
    assert [await database.pool.fetch(query) for query in queries] == [[], [], []]


def test_each_call_of_the_table_has_a_story() -> None:
    named = set(re.findall(r"`(execution\.\w+)`\]", (DOCS / PAGE).read_text()))

    assert named == {act["call"] for story in STORIES for act in story.values[0]} - {"execution.start"}
