-- What waits in the inboxes of the executions that worker $1 owns, with the wake count that covers it, and with the end of
-- a child how that ended.
SELECT inbox.id, inbox.execution_id, inbox.kind, inbox.payload::text AS payload, inbox.sender, execution.wake_seq, child.*
FROM inbox JOIN execution ON execution.id = inbox.execution_id
LEFT JOIN LATERAL (
  -- The child's own row is believed, not the message: that could be from anybody.
  SELECT id AS child, parent_path, status, output::text AS output, error::text AS error,
    (extract(epoch FROM finished_at - created_at) * 1000)::bigint AS duration_ms
  FROM execution AS ended
  WHERE inbox.kind = 'child_finished'
    AND ended.id = CASE WHEN inbox.sender ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN inbox.sender::uuid END
    AND ended.parent_execution_id = inbox.execution_id AND ended.finished_at IS NOT NULL AND NOT ended.is_detached
  OFFSET 0
) AS child ON true
WHERE execution.owner = $1 ORDER BY inbox.id
