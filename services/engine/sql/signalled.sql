-- How many signals execution $1 has been sent, and their bytes: those that its journal holds, and those that it has not
-- read yet; and the bytes of the data $2 as the inbox will hold it, where 1e308 has all its digits.
SELECT count(*) AS number, coalesce(sum(size), 0)::bigint AS bytes, octet_length($2::text::jsonb::text) AS own_bytes
FROM (
  SELECT octet_length(payload) AS size FROM journal WHERE execution_id = $1 AND kind = 'signal_received'
  UNION ALL
  SELECT octet_length(payload::text) FROM inbox WHERE execution_id = $1 AND kind = 'signal'
) AS signal
