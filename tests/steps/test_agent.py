"""The agent's loop, with the real SDK and a scripted model: what is kept is not repeated."""

from uuid import UUID

import pytest

from services import roles
from services.caller import OPERATOR
from services.failure import Failed
from services.roles import RoleChanges
from services.steps import agent
from services.tools import registry
from services.tools.tool import ToolContext, ToolError, tool
from tests.models.peer import Reply, completion
from tests.steps.trying import ROLE, Journal, Killed, attempt, scripted, wants

CALLS: list[tuple[str, str]] = []


@tool("count", effect="read")
async def count(context: ToolContext, *, what: str) -> dict[str, int]:
    """Count something."""
    if what == "nothing":
        raise ToolError("there is nothing to count")
    CALLS.append((what, context.idempotency_key))
    return {"count": len(CALLS)}


@pytest.fixture(autouse=True)
async def counter(opened: None) -> None:
    CALLS.clear()
    registry.register(count)
    await roles.create(OPERATOR, name=ROLE, base_prompt="Count.", changes=RoleChanges(tools=("count",)))


def calls(*wanted: str) -> Reply:
    return wants(*(("count", {"what": what}) for what in wanted))


async def test_an_agent_calls_its_tools_until_it_is_done_and_its_cost_is_added_up() -> None:
    journal = Journal()
    async with scripted(calls("a", "b"), calls("c"), completion("three")) as (models, peer):
        trying = await attempt(journal)
        output = await agent.perform(models, trying)

    assert output == "three"
    assert "".join(journal.pieces) == "three"
    assert [what for what, _ in CALLS] == ["a", "b", "c"]
    assert len({key for _, key in CALLS}) == 3
    assert [(call.outcome, call.input_tokens, call.output_tokens) for call in trying.calls] == [
        ("answered", 100, 20)
    ] * 3
    assert [message["role"] for message in peer.asked[-1].body["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "tool",
    ]


@pytest.mark.parametrize("breaks_after", range(1, 6))
async def test_wherever_a_worker_dies_nothing_that_was_kept_is_repeated(breaks_after: int) -> None:
    journal = Journal(breaks_after)
    async with scripted(calls("a", "b"), calls("c"), completion("three")) as (models, peer):
        with pytest.raises(Killed):
            await agent.perform(models, await attempt(journal))
        output = await agent.perform(models, await attempt(journal))

    assert output == "three"
    assert [what for what, _ in CALLS] == ["a", "b", "c"]
    assert len(peer.asked) == 3


async def test_a_tool_that_fails_tells_the_model_and_not_the_step() -> None:
    async with scripted(calls("nothing"), completion("I see")) as (models, peer):
        output = await agent.perform(models, await attempt(Journal()))

    assert output == "I see"
    assert "there is nothing to count" in peer.asked[-1].body["messages"][-1]["content"]


async def test_arguments_that_do_not_fit_are_told_to_the_model() -> None:
    wrong = completion(calls=(("x", "count", '{"what": 1, "why": 2}'),))
    async with scripted(wrong, completion("sorry")) as (models, peer):
        await agent.perform(models, await attempt(Journal()))

    assert "it takes what" in peer.asked[-1].body["messages"][-1]["content"]


async def test_a_tool_is_told_the_role_itself_whatever_it_is_called_by_now() -> None:
    told: list[UUID | None] = []

    @tool("count")
    async def noting(context: ToolContext, *, what: str) -> str:
        """Note the role."""
        told.append(context.role_id)
        return what

    registry.register(noting)
    async with scripted(calls("a"), completion("done")) as (models, _):
        trying = await attempt(Journal())
        renamed = await roles.update(OPERATOR, role=ROLE, changes=RoleChanges(name="Teller"))
        await agent.perform(models, trying)

    assert told == [renamed.id]


async def test_a_step_narrows_the_tools_of_its_role() -> None:
    async with scripted(calls("a"), completion("none")) as (models, peer):
        await agent.perform(models, await attempt(Journal(), tools=()))

    assert CALLS == []
    assert "tools" not in peer.asked[0].body
    assert "TOOL_NOT_ALLOWED" in peer.asked[-1].body["messages"][-1]["content"]


async def test_turns_are_bounded() -> None:
    async with scripted(calls("again")) as (models, peer):
        with pytest.raises(Failed, match="not done after 3 model calls"):
            await agent.perform(models, await attempt(Journal(), max_turns=3))

    assert len(peer.asked) == 3
