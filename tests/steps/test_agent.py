"""The agent's loop, with the real SDK and a scripted model: what is kept is not repeated."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from db.connection import Database
from services import connections, roles
from services.caller import OPERATOR
from services.definitions.document import Kind, Step
from services.engine.performer import Attempt
from services.failure import Failed
from services.json import Json
from services.models.catalog import Models
from services.roles import RoleChanges
from services.steps import agent, llm
from services.tools import registry
from services.tools.tool import ToolContext, ToolError, tool
from tests.models.peer import Peer, Reply, completion, peer_with
from tests.role_versions import newest_version

CALLS: list[tuple[str, str]] = []


@tool("count")
async def count(context: ToolContext, *, what: str) -> dict[str, int]:
    """Count something."""
    if what == "nothing":
        raise ToolError("there is nothing to count")
    CALLS.append((what, context.idempotency_key))
    return {"count": len(CALLS)}


@pytest.fixture(autouse=True)
async def counter(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(registry, "_tools", {"count": count})
    CALLS.clear()
    connections.use(database, None)
    await roles.create(OPERATOR, name="Counter", base_prompt="Count.", changes=RoleChanges(tools=("count",)))
    yield
    connections.use(None, None)


def calls(*wanted: str) -> Reply:
    """A model's answer that asks for the tool; endpoints like this one reuse their ids in every answer."""
    return completion(calls=tuple((f"call_{n}", "count", f'{{"what": "{what}"}}') for n, what in enumerate(wanted)))


class Journal:
    """Keeps notes as the engine does; breaks off after so many."""

    def __init__(self, breaks_after: int | None = None) -> None:
        self.notes: list[Json] = []
        self.pieces: list[str] = []
        self._breaks_after = breaks_after

    async def keep(self, note: Json) -> None:
        self.notes.append(note)
        if len(self.notes) == self._breaks_after:
            raise ConnectionAbortedError("killed here")


async def attempt(journal: Journal, kind: Kind = "agent", **fields: Any) -> Attempt:
    return Attempt(
        execution=UUID(int=7),
        path="A",
        step=Step(name="A", kind=kind, role_name="Counter", **fields),
        number=1,
        input={"task": "count"},
        timeout_ms=300_000,
        idempotency_key=f"{UUID(int=7)}/A",
        role_version=await newest_version("Counter"),
        initiator=OPERATOR.principal,
        notes=list(journal.notes),
        keep=journal.keep,
        emit=journal.pieces.append,
    )


@asynccontextmanager
async def scripted(*script: Reply) -> AsyncIterator[tuple[Models, Peer]]:
    with peer_with(*script) as peer:
        models = Models.from_environment({"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": f"{peer.url}/v1"})
        yield models, peer
        await models.close()


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
        with pytest.raises(ConnectionAbortedError):
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
        renamed = await roles.update(OPERATOR, role="Counter", changes=RoleChanges(name="Teller"))
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


async def test_an_llm_step_answers_by_its_schema_or_fails() -> None:
    schema: Json = {"type": "object", "properties": {"score": {"type": "number"}}, "required": ["score"]}
    async with scripted(completion('{"score": 0.5}'), completion('{"score": "high"}')) as (models, _):
        good = await llm.perform(models, await attempt(Journal(), kind="llm", output_schema=schema))
        with pytest.raises(Failed) as refusal:
            await llm.perform(models, await attempt(Journal(), kind="llm", output_schema=schema))

    assert good == {"score": 0.5}
    assert (refusal.value.failure.code, refusal.value.failure.retryable) == ("OUTPUT_INVALID", True)


async def test_an_answer_that_was_cut_off_is_no_answer() -> None:
    async with scripted(completion("half a sen", finish="length")) as (models, _):
        with pytest.raises(Failed, match="ran into its output limit"):
            await llm.perform(models, await attempt(Journal(), kind="llm"))
