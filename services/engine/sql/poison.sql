-- Fail those of executions $2 that worker $1 owns: they were claimed too often without getting any further.
WITH poisoned AS (
  UPDATE execution
  SET status = 'failed', owner = NULL, finished_at = clock_timestamp(), error = jsonb_build_object(
    'code', 'WORKER_LOST', 'message', format('claimed %s times without getting any further', claims),
    'retryable', false)
  WHERE id = ANY ($2::uuid[]) AND owner = $1
  RETURNING id, epoch, error
), emptied AS (
  DELETE FROM inbox USING poisoned WHERE inbox.execution_id = poisoned.id
)
INSERT INTO journal (execution_id, seq, epoch, kind, payload)
SELECT id, coalesce((SELECT max(seq) FROM journal WHERE execution_id = poisoned.id), 0) + 1, epoch, 'execution_failed',
  json_build_object('event', 'execution_failed', 'failure', error)::text
FROM poisoned
