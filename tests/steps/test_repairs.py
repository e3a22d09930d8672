"""Answers that cannot be used: the model is told why, so many times, and none of them counts as success."""

from typing import Any

import pytest
from msgspec.structs import replace

from services import roles
from services.caller import OPERATOR
from services.definitions.document import Kind
from services.failure import Failed, Failure
from services.json import Json
from services.roles import Parameters, RoleChanges
from services.steps import agent, llm
from services.tools import registry
from services.tools.tool import ToolContext, tool
from tests.models.peer import Reply, completion
from tests.steps.trying import ROLE, Journal, Killed, attempt, scripted, told, wants

SCHEMA: Json = {
    "type": "object",
    "properties": {"score": {"type": "number", "maximum": 1}, "kind": {"enum": ["good", "bad"]}},
    "required": ["score", "kind"],
}
GOOD = completion('{"score": 0.5, "kind": "good"}')
WRONG = completion('{"score": "high", "kind": "fine"}')
STEPS = {"agent": agent.perform, "llm": llm.perform}

each_kind = pytest.mark.parametrize("kind", ["agent", "llm"])


@tool("look", effect="read")
async def look(_context: ToolContext, *, at: str) -> str:
    """Look at something."""
    return f"saw {at}"


@pytest.fixture(autouse=True)
async def world(opened: None) -> None:
    registry.register(look)
    await roles.create(OPERATOR, name=ROLE, base_prompt="Judge.", changes=RoleChanges(tools=("look",)))


async def failure_of(kind: Kind, *script: Reply, journal: Journal | None = None, **fields: Any) -> Failure:
    async with scripted(*script) as (models, _):
        with pytest.raises(Failed) as failed:
            await STEPS[kind](models, await attempt(journal or Journal(), kind, **fields))
    return failed.value.failure


@each_kind
async def test_a_model_is_told_each_place_that_is_wrong_and_what_would_be_right(kind: Kind) -> None:
    journal = Journal()
    async with scripted(WRONG, GOOD) as (models, peer):
        trying = await attempt(journal, kind, output_schema=SCHEMA)
        output = await STEPS[kind](models, trying)

    assert output == {"score": 0.5, "kind": "good"}
    assert [message["content"] for message in told(peer)[1:]] == [
        '{"score": "high", "kind": "fine"}',
        'Your answer cannot be used: it does not fit the schema: /score: "high" is not of type "number"; '
        '/kind: "fine" is not one of "good" or "bad"\n\nAnswer again with the whole JSON value, and nothing else.',
    ]
    (kept,) = journal.of_kind("rejected")
    assert [call["outcome"] for call in kept["calls"]] == ["answered"]
    assert [call.outcome for call in trying.calls] == ["answered", "answered"]


@each_kind
async def test_repairs_are_bounded_and_each_is_recorded(kind: Kind) -> None:
    journal = Journal()
    failure = await failure_of(kind, WRONG, journal=journal, output_schema=SCHEMA)

    assert (failure.code, failure.retryable) == ("OUTPUT_INVALID", True)
    assert failure.message.startswith("the answer of openai/gpt-6-luna, the last of 3, cannot be used: it does not fit")
    assert len(journal.of_kind("rejected")) == 2


@pytest.mark.parametrize("repairs", [0, 1, 5])
async def test_a_role_says_how_many_repairs_there_are(repairs: int) -> None:
    await roles.update(OPERATOR, role=ROLE, changes=RoleChanges(parameters=Parameters(repairs=repairs)))
    journal = Journal()
    await failure_of("llm", WRONG, journal=journal, output_schema=SCHEMA)

    assert len(journal.of_kind("rejected")) == repairs


@each_kind
@pytest.mark.parametrize(
    "useless",
    [
        completion(""),
        completion("   \n"),
        completion(None),
        completion("no JSON at all"),
        completion("[1, 2"),
        completion("[" * 100_000),
        completion('{"score": 0.5, "kind": "good", "note": "a\\u0000b"}'),
        completion("a\0b"),
        completion(calls=(("x", "look", "[]"),)),
        completion(calls=(("x", "look", "{"),)),
    ],
    ids=[
        "empty",
        "blank",
        "null",
        "prose",
        "half",
        "deep",
        "nul",
        "bare nul",
        "list of arguments",
        "half of arguments",
    ],
)
async def test_what_is_no_answer_is_never_a_success_and_can_be_repaired(kind: Kind, useless: Reply) -> None:
    failure = await failure_of(kind, useless, output_schema=SCHEMA)
    async with scripted(useless, GOOD) as (models, peer):
        output = await STEPS[kind](models, await attempt(Journal(), kind, output_schema=SCHEMA))

    assert failure.code == "OUTPUT_INVALID"
    assert output == {"score": 0.5, "kind": "good"}
    assert told(peer)[-1]["role"] == "user"


@each_kind
async def test_an_answer_that_is_cut_off_is_none_and_would_be_cut_off_again(kind: Kind) -> None:
    failure = await failure_of(kind, completion("half a sen", finish="length"))

    assert (failure.code, failure.retryable) == ("OUTPUT_INVALID", False)
    assert "ran into its output limit" in failure.message


@each_kind
async def test_a_refusal_is_no_answer(kind: Kind) -> None:
    failure = await failure_of(kind, completion("I cannot", finish="content_filter"))

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", False)


async def test_an_llm_step_is_not_done_by_wanting_tools() -> None:
    async with scripted(wants(("look", {"at": "a"})), completion("It is so.")) as (models, peer):
        output = await llm.perform(models, await attempt(Journal(), "llm"))
    failure = await failure_of("llm", wants(("look", {"at": "a"})))

    assert output == "It is so."
    assert "it calls tools, and this step has none" in told(peer)[-1]["content"]
    assert failure.code == "OUTPUT_INVALID"


async def test_an_agent_that_only_calls_what_it_does_not_have_is_not_done() -> None:
    failure = await failure_of("agent", wants(("fly", {})), max_turns=3)

    assert failure.code == "STEP_LIMIT"


async def test_too_many_calls_at_once_are_refused() -> None:
    many = wants(*[("look", {"at": "a"})] * 65)
    async with scripted(many, completion("done")) as (models, peer):
        output = await agent.perform(models, await attempt(Journal()))

    assert output == "done"
    assert "65 tool calls at once" in told(peer)[-1]["content"]


async def test_a_worker_that_dies_in_a_repair_does_not_begin_again() -> None:
    journal = Journal(breaks_after=1)
    async with scripted(WRONG, GOOD) as (models, peer):
        with pytest.raises(Killed):
            await llm.perform(models, await attempt(journal, "llm", output_schema=SCHEMA))
        resumed = await attempt(journal, "llm", output_schema=SCHEMA)
        output = await llm.perform(models, resumed)

    assert output == {"score": 0.5, "kind": "good"}
    assert len(peer.asked) == 2
    assert len(resumed.calls) == 2


async def test_the_next_attempt_knows_what_was_wrong_and_has_repairs_of_its_own() -> None:
    journal = Journal()
    await failure_of("llm", WRONG, journal=journal, output_schema=SCHEMA)
    journal.accounted = len(journal.notes)

    async with scripted(WRONG, WRONG, GOOD) as (models, peer):
        second = await attempt(journal, "llm", number=2, output_schema=SCHEMA)
        output = await llm.perform(models, second)

    assert output == {"score": 0.5, "kind": "good"}
    assert len(told(peer, 0)) == 5
    assert len(second.calls) == 3


async def test_calls_are_recorded_once_whichever_attempt_made_them() -> None:
    journal = Journal()
    async with scripted(wants(("look", {"at": "a"})), Reply(status=500), completion("done")) as (models, _):
        first = await attempt(journal)
        with pytest.raises(Failed):
            await agent.perform(models, first)
        journal.accounted = len(journal.notes)  # as the engine has it once the failure is recorded
        second = await attempt(journal, number=2)
        await agent.perform(models, second)

    assert [call.outcome for call in first.calls] == ["answered", "MODEL_ERROR"]
    assert [call.outcome for call in second.calls] == ["answered"]


async def test_calls_of_a_worker_that_died_are_recorded_by_whoever_goes_on() -> None:
    journal = Journal(breaks_after=2)
    async with scripted(wants(("look", {"at": "a"})), completion("done")) as (models, _):
        with pytest.raises(Killed):
            await agent.perform(models, await attempt(journal))
        resumed = await attempt(journal)
        await agent.perform(models, resumed)

    assert [(call.input_tokens, call.output_tokens) for call in resumed.calls] == [(100, 20), (100, 20)]
    assert replace(resumed.calls[0], duration_ms=0) == replace(resumed.calls[1], duration_ms=0)
