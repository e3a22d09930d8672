-- Everything that version $1 calls, itself or through what it calls, up to $2 and one more: how a step says it, the
-- version that this is now (null when there is none that may run) and whether it has expired, its roles at their newest
-- versions with those that have, and what it calls.
WITH RECURSIVE callee AS (
  SELECT config ->> 'orchestration' AS name, config ->> 'version' AS number
  FROM orchestration_step WHERE version_id = $1 AND kind = 'orchestration'
  UNION
  SELECT step.config ->> 'orchestration', step.config ->> 'version'
  FROM callee
  JOIN orchestration ON orchestration.name = callee.name
  JOIN orchestration_version AS version ON version.orchestration_id = orchestration.id
    AND CASE WHEN callee.number IS NULL THEN version.id = active_version_id ELSE version.number::text = callee.number END
  JOIN orchestration_step AS step ON step.version_id = version.id AND step.kind = 'orchestration'
)
SELECT concat_ws('@', callee.name, callee.number) AS call, orchestration.is_active, version.id AS version_id,
  version.expires_at <= clock_timestamp() AS has_expired, pinned.expired_role,
  ARRAY(
    SELECT DISTINCT concat_ws('@', config ->> 'orchestration', config ->> 'version') FROM orchestration_step AS step
    WHERE step.version_id = version.id AND step.kind = 'orchestration' ORDER BY 1
  ) AS calls,
  coalesce(pinned.names, '{}') AS role_names, coalesce(pinned.versions, '{}') AS role_versions
FROM (SELECT name, number FROM callee LIMIT $2 + 1) AS callee
LEFT JOIN orchestration ON orchestration.name = callee.name
LEFT JOIN orchestration_version AS version ON version.orchestration_id = orchestration.id AND version.status = 'published'
  AND CASE WHEN callee.number IS NULL THEN version.id = active_version_id ELSE version.number::text = callee.number END
LEFT JOIN LATERAL (
  SELECT array_agg(role_name) AS names, array_agg(newest_id) AS versions,
    min(role_name) FILTER (WHERE expires_at <= clock_timestamp()) AS expired_role FROM (
    SELECT DISTINCT step.role_name, newest.id AS newest_id, role.expires_at FROM orchestration_step AS step
    JOIN role ON role.id = step.role_id
    JOIN role_version AS newest ON newest.role_id = role.id AND newest.number = role.version
    WHERE step.version_id = version.id
  ) AS role_of_step
) AS pinned ON true
ORDER BY 1
