"""What a conversation's model calls are paid from, the calls for its summaries included."""

import pytest

from services import bundles, executions
from services.caller import OPERATOR
from services.tools import registry
from tests.meta_tools.agents import working
from tests.models.peer import completion, peer_with

BUNDLE = """
rolecall: 1
roles: [{name: Teller, basePrompt: Tell., parameters: {maxOutputTokens: 50}}]
orchestrations:
  - name: tell
    steps: [{name: Tell, kind: llm, roleName: Teller, budget: {maxTokens: 10}}]
"""


async def test_a_call_that_the_budget_of_the_step_has_no_room_for_is_not_made(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_tools", {})
    with peer_with(completion("never said")) as peer:
        async with working(database_url, peer) as ends:
            await bundles.load(OPERATOR, bundles.read(BUNDLE))
            started = await executions.start(OPERATOR, orchestration="tell", input={"topic": "tea"})
            finished = await ends.of(started.id)

    assert finished.error is not None
    assert finished.error.code == "BUDGET_EXCEEDED"
    assert peer.asked == []
