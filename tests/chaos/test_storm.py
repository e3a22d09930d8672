"""R1: nothing is lost, stuck, doubled or stale, whatever happens to workers, connections and the server."""

from tests.chaos.conftest import NewArena
from tests.chaos.fleet import QUICK
from tests.chaos.storm import Storm, run

SHORT = Storm(executions=60, kills=6, stops=2, backend_kills=6, crashes=1, interval_seconds=0.4)


async def test_whatever_is_killed_every_execution_ends_as_it_should_and_does_nothing_twice(new_arena: NewArena) -> None:
    async with new_arena() as arena:
        report = await run(arena, SHORT)

    assert report.violations == []
    assert report.signals == 5 * (SHORT.executions // 3)
    assert report.faults == {"kill -9": 6, "SIGSTOP": 2, "backend": 6, "Postgres": 1}
    assert report.reclaimed_p99_seconds <= QUICK["lease_seconds"] + 2
