-- Put a message into the inbox of execution $1 and make sure that it is read: bump the wake count, end any parking.
WITH woken AS (
  UPDATE execution
  SET wake_seq = wake_seq + 1,
      -- A paused execution is left alone until somebody wants it to go on, or to end.
      status = CASE WHEN status = 'paused' AND $2 IN ('resume', 'cancel') THEN 'queued' ELSE status END,
      available_at = CASE
        WHEN status IN ('queued', 'waiting') OR (status = 'paused' AND $2 IN ('resume', 'cancel'))
          THEN clock_timestamp() END
  WHERE id = $1 AND finished_at IS NULL
  RETURNING id
)
INSERT INTO inbox (execution_id, kind, payload, sender) SELECT id, $2, $3::text::jsonb, $4 FROM woken
RETURNING id
