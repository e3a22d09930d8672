-- Seconds until the next execution is due, null when none waits for a time.
SELECT extract(epoch FROM min(first.available_at) - clock_timestamp())::float8
FROM execution_priority CROSS JOIN LATERAL (
  SELECT available_at FROM execution
  WHERE execution.priority = execution_priority.priority AND available_at IS NOT NULL ORDER BY available_at LIMIT 1
) AS first
