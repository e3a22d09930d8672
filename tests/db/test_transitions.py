"""The states of an execution and of a version, as the database knows them."""

from __future__ import annotations

from itertools import product

import asyncpg

from db.connection import connect
from db.refusal import refusal_of
from tests.db.attacks import DRAFT, MARK

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


VERSIONS = ("draft", "proposed", "publishing", "published", "rejected", "archived")
# The ways by which a draft comes to be something else.
TO_BE = {
    "draft": (),
    "proposed": ("proposed",),
    "publishing": ("publishing",),
    "publishing a proposal": ("proposed", "publishing"),
    "published": ("published",),
    "rejected": ("proposed", "rejected"),
    "archived": ("published", "archived"),
}
DECIDE = f"""
UPDATE orchestration_version SET status = $1::text,
  rejected_at = CASE $1 WHEN 'rejected' THEN now() ELSE rejected_at END,
  digest = CASE $1 WHEN 'published' THEN 'sha256:' || repeat('0', 64) ELSE digest END,
  max_step_runs = CASE $1 WHEN 'published' THEN 1 ELSE max_step_runs END,
  published_at = CASE $1 WHEN 'published' THEN now() ELSE published_at END
WHERE id = {DRAFT}
"""
BY_ANYBODY = {
    *((status, status.partition(" ")[0]) for status in TO_BE),
    ("draft", "proposed"), ("draft", "publishing"), ("proposed", "publishing"), ("proposed", "rejected"),
    # a request is withdrawn
    ("publishing", "draft"), ("publishing a proposal", "proposed"),
    ("published", "archived"),
}  # fmt: skip
BY_A_SERVER = {("draft", "published"), ("proposed", "published"), *(
    (status, "published") for status in ("publishing", "publishing a proposal")
)}  # fmt: skip


async def test_a_version_goes_only_the_ways_it_may(world_url: str) -> None:
    world = await connect(world_url)

    by_anybody = {way for way in product(TO_BE, VERSIONS) if await _is_decided(world, *way, mark="SELECT")}
    by_a_server = {way for way in product(TO_BE, VERSIONS) if await _is_decided(world, *way, mark=MARK)}
    await world.close()

    assert by_anybody == BY_ANYBODY
    assert by_a_server == by_anybody | BY_A_SERVER


async def _is_decided(world: asyncpg.Connection, before: str, after: str, *, mark: str) -> bool:
    attempt = world.transaction()
    await attempt.start()
    try:
        await world.execute(MARK)
        for status in TO_BE[before]:
            await world.execute(DECIDE, status)
        await world.execute("SELECT set_config('rolecall.publishing', '', true)")
        await world.execute(mark)
        await world.execute(DECIDE, after)
    except (asyncpg.ObjectNotInPrerequisiteStateError, asyncpg.CheckViolationError) as refusal:
        assert (refusal_of(refusal).rule or "").startswith("orchestration_version__")
        return False
    else:
        return True
    finally:
        await attempt.rollback()


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
