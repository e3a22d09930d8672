-- Workers and executions: what runs, and who runs it.

CREATE TABLE worker (
  id            uuid PRIMARY KEY,
  name          text NOT NULL,
  started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  heartbeat_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease_seconds integer NOT NULL DEFAULT 15,
  CONSTRAINT worker__lease_seconds CHECK (lease_seconds >= 1),
  CONSTRAINT worker__times_are_dates CHECK (is_date(started_at) AND is_date(heartbeat_at))
);
COMMENT ON TABLE worker IS
  'The processes that run executions. One whose heartbeat is older than its lease is dead: others take its work back.';

CREATE TABLE execution (
  id              uuid PRIMARY KEY,
  version_id      uuid NOT NULL REFERENCES orchestration_version ON DELETE RESTRICT,
  status          varchar NOT NULL DEFAULT 'queued',
  input           jsonb NOT NULL,
  output          jsonb,
  error           jsonb,
  started_by      jsonb NOT NULL,
  idempotency_key varchar(200),
  request_digest  varchar,
  available_at    timestamptz DEFAULT clock_timestamp(),
  owner           uuid REFERENCES worker ON DELETE RESTRICT,
  epoch           bigint NOT NULL DEFAULT 0,
  wake_seq        bigint NOT NULL DEFAULT 0,
  claims          integer NOT NULL DEFAULT 0,
  claimed_seq     integer NOT NULL DEFAULT 0,
  active_ms       bigint NOT NULL DEFAULT 0,
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at      timestamptz,
  finished_at     timestamptz,
  cancel_requested_at timestamptz,
  priority        smallint NOT NULL DEFAULT 0,
  forked_from     uuid REFERENCES execution ON DELETE RESTRICT,
  parent_execution_id uuid REFERENCES execution ON DELETE RESTRICT,
  parent_path     text,
  parent_attempt  integer,
  is_detached     boolean NOT NULL DEFAULT false,
  depth           smallint NOT NULL DEFAULT 0,
  budget_usd      numeric,
  budget_tokens   bigint,
  is_budgeted     boolean NOT NULL DEFAULT false,
  CONSTRAINT execution__status CHECK (status IN (
    'queued', 'running', 'waiting', 'paused', 'cancelling', 'completed', 'failed', 'timed_out', 'cancelled')),
  CONSTRAINT execution__owned_while_running CHECK ((owner IS NOT NULL) = (status IN ('running', 'cancelling'))),
  CONSTRAINT execution__finished_when_terminal CHECK (
    (finished_at IS NOT NULL) = (status IN ('completed', 'failed', 'timed_out', 'cancelled'))),
  CONSTRAINT execution__output_when_completed CHECK (output IS NULL OR status = 'completed'),
  CONSTRAINT execution__error_when_not_completed CHECK (error IS NULL OR status IN ('failed', 'timed_out', 'cancelled')),
  -- A queued execution that is never due would be lost; an owned, paused or finished one must not be claimed.
  CONSTRAINT execution__available_when_queued CHECK (available_at IS NOT NULL OR status <> 'queued'),
  CONSTRAINT execution__available_unless_held CHECK (available_at IS NULL OR status IN ('queued', 'waiting')),
  -- How long it is until 'infinity' cannot be said, and a worker asks that of the first that is due.
  CONSTRAINT execution__times_are_dates CHECK (
    is_date(created_at) AND is_date(available_at) AND is_date(started_at) AND is_date(finished_at)
    AND is_date(cancel_requested_at)),
  -- The idempotency index below reads the name; without one, the same key would start two executions.
  CONSTRAINT execution__started_by_a_principal CHECK (
    coalesce(jsonb_typeof(started_by -> 'kind') = 'string' AND jsonb_typeof(started_by -> 'name') = 'string', false)),
  CONSTRAINT execution__key_has_its_request CHECK (idempotency_key IS NULL OR request_digest IS NOT NULL),
  CONSTRAINT execution__active_ms CHECK (active_ms >= 0),
  -- A claim asks once for each priority in use, so there cannot be any number of them.
  CONSTRAINT execution__priority CHECK (priority BETWEEN -100 AND 100),
  CONSTRAINT execution__child_of_a_step CHECK (
    (parent_execution_id IS NULL) = (parent_path IS NULL) AND parent_path <> ''
    AND (parent_execution_id IS NULL) = (parent_attempt IS NULL) AND parent_attempt >= 1),
  CONSTRAINT execution__only_a_child_is_detached CHECK (NOT is_detached OR parent_execution_id IS NOT NULL),
  CONSTRAINT execution__depth CHECK (depth BETWEEN 0 AND 8),
  CONSTRAINT execution__budget CHECK (
    budget_usd BETWEEN 0 AND 999999999.999999 AND budget_tokens BETWEEN 0 AND 1000000000)
)
-- A queue: rows are rewritten at every claim, and a claim walks over what vacuum has not yet taken away.
WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
COMMENT ON TABLE execution IS
  'One run of one published version. Due once available_at has passed, then claimed by one worker under a new epoch.';
COMMENT ON COLUMN execution.available_at IS 'Start time or timer; null while owned, paused or finished.';
COMMENT ON COLUMN execution.epoch IS 'Rises by one with each claim; a write under an older one is refused.';
COMMENT ON COLUMN execution.wake_seq IS 'Rises with every message in the inbox; parking compares it, so no wake-up is lost.';
COMMENT ON COLUMN execution.claims IS
  'Claims since it was last parked or its journal seen to have grown: every tenth looks. Past a cap it fails as poison.';
COMMENT ON COLUMN execution.claimed_seq IS 'How long its journal was when it was last looked at.';
COMMENT ON COLUMN execution.cancel_requested_at IS 'When its cancel was first asked for; that cannot be taken back.';
COMMENT ON COLUMN execution.priority IS 'Of what is due, the higher is claimed first.';
COMMENT ON COLUMN execution.forked_from IS 'The execution that this one restarts.';
COMMENT ON COLUMN execution.parent_path IS 'The instance path of the step that this is a run of.';
COMMENT ON COLUMN execution.parent_attempt IS 'Which attempt at that step.';
COMMENT ON COLUMN execution.is_detached IS 'Its parent has only started it: it goes on alone, and its end wakes nobody.';
COMMENT ON COLUMN execution.depth IS 'How many parents are above it: 0 for one that somebody started.';
COMMENT ON COLUMN execution.budget_usd IS
  'US dollars that its model calls and those of all below it may cost: what its start allows, and no more than its version.';
COMMENT ON COLUMN execution.budget_tokens IS 'How many tokens they may read and write.';
COMMENT ON COLUMN execution.is_budgeted IS 'Whether it has a budget, or something above it has; the database writes it.';

CREATE UNIQUE INDEX execution__idempotency ON execution ((started_by ->> 'name'), idempotency_key)
  WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX execution__one_child_per_attempt ON execution (parent_execution_id, parent_path, parent_attempt)
  WHERE parent_execution_id IS NOT NULL;
CREATE INDEX execution__by_parent ON execution (parent_execution_id, id) WHERE parent_execution_id IS NOT NULL;
CREATE INDEX execution__due ON execution (priority, available_at) WHERE available_at IS NOT NULL;
CREATE INDEX execution__by_owner ON execution (owner) WHERE owner IS NOT NULL;
CREATE INDEX execution__by_origin ON execution (forked_from) WHERE forked_from IS NOT NULL;
CREATE INDEX execution__by_end ON execution (finished_at) WHERE finished_at IS NOT NULL;
-- Lists are newest first. Ids are UUIDv7, so the primary key has that order already, and these two have it within a
-- version and within a status.
CREATE INDEX execution__by_version ON execution (version_id, id);
CREATE INDEX execution__by_status ON execution (status, id);

-- With this, the due of each priority are one range of the index, however many wait in the other priorities for later.
CREATE VIEW execution_priority AS
  WITH RECURSIVE level AS (
    SELECT max(priority) AS priority FROM execution WHERE available_at IS NOT NULL
    UNION ALL
    SELECT (SELECT max(priority) FROM execution WHERE available_at IS NOT NULL AND priority < level.priority)
    FROM level WHERE level.priority IS NOT NULL
  )
  SELECT priority FROM level WHERE priority IS NOT NULL;
COMMENT ON VIEW execution_priority IS 'The priorities of executions that are, or will be, due: the highest first.';

CREATE FUNCTION execution_start_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  parent execution;
  limits jsonb;
BEGIN
  IF NEW.status <> 'queued' OR (NEW.epoch, NEW.wake_seq, NEW.claims, NEW.claimed_seq, NEW.active_ms)
    <> (0, 0, 0, 0, 0) OR NEW.started_at IS NOT NULL OR NEW.cancel_requested_at IS NOT NULL
  THEN
    RAISE EXCEPTION 'execution % cannot start as % at epoch %', NEW.id, NEW.status, NEW.epoch
      USING ERRCODE = '23514', TABLE = 'execution', CONSTRAINT = 'execution__starts_queued',
        HINT = 'An execution starts queued, at epoch 0, with nothing counted yet; a worker claims it.';
  END IF;
  IF NEW.available_at > clock_timestamp() + interval '1 year' THEN
    RAISE EXCEPTION 'execution % cannot start at %, which is more than a year ahead', NEW.id, NEW.available_at
      USING ERRCODE = '23514', TABLE = 'execution', CONSTRAINT = 'execution__starts_within_a_year',
        HINT = 'Start it within a year from now.';
  END IF;
  IF NEW.parent_execution_id IS NOT NULL THEN
    -- The lock keeps the parent from finishing before its child is there.
    SELECT * INTO parent FROM execution WHERE id = NEW.parent_execution_id FOR NO KEY UPDATE;
    IF parent.id IS NULL OR parent.finished_at IS NOT NULL THEN
      RAISE EXCEPTION 'execution % cannot have children: it is %', NEW.parent_execution_id,
        coalesce(parent.status, 'not there')
        USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__parent_is_open',
          HINT = 'Only an execution that has not finished starts children; start this one without a parent.';
    END IF;
  END IF;
  IF NEW.forked_from IS NOT NULL AND EXISTS (
    SELECT FROM execution AS origin
    WHERE origin.id = NEW.forked_from AND (origin.finished_at IS NULL OR origin.version_id <> NEW.version_id)
  ) THEN
    RAISE EXCEPTION 'execution % cannot restart %: that has not finished, or ran another version', NEW.id, NEW.forked_from
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__restarts_what_has_finished',
        HINT = 'Wait for its end or cancel it, and restart it with its own version.';
  END IF;
  IF NEW.depth <> coalesce(parent.depth + 1, 0) THEN
    RAISE EXCEPTION 'execution % cannot be at depth %', NEW.id, NEW.depth
      USING ERRCODE = '23514', TABLE = 'execution', CONSTRAINT = 'execution__depth_counts_parents',
        HINT = 'The depth is 0 without a parent, and with one it is the parent''s and 1.';
  END IF;
  -- A child runs what was pinned when its root started, whatever has been done with that since.
  SELECT document -> 'limits' INTO limits
    FROM orchestration_version AS version JOIN orchestration ON orchestration.id = version.orchestration_id
    WHERE version.id = NEW.version_id AND (version.status = 'published' AND orchestration.is_active
      OR NEW.parent_execution_id IS NOT NULL AND version.status IN ('published', 'archived'));
  IF NOT FOUND THEN
    RAISE EXCEPTION 'version % cannot be executed', NEW.version_id
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__starts_from_a_published_version',
        HINT = 'Only a published version of an active orchestration can be executed.';
  END IF;
  NEW.budget_usd := least(NEW.budget_usd, dollars_in(limits -> 'maxCostUsd'));
  NEW.budget_tokens := least(NEW.budget_tokens, count_in(limits -> 'maxTokens'));
  -- What is written here spares everybody without a budget asking for one at each model call.
  NEW.is_budgeted := NEW.budget_usd IS NOT NULL OR NEW.budget_tokens IS NOT NULL
    OR parent.id IS NOT NULL AND (parent.is_budgeted OR EXISTS (
      SELECT FROM orchestration_step AS step
      WHERE step.version_id = parent.version_id AND step.name = step_name(NEW.parent_path) AND config ? 'budget'));
  RETURN NEW;
END $$;
CREATE TRIGGER execution__start BEFORE INSERT ON execution FOR EACH ROW EXECUTE FUNCTION execution_start_guard();

-- Those under way go on, with their children; what these are of is looked at when their root starts.
CREATE FUNCTION execution_expiry_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  expired text;
BEGIN
  SELECT format('version %s of orchestration "%s"', number, name) INTO expired
    FROM orchestration_version AS version JOIN orchestration ON orchestration.id = version.orchestration_id
    WHERE version.id = NEW.version_id AND version.expires_at <= clock_timestamp();
  IF expired IS NULL THEN
    SELECT format('role "%s"', name) INTO expired FROM role WHERE expires_at <= clock_timestamp() AND EXISTS (
      SELECT FROM orchestration_step AS step WHERE step.version_id = NEW.version_id AND step.role_id = role.id) LIMIT 1;
  END IF;
  IF expired IS NOT NULL THEN
    RAISE EXCEPTION 'execution % cannot start: % has expired', NEW.id, expired
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__starts_before_expiry',
        HINT = 'Look at it and set its expires_at to null, or make another version active.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER execution__starts_before_expiry BEFORE INSERT ON execution
  FOR EACH ROW WHEN (NEW.parent_execution_id IS NULL) EXECUTE FUNCTION execution_expiry_guard();

-- What an execution is. The column list spares the engine's updates, which name none of these, reading a large input.
CREATE FUNCTION execution_identity_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.version_id, NEW.input, NEW.started_by, NEW.idempotency_key, NEW.request_digest, NEW.created_at,
      NEW.forked_from, NEW.parent_execution_id, NEW.parent_path, NEW.parent_attempt, NEW.is_detached, NEW.depth,
      NEW.budget_usd, NEW.budget_tokens, NEW.is_budgeted)
    IS DISTINCT FROM
     (OLD.id, OLD.version_id, OLD.input, OLD.started_by, OLD.idempotency_key, OLD.request_digest, OLD.created_at,
      OLD.forked_from, OLD.parent_execution_id, OLD.parent_path, OLD.parent_attempt, OLD.is_detached, OLD.depth,
      OLD.budget_usd, OLD.budget_tokens, OLD.is_budgeted)
  THEN
    RAISE EXCEPTION 'execution % keeps its version, its input and where it comes from', OLD.id
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__identity_is_fixed',
        HINT = 'Start another execution.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER execution__identity BEFORE UPDATE OF
  id, version_id, input, started_by, idempotency_key, request_digest, created_at,
  forked_from, parent_execution_id, parent_path, parent_attempt, is_detached, depth, budget_usd, budget_tokens, is_budgeted
  ON execution
  FOR EACH ROW EXECUTE FUNCTION execution_identity_guard();

CREATE FUNCTION execution_transition_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  is_claim CONSTANT boolean := OLD.owner IS NULL AND NEW.owner IS NOT NULL;
BEGIN
  IF OLD.finished_at IS NOT NULL THEN
    RAISE EXCEPTION 'execution % is % and never changes', OLD.id, OLD.status
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__terminal_is_final',
        HINT = 'Start another execution.';
  END IF;
  IF NEW.status <> OLD.status AND (OLD.status || '>' || NEW.status) NOT IN (
    'queued>running', 'waiting>running', 'paused>running',                                              -- claimed
    'running>queued', 'cancelling>queued',                                    -- given back, or taken from a dead worker
    'running>waiting', 'waiting>queued', 'paused>waiting', 'paused>queued',
    'queued>paused', 'running>paused', 'waiting>paused',
    'running>cancelling',                                                -- and no way from there but to an end: I10
    'running>completed', 'running>failed', 'running>timed_out', 'running>cancelled',
    'cancelling>cancelled', 'cancelling>failed',
    'queued>cancelled', 'queued>timed_out', 'queued>failed',
    'waiting>cancelled', 'waiting>timed_out', 'waiting>failed',
    'paused>cancelled', 'paused>timed_out', 'paused>failed'
  ) THEN
    RAISE EXCEPTION 'execution % is % and cannot become %', OLD.id, OLD.status, NEW.status
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__transition',
        HINT = 'Steer executions with the cancel, pause and resume calls; workers do the rest.';
  END IF;
  IF NEW.epoch <> OLD.epoch + is_claim::integer THEN
    RAISE EXCEPTION 'execution % is at epoch % and cannot go to %', OLD.id, OLD.epoch, NEW.epoch
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__epoch_counts_claims',
        HINT = 'The epoch rises by exactly one when an execution without an owner gets one, and at no other time.';
  END IF;
  IF OLD.owner IS NOT NULL AND NEW.owner IS NOT NULL AND NEW.owner <> OLD.owner THEN
    RAISE EXCEPTION 'execution % is owned by worker % and cannot be handed to %', OLD.id, OLD.owner, NEW.owner
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__owner_gives_back_first',
        HINT = 'Give it back (owner null, status queued) before another worker claims it.';
  END IF;
  IF NEW.wake_seq < OLD.wake_seq THEN
    RAISE EXCEPTION 'execution % is at wake_seq % and cannot go back to %', OLD.id, OLD.wake_seq, NEW.wake_seq
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__wake_seq_rises',
        HINT = 'Set wake_seq = wake_seq + 1.';
  END IF;
  IF (NEW.claims, NEW.claimed_seq) <> (OLD.claims, OLD.claimed_seq) THEN
    RAISE EXCEPTION 'execution % was claimed % times since its journal last grew', OLD.id, OLD.claims
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__claims_are_counted',
        HINT = 'Leave claims and claimed_seq alone: the database counts them at each claim.';
  END IF;
  IF is_claim THEN
    NEW.claims := OLD.claims + 1;
    IF NEW.claims % 10 = 0 THEN  -- not each time: looking costs as much as the claim
      NEW.claimed_seq := coalesce((SELECT max(seq) FROM journal WHERE execution_id = NEW.id), 0);
      NEW.claims := CASE WHEN NEW.claimed_seq > OLD.claimed_seq THEN 0 ELSE NEW.claims END;
    END IF;
  ELSIF OLD.status = 'running' AND NEW.status = 'waiting' THEN
    NEW.claims := 0;  -- no worker dies of what it has parked, however often that was woken for nothing
  END IF;
  IF NEW.cancel_requested_at IS DISTINCT FROM OLD.cancel_requested_at AND (
    OLD.cancel_requested_at IS NOT NULL
    OR NOT EXISTS (SELECT FROM inbox WHERE execution_id = NEW.id AND kind = 'cancel')
  ) THEN
    RAISE EXCEPTION 'the cancel of execution % cannot be taken back or made up', OLD.id
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__cancel_is_final',
        HINT = 'To cancel it, put a message of kind cancel into its inbox; to run it again, start another.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER execution__transition BEFORE UPDATE ON execution
  FOR EACH ROW EXECUTE FUNCTION execution_transition_guard();
