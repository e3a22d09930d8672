"""The states of an execution, as the database knows them."""

from __future__ import annotations

from itertools import product

import asyncpg

from db.connection import connect
from db.refusal import refusal_of

OPEN = ("queued", "running", "waiting", "paused", "cancelling")
FINAL = ("completed", "failed", "timed_out", "cancelled")

MOVE = """
WITH moved AS (UPDATE execution SET
  status = $2::text,
  owner = CASE WHEN $2 IN ('running', 'cancelling') THEN '00000000-0000-7000-8000-000000000001'::uuid END,
  epoch = epoch + ($2 IN ('running', 'cancelling') AND owner IS NULL)::integer,
  available_at = CASE WHEN $2 = 'queued' THEN clock_timestamp() END,
  finished_at = CASE WHEN $2 = ANY ($3::text[]) THEN clock_timestamp() END
WHERE idempotency_key = $1
RETURNING id, epoch, status)
INSERT INTO journal (execution_id, seq, epoch, kind, payload)
SELECT id, 9, epoch, 'execution_' || replace(status, 'timed_out', 'failed'), '{}' FROM moved WHERE status = ANY ($3)
"""


async def test_an_execution_goes_only_the_ways_it_may(world_url: str) -> None:
    world = await connect(world_url)

    went = {way for way in product(OPEN + FINAL, OPEN + FINAL) if await _goes(world, *way)}
    await world.close()

    assert went == {
        # an update that leaves the status alone
        *((status, status) for status in OPEN),
        # claimed, given back, parked, woken
        ("queued", "running"), ("waiting", "running"),
        ("running", "queued"), ("running", "waiting"), ("waiting", "queued"),
        # a dead worker's cancelling execution is claimed again; the cancel stands in its history
        ("cancelling", "queued"),
        # paused and resumed
        ("queued", "paused"), ("running", "paused"), ("waiting", "paused"),
        ("paused", "queued"), ("paused", "running"), ("paused", "waiting"),
        # ended: completion only by its owner, and after a cancel only as cancelled or failed
        *product(("running",), FINAL),
        *product(("queued", "waiting", "paused"), ("failed", "timed_out", "cancelled")),
        ("running", "cancelling"), ("cancelling", "cancelled"), ("cancelling", "failed"),
    }  # fmt: skip


async def _goes(world: asyncpg.Connection, before: str, after: str) -> bool:
    attempt = world.transaction()
    await attempt.start()
    try:
        await world.execute(MOVE, before, after, FINAL)
    except asyncpg.ObjectNotInPrerequisiteStateError as refusal:
        assert refusal_of(refusal).rule in ("execution__transition", "execution__terminal_is_final")
        return False
    else:
        return True
    finally:
        await attempt.rollback()
