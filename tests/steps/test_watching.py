"""Who follows an execution sees its agent at work: turns, the answers as they come, tool calls and their ends."""

import asyncio

import pytest

from services import bundles, executions, runtime
from services.caller import OPERATOR
from services.executions import Delta, Recorded, ToolAnswered, ToolCalled, TurnStarted
from services.models.catalog import Models
from services.settings import Settings
from services.tools import files, registry
from tests.examples.example import DOCUMENTS
from tests.models.aimock import Aimock

BUNDLE = """
rolecall: 1
roles: [{name: Reader, basePrompt: Read., tools: [files.read]}]
orchestrations: [{name: read, steps: [{name: Read, roleName: Reader}]}]
"""
ANSWER = "It is about keys, and about what a repetition is."


async def test_turns_are_told_apart_and_answers_come_in_pieces(
    database_url: str, monkeypatch: pytest.MonkeyPatch, aimock: Aimock
) -> None:
    monkeypatch.setattr(registry, "_tools", {})
    read = {"name": "files_read", "arguments": {"path": "idempotency-and-retries.txt"}}
    aimock.teach({"content": "Let me see.", "toolCalls": [read]}, match={"turnIndex": 0})
    aimock.teach({"content": ANSWER}, match={"turnIndex": 1}, chunkSize=10)
    models = Models.from_environment({"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": aimock.openai_url})

    async with runtime.opened(Settings(), database_url, models) as opened:
        registry.register(*files.tools(str(DOCUMENTS)))
        await bundles.load(OPERATOR, bundles.read(BUNDLE))
        execution = (await executions.start(OPERATOR, orchestration="read", input={"task": "read"})).id
        worker = opened.worker()
        following = executions.follow(OPERATOR, execution=execution)
        items = [await anext(following)]  # it is followed before anybody works on it
        work = asyncio.create_task(worker.run())
        items += [item async for item in following]
        worker.stop()
        await work

    told = [item for item in items if not isinstance(item, Recorded | Delta)]
    assert [type(item).__name__ for item in told] == [
        "AttemptStarted",
        "TurnStarted",
        "ToolCalled",
        "ToolAnswered",
        "TurnStarted",
    ]
    assert [item.turn for item in told if isinstance(item, TurnStarted)] == [1, 2]
    calls = [item for item in told if isinstance(item, ToolCalled | ToolAnswered)]
    assert {(item.path, item.call, item.tool) for item in calls} == {("Read", "1.0", "files.read")}
    second = items.index(told[-1])
    assert "".join(item.text for item in items[:second] if isinstance(item, Delta)) == "Let me see."
    pieces = [item.text for item in items[second:] if isinstance(item, Delta)]
    assert "".join(pieces) == ANSWER
    assert len(pieces) > 1
