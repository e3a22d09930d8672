-- Seconds until the next execution is due, null when none waits for a time.
SELECT extract(epoch FROM min(available_at) - clock_timestamp())::float8 FROM execution WHERE available_at IS NOT NULL
