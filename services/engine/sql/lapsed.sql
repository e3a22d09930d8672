-- Lock the workers that are gone: their lease has run out, or the connection that says they live has closed.
SELECT id FROM worker
WHERE id <> $1 AND (
  heartbeat_at + make_interval(secs => lease_seconds) < clock_timestamp()
  OR pg_try_advisory_xact_lock($2, hashtext(id::text))
)
FOR UPDATE SKIP LOCKED
