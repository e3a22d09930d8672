"""The cache of answers: the same is asked once, and nothing else is taken for the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from db.connection import Database
from services import answers, connections
from services.answers import asking
from services.answers.memory import Memory
from services.caller import OPERATOR
from services.definitions.document import Cache, Step
from services.engine.performer import Attempt
from services.failure import Failed, failed
from services.models.messages import Answer, Request, ToolCall, Usage, UserMessage
from services.models.selection import Choice

CHOICE = Choice("openai", "gpt-6-luna", "the default model")
REQUEST = Request("", "Be brief.", (UserMessage("What is tea?"),), temperature=0.5)
TEA = Answer("A drink.", (), Usage(10, 3, Decimal("0.002")), "openai/gpt-6-luna", "end")
HOUR = Cache(ttl_ms=3_600_000)


@dataclass
class Model:
    """Gives its answers one after the other, the last one for ever; counts how often it is asked."""

    says: list[Answer | Failed] = field(default_factory=lambda: [TEA])
    asked: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self) -> Answer:
        self.asked += 1
        self.began.set()
        await self.free.wait()
        said = self.says[min(self.asked, len(self.says)) - 1]
        if isinstance(said, Failed):
            raise said
        return said


@pytest.fixture(autouse=True)
async def opened(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    connections.use(database, None)
    forget_all(monkeypatch)
    yield
    connections.use(None, None)


@pytest.fixture
def model() -> Model:
    model = Model()
    model.free.set()
    return model


def forget_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another process has: an empty memory."""
    monkeypatch.setattr(asking, "_memory", Memory())


async def answer(
    model: Model,
    request: Request = REQUEST,
    *,
    cache: Cache = HOUR,
    choice: Choice = CHOICE,
    attempt: Attempt | None = None,
) -> Answer:
    own = attempt or attempt_at()
    return await answers.answer_to(request, own, choice, cache=cache, emit=own.emit, ask=model.ask)


def attempt_at(execution: int = 7, role_version: int = 1) -> Attempt:
    return Attempt(
        execution=UUID(int=execution),
        path="A",
        step=Step(name="A", kind="llm", role_name="Guide", cache=HOUR),
        number=1,
        input=None,
        timeout_ms=60_000,
        idempotency_key="key",
        role_version=UUID(int=role_version),
        initiator=OPERATOR.principal,
        notes=[],
        keep=_unkept,
        emit=str,
    )


async def test_the_same_is_asked_once_and_the_second_time_it_costs_nothing(model: Model) -> None:
    pieces: list[str] = []
    second = attempt_at(execution=8)
    second.emit = pieces.append

    first = await answer(model)
    again = await answer(model, attempt=second)

    assert (first, again, model.asked, pieces) == (TEA, TEA, 1, ["A drink."])
    (call,) = second.calls
    assert (call.is_cached, call.cost_usd, call.input_tokens, call.model) == (True, 0, 0, TEA.model)
    assert "sha256:" in call.reason


async def test_another_process_is_given_it_too(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    await answer(model)
    forget_all(monkeypatch)
    again = await answer(model)

    # And remembers it from then on.
    await connections.pool().execute("DELETE FROM answer")
    assert (again, await answer(model), model.asked) == (TEA, TEA, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"system": "Be long."},
        {"messages": (UserMessage("What is milk?"),)},
        {"temperature": 0.6},
        {"max_output_tokens": 9},
        {"output_schema": {"type": "string"}},
    ],
)
async def test_another_question_is_asked(model: Model, changes: dict[str, object]) -> None:
    await answer(model)
    await answer(model, msgspec.structs.replace(REQUEST, **changes))

    assert model.asked == 2


async def test_another_model_another_role_and_another_scope_are_asked(model: Model) -> None:
    await answer(model)
    await answer(model, choice=replace_model("gpt-7"))
    await answer(model, attempt=attempt_at(role_version=2))
    only_here = Cache(ttl_ms=3_600_000, scope="execution")
    asked = [model.asked]
    for execution in (7, 8, 7):
        await answer(model, cache=only_here, attempt=attempt_at(execution))
        asked.append(model.asked)

    assert asked == [3, 4, 5, 5]


async def test_how_long_it_may_take_is_no_part_of_the_question(model: Model) -> None:
    await answer(model)
    await answer(model, msgspec.structs.replace(REQUEST, timeout_seconds=1.0))

    assert model.asked == 1


async def test_what_is_over_is_asked_again(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    await answer(model)
    forget_all(monkeypatch)
    await connections.pool().execute("UPDATE answer SET kept_at = kept_at - interval '10 minutes'")
    still = await answer(model)
    shorter = await answer(model, cache=Cache(ttl_ms=60_000))  # and is kept anew
    forget_all(monkeypatch)
    await connections.pool().execute("UPDATE answer SET expires_at = clock_timestamp()")
    await answer(model)

    assert (still, shorter, model.asked) == (TEA, TEA, 3)


async def test_what_is_over_goes(model: Model) -> None:
    await answer(model)
    await answer(model, msgspec.structs.replace(REQUEST, system="Be long."))
    await connections.pool().execute(
        "UPDATE answer SET expires_at = clock_timestamp() WHERE key = (SELECT min(key) FROM answer)"
    )

    await answers.forget()

    assert await connections.pool().fetchval("SELECT count(*) FROM answer") == 1


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (REQUEST, msgspec.structs.replace(TEA, stop="length")),
        (REQUEST, msgspec.structs.replace(TEA, stop="tools", tool_calls=(ToolCall("1", "files.read", {}),))),
        (msgspec.structs.replace(REQUEST, output_schema={"type": "object"}), TEA),
        (
            msgspec.structs.replace(REQUEST, output_schema={"type": "object"}),
            msgspec.structs.replace(TEA, text="[]"),
        ),
        (REQUEST, msgspec.structs.replace(TEA, text="x" * asking.MAX_ANSWER_BYTES)),
    ],
)
async def test_what_is_no_whole_answer_is_not_kept(model: Model, request_: Request, said: Answer) -> None:
    model.says = [said]
    await answer(model, request_)
    await answer(model, request_)

    assert model.asked == 2
    assert await connections.pool().fetchval("SELECT count(*) FROM answer") == 0


async def test_a_failure_is_not_kept(model: Model) -> None:
    model.says = [failed("MODEL_ERROR", "it has a cold"), TEA]

    with pytest.raises(Failed):
        await answer(model)

    assert (await answer(model), await answer(model), model.asked) == (TEA, TEA, 2)


async def test_of_many_who_ask_at_once_one_does() -> None:
    model = Model()
    asking_now = [asyncio.create_task(answer(model)) for _ in range(20)]
    await model.began.wait()
    model.free.set()

    assert set(await asyncio.gather(*asking_now)) == {TEA}
    assert model.asked == 1


async def test_when_that_one_fails_or_is_stopped_each_asks_for_itself() -> None:
    model = Model([failed("MODEL_ERROR", "it has a cold"), TEA])
    asking_now = [asyncio.create_task(answer(model)) for _ in range(3)]
    await model.began.wait()
    model.free.set()
    outcomes = await asyncio.gather(*asking_now, return_exceptions=True)

    stopped = Model()
    other = msgspec.structs.replace(REQUEST, system="Be long.")
    first, second = (asyncio.create_task(answer(stopped, other)) for _ in range(2))
    await stopped.began.wait()
    first.cancel()
    stopped.free.set()

    assert sorted(isinstance(outcome, Failed) for outcome in outcomes) == [False, False, True]
    assert await second == TEA


async def test_what_somebody_has_put_there_by_hand_is_asked_again(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    await answer(model)
    forget_all(monkeypatch)
    await connections.pool().execute("UPDATE answer SET content = '{\"text\": 7}'")

    assert (await answer(model), model.asked) == (TEA, 2)


async def test_without_the_database_this_process_still_remembers(model: Model) -> None:
    connections.use(None, None)

    assert (await answer(model), await answer(model), model.asked) == (TEA, TEA, 1)


def replace_model(name: str) -> Choice:
    return Choice("openai", name, "because")


async def _unkept(_: object) -> None:
    raise AssertionError("nothing is kept here")
