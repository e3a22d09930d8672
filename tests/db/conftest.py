"""A small populated world to attack: every kind of row, in every state, made the way the product makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import asyncpg
import pytest
import pytest_asyncio

from db.connection import connect

# Roles: Coder is used by steps, Spare is not. Orchestrations: Brief was executed; Idle never was. Both have an active
# version 1; Brief also has an archived 2 and a draft 3. Executions are found by their key, which is their status; `new`
# is queued and has no history yet, and the paused one has a child without a key. The waiting and the completed one have
# been sent a signal with a key of its own. The provider `gateway` has the secret `Gateway key`; nobody has `Spare key`.
WORLD = """
INSERT INTO role (name, base_prompt, created_by) VALUES
  ('Coder', 'You write code.', 'anna'), ('Spare', 'Rest.', 'anna');
INSERT INTO orchestration (name, created_by) VALUES ('Brief', 'anna'), ('Idle', 'anna'), ('Asleep', 'anna');
INSERT INTO orchestration_version (orchestration_id, number, document, created_by)
  SELECT id, number, '{}', 'anna' FROM orchestration, generate_series(1, 3) AS number
  WHERE name = 'Brief' OR number = 1;
INSERT INTO orchestration_step (version_id, name, "order", kind, role_id)
  SELECT version.id, 'Write', 0, 'agent', role.id FROM orchestration_version AS version, role WHERE role.name = 'Coder';
INSERT INTO orchestration_step (version_id, name, "order", kind, config)
  SELECT id, 'Review', 1, 'loop', '{"maxIterations": 3}' FROM orchestration_version;
INSERT INTO orchestration_step (version_id, parent_id, slot, name, "order", kind)
  SELECT version_id, id, 'body', 'Critic', 0, 'transform' FROM orchestration_step WHERE name = 'Review';
SELECT set_config('rolecall.publishing', pg_current_xact_id()::text, true);
UPDATE orchestration_version
  SET status = 'published', digest = 'sha256:' || repeat('a', 64), max_step_runs = 3, published_at = now()
  WHERE number < 3;
UPDATE orchestration_version SET status = 'archived' WHERE number = 2;
UPDATE orchestration SET active_version_id = version.id FROM orchestration_version AS version
  WHERE version.orchestration_id = orchestration.id AND version.number = 1;
UPDATE orchestration SET is_active = false WHERE name = 'Asleep';

INSERT INTO worker (id, name) VALUES
  ('00000000-0000-7000-8000-000000000001', 'first'), ('00000000-0000-7000-8000-000000000002', 'second');
WITH started AS (
  INSERT INTO execution (id, version_id, input, started_by, idempotency_key, request_digest)
  SELECT gen_random_uuid(), active_version_id, '{"topic": "tea"}',
    '{"kind": "human", "name": "anna", "scopes": []}', key, 'digest'
  FROM orchestration, unnest(ARRAY['queued', 'running', 'waiting', 'paused', 'cancelling',
    'completed', 'failed', 'timed_out', 'cancelled', 'new']) AS key WHERE name = 'Brief'
  RETURNING id, idempotency_key
) INSERT INTO journal (execution_id, seq, kind, payload)
  SELECT id, 1, 'execution_started', '{"input": {}}' FROM started WHERE idempotency_key <> 'new';
UPDATE execution SET status = 'running', owner = worker.id, epoch = 1, wake_seq = 5, available_at = NULL,
  started_at = clock_timestamp()
  FROM worker WHERE worker.name = 'first' AND idempotency_key NOT IN ('queued', 'new');
INSERT INTO journal (execution_id, seq, epoch, kind, path, attempt, payload)
  SELECT id, seq, 1, kind, 'Write', 1, '{}'
  FROM execution, (VALUES (2, 'step_failed'), (3, 'step_completed')) AS event (seq, kind) WHERE owner IS NOT NULL;
INSERT INTO execution (id, version_id, input, started_by, parent_execution_id, parent_path, parent_attempt, depth)
  SELECT gen_random_uuid(), version_id, '{}', started_by, id, 'Review[0]/Critic', 1, 1 FROM execution
  WHERE idempotency_key = 'paused';
INSERT INTO inbox (execution_id, kind, sender)
  SELECT id, 'cancel', 'anna' FROM execution WHERE idempotency_key = 'cancelling';
UPDATE execution SET status = idempotency_key WHERE idempotency_key = 'cancelling';
UPDATE execution SET status = idempotency_key, owner = NULL WHERE idempotency_key IN ('waiting', 'paused');
WITH finished AS (
  UPDATE execution SET status = idempotency_key, owner = NULL, finished_at = clock_timestamp() - interval '1 day',
    output = CASE idempotency_key WHEN 'completed' THEN '{}'::jsonb END,
    error = CASE WHEN idempotency_key <> 'completed' THEN '{"code": "TIMEOUT"}'::jsonb END
  WHERE idempotency_key IN ('completed', 'failed', 'timed_out', 'cancelled')
  RETURNING id, epoch, idempotency_key
) INSERT INTO journal (execution_id, seq, epoch, kind, payload)
  SELECT id, 4, epoch, 'execution_' || replace(idempotency_key, 'timed_out', 'failed'), '{}' FROM finished;
INSERT INTO signal_key (execution_id, key, request_digest)
  SELECT id, 'paid', 'digest' FROM execution WHERE idempotency_key IN ('waiting', 'completed');
INSERT INTO token (prefix, hash, name, kind) VALUES ('rc_1', decode(repeat('00', 32), 'hex'), 'anna', 'human');
INSERT INTO session (hash, token_id, expires_at)
  SELECT decode(repeat('00', 32), 'hex'), id, now() + interval '7 days' FROM token WHERE name = 'anna';
INSERT INTO idempotency_key (principal, key, procedure, request_digest, answer)
  VALUES ('human anna', 'mine', 'role.create', 'digest', '{"name": "Coder"}');
INSERT INTO secret (name, value, created_by)
  SELECT name || ' key', 'enc:v1:0123abcd:' || repeat('A', 16) || ':' || repeat('B', 30), 'anna'
  FROM unnest('{Gateway,Spare}'::text[]) AS name;
INSERT INTO provider (name, preset, base_url, secret, created_by)
  VALUES ('gateway', 'compatible', 'https://llm.example.com/v1', 'Gateway key', 'anna');
INSERT INTO model (provider_id, name, created_by) SELECT id, 'large', 'anna' FROM provider;
INSERT INTO model_price (model, input, output, created_by) VALUES ('gateway/large', 1, 2, 'anna');
INSERT INTO default_model (model) VALUES ('gateway/large');
INSERT INTO mcp_source (name, transport, command, created_by) VALUES ('weather', 'stdio', 'weather', 'anna');
INSERT INTO mcp_tool (source_id, name, description, input_schema, digest, approved_digest)
  SELECT id, listed.name, 'Says the weather.', '{"type": "object"}', 'sha256:' || repeat('a', 64),
    CASE listed.name WHEN 'now' THEN 'sha256:' || repeat('a', 64) END
  FROM mcp_source, unnest('{now,tomorrow}'::text[]) AS listed (name);
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world_url(copy_of: Callable[[str], AbstractAsyncContextManager[str]], template: str) -> AsyncIterator[str]:
    """A database with the world in it, for tests that leave it as they found it."""
    async with copy_of(template) as url:
        connection = await connect(url)
        await connection.execute(WORLD)
        await connection.close()
        yield url


@pytest.fixture
async def world(world_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the world, in a transaction that is rolled back."""
    connection = await connect(world_url)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()
