"""Agents that answer with programs: what these call is kept like the agent's own calls, and done once."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from services import roles
from services.caller import OPERATOR
from services.failure import Failed
from services.programs import tool as program_tool
from services.programs.limits import Limits
from services.programs.workers import Workers
from services.roles import RoleChanges
from services.steps import agent
from services.steps import tool as tool_step
from services.tools import registry
from services.tools.tool import ToolContext, ToolError, tool
from tests.models.peer import completion
from tests.programs.test_limits import processes_of
from tests.steps.trying import ROLE, Journal, Killed, attempt, scripted, told, wants

MADE: list[str] = []
KEYS: list[str] = []


@tool("look", effect="read")
async def look(context: ToolContext, *, at: str) -> str:
    """Look at something."""
    MADE.append(f"look {at}")
    KEYS.append(context.idempotency_key)
    if at == "nothing":
        raise ToolError("there is nothing")
    return f"saw {at}"


@tool("mail.send", effect="external")
async def send(_context: ToolContext, *, to: str, text: str = "") -> str:
    """Send something, which cannot be taken back."""
    MADE.append(f"send {to}")
    return f"sent {to}"


@tool("system.secret", tags=("meta",))
async def secret(_context: ToolContext) -> str:
    """For roles with a tag."""
    MADE.append("secret")
    return "secret"


@pytest.fixture(autouse=True)
async def workers(opened: None) -> AsyncIterator[Workers]:
    MADE.clear()
    KEYS.clear()
    workers = Workers(Limits(seconds=2.0), at_most=2)
    registry.register(look, send, secret, *program_tool.tools(workers))
    changes = RoleChanges(tools=("look", "mail.*", "program.run"))
    await roles.create(OPERATOR, name=ROLE, base_prompt="Do it.", changes=changes)
    yield workers
    await workers.close()


def program(code: str, **arguments: Any) -> Any:
    """A model's answer that is a program."""
    return wants(("program.run", {"code": code, **arguments}))


def result(peer: Any) -> Any:
    """What the model was told of its program."""
    text = told(peer)[-1]["content"]
    return json.loads(text) if text.startswith("{") else text


THREE = """
first = await tools.look(at="a")
sent = await mail.send(to="b", text=first)
import asyncio
rest = await asyncio.gather(*[tools.look(at=str(n)) for n in range(3)])
[first, sent, *rest]
"""


async def test_an_agent_answers_with_a_program_whose_calls_are_kept() -> None:
    journal = Journal()
    async with scripted(program(THREE), completion("done")) as (models, peer):
        output = await agent.perform(models, await attempt(journal))

    assert output == "done"
    assert result(peer) == {"value": ["saw a", "sent b", "saw 0", "saw 1", "saw 2"], "calls": 5}
    assert MADE == ["look a", "send b", "look 0", "look 1", "look 2"]
    assert sorted(note["call"] for note in journal.of_kind("call_ended")) == [
        "1.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.0.5",
    ]  # fmt: skip
    assert KEYS[0].endswith("/A/1.0.1")
    (outer,) = [note for note in journal.of_kind("call_ended") if note["call"] == "1.0"]
    assert "arguments" not in outer


@pytest.mark.parametrize("breaks_after", range(2, 10))
async def test_wherever_a_worker_dies_nothing_that_was_kept_is_done_again(breaks_after: int) -> None:
    journal = Journal(breaks_after)
    async with scripted(program(THREE), completion("done")) as (models, peer):
        with pytest.raises(BaseException) as died:
            await agent.perform(models, await attempt(journal))
        assert "Killed" in repr(died.value)
        before = list(MADE)
        output = await agent.perform(models, await attempt(journal))

    assert output == "done"
    assert len(peer.asked) == 2
    kept = [note["arguments"] for note in journal.of_kind("call_ended") if "arguments" in note]
    kept_before = [note for note in journal.notes[:breaks_after] if "arguments" in note]  # type: ignore[operator]
    assert len(MADE[len(before) :]) == len(kept) - len(kept_before) - (breaks_after == 4)
    if breaks_after == 4:  # it was begun, and nobody knows what came of it
        assert "RuntimeError: OUTCOME_UNKNOWN: mail.send was called" in result(peer)
        assert MADE == ["look a"]
    else:
        assert result(peer) == {"value": ["saw a", "sent b", "saw 0", "saw 1", "saw 2"], "calls": 5}
        assert [arguments.get("at", arguments.get("to")) for arguments in kept] == ["a", "b", "0", "1", "2"]
        assert MADE.count("send b") == 1


async def test_a_process_that_is_killed_between_two_calls_fails_the_attempt_and_the_next_one_goes_on(
    workers: Workers,
) -> None:
    journal = Journal()

    @tool("look", effect="read")
    async def deadly(_context: ToolContext, *, at: str) -> str:
        """Look, and the process of the program dies meanwhile."""
        MADE.append(f"look {at}")
        if len(MADE) == 3:
            (pid,) = processes_of(workers)
            os.kill(pid, signal.SIGKILL)
        return f"saw {at}"

    registry.register(deadly)
    async with scripted(program(THREE), completion("done")) as (models, peer):
        with pytest.raises(Failed) as raised:
            await agent.perform(models, await attempt(journal))
        assert (raised.value.failure.code, raised.value.failure.retryable) == ("PROGRAM_CRASHED", True)
        output = await agent.perform(models, await attempt(journal, number=2))

    assert output == "done"
    assert result(peer)["value"] == ["saw a", "sent b", "saw 0", "saw 1", "saw 2"]
    assert sorted(MADE) == ["look 0", "look 1", "look 2", "look a", "send b"]


async def test_a_program_that_is_wrong_is_told_so_and_may_be_mended() -> None:
    journal = Journal()
    wrong, right = "await tools.look(it='a')", "await tools.look(at='a')"
    async with scripted(program(wrong), program(right), completion("done")) as (models, peer):
        await agent.perform(models, await attempt(journal))

    said = told(peer, 1)[-1]["content"]
    assert "PROGRAM_INVALID: nothing was run, because of these errors\nprogram.py:1:7: " in said
    assert result(peer) == {"value": "saw a", "calls": 1}
    assert MADE == ["look a"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("await system.secret()", "Name `system` used when not defined"),
        ("import system\nawait system.secret()", "Cannot resolve imported module `system`"),
        ("await program.run(code='1')", "Name `program` used when not defined"),
        ("await eval('program').run(code='1')", "NameError: name 'program' is not defined"),
    ],
)
async def test_a_program_reaches_no_tool_that_its_agent_has_not(code: str, said: str) -> None:
    async with scripted(program(code), completion("done")) as (models, peer):
        await agent.perform(models, await attempt(Journal()))

    assert said in result(peer)
    assert MADE == []


async def test_a_step_narrows_what_its_programs_reach() -> None:
    code = "await mail.send(to='b')"
    async with scripted(program(code), completion("done")) as (models, peer):
        await agent.perform(models, await attempt(Journal(), tools=("look", "program.run")))

    assert "Name `mail` used when not defined" in result(peer)
    assert MADE == []


async def test_the_model_is_told_how_the_tools_are_called_in_a_program() -> None:
    async with scripted(completion("done")) as (models, peer):
        await agent.perform(models, await attempt(Journal()))

    (told_of,) = [it["function"] for it in peer.asked[0].body["tools"] if it["function"]["name"].startswith("program")]
    code = told_of["parameters"]["properties"]["code"]["description"]
    assert (
        "async def mail.send(*, to: str, text: str = '') -> Any\n    # Send something, which cannot be taken back."
        in code
    )
    assert "system" not in code and "program.run" not in code
    assert len(told_of["description"]) <= 1_000


async def test_calls_within_programs_count_as_calls_of_the_step() -> None:
    code = """
made = []
for n in range(5):
    try:
        made.append(await tools.look(at=str(n)))
    except RuntimeError as error:
        made.append(str(error)[:10])
made
"""
    async with scripted(program(code), program(code), completion("done")) as (models, peer):
        await agent.perform(models, await attempt(Journal(), max_tool_calls=7))

    first, second = [json.loads(message["content"])["value"] for message in told(peer) if message["role"] == "tool"]
    assert first == ["saw 0", "saw 1", "saw 2", "saw 3", "saw 4"]
    assert second == ["STEP_LIMIT"] * 5
    assert len(MADE) == 5


async def test_what_changes_something_is_done_one_after_another_in_a_program_too() -> None:
    at_once = 0
    most = 0

    @tool("mail.send", effect="external")
    async def slow(_context: ToolContext, *, to: str) -> str:
        """Send something."""
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        for _ in range(10):
            await asyncio.sleep(0)
        at_once -= 1
        MADE.append(to)
        return to

    registry.register(slow)
    code = "import asyncio\nawait asyncio.gather(*[mail.send(to=str(n)) for n in range(5)])"
    async with scripted(program(code), completion("done")) as (models, _):
        await agent.perform(models, await attempt(Journal()))

    assert (most, MADE) == (1, ["0", "1", "2", "3", "4"])


async def test_a_program_that_would_not_do_the_same_again_fails_its_step() -> None:
    journal = Journal(4)
    async with scripted(program(THREE), completion("done")) as (models, _):
        with pytest.raises(Killed):
            await agent.perform(models, await attempt(journal))
    journal.notes[0]["toolCalls"][0]["arguments"]["code"] = "await tools.look(at='other')"  # type: ignore[index,call-overload]
    async with scripted(completion("done")) as (models, _):
        with pytest.raises(Failed, match="PROGRAM_DEVIATED"):
            await agent.perform(models, await attempt(journal))

    assert MADE == ["look a"]


async def test_a_tool_step_runs_a_program_over_its_input_and_has_no_tools_to_call() -> None:
    given = {"code": "sum(row['n'] for row in input)", "input": [{"n": 1}, {"n": 2}]}
    trying = replace_step(await attempt(Journal(), "tool", input=given, tool="program.run"))

    assert await tool_step.perform(trying) == {"value": 3}

    trying = replace_step(
        await attempt(Journal(), "tool", input={"code": "await tools.look(at='a')"}, tool="program.run")
    )
    with pytest.raises(Failed) as raised:
        await tool_step.perform(trying)
    assert (raised.value.failure.code, raised.value.failure.retryable) == ("TOOL_ERROR", False)
    assert "Name `tools` used when not defined" in raised.value.failure.message


def replace_step(trying: Any) -> Any:
    trying.step = replace(trying.step, role_name=None)
    return trying
