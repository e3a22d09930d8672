-- Put a message into the inboxes of those of executions $1 that have not finished, as post does for one; returns which.
-- Whoever is held by somebody else right now, or has open children, is left out: nothing is waited for while others are
-- held, so no two that do this, and no checkpoint, can meet in a deadlock.
WITH free AS MATERIALIZED (
  SELECT id FROM execution
  WHERE id = ANY ($1::uuid[]) AND finished_at IS NULL AND NOT EXISTS (
    SELECT FROM execution AS child WHERE child.parent_execution_id = execution.id AND child.finished_at IS NULL)
  FOR NO KEY UPDATE SKIP LOCKED
)
INSERT INTO inbox (execution_id, kind, payload, sender)
SELECT id, $2, $3::text::jsonb, $4 FROM free
RETURNING execution_id
