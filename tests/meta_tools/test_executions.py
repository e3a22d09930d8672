"""Executions, started and watched by agents."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
import pytest

from services import executions
from services.caller import OPERATOR
from tests.meta_tools.conftest import Agent

ECHO = {
    "name": "echo",
    "input": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
    "steps": [{"name": "Echo", "kind": "transform", "inputMapping": {"said": "<<context.input.word>>"}}],
}
HI = {"word": "hi"}


@pytest.fixture
async def echo(designer: Agent) -> str:
    """The id of an orchestration that the agent made."""
    return (await designer.call("create_orchestration", **ECHO))["id"]


async def test_an_orchestration_is_started_by_name_or_by_id(designer: Agent, echo: str) -> None:
    by_name = await designer.call("execute_orchestration", orchestration="echo", input=HI)
    by_id = await replace(designer, key="call_2").call("execute_orchestration", orchestrationId=echo, input=HI)

    started = await executions.get(OPERATOR, execution=UUID(by_name["executionId"]))
    assert by_name == {
        "executionId": str(started.id),
        "status": "queued",
        "orchestration": "echo",
        "version": 1,
    }
    assert (started.input, started.started_by) == (HI, "Designer for operator")
    assert by_id["executionId"] != by_name["executionId"]


@pytest.mark.parametrize("both", [{}, {"orchestration": "echo", "orchestrationId": str(UUID(int=7))}])
async def test_an_orchestration_is_named_in_one_way(designer: Agent, echo: str, both: dict[str, str]) -> None:
    refusal = await designer.refused("execute_orchestration", **both)

    assert refusal["message"] == "an execution needs either `orchestration`, a name or an id, or `orchestrationId`"


async def test_an_input_that_does_not_fit_is_refused_with_its_place(designer: Agent, echo: str) -> None:
    refusal = await designer.refused("execute_orchestration", orchestration="echo", input={"word": 3})

    assert [(it["code"], it["path"]) for it in refusal["problems"]] == [("SCHEMA_MISMATCH", "/input/word")]
    assert (await executions.list_(OPERATOR)).items == []


@pytest.mark.parametrize("key", ["execution/Design/call_1", "long/" * 60])
async def test_a_repeated_call_starts_nothing_twice(designer: Agent, echo: str, key: str) -> None:
    agent = replace(designer, key=key)
    first = await agent.call("execute_orchestration", orchestration="echo", input=HI)

    second = await agent.call("execute_orchestration", orchestration="echo", input=HI)

    assert second == first
    assert [str(it.id) for it in (await executions.list_(OPERATOR)).items] == [first["executionId"]]


async def test_the_agents_own_key_ties_calls_together(designer: Agent, echo: str) -> None:
    asked = {"orchestration": "echo", "input": HI, "idempotencyKey": "monday"}

    first = await replace(designer, key="call_1").call("execute_orchestration", **asked)
    second = await replace(designer, key="call_2").call("execute_orchestration", **asked)

    assert second == first


async def test_a_key_that_was_used_for_something_else_is_a_conflict(designer: Agent, echo: str) -> None:
    asked = {"orchestration": "echo", "idempotencyKey": "monday"}
    await designer.call("execute_orchestration", **asked, input=HI)

    refusal = await designer.refused("execute_orchestration", **asked, input={"word": "ho"})

    assert refusal["code"] == "CONFLICT"


async def test_the_status_is_what_the_service_tells_and_the_steps(designer: Agent, echo: str) -> None:
    started = await designer.call("execute_orchestration", orchestration="echo", input=HI)
    id = UUID(started["executionId"])

    status = await designer.call("get_execution_status", executionId=str(id))

    detail = as_json(await executions.get(OPERATOR, execution=id))
    steps = as_json(await executions.steps(OPERATOR, execution=id))
    assert status == {**detail, "steps": steps}
    assert (status["status"], status["input"], [step["name"] for step in steps]) == ("queued", HI, ["Echo"])


async def test_an_unknown_execution_is_said_to_be_missing(designer: Agent) -> None:
    refusal = await designer.refused("get_execution_status", executionId=str(UUID(int=7)))

    assert refusal["code"] == "NOT_FOUND"


async def test_executions_are_listed_newest_first_by_orchestration_and_status(designer: Agent, echo: str) -> None:
    await designer.call("create_orchestration", **{**ECHO, "name": "other"})
    first, second, other = [
        (await replace(designer, key=f"call_{number}").call("execute_orchestration", orchestration=name, input=HI))[
            "executionId"
        ]
        for number, name in enumerate(["echo", "echo", "other"])
    ]

    def ids(found: list[dict[str, object]]) -> list[object]:
        return [it["id"] for it in found]

    assert ids(await designer.call("list_executions")) == [other, second, first]
    assert ids(await designer.call("list_executions", limit=1)) == [other]
    assert ids(await designer.call("list_executions", before=second)) == [first]
    assert ids(await designer.call("list_executions", orchestration="echo")) == [second, first]
    assert ids(await designer.call("list_executions", status="completed")) == []


def as_json(value: object) -> Any:
    """The value as it is on the wire, where a tuple is a list."""
    return msgspec.json.decode(msgspec.json.encode(value))
