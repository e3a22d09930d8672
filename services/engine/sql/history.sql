-- The journal of executions $1 in order, with each event's age in seconds.
SELECT wanted.id AS execution_id, kept.*
-- One look-up for each, so that only the partitions they are in are looked at.
FROM unnest($1::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
  SELECT seq, payload, extract(epoch FROM clock_timestamp() - recorded_at)::float8 AS age_seconds
  FROM journal WHERE execution_id = wanted.id ORDER BY seq OFFSET 0
) AS kept
