"""Conversations that outgrow their model's context: trimmed, summarised or refused, and the choice is kept."""

from typing import Any, Literal

import pytest

from services import roles
from services.caller import OPERATOR
from services.failure import Failed
from services.roles import Parameters, RoleChanges
from services.steps import agent, llm
from services.tools import registry
from services.tools.tool import ToolContext, tool
from tests.models.peer import Reply, completion
from tests.steps.trying import ROLE, Journal, Killed, attempt, scripted, told, wants

# In tokens; a result has about a quarter of it, so four do not fit.
CONTEXT = 4_000


@tool("look", effect="read")
async def look(_context: ToolContext, *, at: str) -> str:
    """Look at something."""
    return at * 4_000


@pytest.fixture(autouse=True)
async def world(opened: None) -> None:
    registry.register(look)
    parameters = Parameters(max_output_tokens=500)
    changes = RoleChanges(tools=("look",), parameters=parameters)
    await roles.create(OPERATOR, name=ROLE, base_prompt="Look.", changes=changes)


def looks(*what: str) -> tuple[Reply, ...]:
    """A turn for each; the provider counts as we do, so nothing is corrected."""
    return tuple(uncounted(wants(("look", {"at": letter}))) for letter in what)


def uncounted(reply: Reply) -> Reply:
    return Reply(body={**reply.body, "usage": None})


def counted(reply: Reply, tokens: int) -> Reply:
    return Reply(
        body={**reply.body, "usage": {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens}}
    )


def shown(messages: list[Any]) -> list[str]:
    return [str(message["content"])[:1] for message in messages if message["role"] == "tool"]


async def test_the_oldest_results_go_first_and_that_is_kept() -> None:
    journal = Journal()
    async with scripted(*looks(*"abcdef"), completion("done"), context_tokens=CONTEXT) as (models, peer):
        output = await agent.perform(models, await attempt(journal))

    assert output == "done"
    assert [shown(told(peer, request)) for request in range(7)] == [
        [],
        ["a"],
        ["a", "b"],
        ["a", "b", "c"],
        ["(", "(", "c", "d"],
        ["(", "(", "c", "d", "e"],
        ["(", "(", "(", "(", "e", "f"],
    ]
    assert [(note["results"], note.get("turns", 0), note["limit"]) for note in journal.of_kind("narrowed")] == [
        (2, 0, 3_500),
        (4, 0, 3_500),
    ]


async def test_a_worker_that_dies_goes_on_with_what_was_left() -> None:
    journal = Journal(breaks_after=9)  # the eighth is the result of d
    async with scripted(*looks(*"abcd"), completion("done"), context_tokens=CONTEXT) as (models, peer):
        with pytest.raises(Killed):
            await agent.perform(models, await attempt(journal))
        await agent.perform(models, await attempt(journal))

    assert len(journal.of_kind("narrowed")) == 1
    assert shown(told(peer)) == ["(", "(", "c", "d"]


async def test_without_a_known_context_nothing_is_left_out() -> None:
    journal = Journal()
    async with scripted(*looks(*"abcdef"), completion("done")) as (models, peer):
        await agent.perform(models, await attempt(journal))

    assert shown(told(peer)) == list("abcdef")
    assert journal.of_kind("narrowed") == []


async def test_what_the_provider_counts_corrects_us() -> None:
    # It says twice of what we take the request for: so only half as much fits.
    journal = Journal()
    script = (counted(wants(("look", {"at": "a"})), 2 * 60), counted(wants(("look", {"at": "b"})), 2 * 1_100))
    async with scripted(*script, completion("done"), context_tokens=CONTEXT) as (models, peer):
        await agent.perform(models, await attempt(journal))

    assert shown(told(peer)) == ["(", "b"]


@pytest.mark.parametrize("said_by", ["step", "role"])
async def test_who_says_so_is_refused_instead(said_by: Literal["step", "role"]) -> None:
    fields: dict[str, Any] = {"context_policy": "fail"}
    if said_by == "role":
        parameters = Parameters(max_output_tokens=500, context_policy="fail")
        await roles.update(OPERATOR, role=ROLE, changes=RoleChanges(parameters=parameters))
        fields = {}
    async with scripted(*looks(*"abcdef"), context_tokens=CONTEXT) as (models, peer):
        with pytest.raises(Failed) as failed:
            await agent.perform(models, await attempt(Journal(), **fields))

    assert (failed.value.failure.code, failed.value.failure.retryable) == ("CONTEXT_TOO_LARGE", False)
    assert "the contextPolicy trim or summarise" in failed.value.failure.message
    assert len(peer.asked) == 4


async def test_what_is_left_out_can_be_summarised_and_the_summary_is_kept_and_paid() -> None:
    journal = Journal()
    summary = completion("It saw a, b and c.")
    async with scripted(*looks(*"abcd"), summary, *looks("e"), completion("done"), context_tokens=CONTEXT) as (
        models,
        peer,
    ):
        trying = await attempt(journal, context_policy="summarise")
        output = await agent.perform(models, trying)

    assert output == "done"
    asked_for_summary = peer.asked[4].body
    assert "You keep the memory of an agent" in asked_for_summary["messages"][0]["content"]
    assert "tools" not in asked_for_summary
    assert "look gave: aaa" in asked_for_summary["messages"][1]["content"]
    opening, *rest = told(peer, 5)
    assert opening["content"].endswith("What happened so far, in short:\n\nIt saw a, b and c.")
    assert shown(rest) == ["d"]
    (note,) = journal.of_kind("narrowed")
    assert (note["turns"], note["summary"]) == (3, "It saw a, b and c.")
    assert len(note["calls"]) == 1
    assert len(trying.calls) == 7


async def test_a_summary_is_not_asked_for_again_after_a_crash() -> None:
    journal = Journal(breaks_after=9)  # the summary itself
    script = (*looks(*"abcd"), completion("It saw a, b and c."), completion("done"))
    async with scripted(*script, context_tokens=CONTEXT) as (models, peer):
        with pytest.raises(Killed):
            await agent.perform(models, await attempt(journal, context_policy="summarise"))
        resumed = await attempt(journal, context_policy="summarise")
        output = await agent.perform(models, resumed)

    assert output == "done"
    assert len(peer.asked) == 6
    assert len(resumed.calls) == 6


async def test_a_result_that_is_too_large_by_itself_is_cut() -> None:
    @tool("look", effect="read")
    async def long(_context: ToolContext, *, at: str) -> str:
        """See a lot."""
        return at * 100_000

    registry.register(long)
    async with scripted(*looks("a"), completion("done"), context_tokens=CONTEXT) as (models, peer):
        await agent.perform(models, await attempt(Journal()))

    (said,) = [message["content"] for message in told(peer) if message["role"] == "tool"]
    assert said == "a" * 4_096 + "… (cut off: it has 100,000 characters)"


@pytest.mark.parametrize("kind", ["agent", "llm"])
async def test_a_task_that_does_not_fit_is_refused_before_anybody_is_asked(kind: Any) -> None:
    perform = {"agent": agent.perform, "llm": llm.perform}[kind]
    async with scripted(completion("done"), context_tokens=CONTEXT) as (models, peer):
        with pytest.raises(Failed, match="choose a model with more") as failed:
            await perform(models, await attempt(Journal(), kind, input="x" * 100_000))

    assert failed.value.failure.code == "CONTEXT_TOO_LARGE"
    assert peer.asked == []
