-- What steps and model calls take, by the hour: read from the journal once, when the hour is over.

CREATE TABLE step_metric (
  hour          timestamptz NOT NULL,
  kind          varchar NOT NULL,
  role          varchar NOT NULL,
  model         varchar NOT NULL,
  bucket        smallint NOT NULL,
  number        bigint NOT NULL,
  succeeded     bigint NOT NULL,
  input_tokens  bigint NOT NULL,
  output_tokens bigint NOT NULL,
  cost_usd      numeric NOT NULL,
  unpriced      bigint NOT NULL,
  cached        bigint NOT NULL,
  PRIMARY KEY (hour, kind, role, model, bucket),
  CONSTRAINT step_metric__is_of_an_hour CHECK (is_date(hour) AND hour = date_trunc('hour', hour, 'UTC'))
);
COMMENT ON TABLE step_metric IS
  'How many attempts at steps, and calls of models, the executions had that finished in an hour, and what they took.';
COMMENT ON COLUMN step_metric.hour IS 'The beginning of the hour in which the executions finished.';
COMMENT ON COLUMN step_metric.kind IS 'The kind of the steps.';
COMMENT ON COLUMN step_metric.role IS 'The role that they acted in; empty for none.';
COMMENT ON COLUMN step_metric.model IS 'Which model was called, as provider/model; empty where attempts are counted, not calls.';
COMMENT ON COLUMN step_metric.bucket IS 'How long they took: 2 to the power of an eighth of this is that in milliseconds, at most.';
COMMENT ON COLUMN step_metric.number IS 'How many attempts or calls these are.';
COMMENT ON COLUMN step_metric.succeeded IS 'How many of them had an output, or an answer.';
COMMENT ON COLUMN step_metric.input_tokens IS 'Tokens that calls have read.';
COMMENT ON COLUMN step_metric.output_tokens IS 'Tokens that calls have written.';
COMMENT ON COLUMN step_metric.cost_usd IS 'US dollars that the calls of known price have cost.';
COMMENT ON COLUMN step_metric.unpriced IS 'How many calls there were of which nobody knows what they cost.';
COMMENT ON COLUMN step_metric.cached IS 'How many calls were answered from the cache.';

CREATE TABLE step_metric_hour (
  hour timestamptz PRIMARY KEY,
  CONSTRAINT step_metric_hour__is_an_hour CHECK (is_date(hour) AND hour = date_trunc('hour', hour, 'UTC'))
);
COMMENT ON TABLE step_metric_hour IS 'The hours that step_metric has, one after the other without a gap.';
COMMENT ON COLUMN step_metric_hour.hour IS 'The beginning of the hour.';

CREATE FUNCTION duration_bucket(duration_ms bigint) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
  SELECT ceil(8 * ln(greatest(duration_ms, 1)) / ln(2.0))::smallint
$$;
COMMENT ON FUNCTION duration_bucket IS
  'The bucket that a duration falls into: from one to the next they are 9 % longer. 0 is a millisecond at most.';

-- Of what a restart has taken over the origin is the one that has done it.
CREATE FUNCTION step_metrics(since timestamptz, until timestamptz) RETURNS SETOF step_metric LANGUAGE sql STABLE AS $$
  WITH attempt AS MATERIALIZED (
    SELECT date_trunc('hour', ended.finished_at, 'UTC') AS hour, step.kind,
      coalesce(assigned.roles #>> ARRAY[step.name, 'role'], step.role_name, '') AS role,
      event.kind = 'step_completed' AS has_succeeded, read."durationMs" AS duration_ms, read.calls
    FROM execution AS ended
    LEFT JOIN LATERAL (
      SELECT payload::jsonb -> 'roleAssignments' AS roles FROM journal
      WHERE execution_id = ended.id AND seq = 1 AND strpos(payload, '"roleAssignments"') > 0
    ) AS assigned ON true
    CROSS JOIN LATERAL (
      SELECT seq, kind, path, payload FROM journal
      WHERE execution_id = ended.id AND kind IN ('step_completed', 'step_failed') AND attempt > 0 OFFSET 0
    ) AS event
    JOIN orchestration_step AS step ON step.version_id = ended.version_id AND step.name = step_name(event.path)
    CROSS JOIN LATERAL json_to_record(event.payload::json) AS read ("durationMs" bigint, calls json)
    WHERE ended.finished_at >= since AND ended.finished_at < until
      AND (ended.forked_from IS NULL OR event.seq > (
        SELECT max(seq) FROM journal WHERE execution_id = ended.id AND kind = 'execution_restarted'))
  ), counted AS (
    SELECT hour, kind, role, '' AS model, duration_bucket(coalesce(duration_ms, 0)) AS bucket, has_succeeded,
      0::bigint AS input_tokens, 0::bigint AS output_tokens, 0::numeric AS cost_usd, false AS is_unpriced,
      false AS is_cached
    FROM attempt
    UNION ALL
    SELECT hour, kind, role, call.model, duration_bucket(coalesce(call."durationMs", 0)), call.outcome = 'answered',
      coalesce(call."inputTokens", 0), coalesce(call."outputTokens", 0), coalesce(call."costUsd", 0),
      call."costUsd" IS NULL, coalesce(call."isCached", false)
    FROM attempt CROSS JOIN LATERAL json_to_recordset(calls) AS call (
      model text, outcome text, "durationMs" bigint, "inputTokens" bigint, "outputTokens" bigint, "costUsd" numeric,
      "isCached" boolean)
    WHERE calls IS NOT NULL
  )
  SELECT hour, kind, role, model, bucket, count(*), count(*) FILTER (WHERE has_succeeded), sum(input_tokens)::bigint,
    sum(output_tokens)::bigint, sum(cost_usd), count(*) FILTER (WHERE is_unpriced), count(*) FILTER (WHERE is_cached)
  FROM counted GROUP BY 1, 2, 3, 4, 5
$$;
COMMENT ON FUNCTION step_metrics IS
  'What step_metric has of the executions that finished within a time, read from the journal: a second for some 200,000 steps.';

-- An hour is over for good some minutes later: what ends has its time before it commits.
CREATE FUNCTION step_metrics_keep() RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
  due CONSTANT timestamptz := coalesce(
    (SELECT max(hour) + interval '1 hour' FROM step_metric_hour),
    (SELECT date_trunc('hour', min(finished_at), 'UTC') FROM execution WHERE finished_at IS NOT NULL));
BEGIN
  IF due IS NULL OR due + interval '1 hour 5 minutes' > clock_timestamp() THEN
    RETURN NULL;
  END IF;
  INSERT INTO step_metric_hour VALUES (due) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RETURN NULL;  -- somebody else has just done it
  END IF;
  INSERT INTO step_metric SELECT * FROM step_metrics(due, due + interval '1 hour');
  RETURN due;
END $$;
COMMENT ON FUNCTION step_metrics_keep IS
  'Read the next hour that is over from the journal into step_metric; returns it, or null when there is none. Call it until '
  'it returns null.';
