-- The journal of executions $1 in order, with each event's age in seconds.
SELECT execution_id, seq, payload, extract(epoch FROM clock_timestamp() - recorded_at)::float8 AS age_seconds
FROM journal WHERE execution_id = ANY($1::uuid[]) ORDER BY execution_id, seq
