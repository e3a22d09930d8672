-- Insert execution $1 with its first event, or nothing when this initiator has used the idempotency key before. It is due
-- at $9 (seconds since 1970) or $10 seconds from now, and at once when that is over or neither is given. It may cost $11 US
-- dollars, and no more than its version allows.
WITH started AS (
  INSERT INTO execution
    (id, version_id, status, input, started_by, idempotency_key, request_digest, priority, available_at, budget_usd)
  VALUES ($1, $2, 'queued', $3::text::jsonb, $4::text::jsonb, $5, $6, $8,
    greatest(clock_timestamp(), to_timestamp($9::float8), clock_timestamp() + make_interval(secs => $10::float8)), $11)
  ON CONFLICT DO NOTHING
  RETURNING id
)
INSERT INTO journal (execution_id, seq, kind, payload)
SELECT id, 1, 'execution_started', $7 FROM started
RETURNING execution_id
