"""The tool calls of an agent: which are made side by side, which are never made twice, and what is kept of them."""

import asyncio
from typing import Any

import pytest

from services import roles
from services.caller import OPERATOR
from services.engine.progress import ToolAnswered, ToolCalled, TurnStarted
from services.json import Json
from services.roles import RoleChanges
from services.steps import agent
from services.steps.agents.calling import MAX_RESULT_CHARACTERS
from services.tools import registry
from services.tools.tool import ToolContext, ToolError, tool
from tests.models.peer import completion
from tests.steps.trying import ROLE, Journal, Killed, attempt, scripted, told, wants

MADE: list[str] = []


@tool("look", effect="read")
async def look(_context: ToolContext, *, at: str) -> str:
    """Look at something."""
    MADE.append(f"look {at}")
    return f"saw {at}"


@tool("send", effect="external")
async def send(_context: ToolContext, *, to: str) -> str:
    """Send something, which cannot be taken back."""
    MADE.append(f"send {to}")
    return f"sent {to}"


@tool("book", effect="write", honours_key=True)
async def book(context: ToolContext, *, what: str) -> str:
    """Book something, once for each key."""
    MADE.append(f"book {what} {context.idempotency_key.rpartition('/')[2]}")
    return f"booked {what}"


@pytest.fixture(autouse=True)
async def world(opened: None) -> None:
    MADE.clear()
    registry.register(look, send, book)
    changes = RoleChanges(tools=("look", "send", "book"))
    await roles.create(OPERATOR, name=ROLE, base_prompt="Do it.", changes=changes)


def results(messages: list[Any]) -> list[str]:
    return [message["content"] for message in messages if message["role"] == "tool"]


async def test_calls_that_change_nothing_are_made_side_by_side_and_stand_in_the_models_order() -> None:
    last_is_there = asyncio.Event()

    @tool("look", effect="read")
    async def slow(_context: ToolContext, *, at: str) -> str:
        """Wait for the call that comes last."""
        if at == "c":
            last_is_there.set()
        await asyncio.wait_for(last_is_there.wait(), 10)
        return f"saw {at}"

    registry.register(slow)
    journal = Journal()
    asked = wants(("look", {"at": "a"}), ("look", {"at": "b"}), ("look", {"at": "c"}))
    async with scripted(asked, completion("done")) as (models, peer):
        await agent.perform(models, await attempt(journal))

    assert results(told(peer)) == ["saw a", "saw b", "saw c"]
    assert sorted(note["call"] for note in journal.of_kind("call_ended")) == ["1.0", "1.1", "1.2"]


async def test_what_changes_something_waits_for_what_stands_before_it() -> None:
    asked = wants(("look", {"at": "a"}), ("send", {"to": "b"}), ("book", {"what": "c"}), ("look", {"at": "d"}))
    journal = Journal()
    async with scripted(asked, completion("done")) as (models, peer):
        await agent.perform(models, await attempt(journal))

    assert MADE == ["look a", "send b", "book c 1.2", "look d"]
    # Only what must not be made twice is begun in the journal: a commit is no small thing.
    assert [note["call"] for note in journal.of_kind("call_began")] == ["1.1"]
    assert results(told(peer)) == ["saw a", "sent b", "booked c", "saw d"]


async def test_results_that_were_kept_before_a_crash_are_not_fetched_again() -> None:
    broken = True

    @tool("look", effect="read")
    async def breaking(_context: ToolContext, *, at: str) -> str:
        """Die at the second."""
        MADE.append(f"look {at}")
        if broken and at == "b":
            await first_is_kept.wait()
            raise Killed
        return f"saw {at}"

    registry.register(breaking)
    first_is_kept = asyncio.Event()

    class Watched(Journal):
        async def keep(self, note: Json) -> None:
            await super().keep(note)
            if self.of_kind("call_ended"):
                first_is_kept.set()

    journal = Watched()
    async with scripted(wants(("look", {"at": "a"}), ("look", {"at": "b"})), completion("done")) as (models, peer):
        with pytest.raises(Killed):
            await agent.perform(models, await attempt(journal))
        broken = False
        await agent.perform(models, await attempt(journal))

    assert MADE == ["look a", "look b", "look b"]
    assert len(peer.asked) == 2


@pytest.mark.parametrize("breaks_after", range(1, 6))
async def test_wherever_a_worker_dies_what_cannot_be_taken_back_is_not_done_twice(breaks_after: int) -> None:
    journal = Journal(breaks_after)
    asked = wants(("send", {"to": "a"}), ("send", {"to": "b"}))
    async with scripted(asked, completion("done")) as (models, peer):
        with pytest.raises(Killed):
            await agent.perform(models, await attempt(journal))
        before = list(MADE)
        output = await agent.perform(models, await attempt(journal))

    assert output == "done"
    assert len(MADE) == len(set(MADE))
    assert len(peer.asked) == 2
    said = results(told(peer))
    if breaks_after in (2, 4):  # a call had begun, and nobody knows what came of it
        assert said[breaks_after // 2 - 1].startswith("Error: OUTCOME_UNKNOWN: send was called")
        assert MADE[len(before) :] == (["send b"] if breaks_after == 2 else [])
    else:
        assert said == ["sent a", "sent b"]


async def test_a_call_that_died_is_repeated_with_its_key_where_the_tool_can_tell() -> None:
    broken = True

    @tool("book", effect="write", honours_key=True)
    async def dying(context: ToolContext, *, what: str) -> str:
        """Book it, and die."""
        MADE.append(f"book {what} {context.idempotency_key}")
        if broken:
            raise Killed
        return f"booked {what}"

    registry.register(dying)
    journal = Journal()
    async with scripted(wants(("book", {"what": "a"})), completion("done")) as (models, peer):
        with pytest.raises(Killed):
            await agent.perform(models, await attempt(journal))
        broken = False
        await agent.perform(models, await attempt(journal))

    assert len(MADE) == 2
    assert len(set(MADE)) == 1
    assert results(told(peer)) == ["booked a"]


async def test_a_tool_that_has_gone_since_it_was_begun_may_have_worked_as_well() -> None:
    journal = Journal(2)
    async with scripted(wants(("send", {"to": "a"})), completion("done")) as (models, peer):
        with pytest.raises(Killed):
            await agent.perform(models, await attempt(journal))
        await agent.perform(models, await attempt(journal, tools=()))

    assert results(told(peer))[0].startswith("Error: OUTCOME_UNKNOWN")


async def test_what_is_too_long_is_cut_and_says_so() -> None:
    @tool("look", effect="read")
    async def long(_context: ToolContext, *, at: str) -> list[str]:
        """Give back a lot."""
        return [at] * MAX_RESULT_CHARACTERS

    registry.register(long)
    async with scripted(wants(("look", {"at": "a"})), completion("done")) as (models, peer):
        await agent.perform(models, await attempt(Journal()))

    (said,) = results(told(peer))
    assert said.startswith('["a","a",')
    assert said.endswith(
        "… (cut off: the result has 1,048,577 characters; these are the first 262,144, so ask for less)"
    )


async def test_a_result_that_postgres_cannot_keep_loses_only_what_it_cannot() -> None:
    @tool("look", effect="read")
    async def foul(_context: ToolContext, *, at: str) -> dict[str, str]:
        """Give back a character that no jsonb holds."""
        return {at: "a\0b", "backslash": "\\u0000"}

    registry.register(foul)
    journal = Journal()
    async with scripted(wants(("look", {"at": "k"})), completion("done")) as (models, _):
        await agent.perform(models, await attempt(journal))

    (ended,) = journal.of_kind("call_ended")
    assert ended["result"]["value"] == {"k": "a\N{REPLACEMENT CHARACTER}b", "backslash": "\\u0000"}


async def test_an_error_of_a_tool_that_breaks_down_is_told_without_its_inside() -> None:
    @tool("look", effect="read")
    async def broken(_context: ToolContext, *, at: str) -> str:
        """Break."""
        raise KeyError("secret inside")

    registry.register(broken)
    async with scripted(wants(("look", {"at": "a"})), completion("I see")) as (models, peer):
        output = await agent.perform(models, await attempt(Journal()))

    assert output == "I see"
    assert "secret" not in results(told(peer))[0]


async def test_tool_calls_are_bounded_and_the_agent_can_still_answer() -> None:
    asked = wants(("look", {"at": "a"}), ("look", {"at": "b"}))
    async with scripted(asked, asked, completion("done")) as (models, peer):
        output = await agent.perform(models, await attempt(Journal(), max_tool_calls=3))

    assert output == "done"
    assert MADE == ["look a", "look b", "look a"]
    assert results(told(peer))[-1].startswith("Error: STEP_LIMIT: 3 tool calls are allowed")


async def test_no_tool_is_called_for_a_turn_that_there_is_none_left_for() -> None:
    async with scripted(wants(("send", {"to": "a"}))) as (models, _):
        with pytest.raises(Exception, match="not done after 1 model calls"):
            await agent.perform(models, await attempt(Journal(), max_turns=1))

    assert MADE == []


async def test_who_watches_is_told_turns_and_calls() -> None:
    @tool("look", effect="read")
    async def failing(_context: ToolContext, *, at: str) -> str:
        """See nothing."""
        raise ToolError("it is dark")

    registry.register(failing)
    journal = Journal()
    async with scripted(wants(("look", {"at": "a"})), completion("done")) as (models, _):
        await agent.perform(models, await attempt(journal))

    assert journal.shown == [
        TurnStarted(path="A", attempt=1, turn=1),
        ToolCalled(path="A", attempt=1, call="1.0", tool="look"),
        ToolAnswered(path="A", attempt=1, call="1.0", tool="look", is_error=True),
        TurnStarted(path="A", attempt=1, turn=2),
    ]


async def test_ids_that_an_endpoint_gives_twice_are_told_apart() -> None:
    twice = completion(calls=(("x", "look", '{"at": "a"}'), ("x", "look", '{"at": "b"}')))
    async with scripted(twice, completion("done")) as (models, peer):
        await agent.perform(models, await attempt(Journal()))

    assistant, *answers = [message for message in told(peer) if message["role"] != "user"]
    assert [call["id"] for call in assistant["tool_calls"]] == ["x_1", "x_2"]
    assert [(message["tool_call_id"], message["content"]) for message in answers] == [
        ("x_1", "saw a"),
        ("x_2", "saw b"),
    ]
