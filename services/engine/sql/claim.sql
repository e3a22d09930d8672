-- Give up to $2 due executions to worker $1, unless it has been reaped: the highest priority first, the longest due of it.
WITH me AS MATERIALIZED (
  SELECT id FROM worker WHERE id = $1 FOR KEY SHARE
), due AS MATERIALIZED (
  -- A range of the index for each priority, entered only while the limit is not reached.
  SELECT ready.id FROM execution_priority CROSS JOIN LATERAL (
    SELECT id FROM execution
    WHERE execution.priority = execution_priority.priority AND available_at <= statement_timestamp()
    ORDER BY available_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
  ) AS ready LIMIT $2
)
UPDATE execution
SET owner = me.id, epoch = execution.epoch + 1, available_at = NULL, status = 'running',
    started_at = coalesce(execution.started_at, statement_timestamp())
FROM me, due WHERE execution.id = due.id
RETURNING execution.id, execution.epoch, execution.version_id, execution.wake_seq, execution.started_by::text,
  execution.active_ms, execution.is_budgeted, execution.claims
