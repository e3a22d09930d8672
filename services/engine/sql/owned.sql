-- The executions that worker $1 owns, as a claim returns them.
SELECT id, epoch, version_id, wake_seq, started_by::text, active_ms, is_budgeted FROM execution WHERE owner = $1
