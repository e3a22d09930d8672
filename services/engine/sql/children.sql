-- Start children of executions that worker $1 owns, each with its first event, and cancel those no longer waited for.
-- The first half of a checkpoint that has such, in its transaction and under the same fence: a parent is still open when
-- its child starts, and a child is locked before its parent, as when it ends.
WITH me AS MATERIALIZED (
  SELECT id FROM worker WHERE id = $1 FOR KEY SHARE
), fence AS MATERIALIZED (
  SELECT held.*
  FROM me, unnest($2::uuid[], $3::bigint[]) AS wanted (id, epoch)
  CROSS JOIN LATERAL (
    SELECT id, owner, epoch, started_by, priority, depth FROM execution WHERE execution.id = wanted.id OFFSET 0
  ) AS held
  WHERE held.owner = $1 AND held.epoch = wanted.epoch
), child AS MATERIALIZED (
  SELECT * FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::int[], $9::boolean[], $10::text[], $11::text[])
    AS child (parent, id, version_id, path, attempt, is_detached, input, payload)
), started AS (
  INSERT INTO execution (id, version_id, input, started_by, priority, parent_execution_id, parent_path, parent_attempt,
    is_detached, depth)
  SELECT child.id, child.version_id, child.input::jsonb, fence.started_by, fence.priority, fence.id, child.path,
    child.attempt, child.is_detached, fence.depth + 1
  FROM child JOIN fence ON fence.id = child.parent
  RETURNING id, parent_execution_id
), journaled AS (
  INSERT INTO journal (execution_id, seq, kind, payload)
  SELECT started.id, 1, 'execution_started', child.payload FROM started JOIN child ON child.id = started.id
), stopped AS MATERIALIZED (
  -- The lock waits for one that is just ending, and then leaves it out.
  SELECT execution.id, execution.parent_execution_id FROM execution JOIN fence ON fence.id = execution.parent_execution_id
  WHERE execution.id = ANY($12::uuid[]) AND finished_at IS NULL AND cancel_requested_at IS NULL
  ORDER BY execution.id FOR NO KEY UPDATE OF execution
)
INSERT INTO inbox (execution_id, kind, payload, sender)
SELECT id, 'cancel', '{"reason": "its parent no longer waits for it"}', parent_execution_id::text
FROM (TABLE stopped UNION ALL SELECT * FROM started WHERE id = ANY($12::uuid[])) AS unwanted
