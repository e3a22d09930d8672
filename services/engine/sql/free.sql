-- Make the executions of workers $1 due again; $2 is 1 when the workers have died over them, 0 when they give them back.
UPDATE execution
SET owner = NULL, status = 'queued', available_at = clock_timestamp(), losses = losses + $2
WHERE owner = ANY($1::uuid[])
