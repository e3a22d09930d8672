"""How steps call models: what is kept is given again, and what is not is asked."""

from __future__ import annotations

import pytest

from services.answers import asking
from services.answers.memory import Memory
from services.definitions.document import Cache
from services.steps import agent, llm
from tests.models.peer import completion
from tests.steps.test_agent import CALLS, Journal, attempt, calls, counter, scripted

__all__ = ["counter"]

HOUR = Cache(ttl_ms=3_600_000)


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_memory", Memory())


async def test_a_step_with_a_cache_asks_once() -> None:
    journal = Journal()
    async with scripted(completion("three"), completion("four")) as (models, peer):
        first, again = await attempt(journal, "llm", cache=HOUR), await attempt(journal, "llm", cache=HOUR)
        outputs = [await llm.perform(models, each) for each in (first, again)]
        other = await llm.perform(models, await attempt(Journal(), "llm"))

    assert (outputs, other) == (["three", "three"], "four")
    assert "".join(journal.pieces) == "threethree"
    assert len(peer.asked) == 2
    (asked,), (kept,) = first.calls, again.calls
    assert (asked.is_cached, kept.is_cached) == (False, True)
    assert (kept.model, kept.outcome, kept.input_tokens, kept.cost_usd) == (asked.model, "answered", 0, 0)


async def test_an_agent_s_tools_are_called_again_and_the_same_result_has_the_kept_answer() -> None:
    script = [calls("a"), completion("three"), calls("a"), calls("a"), completion("five")]
    outputs = []
    async with scripted(*script) as (models, peer):
        for others in (0, 0, 1):  # the tool counts its calls
            CALLS[:] = [("other", "key")] * others
            outputs.append(await agent.perform(models, await attempt(Journal(), cache=HOUR)))

    assert outputs == ["three", "three", "five"]
    assert len(peer.asked) == 5
