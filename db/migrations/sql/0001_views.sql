-- Views for people: what there is, what goes on, what has failed and what it has cost.
--
-- Things stand in the schema public: tables, and views of them. What one does stands in the schema rolecall.

CREATE VIEW workflow_overview AS
  SELECT orchestration.name, orchestration.is_active, active.number AS active_version, active.published_at,
    (SELECT count(*) FROM orchestration_step WHERE version_id = active.id) AS steps,
    (SELECT count(*) FROM orchestration_version WHERE orchestration_id = orchestration.id AND status = 'draft') AS drafts,
    (SELECT count(*) FROM orchestration_version WHERE orchestration_id = orchestration.id AND status = 'proposed')
      AS proposals,
    coalesce(unfinished.executions, 0) AS unfinished,
    last.id AS last_execution, last.status AS last_status, last.created_at AS last_created_at,
    orchestration.tags, orchestration.description, orchestration.id
  FROM orchestration
  LEFT JOIN orchestration_version AS active ON active.id = active_version_id
  LEFT JOIN (
    -- Counted from the few that are open: of each version there may be any number that have finished.
    SELECT orchestration_id, count(*) AS executions
    FROM execution JOIN orchestration_version AS version ON version.id = version_id
    WHERE execution.status IN ('queued', 'running', 'waiting', 'paused', 'cancelling') GROUP BY orchestration_id
  ) AS unfinished ON unfinished.orchestration_id = orchestration.id
  LEFT JOIN LATERAL (
    SELECT execution.* FROM orchestration_version AS version
    JOIN LATERAL (SELECT * FROM execution WHERE version_id = version.id ORDER BY id DESC LIMIT 1) AS execution ON true
    WHERE orchestration_id = orchestration.id ORDER BY execution.id DESC LIMIT 1
  ) AS last ON true;
COMMENT ON VIEW workflow_overview IS
  'Each orchestration: what is active, how many drafts there are, how many executions go on, and which was the last.';

CREATE VIEW version_history AS
  SELECT orchestration.name AS orchestration, version.number, version.status,
    coalesce(version.id = active_version_id, false) AS is_active, version.major, version.message, version.created_by,
    version.created_at, version.decided_by, version.published_at, version.rejected_at, version.rejection,
    (SELECT count(*) FROM orchestration_step WHERE version_id = version.id) AS steps, version.max_step_runs,
    last.id AS last_execution, last.created_at AS last_created_at, version.digest, version.id
  FROM orchestration_version AS version
  JOIN orchestration ON orchestration.id = orchestration_id
  LEFT JOIN LATERAL (
    SELECT id, created_at FROM execution WHERE version_id = version.id ORDER BY id DESC LIMIT 1
  ) AS last ON true;
COMMENT ON VIEW version_history IS
  'Each version of each orchestration: who made it, who decided about it, and what ran it last. '
  'WHERE orchestration = ... ORDER BY number DESC.';

CREATE VIEW role_usage AS
  SELECT role.name AS role, role.version AS role_version, role.is_active AS role_is_active,
    used.orchestration, used.version, used.steps
  FROM role
  LEFT JOIN (
    SELECT step.role_id, orchestration.name AS orchestration, version.number AS version,
      array_agg(step.name ORDER BY step.name) AS steps
    FROM orchestration
    JOIN orchestration_version AS version ON version.id = active_version_id
    JOIN orchestration_step AS step ON step.version_id = version.id
    WHERE step.role_id IS NOT NULL GROUP BY step.role_id, orchestration.name, version.number
  ) AS used ON used.role_id = role.id;
COMMENT ON VIEW role_usage IS
  'Which active versions use a role, and in which steps; once without an orchestration for a role that none of them uses.';

CREATE VIEW execution_overview AS
  SELECT execution.id, orchestration.name AS orchestration, version.number AS version, execution.status,
    execution.started_by ->> 'name' AS started_by, execution.created_at, execution.started_at, execution.finished_at,
    -- Of a volatile clock the planner would want every row before it let anybody take the first.
    coalesce(finished_at, now()) - execution.started_at AS took,
    execution.error ->> 'code' AS error_code, execution.error ->> 'message' AS error_message,
    execution.available_at AS due_at, worker.name AS worker, execution.parent_execution_id AS parent,
    execution.forked_from AS restart_of, execution.input, execution.output
  FROM execution
  JOIN orchestration_version AS version ON version.id = version_id
  JOIN orchestration ON orchestration.id = orchestration_id
  LEFT JOIN worker ON worker.id = owner;
COMMENT ON VIEW execution_overview IS
  'Each execution with the names of what it belongs to. The newest have the highest ids: ORDER BY id DESC LIMIT 50.';

-- What has begun and has not been settled since, as the journal tells it. An execution that shows nothing here would wait
-- for ever, so it has a row all the same, which says so.
CREATE VIEW waiting_for AS
  SELECT execution.id AS execution, orchestration.name AS orchestration, version.number AS version,
    coalesce(wait.kind, 'nothing') AS waits_for, wait.path, wait.event, wait.child, wait.since,
    execution.available_at AS due_at, execution.started_by ->> 'name' AS started_by
  FROM execution
  JOIN orchestration_version AS version ON version.id = version_id
  JOIN orchestration ON orchestration.id = orchestration_id
  LEFT JOIN LATERAL (
    SELECT CASE
        WHEN begun.kind = 'child_started' THEN 'child'
        WHEN begun.kind = 'step_failed' THEN 'retry'
        WHEN begun.payload::jsonb ? 'forEvent' THEN 'event'
        ELSE 'time' END AS kind,
      begun.path, begun.payload::jsonb ->> 'forEvent' AS event,
      CASE WHEN begun.kind = 'child_started' THEN (begun.payload::jsonb ->> 'execution')::uuid END AS child,
      begun.recorded_at AS since
    FROM journal AS begun
    WHERE begun.execution_id = execution.id AND begun.kind IN ('step_waiting', 'child_started', 'step_failed')
      -- Another attempt is to come when the failed one was not the last, and nothing has come of it yet.
      AND (begun.kind <> 'step_failed' OR begun.attempt >= 1 AND begun.attempt <= (
        SELECT max_retries FROM orchestration_step AS step
        WHERE step.version_id = execution.version_id AND step.name = substring(begun.path FROM '[^/]+$')))
      AND NOT EXISTS (
        SELECT FROM journal AS later WHERE later.execution_id = execution.id AND later.seq > begun.seq
          AND (later.path = begun.path OR starts_with(later.path, begun.path || '/')
            -- What it stands in has come to an end.
            OR later.path <> '' AND (starts_with(begun.path, later.path || '/')
              OR starts_with(begun.path, later.path || '[')
              OR right(later.path, 1) = '/' AND starts_with(begun.path, later.path))))
  ) AS wait ON true
  WHERE execution.status = 'waiting';
COMMENT ON VIEW waiting_for IS
  'What each waiting execution waits for: an event, a time, the end of a child or its next attempt at a step.';

CREATE VIEW step_log AS
  SELECT execution_id, seq, path, substring(path FROM '[^/]+$') AS step, attempt,
    substring(kind FROM 'step_(.*)') AS outcome, recorded_at AS at, (event ->> 'durationMs')::bigint AS duration_ms,
    event #>> '{usage,model}' AS model, (event #>> '{usage,inputTokens}')::bigint AS input_tokens,
    (event #>> '{usage,outputTokens}')::bigint AS output_tokens, (event #>> '{usage,costUsd}')::numeric AS cost_usd,
    event #>> '{failure,code}' AS failure_code, event #>> '{failure,message}' AS failure_message,
    event -> 'output' AS output, coalesce(jsonb_array_length(event -> 'calls'), 0) AS model_calls
  FROM journal
  -- OFFSET 0 has each payload read once, and not for each column.
  CROSS JOIN LATERAL (SELECT payload::jsonb AS event OFFSET 0) AS read
  WHERE kind IN ('step_completed', 'step_failed', 'step_skipped', 'step_cancelled', 'step_overridden');
COMMENT ON VIEW step_log IS
  'How each attempt at a step of an execution came out. Ask for one: WHERE execution_id = ... ORDER BY seq.';

CREATE VIEW model_call_log AS
  SELECT execution_id, seq, path, substring(path FROM '[^/]+$') AS step, attempt, place::int,
    call ->> 'model' AS model, call ->> 'outcome' AS outcome, call ->> 'reason' AS reason,
    coalesce((call ->> 'inputTokens')::bigint, 0) AS input_tokens,
    coalesce((call ->> 'outputTokens')::bigint, 0) AS output_tokens,
    (call ->> 'costUsd')::numeric AS cost_usd, call ->> 'price' AS price,
    coalesce((call ->> 'durationMs')::bigint, 0) AS duration_ms,
    coalesce((call ->> 'isCached')::boolean, false) AS is_cached, recorded_at AS at
  FROM journal
  CROSS JOIN LATERAL (SELECT payload::jsonb -> 'calls' AS calls OFFSET 0) AS read
  CROSS JOIN LATERAL jsonb_array_elements(calls) WITH ORDINALITY AS one (call, place)
  WHERE kind IN ('step_completed', 'step_failed') AND strpos(payload, '"calls"') > 0;
COMMENT ON VIEW model_call_log IS
  'Each call of a model, also those that failed, with why that model was asked. Ask for one: '
  'WHERE execution_id = ... ORDER BY seq, place.';

CREATE VIEW failure_overview AS
  SELECT orchestration.name AS orchestration, substring(last.path FROM '[^/]+$') AS step,
    coalesce(execution.error ->> 'code', upper(execution.status)) AS code, count(*) AS failures,
    min(execution.finished_at) AS first_at, max(execution.finished_at) AS last_at,
    (array_agg(execution.id ORDER BY execution.finished_at DESC))[1] AS last_execution,
    (array_agg(execution.error ->> 'message' ORDER BY execution.finished_at DESC))[1] AS last_message
  FROM execution
  JOIN orchestration_version AS version ON version.id = version_id
  JOIN orchestration ON orchestration.id = orchestration_id
  LEFT JOIN LATERAL (
    SELECT nullif(path, '') AS path FROM journal WHERE execution_id = execution.id AND kind = 'execution_failed'
    ORDER BY seq DESC LIMIT 1
  ) AS last ON true
  WHERE execution.finished_at > now() - interval '24 hours' AND execution.status IN ('failed', 'timed_out')
  GROUP BY 1, 2, 3;
COMMENT ON VIEW failure_overview IS
  'What has failed or timed out within the last 24 hours, by orchestration, step and code, with the last of each.';

-- It reads every attempt that there is: most of the time goes into reading payloads, so others are told by their text.
CREATE VIEW cost_by_role AS
  SELECT coalesce(assigned.roles #>> ARRAY[step.name, 'role'], step.role_name) AS role, usage.model,
    (asked.recorded_at AT TIME ZONE 'UTC')::date AS day, count(*) AS attempts, sum(usage.calls) AS calls,
    sum(usage.input_tokens) AS input_tokens, sum(usage.output_tokens) AS output_tokens, sum(usage.cost_usd) AS cost_usd,
    count(*) FILTER (WHERE NOT usage.has_cost) AS attempts_without_price
  FROM journal AS asked
  CROSS JOIN LATERAL (SELECT asked.payload::jsonb -> 'calls' AS calls OFFSET 0) AS read
  CROSS JOIN LATERAL (
    SELECT call ->> 'model' AS model, count(*) AS calls,
      coalesce(sum((call ->> 'inputTokens')::bigint), 0) AS input_tokens,
      coalesce(sum((call ->> 'outputTokens')::bigint), 0) AS output_tokens,
      sum((call ->> 'costUsd')::numeric) AS cost_usd, bool_and(call ->> 'costUsd' IS NOT NULL) AS has_cost
    FROM jsonb_array_elements(read.calls) AS call GROUP BY 1
  ) AS usage
  JOIN execution ON execution.id = asked.execution_id
  JOIN orchestration_step AS step
    ON step.version_id = execution.version_id AND step.name = substring(asked.path FROM '[^/]+$')
  LEFT JOIN (
    SELECT execution_id, payload::jsonb -> 'roleAssignments' AS roles FROM journal
    WHERE seq = 1 AND strpos(payload, '"roleAssignments"') > 0
  ) AS assigned ON assigned.execution_id = asked.execution_id
  WHERE asked.kind IN ('step_completed', 'step_failed') AND strpos(asked.payload, '"calls"') > 0
    -- What a restart has taken over was paid for by its origin.
    AND (execution.forked_from IS NULL OR NOT EXISTS (
      SELECT FROM journal AS restart WHERE restart.execution_id = asked.execution_id AND restart.seq > asked.seq
        AND restart.kind = 'execution_restarted'))
  GROUP BY 1, 2, 3;
COMMENT ON VIEW cost_by_role IS 'What the model calls of each role took, by model and day (UTC).';
