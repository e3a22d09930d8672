"""Wherever the worker of an agent ends itself, the agent goes on, asks for nothing again and does nothing twice."""

from tests.chaos.agent_matrix import AgentMatrix
from tests.chaos.conftest import NewArena
from tests.models.aimock import Aimock

# Beside all that come right after a call: of these nobody knows yet that they were made.
_SAMPLES = 6
_CALLS = 5 + 8


async def test_an_agent_goes_on_where_its_worker_ended(new_arena: NewArena, aimock: Aimock) -> None:
    async with new_arena(model=aimock.openai_url) as arena:
        matrix = AgentMatrix(arena, aimock)
        count = await matrix.count()
        for sample in range(_SAMPLES):
            await matrix.crash_at(str(1 + (count - 1) * sample // _SAMPLES))
        for call in range(1, _CALLS + 1):
            await matrix.crash_at(f"after:call:{call}")

    report = matrix.report
    assert report.violations == []
    assert report.reached >= _CALLS + _SAMPLES - 2
    assert sum("call of the model" in point for point in report.points) == 5
    assert sum("call chaos" in point for point in report.points) == 8
