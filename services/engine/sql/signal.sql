-- Put the signal $2 of $3 into the inbox of execution $1, unless it has finished, or the key $4 was used there before. The
-- database wakes the execution with it.
WITH target AS (
  SELECT id FROM execution WHERE id = $1 AND finished_at IS NULL
), keyed AS (
  INSERT INTO signal_key (execution_id, key, request_digest)
  SELECT id, $4::text, $5::text FROM target WHERE $4::text IS NOT NULL
  ON CONFLICT DO NOTHING
  RETURNING execution_id
)
INSERT INTO inbox (execution_id, kind, payload, sender)
SELECT id, 'signal', $2::text::jsonb, $3 FROM target WHERE $4::text IS NULL OR EXISTS (SELECT FROM keyed)
RETURNING id
