-- Make the executions of workers $1 due again.
UPDATE execution SET owner = NULL, status = 'queued', available_at = clock_timestamp() WHERE owner = ANY($1::uuid[])
