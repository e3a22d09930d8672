-- The first schema: every table, and the rules that its rows keep whoever writes them.
--
-- A rule that looks at one row is a CHECK; one that looks at the row before, or at another table, is a trigger. A trigger
-- refuses with the name of its rule as CONSTRAINT, so that a caller can tell the rules apart as it can with a CHECK, and
-- with one of two codes: 23514 (check_violation) for a value that is never right, 55000
-- (object_not_in_prerequisite_state) for a change that this state does not allow. The HINT says what to do instead.

-- Refuse the statement it is attached to; the arguments are the rule's name, the reason and what to do instead.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% % is refused: %', TG_TABLE_NAME, TG_OP, TG_ARGV[1]
    USING ERRCODE = '55000', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_ARGV[0], HINT = TG_ARGV[2];
END $$;

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END $$;


-- Roles ---------------------------------------------------------------------------------------------------------------

CREATE TABLE role (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name          varchar(100) NOT NULL CONSTRAINT role__name UNIQUE,
  description   text NOT NULL DEFAULT '',
  base_prompt   text NOT NULL,
  tools         varchar[] NOT NULL DEFAULT '{}',
  needs_tools   boolean NOT NULL DEFAULT false,
  model         jsonb NOT NULL DEFAULT '{}',
  parameters    jsonb NOT NULL DEFAULT '{}',
  output_schema jsonb,
  is_active     boolean NOT NULL DEFAULT true,
  version       integer NOT NULL DEFAULT 1,
  created_by    text NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT role__name_is_a_name CHECK (name ~ '^[A-Za-z][A-Za-z0-9 _.-]{0,99}$'),
  CONSTRAINT role__tools_are_named CHECK (array_position(tools, NULL) IS NULL AND array_position(tools, '') IS NULL),
  CONSTRAINT role__model_is_an_object CHECK (jsonb_typeof(model) = 'object'),
  CONSTRAINT role__parameters_are_an_object CHECK (jsonb_typeof(parameters) = 'object'),
  CONSTRAINT role__output_schema_is_a_schema CHECK (jsonb_typeof(output_schema) IN ('object', 'boolean'))
);
COMMENT ON TABLE role IS
  'Who a model plays: a prompt, tools and a wish for a model. Edit freely; every content is kept in role_version.';
COMMENT ON COLUMN role.version IS 'Counted by the database: one more whenever the content changes.';

CREATE TABLE role_version (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  -- CASCADE, so that deleting a role takes its versions along; the guard below refuses to delete them in any other way.
  role_id    uuid NOT NULL REFERENCES role ON DELETE CASCADE,
  number     integer NOT NULL,
  content    jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT role_version__role_number UNIQUE (role_id, number)
);
COMMENT ON TABLE role_version IS 'What a role was at each of its versions. Written by a trigger on role, never changed.';

CREATE FUNCTION role_content(role) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'name', $1.name, 'description', $1.description, 'base_prompt', $1.base_prompt, 'tools', $1.tools,
    'needs_tools', $1.needs_tools, 'model', $1.model, 'parameters', $1.parameters, 'output_schema', $1.output_schema)
$$;

CREATE FUNCTION role_count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.version IS DISTINCT FROM (CASE TG_OP WHEN 'INSERT' THEN 1 ELSE OLD.version END) THEN
    RAISE EXCEPTION 'role "%" cannot be set to version %: versions are counted by the database', NEW.name, NEW.version
      USING ERRCODE = '23514', TABLE = 'role', CONSTRAINT = 'role__version_is_counted',
        HINT = 'Leave version out. If it was read earlier, somebody has changed the role since: read it again.';
  END IF;
  IF TG_OP = 'UPDATE' THEN
    NEW.updated_at := now();
    IF role_content(NEW) IS DISTINCT FROM role_content(OLD) THEN
      NEW.version := OLD.version + 1;
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER role__version_is_counted BEFORE INSERT OR UPDATE ON role
  FOR EACH ROW EXECUTE FUNCTION role_count_version();

CREATE FUNCTION role_keep_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' OR NEW.version > OLD.version THEN
    INSERT INTO role_version (role_id, number, content) VALUES (NEW.id, NEW.version, role_content(NEW));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER role__keep_version AFTER INSERT OR UPDATE ON role FOR EACH ROW EXECUTE FUNCTION role_keep_version();

-- A version may only be written as the present content of its role, and only vanish after its role has: by the cascade.
CREATE FUNCTION role_version_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF EXISTS (
      SELECT FROM role WHERE id = NEW.role_id AND version = NEW.number AND role_content(role) = NEW.content
    ) THEN
      RETURN NEW;
    END IF;
    RAISE EXCEPTION 'version % of role % is not what the role is', NEW.number, NEW.role_id
      USING ERRCODE = '23514', TABLE = 'role_version', CONSTRAINT = 'role_version__is_written_by_the_role',
        HINT = 'Edit the role; its version is written by the database.';
  END IF;
  IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM role WHERE id = OLD.role_id) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'version % of role % never changes', OLD.number, OLD.role_id
    USING ERRCODE = '55000', TABLE = 'role_version', CONSTRAINT = 'role_version__is_immutable',
      HINT = 'Edit the role, which makes a new version; or delete the role, if no step uses it.';
END $$;
CREATE TRIGGER role_version__guard BEFORE INSERT OR UPDATE OR DELETE ON role_version
  FOR EACH ROW EXECUTE FUNCTION role_version_guard();
CREATE TRIGGER role_version__no_truncate BEFORE TRUNCATE ON role_version EXECUTE FUNCTION
  refuse('role_version__is_immutable', 'versions of roles are history', 'Delete the roles that no step uses.');


-- Orchestrations ------------------------------------------------------------------------------------------------------

CREATE TABLE orchestration (
  id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name              varchar(100) NOT NULL CONSTRAINT orchestration__name UNIQUE,
  description       text NOT NULL DEFAULT '',
  tags              varchar[] NOT NULL DEFAULT '{}',
  is_active         boolean NOT NULL DEFAULT true,
  active_version_id uuid,
  created_by        text NOT NULL,
  created_at        timestamptz NOT NULL DEFAULT now(),
  updated_at        timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT orchestration__name_is_a_name CHECK (name ~ '^[A-Za-z][A-Za-z0-9 _.-]{0,99}$'),
  CONSTRAINT orchestration__tags_are_named CHECK (array_position(tags, NULL) IS NULL AND array_position(tags, '') IS NULL)
);
COMMENT ON TABLE orchestration IS
  'A workflow by name. What it does stands in its versions; executions start from the active one.';
CREATE TRIGGER orchestration__updated_at BEFORE UPDATE ON orchestration
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE orchestration_version (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  -- CASCADE, so that an orchestration that never ran can be deleted whole. An execution's foreign key stops the cascade,
  -- and the guard below refuses to delete a published version in any other way. Steps follow the same pattern.
  orchestration_id uuid NOT NULL REFERENCES orchestration ON DELETE CASCADE,
  number           integer NOT NULL,
  status           varchar NOT NULL DEFAULT 'draft',
  document         jsonb NOT NULL,
  digest           varchar(71),
  max_step_runs    integer,
  message          text NOT NULL DEFAULT '',
  created_by       text NOT NULL,
  created_at       timestamptz NOT NULL DEFAULT now(),
  published_at     timestamptz,
  CONSTRAINT orchestration_version__orchestration_number UNIQUE (orchestration_id, number),
  CONSTRAINT orchestration_version__number_counts_from_one CHECK (number >= 1),
  CONSTRAINT orchestration_version__status CHECK (status IN ('draft', 'published', 'archived')),
  CONSTRAINT orchestration_version__document_is_an_object CHECK (jsonb_typeof(document) = 'object'),
  CONSTRAINT orchestration_version__digest_is_a_digest CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
  CONSTRAINT orchestration_version__max_step_runs CHECK (max_step_runs >= 0),
  CONSTRAINT orchestration_version__published_is_complete CHECK (
    status = 'draft' OR (digest IS NOT NULL AND max_step_runs IS NOT NULL AND published_at IS NOT NULL))
);
COMMENT ON TABLE orchestration_version IS
  'One state of an orchestration. Drafts are edited; published ones are what executions run, and never change.';
COMMENT ON COLUMN orchestration_version.document IS 'The document without its steps, which are rows of orchestration_step.';

ALTER TABLE orchestration ADD CONSTRAINT orchestration__active_version_id FOREIGN KEY (active_version_id)
  REFERENCES orchestration_version ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX orchestration__by_active_version ON orchestration (active_version_id) WHERE active_version_id IS NOT NULL;

CREATE TABLE orchestration_step (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  version_id     uuid NOT NULL REFERENCES orchestration_version ON DELETE CASCADE,
  parent_id      uuid,
  slot           varchar NOT NULL DEFAULT 'main',
  name           varchar(100) NOT NULL,
  "order"        integer NOT NULL,
  kind           varchar NOT NULL,
  parallel_group varchar,
  role_id        uuid REFERENCES role ON DELETE RESTRICT,
  role_name      varchar,
  condition      jsonb,
  input_mapping  jsonb,
  output_mapping jsonb,
  config         jsonb NOT NULL DEFAULT '{}',
  max_retries    integer NOT NULL DEFAULT 0,
  retry_delay_ms integer NOT NULL DEFAULT 1000,
  timeout_ms     integer NOT NULL DEFAULT 300000,
  -- Deferred, so that steps can be swapped and a tree written in any order within one transaction.
  CONSTRAINT orchestration_step__version_name UNIQUE (version_id, name) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT orchestration_step__version_id UNIQUE (version_id, id),
  CONSTRAINT orchestration_step__parent_of_same_version FOREIGN KEY (version_id, parent_id)
    REFERENCES orchestration_step (version_id, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT orchestration_step__not_its_own_parent CHECK (parent_id <> id),
  CONSTRAINT orchestration_step__slot CHECK (
    slot ~ '^(main|onFailure|finally|body|else|compensate|case:.+|catch:[0-9]+)$'),
  CONSTRAINT orchestration_step__slot_fits_parent CHECK (
    (parent_id IS NULL) = (slot IN ('main', 'onFailure', 'finally'))),
  CONSTRAINT orchestration_step__name_is_free CHECK (name <> '' AND name NOT IN (
    'context', 'input', 'output', 'steps', 'step', 'item', 'loop', 'error', 'execution', 'vars', 'secrets', 'previous')),
  CONSTRAINT orchestration_step__order CHECK ("order" >= 0),
  CONSTRAINT orchestration_step__kind CHECK (kind IN (
    'agent', 'llm', 'tool', 'code', 'transform', 'wait', 'approval', 'webhook', 'orchestration', 'branch', 'loop', 'map',
    'group', 'fail', 'stop')),
  CONSTRAINT orchestration_step__config_is_an_object CHECK (jsonb_typeof(config) = 'object'),
  CONSTRAINT orchestration_step__max_retries CHECK (max_retries BETWEEN 0 AND 19),
  CONSTRAINT orchestration_step__retry_delay_ms CHECK (retry_delay_ms BETWEEN 0 AND 86400000),
  CONSTRAINT orchestration_step__timeout_ms CHECK (timeout_ms BETWEEN 1 AND 86400000)
);
COMMENT ON TABLE orchestration_step IS
  'The steps of a version, a tree by parent_id and slot. They can be edited while their version is a draft.';
CREATE INDEX orchestration_step__by_role ON orchestration_step (role_id) WHERE role_id IS NOT NULL;
CREATE INDEX orchestration_step__by_parent ON orchestration_step (version_id, parent_id) WHERE parent_id IS NOT NULL;

-- Checked at commit, so that a version can be published and made active in any order within one transaction.
CREATE FUNCTION orchestration_active_version_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  checked orchestration;
BEGIN
  SELECT * INTO checked FROM orchestration WHERE id = NEW.id;  -- as it is now, not as it was when the trigger was queued
  IF checked.active_version_id IS NULL THEN
    RETURN NULL;
  END IF;
  -- The lock makes whoever archives this version meanwhile wait; then it finds the version active.
  PERFORM FROM orchestration_version
    WHERE id = checked.active_version_id AND orchestration_id = checked.id AND status = 'published'
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'orchestration "%" cannot have % as its active version', checked.name, checked.active_version_id
      USING ERRCODE = '23514', TABLE = 'orchestration', CONSTRAINT = 'orchestration__active_version_is_its_own',
        HINT = 'The active version is a published version of the same orchestration. Publish it first.';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER orchestration__active_version_is_its_own AFTER INSERT OR UPDATE OF active_version_id, id
  ON orchestration DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION orchestration_active_version_guard();

CREATE FUNCTION orchestration_version_stays_active() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM orchestration WHERE active_version_id = NEW.id) THEN
    RAISE EXCEPTION 'version % of orchestration % is active and cannot be archived', NEW.number, NEW.orchestration_id
      USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__active_is_published',
        HINT = 'Make another version active first, or set active_version_id to null in the same transaction.';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER orchestration_version__active_is_published AFTER UPDATE OF status ON orchestration_version
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status = 'archived')
  EXECUTE FUNCTION orchestration_version_stays_active();

CREATE FUNCTION orchestration_version_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  same_but_status orchestration_version;
BEGIN
  IF TG_OP = 'DELETE' THEN
    -- A published version goes only together with its orchestration: in the cascade the orchestration is already gone.
    IF OLD.status = 'draft' OR NOT EXISTS (SELECT FROM orchestration WHERE id = OLD.orchestration_id) THEN
      RETURN OLD;
    END IF;
    RAISE EXCEPTION 'version % of orchestration % is % and cannot be deleted', OLD.number, OLD.orchestration_id, OLD.status
      USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__is_read_only',
        HINT = 'Archive it; or delete the orchestration, if it was never executed.';
  END IF;
  IF OLD.status = 'draft' THEN
    IF NEW.status = 'archived' THEN
      RAISE EXCEPTION 'version % of orchestration % is a draft and cannot be archived', OLD.number, OLD.orchestration_id
        USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__transition',
          HINT = 'Delete the draft, or publish it first.';
    END IF;
    RETURN NEW;
  END IF;
  same_but_status := NEW;
  same_but_status.status := OLD.status;
  IF same_but_status IS DISTINCT FROM OLD OR (
    NEW.status <> OLD.status AND NOT (OLD.status = 'published' AND NEW.status = 'archived')
  ) THEN
    RAISE EXCEPTION 'version % of orchestration % is % and never changes', OLD.number, OLD.orchestration_id, OLD.status
      USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__is_read_only',
        HINT = 'Make a new draft. A published version can only be archived, an archived one stays as it is.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER orchestration_version__is_read_only BEFORE UPDATE OR DELETE ON orchestration_version
  FOR EACH ROW EXECUTE FUNCTION orchestration_version_guard();

CREATE FUNCTION orchestration_step_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  version orchestration_version;
BEGIN
  -- An update may move a step, so both its old and its new version must be drafts. The lock makes a publication that
  -- runs meanwhile wait for this edit, and an edit that runs meanwhile find the version published. A version that is
  -- not there is either being deleted, with its steps, or unknown, which the foreign key will say.
  FOR version IN
    SELECT * FROM orchestration_version
    WHERE id = CASE WHEN TG_OP <> 'INSERT' THEN OLD.version_id END
       OR id = CASE WHEN TG_OP <> 'DELETE' THEN NEW.version_id END
    ORDER BY id FOR NO KEY UPDATE
  LOOP
    IF version.status <> 'draft' THEN
      RAISE EXCEPTION 'step "%" belongs to version % of orchestration %, which is % and never changes',
        CASE TG_OP WHEN 'DELETE' THEN OLD.name ELSE NEW.name END, version.number, version.orchestration_id, version.status
        USING ERRCODE = '55000', TABLE = 'orchestration_step', CONSTRAINT = 'orchestration_step__is_read_only',
          HINT = 'Make a new draft and edit its steps.';
    END IF;
  END LOOP;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER orchestration_step__is_read_only BEFORE INSERT OR UPDATE OR DELETE ON orchestration_step
  FOR EACH ROW EXECUTE FUNCTION orchestration_step_guard();

CREATE TRIGGER orchestration_version__no_truncate BEFORE TRUNCATE ON orchestration_version EXECUTE FUNCTION
  refuse('orchestration_version__is_read_only', 'published versions never change', 'Delete orchestrations that never ran.');
CREATE TRIGGER orchestration_step__no_truncate BEFORE TRUNCATE ON orchestration_step EXECUTE FUNCTION
  refuse('orchestration_step__is_read_only', 'steps of published versions never change', 'Delete the drafts.');


-- Workers and executions ----------------------------------------------------------------------------------------------

CREATE TABLE worker (
  id            uuid PRIMARY KEY,
  name          text NOT NULL,
  started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  heartbeat_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease_seconds integer NOT NULL DEFAULT 15,
  CONSTRAINT worker__lease_seconds CHECK (lease_seconds >= 1)
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
  active_ms       bigint NOT NULL DEFAULT 0,
  losses          smallint NOT NULL DEFAULT 0,
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at      timestamptz,
  finished_at     timestamptz,
  deadline_at     timestamptz,
  priority        smallint NOT NULL DEFAULT 0,
  forked_from     uuid REFERENCES execution ON DELETE RESTRICT,
  parent_execution_id uuid REFERENCES execution ON DELETE RESTRICT,
  parent_path     text,
  depth           smallint NOT NULL DEFAULT 0,
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
  -- The idempotency index below reads the name; without one, the same key would start two executions.
  CONSTRAINT execution__started_by_a_principal CHECK (
    coalesce(jsonb_typeof(started_by -> 'kind') = 'string' AND jsonb_typeof(started_by -> 'name') = 'string', false))
)
-- A queue: rows are rewritten at every claim, and a claim walks over what vacuum has not yet taken away.
WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
COMMENT ON TABLE execution IS
  'One run of one published version. Due once available_at has passed, then claimed by one worker under a new epoch.';
COMMENT ON COLUMN execution.available_at IS 'Start time or timer; null while owned, paused or finished.';
COMMENT ON COLUMN execution.epoch IS 'Rises by one with each claim; a write under an older one is refused.';
COMMENT ON COLUMN execution.wake_seq IS 'Rises with every message in the inbox; parking compares it, so no wake-up is lost.';

CREATE UNIQUE INDEX execution__idempotency ON execution ((started_by ->> 'name'), idempotency_key)
  WHERE idempotency_key IS NOT NULL;
CREATE INDEX execution__due ON execution (available_at) WHERE available_at IS NOT NULL;
CREATE INDEX execution__by_owner ON execution (owner) WHERE owner IS NOT NULL;
-- Lists are newest first. Ids are UUIDv7, so the primary key has that order already, and these two have it within a
-- version and within a status.
CREATE INDEX execution__by_version ON execution (version_id, id);
CREATE INDEX execution__by_status ON execution (status, id);

CREATE FUNCTION execution_start_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status <> 'queued' OR NEW.epoch <> 0 THEN
    RAISE EXCEPTION 'execution % cannot start as % at epoch %', NEW.id, NEW.status, NEW.epoch
      USING ERRCODE = '23514', TABLE = 'execution', CONSTRAINT = 'execution__starts_queued',
        HINT = 'An execution starts queued, at epoch 0; a worker claims it.';
  END IF;
  PERFORM FROM orchestration_version AS version JOIN orchestration ON orchestration.id = version.orchestration_id
    WHERE version.id = NEW.version_id AND version.status = 'published' AND orchestration.is_active;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'version % cannot be executed', NEW.version_id
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__starts_from_a_published_version',
        HINT = 'Only a published version of an active orchestration can be executed.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER execution__start BEFORE INSERT ON execution FOR EACH ROW EXECUTE FUNCTION execution_start_guard();

-- What an execution is. The column list spares the engine's updates, which name none of these, reading a large input.
CREATE FUNCTION execution_identity_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.version_id, NEW.input, NEW.started_by, NEW.idempotency_key, NEW.request_digest, NEW.created_at)
    IS DISTINCT FROM
    (OLD.id, OLD.version_id, OLD.input, OLD.started_by, OLD.idempotency_key, OLD.request_digest, OLD.created_at)
  THEN
    RAISE EXCEPTION 'execution % keeps its version, its input and who started it', OLD.id
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__identity_is_fixed',
        HINT = 'Start another execution.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER execution__identity BEFORE UPDATE OF
  id, version_id, input, started_by, idempotency_key, request_digest, created_at ON execution
  FOR EACH ROW EXECUTE FUNCTION execution_identity_guard();

CREATE FUNCTION execution_transition_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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
  IF NEW.epoch <> OLD.epoch + (OLD.owner IS NULL AND NEW.owner IS NOT NULL)::integer THEN
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
  RETURN NEW;
END $$;
CREATE TRIGGER execution__transition BEFORE UPDATE ON execution
  FOR EACH ROW EXECUTE FUNCTION execution_transition_guard();


-- History and messages ------------------------------------------------------------------------------------------------

CREATE TABLE journal (
  -- No foreign key: the statement that inserts joins the execution's row to check owner and epoch, and an execution with
  -- a history is never deleted; a second look-up for every row would cost a fifth of the throughput and add nothing.
  execution_id uuid NOT NULL,
  seq          integer NOT NULL,
  kind         varchar NOT NULL,
  path         text NOT NULL DEFAULT '',
  attempt      integer NOT NULL DEFAULT 0,
  -- Text, not jsonb: the engine writes and reads bytes of JSON and never looks inside with SQL.
  payload      text NOT NULL,
  recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (execution_id, seq)
);
COMMENT ON TABLE journal IS 'What happened in each execution, in order: its only history. Append-only.';

CREATE VIEW journal_event AS
  SELECT execution_id, seq, kind, path, attempt, payload::jsonb AS payload, recorded_at FROM journal;
COMMENT ON VIEW journal_event IS 'The journal for people: the payload as jsonb.';

CREATE TRIGGER journal__is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal EXECUTE FUNCTION
  refuse('journal__is_append_only', 'the journal is append-only', 'Nothing needs to change it; read it as journal_event.');

CREATE FUNCTION execution_history_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM journal WHERE execution_id = OLD.id) THEN
    RAISE EXCEPTION 'execution % has a history and cannot be deleted', OLD.id
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__history_is_kept', HINT = 'Cancel it instead.';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER execution__history_is_kept BEFORE DELETE ON execution
  FOR EACH ROW EXECUTE FUNCTION execution_history_guard();
CREATE TRIGGER execution__no_truncate BEFORE TRUNCATE ON execution EXECUTE FUNCTION
  refuse('execution__history_is_kept', 'executions are history', 'Cancel those that should not go on.');

CREATE TABLE inbox (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  execution_id uuid NOT NULL REFERENCES execution ON DELETE RESTRICT,
  kind         varchar NOT NULL,
  payload      jsonb NOT NULL DEFAULT '{}',
  sender       text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE inbox IS
  'Messages to executions: signals, decisions, cancels. Whoever adds one bumps wake_seq of the execution with it.';
CREATE INDEX inbox__by_execution ON inbox (execution_id, id);


-- Access --------------------------------------------------------------------------------------------------------------

CREATE TABLE token (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  prefix     varchar(16) NOT NULL CONSTRAINT token__prefix UNIQUE,
  hash       bytea NOT NULL,
  name       varchar NOT NULL CONSTRAINT token__name UNIQUE,
  kind       varchar NOT NULL,
  scopes     varchar[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  CONSTRAINT token__hash_has_32_bytes CHECK (octet_length(hash) = 32),
  CONSTRAINT token__kind CHECK (kind IN ('human', 'agent', 'service')),
  CONSTRAINT token__scopes_are_named CHECK (array_position(scopes, NULL) IS NULL AND array_position(scopes, '') IS NULL)
);
COMMENT ON TABLE token IS 'Who may call: found by prefix, compared by hash. The secret itself is never stored.';
