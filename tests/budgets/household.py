"""Executions that spend, as rows: trees of them under budgets, owned by workers that live or have died."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from services import connections
from services.budgets import purse_of
from services.caller import OPERATOR
from services.definitions.document import Budget, Step
from services.engine.performer import Attempt
from services.models.purse import Estimate, Purse, Reservation

MODEL = "openai/gpt-6-luna"
# Steps of every version: `Ask` and `Call` have a budget of their own, `Free` and `Send` have none.
STEP_USD = Decimal("0.40")
_SET_UP = """
INSERT INTO role (name, base_prompt, created_by) VALUES ('Coder', '', 'anna'), ('Critic', '', 'anna');
INSERT INTO orchestration (name, created_by) VALUES ('outer', 'anna'), ('inner', 'anna');
INSERT INTO orchestration_version (orchestration_id, number, document, created_by)
  SELECT id, 1, CASE name WHEN 'inner' THEN '{"limits": {"maxTokens": 5000}}'::jsonb ELSE '{}' END, 'anna'
  FROM orchestration;
INSERT INTO orchestration_step (version_id, name, "order", kind, config, role_id)
  SELECT version.id, step.name, step.place, step.kind, step.config::jsonb,
    (SELECT id FROM role WHERE name = 'Coder' AND step.kind = 'agent')
  FROM orchestration_version AS version, (VALUES
    ('Ask', 0, 'agent', '{"budget": {"maxCostUsd": "0.40"}}'), ('Free', 1, 'agent', '{}'),
    ('Call', 2, 'orchestration', '{"orchestration": "inner", "budget": {"maxCostUsd": "0.40"}}'),
    ('Send', 3, 'orchestration', '{"orchestration": "inner"}')) AS step (name, place, kind, config);
SELECT set_config('rolecall.publishing', pg_current_xact_id()::text, true);
UPDATE orchestration_version
  SET status = 'published', digest = 'sha256:' || repeat('a', 64), max_step_runs = 9, published_at = now();
UPDATE orchestration SET active_version_id = version.id
  FROM orchestration_version AS version WHERE version.orchestration_id = orchestration.id;
INSERT INTO worker (id, name) VALUES
  ('00000000-0000-7000-8000-000000000001', 'first'), ('00000000-0000-7000-8000-000000000002', 'second');
"""
_START = """
INSERT INTO execution (id, version_id, input, started_by, budget_usd, budget_tokens, parent_execution_id, parent_path,
  parent_attempt, depth)
SELECT uuid7(), active_version_id, '{}', '{"kind": "human", "name": "anna", "scopes": []}', $2, $3, $4, $5, $6,
  coalesce((SELECT depth + 1 FROM execution WHERE id = $4), 0)
FROM orchestration WHERE name = $1 RETURNING id
"""
_CLAIM = """
UPDATE execution SET owner = worker.id, status = 'running', epoch = epoch + 1, available_at = NULL
FROM worker WHERE execution.id = $1 AND worker.name = $2 RETURNING epoch
"""
_GIVE_BACK = "UPDATE execution SET owner = NULL, status = 'queued', available_at = now() WHERE id = $1"


async def set_up() -> None:
    """Make the orchestrations `outer` and `inner`, which may use 5,000 tokens, and two workers."""
    async with connections.pool().acquire() as connection, connection.transaction():
        await connection.execute(_SET_UP)


async def start(
    orchestration: str = "outer",
    *,
    usd: str | Decimal | None = None,
    tokens: int | None = None,
    parent: UUID | None = None,
    path: str | None = None,
    attempt: int = 1,
) -> UUID:
    """A new execution that the first worker owns, under epoch 1; with a parent, a child of its step at `path`."""
    id = await connections.pool().fetchval(
        _START,
        orchestration,
        None if usd is None else Decimal(usd),
        tokens,
        parent,
        path,
        None if parent is None else attempt,
    )
    await connections.pool().fetchval(_CLAIM, id, "first")
    return id


async def take_over(execution: UUID, worker: str = "second") -> int:
    """What becomes of an execution whose worker has died; the new epoch."""
    async with connections.pool().acquire() as connection, connection.transaction():
        await connection.execute(_GIVE_BACK, execution)
        return await connection.fetchval(_CLAIM, execution, worker)


async def give_back(execution: UUID) -> None:
    """Nobody owns it any more, as while it waits."""
    await connections.pool().execute(_GIVE_BACK, execution)


async def attempt(execution: UUID, path: str = "Free", *, epoch: int = 1, role: str = "Coder") -> Attempt:
    """What a performer is given at a step of the execution."""
    row = await connections.pool().fetchrow(
        "SELECT is_budgeted, (SELECT role_version.id FROM role_version JOIN role ON role.id = role_id"
        " WHERE role.name = $2) AS role_version FROM execution WHERE id = $1",
        execution,
        role,
    )
    assert row is not None
    budget = Budget(max_cost_usd=str(STEP_USD)) if path.endswith(("Ask", "Call")) else None
    return Attempt(
        execution=execution,
        path=path,
        step=Step(name=path.rpartition("/")[2], role_name=role, budget=budget),
        number=1,
        input=None,
        timeout_ms=60_000,
        idempotency_key="key",
        role_version=row["role_version"],
        epoch=epoch,
        is_budgeted=row["is_budgeted"],
        initiator=OPERATOR.principal,
        notes=[],
        keep=_unkept,
        emit=str,
    )


async def purse(execution: UUID, path: str = "Free", *, epoch: int = 1, role: str = "Coder") -> Purse:
    """What an attempt at a step of the execution pays with."""
    return purse_of(await attempt(execution, path, epoch=epoch, role=role))


def estimate(usd: str | Decimal | None = "0.10", *, tokens: int = 100, model: str = MODEL) -> Estimate:
    """A call that takes so much at most; half of its tokens are the answer's."""
    return Estimate(
        model=model,
        input_tokens=tokens - tokens // 2,
        max_output_tokens=tokens // 2,
        at_most_usd=None if usd is None else Decimal(usd),
    )


async def reserved(
    execution: UUID, usd: str | Decimal | None = "0.10", path: str = "Free", *, epoch: int = 1, tokens: int = 100
) -> Reservation:
    """What is set aside for a call at a step of the execution."""
    return await (await purse(execution, path, epoch=epoch)).reserve(estimate(usd, tokens=tokens))


async def _unkept(_: object) -> None:
    raise AssertionError("nothing is kept here")
