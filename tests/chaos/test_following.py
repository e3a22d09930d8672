"""Whoever follows sees every event once, whatever dies meanwhile: the worker, the hints, the database."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from uuid import UUID

import msgspec

from services import executions
from services.caller import OPERATOR
from services.executions import AttemptStarted, Followed, Recorded
from tests.chaos import flows, outages
from tests.chaos.arena import Arena
from tests.chaos.conftest import NewArena
from tests.chaos.worker import HINTS

ROOT = Path(__file__).parents[2]


async def journal(arena: Arena, execution: UUID) -> list[tuple[int, str]]:
    """Numbers and kinds of what the journal holds."""
    rows = await arena.database.pool.fetch(
        "SELECT seq, kind FROM journal WHERE execution_id = $1 ORDER BY seq", execution
    )
    return [tuple(row) for row in rows]


def events(items: list[Followed]) -> list[tuple[int, str]]:
    """Numbers and kinds of the events among what was followed."""
    return [(item.seq, item.kind) for item in items if isinstance(item, Recorded)]


class Following:
    """A stream that is read as it comes; `until` waits for an item."""

    def __init__(self, execution: UUID) -> None:
        self.items: list[Followed] = []
        self._changed = asyncio.Condition()
        self._task = asyncio.create_task(self._read(execution))

    async def until(self, is_there: Callable[[Followed], bool]) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: any(map(is_there, self.items)))

    async def all(self) -> list[Followed]:
        await asyncio.wait_for(self._task, 40)
        return self.items

    async def _read(self, execution: UUID) -> None:
        async with aclosing(executions.follow(OPERATOR, execution=execution)) as stream:
            async for item in stream:
                async with self._changed:
                    self.items.append(item)
                    self._changed.notify_all()


def has_begun(path: str) -> Callable[[Followed], bool]:
    return lambda item: isinstance(item, AttemptStarted) and item.path == path


async def test_the_stream_goes_on_when_the_worker_is_killed_and_another_takes_over(new_arena: NewArena) -> None:
    async with new_arena() as arena:
        await flows.save(flows.SLOW)
        first = arena.fleet.start()
        known = Following(await flows.start("slow", {"ms": 400}, "known"))
        await known.until(has_begun("After"))  # so that the worker knows who is followed
        execution = await flows.start("slow", {"ms": 3_000}, "killed")
        following = Following(execution)
        await arena.has_begun(3)
        arena.fleet.start()
        arena.fleet.kill(first)
        items = await following.all()

        kept = await journal(arena, execution)
        rows = await arena.database.pool.fetch("SELECT epoch FROM execution WHERE id = $1", execution)
    assert events(items) == kept
    assert [kind for _, kind in kept] == ["execution_started", *["step_completed"] * 2, "execution_completed"]
    assert [row["epoch"] for row in rows] == [2]


async def test_the_stream_goes_on_when_the_database_has_crashed_and_is_back(new_arena: NewArena) -> None:
    async with new_arena(settings={}) as arena:
        await flows.save(flows.MIXED)
        arena.fleet.start()
        ids = [
            await flows.start("mixed", {"n": n, "ms": 60, "nap": 600, "fails": 1, "breaks": n == 4}, str(n))
            for n in range(5)
        ]
        following = [Following(execution) for execution in ids]
        await arena.has_begun(5)
        async with outages.away(arena):
            await asyncio.sleep(1.5)
        streams = [await each.all() for each in following]

        kept = [await journal(arena, execution) for execution in ids]
    assert [events(items) for items in streams] == kept
    assert [kinds[-1][1] for kinds in kept] == ["execution_completed"] * 4 + ["execution_failed"]


async def test_the_stream_goes_on_when_no_notification_arrives(new_arena: NewArena) -> None:
    async with new_arena() as arena:
        await flows.save(flows.MIXED)
        arena.fleet.start(**{HINTS: "off"})
        execution = await flows.start("mixed", {"n": 1, "ms": 20, "nap": 30, "fails": 0, "breaks": False}, "only")
        following = Following(execution)
        async with outages.deaf(arena):
            items = await following.all()

        kept = await journal(arena, execution)
    assert items == [item for item in items if isinstance(item, Recorded)]
    assert events(items) == kept


async def test_rolecall_follow_survives_a_crash_of_the_database(new_arena: NewArena) -> None:
    async with new_arena(settings={}) as arena:
        await flows.save(flows.MIXED)
        execution = await flows.start("mixed", {"n": 1, "ms": 60, "nap": 600, "fails": 0, "breaks": False}, "only")
        environment = {"ROLECALL_DATABASE_URL": arena.url, "ROLECALL_MODEL": "offline", "ROLECALL_FILES_DIR": "docs"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api.cli", "follow", str(execution), "--json"),
            stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=environment,
        )  # fmt: skip
        assert process.stdout is not None
        lines = [await process.stdout.readline()]
        arena.fleet.start()
        await arena.has_begun(2)
        async with outages.away(arena):
            await asyncio.sleep(1.5)
        lines += (await asyncio.wait_for(process.stdout.read(), 40)).splitlines()
        code = await process.wait()

        kept = await journal(arena, execution)
    said = [msgspec.json.decode(line) for line in lines]
    assert [(item["seq"], item["kind"]) for item in said if item["type"] == "recorded"] == kept
    assert code == 0
