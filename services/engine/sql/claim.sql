-- Give up to $2 of the longest due executions to worker $1, unless the worker has been reaped.
WITH me AS MATERIALIZED (
  SELECT id FROM worker WHERE id = $1 FOR KEY SHARE
), due AS MATERIALIZED (
  SELECT id FROM execution WHERE available_at <= statement_timestamp() ORDER BY available_at LIMIT $2
  FOR UPDATE SKIP LOCKED
)
UPDATE execution
SET owner = me.id, epoch = execution.epoch + 1, available_at = NULL, status = 'running',
    started_at = coalesce(execution.started_at, statement_timestamp())
FROM me, due WHERE execution.id = due.id
RETURNING execution.id, execution.epoch, execution.version_id, execution.wake_seq, execution.started_by::text, execution.active_ms, execution.losses
