"""R2: wherever a worker ends itself, the execution ends as if nothing had happened."""

import pytest

from tests.chaos.conftest import NewArena
from tests.chaos.matrix import Matrix

_SAMPLES = 10


@pytest.mark.parametrize("breaks", [False, True], ids=["completing", "failing"])
async def test_a_crash_at_any_statement_or_call_changes_nothing(new_arena: NewArena, breaks: bool) -> None:
    async with new_arena() as arena:
        matrix = Matrix(arena, breaks=breaks)
        count = await matrix.count()
        for sample in range(_SAMPLES):
            number = 1 + (count - 1) * sample // (_SAMPLES - 1)
            await matrix.crash_at(f"after:{number}" if sample % 2 else str(number))
        report = await matrix.judge()

    assert report.violations == []
    assert report.reached >= _SAMPLES - 2
    assert any("call" in point for point in report.points)
