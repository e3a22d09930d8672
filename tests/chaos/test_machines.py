"""Workers on several machines: they share nothing but TCP to one Postgres."""

from tests.chaos import flows
from tests.chaos.conftest import NewArena
from tests.chaos.fleet import QUICK
from tests.chaos.tcp import over_tcp
from tests.chaos.worker import HOST

_BOTH_WORK = """
SELECT array_agg(DISTINCT split_part(worker.name, ':', 1)) = '{first,second}'
FROM worker JOIN execution ON execution.owner = worker.id
"""


async def test_two_machines_share_the_work_and_one_takes_over_from_the_other(new_arena: NewArena) -> None:
    async with new_arena(settings={**QUICK, "executions": 10}) as arena, over_tcp(arena.server, arena.url) as url:
        document = await flows.save(flows.SLOW)
        for n in range(40):
            await flows.start("slow", {"ms": 200}, str(n))
        first, _ = [arena.fleet.start(**{"ROLECALL_DATABASE_URL": url, HOST: name}) for name in ("first", "second")]

        assert await arena.becomes_true(_BOTH_WORK, 10.0)
        arena.fleet.kill(first)
        is_over = await arena.all_finished(10.0)

        assert is_over
        assert await arena.violations(document) == []
