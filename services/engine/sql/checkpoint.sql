-- Append events and settle executions of worker $1, all of it or none, fenced by owner and epoch.
-- The lock on the worker's row is the fence: who reaps a worker locks that row first, so ownership cannot change
-- while this statement runs. OFFSET 0 keeps the look-up on the primary key: the statistics say that nobody owns
-- anything, so the index of owners would be read whole for each execution.
WITH me AS MATERIALIZED (
  SELECT id FROM worker WHERE id = $1 FOR KEY SHARE
), fence AS MATERIALIZED (
  SELECT held.id, wanted.epoch, held.wake_seq
  FROM me, unnest($2::uuid[], $3::bigint[]) AS wanted (id, epoch)
  CROSS JOIN LATERAL (
    SELECT id, owner, epoch, wake_seq FROM execution WHERE execution.id = wanted.id OFFSET 0
  ) AS held
  WHERE held.owner = $1 AND held.epoch = wanted.epoch
), appended AS (
  INSERT INTO journal (execution_id, seq, kind, path, attempt, payload, epoch)
  SELECT entry.*, fence.epoch FROM unnest($4::uuid[], $5::int[], $6::text[], $7::text[], $8::int[], $9::text[])
    AS entry (execution_id, seq, kind, path, attempt, payload)
  JOIN fence ON fence.id = entry.execution_id
), settled AS (
  UPDATE execution
  SET status = leaving.status, owner = NULL, output = leaving.output::jsonb, error = leaving.error::jsonb,
      available_at = clock_timestamp() + make_interval(secs => leaving.delay_seconds),
      finished_at = CASE WHEN leaving.status NOT IN ('queued', 'waiting', 'paused') THEN clock_timestamp() END,
      active_ms = execution.active_ms + leaving.active_ms
  FROM unnest($10::uuid[], $11::text[], $12::text[], $13::text[], $14::float8[], $15::bigint[], $16::bigint[])
    AS leaving (id, status, output, error, delay_seconds, wake_seq, active_ms)
  JOIN fence ON fence.id = leaving.id
  -- Parking is a compare-and-set: who put something into the inbox since then has bumped the count.
  WHERE execution.id = leaving.id AND (leaving.status NOT IN ('waiting', 'paused') OR execution.wake_seq = leaving.wake_seq)
  RETURNING execution.id
), consumed AS (
  -- A finished execution reads nothing any more; what reached it too late goes with it.
  DELETE FROM inbox USING fence
  WHERE inbox.execution_id = fence.id AND (inbox.id = ANY($17::bigint[]) OR inbox.execution_id = ANY($18::uuid[]))
)
SELECT me.id IS NOT NULL AS alive, fence.id, fence.wake_seq, settled.id IS NOT NULL AS settled
FROM (SELECT 1) AS always LEFT JOIN me ON true LEFT JOIN fence ON true LEFT JOIN settled ON settled.id = fence.id
