-- Insert execution $1, a restart of $6, or nothing when this initiator has used the idempotency key before. Its journal
-- begins with the events of $6 at $7; last comes the event $9, at the path $8, which makes it an execution of its own. It
-- may spend as much as $6, on what it does itself.
WITH started AS (
  INSERT INTO execution
    (id, version_id, status, input, started_by, idempotency_key, request_digest, priority, available_at, forked_from,
      budget_usd, budget_tokens)
  SELECT $1, version_id, 'queued', $2::text::jsonb, $3::text::jsonb, $4, $5, priority, clock_timestamp(), id,
    budget_usd, budget_tokens
  FROM execution WHERE id = $6
  ON CONFLICT DO NOTHING
  RETURNING id
), history AS (
  SELECT seq, kind, path, attempt, payload FROM journal WHERE execution_id = $6 AND seq = ANY ($7::int[])
  UNION ALL
  SELECT 1 + max(seq), 'execution_restarted', $8, 0, $9 FROM unnest($7::int[]) AS seq
), appended AS (
  INSERT INTO journal (execution_id, seq, kind, path, attempt, payload)
  SELECT started.id, row_number() OVER (ORDER BY history.seq), kind, path, attempt, payload
  FROM started CROSS JOIN history
)
SELECT id FROM started
