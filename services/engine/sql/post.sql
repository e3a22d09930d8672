-- Put a message into the inbox of execution $1, unless it has finished. The database wakes the execution with it.
INSERT INTO inbox (execution_id, kind, payload, sender)
SELECT id, $2, $3::text::jsonb, $4 FROM execution WHERE id = $1 AND finished_at IS NULL
RETURNING id
