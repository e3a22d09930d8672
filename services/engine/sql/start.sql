-- Insert execution $1 with its first event, or nothing when this initiator has used the idempotency key before.
WITH started AS (
  INSERT INTO execution (id, version_id, status, input, started_by, idempotency_key, request_digest, available_at)
  VALUES ($1, $2, 'queued', $3::text::jsonb, $4::text::jsonb, $5, $6, clock_timestamp())
  ON CONFLICT DO NOTHING
  RETURNING id
)
INSERT INTO journal (execution_id, seq, kind, payload)
SELECT id, 1, 'execution_started', $7 FROM started
RETURNING execution_id
