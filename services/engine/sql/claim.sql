-- Give up to $2 due executions to worker $1, unless it has been reaped: the highest priority first, the longest due of it.
-- What was claimed $3 times without its journal growing fails instead: whoever runs it dies, or gets nowhere.
WITH me AS MATERIALIZED (
  SELECT id FROM worker WHERE id = $1 FOR KEY SHARE
), due AS MATERIALIZED (
  -- A range of the index for each priority, entered only while the limit is not reached.
  SELECT ready.* FROM execution_priority CROSS JOIN LATERAL (
    SELECT id, epoch, claims FROM execution
    WHERE execution.priority = execution_priority.priority AND available_at <= statement_timestamp()
    ORDER BY available_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
  ) AS ready LIMIT $2
), poisoned AS (
  UPDATE execution
  SET status = 'failed', available_at = NULL, finished_at = clock_timestamp(), error = jsonb_build_object(
    'code', 'WORKER_LOST', 'message', format('claimed %s times without getting any further', due.claims),
    'retryable', false)
  FROM me, due WHERE execution.id = due.id AND due.claims >= $3
  RETURNING execution.id, execution.epoch, execution.error
), journaled AS (
  INSERT INTO journal (execution_id, seq, epoch, kind, payload)
  SELECT id, (SELECT max(seq) + 1 FROM journal WHERE execution_id = id), epoch, 'execution_failed',
    json_build_object('event', 'execution_failed', 'failure', error)::text
  FROM poisoned
), emptied AS (
  DELETE FROM inbox USING poisoned WHERE inbox.execution_id = poisoned.id
)
UPDATE execution
SET owner = me.id, epoch = execution.epoch + 1, available_at = NULL, status = 'running',
    started_at = coalesce(execution.started_at, statement_timestamp())
FROM me, due WHERE execution.id = due.id AND due.claims < $3
RETURNING execution.id, execution.epoch, execution.version_id, execution.wake_seq, execution.started_by::text,
  execution.active_ms, execution.losses
