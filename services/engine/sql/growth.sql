-- What the journals of executions $1 hold behind their events $2: a page of each, for the first $3 that have grown.
-- A page has up to $4 events and ends with the one that reaches $5 bytes. Where there is no last event, there is no
-- journal any more. Those that have not grown are left out.
SELECT grown.place, grown.last_seq, page.seq, page.recorded_at, page.kind, page.path, page.attempt, page.payload
FROM (
  SELECT wanted.*, ends.last_seq
  FROM unnest($1::uuid[], $2::int[]) WITH ORDINALITY AS wanted (id, seen, place)
  LEFT JOIN LATERAL (
    SELECT seq AS last_seq FROM journal WHERE execution_id = wanted.id ORDER BY seq DESC LIMIT 1
  ) AS ends ON true
  WHERE ends.last_seq IS DISTINCT FROM wanted.seen
  ORDER BY place LIMIT $3
) AS grown
LEFT JOIN LATERAL (
  SELECT *, sum(octet_length(payload)) OVER (ORDER BY seq) - octet_length(payload) AS bytes_before
  FROM (
    SELECT seq, recorded_at, kind, path, attempt, payload FROM journal
    WHERE execution_id = grown.id AND seq > grown.seen ORDER BY seq LIMIT $4
  ) AS following
) AS page ON page.bytes_before < $5
ORDER BY grown.place, page.seq
