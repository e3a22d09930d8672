-- Orchestrations, their versions and steps, and how a version comes to be what executions run.


-- Orchestrations ------------------------------------------------------------------------------------------------------

CREATE TABLE orchestration (
  id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name              varchar(100) NOT NULL CONSTRAINT orchestration__name UNIQUE,
  description       text NOT NULL DEFAULT '',
  tags              varchar[] NOT NULL DEFAULT '{}',
  is_active         boolean NOT NULL DEFAULT true,
  active_version_id uuid,
  canary_version_id uuid,
  canary_percent    smallint,
  created_by        text NOT NULL,
  created_at        timestamptz NOT NULL DEFAULT now(),
  updated_at        timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT orchestration__canary_is_whole CHECK ((canary_version_id IS NULL) = (canary_percent IS NULL)),
  CONSTRAINT orchestration__canary_percent CHECK (canary_percent BETWEEN 0 AND 100),
  CONSTRAINT orchestration__canary_is_beside_the_active CHECK (
    canary_version_id IS NULL OR coalesce(canary_version_id <> active_version_id, false)),
  CONSTRAINT orchestration__name_is_a_name CHECK (name ~ '^[A-Za-z][A-Za-z0-9 _.-]{0,99}$'),
  CONSTRAINT orchestration__tags_are_named CHECK (is_list_of_names(tags)),
  CONSTRAINT orchestration__texts_have_a_length CHECK (length(description) <= 100000 AND length(created_by) <= 2000),
  CONSTRAINT orchestration__times_are_dates CHECK (is_date(created_at) AND is_date(updated_at))
);
-- By the letters of its name, which it shares with the procedure that runs it.
CREATE INDEX orchestration__by_letters ON orchestration (translate(lower(name COLLATE "C"), ' _.-', ''));
COMMENT ON TABLE orchestration IS
  'A workflow by name. What it does stands in its versions; executions start from the active one.';
CREATE INDEX orchestration__by_creation ON orchestration (created_at, id);
CREATE INDEX orchestration__by_change ON orchestration (updated_at, id);
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
  major            integer NOT NULL DEFAULT 1,
  edits            integer NOT NULL DEFAULT 0,
  message          text NOT NULL DEFAULT '',
  created_by       text NOT NULL,
  created_at       timestamptz NOT NULL DEFAULT now(),
  decided_by       text,
  published_at     timestamptz,
  rejected_at      timestamptz,
  rejection        text NOT NULL DEFAULT '',
  problems         jsonb NOT NULL DEFAULT '[]',
  activates        boolean NOT NULL DEFAULT true,
  allows_breaking  boolean NOT NULL DEFAULT false,
  requested_by     text,
  requested_at     timestamptz,
  requested_from   varchar,
  effects          jsonb NOT NULL DEFAULT '[]',
  closure          jsonb NOT NULL DEFAULT '{}',
  expires_at       timestamptz,
  CONSTRAINT orchestration_version__expires_at_is_a_date CHECK (
    expires_at >= '1970-01-01 UTC' AND expires_at < '9999-12-31 UTC'),
  CONSTRAINT orchestration_version__orchestration_number UNIQUE (orchestration_id, number),
  CONSTRAINT orchestration_version__number_counts_from_one CHECK (number >= 1),
  CONSTRAINT orchestration_version__status CHECK (
    status IN ('draft', 'proposed', 'publishing', 'published', 'rejected', 'archived')),
  CONSTRAINT orchestration_version__document_is_an_object CHECK (jsonb_typeof(document) = 'object'),
  -- The start of an execution reads these, before anybody has read the document.
  CONSTRAINT orchestration_version__budget_is_a_budget CHECK (
    is_dollars(document #> '{limits,maxCostUsd}') AND is_count(document #> '{limits,maxTokens}', 1000000000)),
  CONSTRAINT orchestration_version__document_is_readable CHECK (is_readable(document)),
  CONSTRAINT orchestration_version__digest_is_a_digest CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
  CONSTRAINT orchestration_version__max_step_runs CHECK (max_step_runs >= 0),
  CONSTRAINT orchestration_version__major_counts_from_one CHECK (major >= 1),
  CONSTRAINT orchestration_version__published_is_complete CHECK (
    status NOT IN ('published', 'archived')
    OR (digest IS NOT NULL AND max_step_runs IS NOT NULL AND published_at IS NOT NULL)),
  CONSTRAINT orchestration_version__rejected_when_decided CHECK ((status = 'rejected') = (rejected_at IS NOT NULL)),
  CONSTRAINT orchestration_version__texts_have_a_length CHECK (
    length(message) <= 100000 AND length(rejection) <= 100000 AND length(created_by) <= 2000
    AND length(decided_by) <= 2000 AND length(requested_by) <= 2000),
  CONSTRAINT orchestration_version__times_are_dates CHECK (
    is_date(created_at) AND is_date(published_at) AND is_date(rejected_at) AND is_date(requested_at)),
  CONSTRAINT orchestration_version__findings_are_readable CHECK (
    is_readable(problems) AND is_readable(effects) AND is_readable(closure)),
  CONSTRAINT orchestration_version__publishing_is_requested CHECK (
    status <> 'publishing' OR (requested_by IS NOT NULL AND requested_at IS NOT NULL
      AND coalesce(requested_from IN ('draft', 'proposed'), false))),
  CONSTRAINT orchestration_version__problems_are_a_list CHECK (jsonb_typeof(problems) = 'array'),
  CONSTRAINT orchestration_version__effects_are_a_list CHECK (jsonb_typeof(effects) = 'array'),
  CONSTRAINT orchestration_version__closure_is_an_object CHECK (jsonb_typeof(closure) = 'object')
);
COMMENT ON TABLE orchestration_version IS
  'One state of an orchestration. Drafts are edited, proposals decided; published ones are what executions run.';
COMMENT ON COLUMN orchestration_version.major IS
  'What was published under one number takes the inputs, and gives the outputs, of what was active before it.';
COMMENT ON COLUMN orchestration_version.edits IS 'Counted by the database: the statements that have written steps of it.';
COMMENT ON COLUMN orchestration_version.status IS
  'Set it to publishing, and a server that runs checks the version and answers here: published, or what it was before '
  'with problems.';
COMMENT ON COLUMN orchestration_version.expires_at IS 'From then on no execution starts from it; null for never.';
COMMENT ON COLUMN orchestration_version.decided_by IS 'Who published or rejected it.';
COMMENT ON COLUMN orchestration_version.problems IS 'What kept it from being published when that was last asked for.';
COMMENT ON COLUMN orchestration_version.activates IS 'Whether it is to be active at once when it is published on request.';
COMMENT ON COLUMN orchestration_version.allows_breaking IS
  'Whether it may be published on request though it breaks those who rely on what is active; then as a new major.';
COMMENT ON COLUMN orchestration_version.requested_by IS
  'Who last asked for it to be published: who acted (rolecall.actor), or else the database user.';
COMMENT ON COLUMN orchestration_version.requested_from IS 'What it was when that was asked: draft or proposed.';
COMMENT ON COLUMN orchestration_version.effects IS 'What its executions can do to the world outside, as far as it shows.';
COMMENT ON COLUMN orchestration_version.closure IS
  'The roles and orchestrations that it was checked with. Executions take those of their own start.';
COMMENT ON COLUMN orchestration_version.document IS 'The document without its steps, which are rows of orchestration_step.';

ALTER TABLE orchestration ADD CONSTRAINT orchestration__active_version_id FOREIGN KEY (active_version_id)
  REFERENCES orchestration_version ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX orchestration_version__by_request ON orchestration_version (requested_at) WHERE status = 'publishing';
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
  timeout_ms     integer,
  -- Deferred, so that steps can be swapped and a tree written in any order within one transaction.
  CONSTRAINT orchestration_step__version_name UNIQUE (version_id, name) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT orchestration_step__version_id UNIQUE (version_id, id),
  CONSTRAINT orchestration_step__parent_of_same_version FOREIGN KEY (version_id, parent_id)
    REFERENCES orchestration_step (version_id, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT orchestration_step__not_its_own_parent CHECK (parent_id <> id),
  CONSTRAINT orchestration_step__slot CHECK (
    slot ~ '^(main|onFailure|finally|body|else|compensate|case:.+|catch:(0|[1-9][0-9]*))$'),
  CONSTRAINT orchestration_step__slot_fits_parent CHECK (
    (parent_id IS NULL) = (slot IN ('main', 'onFailure', 'finally'))),
  CONSTRAINT orchestration_step__name_is_a_name CHECK (name ~ '^[A-Za-z][A-Za-z0-9 _.-]{0,99}$'),
  CONSTRAINT orchestration_step__name_is_free CHECK (name NOT IN (
    'context', 'input', 'output', 'steps', 'step', 'item', 'loop', 'error', 'execution', 'vars', 'secrets', 'previous')),
  CONSTRAINT orchestration_step__group_is_a_name CHECK (parallel_group ~ '^[A-Za-z][A-Za-z0-9 _.-]{0,99}$'),
  CONSTRAINT orchestration_step__role_name_is_a_name CHECK (role_name ~ '^[A-Za-z][A-Za-z0-9 _.-]{0,99}$'),
  CONSTRAINT orchestration_step__order CHECK ("order" BETWEEN 0 AND 1000000),
  CONSTRAINT orchestration_step__kind CHECK (kind IN (
    'agent', 'llm', 'tool', 'code', 'transform', 'wait', 'approval', 'webhook', 'orchestration', 'branch', 'loop', 'map',
    'group', 'fail', 'stop')),
  CONSTRAINT orchestration_step__config_is_an_object CHECK (jsonb_typeof(config) = 'object'),
  CONSTRAINT orchestration_step__config_is_readable CHECK (is_readable(config)),
  CONSTRAINT orchestration_step__condition_is_readable CHECK (is_readable(condition)),
  -- A mapping that is not there is null; the null of JSON says the same.
  CONSTRAINT orchestration_step__mappings_are_objects CHECK (
    jsonb_typeof(input_mapping) IN ('object', 'null') AND jsonb_typeof(output_mapping) IN ('object', 'null')),
  CONSTRAINT orchestration_step__mappings_are_readable CHECK (is_readable(input_mapping) AND is_readable(output_mapping)),
  CONSTRAINT orchestration_step__loop_is_bounded CHECK (kind <> 'loop' OR is_count(config -> 'maxIterations', 1000)),
  CONSTRAINT orchestration_step__map_is_bounded CHECK (
    kind <> 'map' OR is_count(config -> 'maxItems', 10000) AND is_count(config -> 'maxConcurrency', 100)),
  CONSTRAINT orchestration_step__budget_is_a_budget CHECK (
    jsonb_typeof(config -> 'budget') IN ('object', 'null') AND is_dollars(config #> '{budget,maxCostUsd}')
    AND is_count(config #> '{budget,maxTokens}', 1000000000)),
  CONSTRAINT orchestration_step__cache_is_a_cache CHECK (
    config -> 'cache' = 'null' OR jsonb_typeof(config -> 'cache') = 'object'
    AND coalesce(jsonb_typeof(config #> '{cache,ttlMs}') = 'number'
      AND (config #> '{cache,ttlMs}')::numeric BETWEEN 1 AND 31622400000
      AND (config #> '{cache,ttlMs}')::numeric % 1 = 0, false)
    AND coalesce(config #> '{cache,scope}', '"everyone"') IN ('"everyone"', '"execution"')),
  CONSTRAINT orchestration_step__max_retries CHECK (max_retries BETWEEN 0 AND 19),
  CONSTRAINT orchestration_step__retry_delay_ms CHECK (retry_delay_ms BETWEEN 0 AND 86400000),
  CONSTRAINT orchestration_step__timeout_ms CHECK (timeout_ms BETWEEN 1 AND 86400000)
);
COMMENT ON TABLE orchestration_step IS
  'The steps of a version, a tree by parent_id and slot. They can be edited while their version is a draft.';
COMMENT ON COLUMN orchestration_step.timeout_ms IS 'Of one attempt; null for what its kind has.';
CREATE INDEX orchestration_step__by_role ON orchestration_step (role_id) WHERE role_id IS NOT NULL;
CREATE INDEX orchestration_step__by_parent ON orchestration_step (version_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX orchestration_step__calls ON orchestration_step (version_id) WHERE kind = 'orchestration';

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

-- Whether a server publishes a version in this transaction, or says why it does not. It leaves its mark as execution_prune
-- does. Others could leave it too, so nobody runs a version before having seen that its digest is the right one.
CREATE FUNCTION is_publishing() RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce(current_setting('rolecall.publishing', true) = pg_current_xact_id_if_assigned()::text, false)
    AND NOT is_by_hand()
$$;

CREATE FUNCTION orchestration_version_start_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status <> 'draft' AND NOT is_publishing() THEN
    RAISE EXCEPTION 'version % of orchestration % cannot begin as %', NEW.number, NEW.orchestration_id, NEW.status
      USING ERRCODE = '23514', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__begins_as_a_draft',
        HINT = 'Insert a draft and its steps; then set its status to publishing, or to proposed.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER orchestration_version__begins_as_a_draft BEFORE INSERT ON orchestration_version
  FOR EACH ROW EXECUTE FUNCTION orchestration_version_start_guard();

CREATE FUNCTION orchestration_version_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  same_but_status orchestration_version;
  same_but_decided orchestration_version;
BEGIN
  IF TG_OP = 'DELETE' THEN
    -- A published version goes only together with its orchestration: in the cascade the orchestration is already gone.
    IF OLD.status = 'draft' THEN
      RETURN OLD;
    END IF;
    IF NOT EXISTS (SELECT FROM orchestration WHERE id = OLD.orchestration_id) THEN
      -- The first event of an execution names the versions that its children will run.
      IF EXISTS (
        SELECT FROM execution JOIN journal ON execution_id = execution.id AND seq = 1
        WHERE execution.status IN ('queued', 'running', 'waiting', 'paused', 'cancelling')
          AND strpos(payload, OLD.id::text) > 0
      ) THEN
        RAISE EXCEPTION 'version % of orchestration % is pinned by executions that have not finished', OLD.number,
          OLD.orchestration_id
          USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__is_pinned',
            HINT = 'Switch the orchestration off (is_active), or wait for the executions.';
      END IF;
      RETURN OLD;
    END IF;
    RAISE EXCEPTION 'version % of orchestration % is % and cannot be deleted', OLD.number, OLD.orchestration_id, OLD.status
      USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__is_read_only',
        HINT = CASE OLD.status WHEN 'publishing' THEN 'Set its status back to ' || OLD.requested_from || ' first.'
          ELSE 'Archive or reject it; or delete the orchestration, if it was never executed.' END;
  END IF;
  same_but_status := NEW;
  same_but_status.status := OLD.status;
  IF OLD.status IN ('proposed', 'publishing', 'published') THEN
    same_but_status.expires_at := OLD.expires_at;
  END IF;
  -- What was proposed, or asked to be published, is what is decided about: only what the decision writes may change.
  same_but_decided := same_but_status;
  same_but_decided.digest := OLD.digest;
  same_but_decided.max_step_runs := OLD.max_step_runs;
  same_but_decided.major := OLD.major;
  same_but_decided.decided_by := OLD.decided_by;
  same_but_decided.published_at := OLD.published_at;
  same_but_decided.rejected_at := OLD.rejected_at;
  same_but_decided.rejection := OLD.rejection;
  same_but_decided.problems := OLD.problems;
  same_but_decided.effects := OLD.effects;
  same_but_decided.closure := OLD.closure;
  same_but_decided.edits := OLD.edits;
  IF OLD.status IN ('draft', 'proposed', 'publishing') AND NEW.status = 'published' AND NOT is_publishing() THEN
    RAISE EXCEPTION 'version % of orchestration % was not published by a server', OLD.number, OLD.orchestration_id
      USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__published_by_a_server',
        HINT = 'Set its status to publishing. A server checks it and answers in this row: published, or with problems.';
  END IF;
  CASE OLD.status
  WHEN 'draft' THEN
    IF NEW.status IN ('archived', 'rejected') THEN
      RAISE EXCEPTION 'version % of orchestration % is a draft and cannot be %', OLD.number, OLD.orchestration_id, NEW.status
        USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__transition',
          HINT = 'Delete the draft, or propose or publish it first.';
    END IF;
  WHEN 'proposed' THEN
    IF NEW.status = 'publishing' THEN
      same_but_decided.activates := OLD.activates;
      same_but_decided.allows_breaking := OLD.allows_breaking;
    END IF;
    IF (NEW.status NOT IN ('publishing', 'published', 'rejected') OR same_but_decided IS DISTINCT FROM OLD)
      AND (NEW.status <> 'proposed' OR same_but_status IS DISTINCT FROM OLD)
    THEN
      RAISE EXCEPTION 'version % of orchestration % is proposed and waits for a decision', OLD.number, OLD.orchestration_id
        USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__proposal_is_kept',
          HINT = 'Publish or reject it as it is; propose another one instead of changing it.';
    END IF;
  WHEN 'publishing' THEN
    IF NEW.status NOT IN (OLD.requested_from, 'publishing', 'published')
      OR (CASE WHEN is_publishing() THEN same_but_decided ELSE same_but_status END) IS DISTINCT FROM OLD
    THEN
      RAISE EXCEPTION 'version % of orchestration % waits for a server to publish it', OLD.number, OLD.orchestration_id
        USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__request_is_kept',
          HINT = format('To withdraw the request, set its status back to %s.', OLD.requested_from);
    END IF;
  ELSE
    IF same_but_status IS DISTINCT FROM OLD OR (
      NEW.status <> OLD.status AND NOT (OLD.status = 'published' AND NEW.status = 'archived')
    ) THEN
      RAISE EXCEPTION 'version % of orchestration % is % and never changes', OLD.number, OLD.orchestration_id, OLD.status
        USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__is_read_only',
          HINT = 'Make a new draft. A published version can be archived, and its expiry put off; others stay as they are.';
    END IF;
  END CASE;
  IF NEW.status = 'publishing' AND OLD.status <> 'publishing' THEN
    NEW.requested_by := coalesce(nullif(current_setting('rolecall.actor', true), ''), session_user);
    NEW.requested_at := clock_timestamp();
    NEW.requested_from := OLD.status;
    NEW.problems := '[]';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER orchestration_version__is_read_only BEFORE UPDATE OR DELETE ON orchestration_version
  FOR EACH ROW EXECUTE FUNCTION orchestration_version_guard();

CREATE FUNCTION orchestration_step_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  version orchestration_version;
BEGIN
  -- An update may move a step, so both its old and its new version must be drafts; or a server publishes it, and notes
  -- which roles its steps mean. The lock makes a publication that runs meanwhile wait for this edit, and an edit that
  -- runs meanwhile find the version published. A version that is not there is either being deleted, with its steps, or
  -- unknown, which the foreign key will say.
  FOR version IN
    SELECT * FROM orchestration_version
    WHERE id = CASE WHEN TG_OP <> 'INSERT' THEN OLD.version_id END
       OR id = CASE WHEN TG_OP <> 'DELETE' THEN NEW.version_id END
    ORDER BY id FOR NO KEY UPDATE
  LOOP
    IF version.status <> 'draft' AND NOT (version.status = 'publishing' AND is_publishing()) THEN
      RAISE EXCEPTION 'step "%" belongs to version % of orchestration %, which is % and never changes',
        CASE TG_OP WHEN 'DELETE' THEN OLD.name ELSE NEW.name END, version.number, version.orchestration_id, version.status
        USING ERRCODE = '55000', TABLE = 'orchestration_step', CONSTRAINT = 'orchestration_step__is_read_only',
          HINT = CASE version.status WHEN 'publishing'
            THEN 'Set the status of the version back to ' || version.requested_from || ' first.'
            ELSE 'Make a new draft and edit its steps.' END;
    END IF;
  END LOOP;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER orchestration_step__is_read_only BEFORE INSERT OR UPDATE OR DELETE ON orchestration_step
  FOR EACH ROW EXECUTE FUNCTION orchestration_step_guard();

-- A step says its role by id, by name or by both, and whichever was said last is followed by the other. One that is not
-- there yet can be named. A step that was written before its role was renamed keeps the name that it knows.
CREATE FUNCTION orchestration_step_role() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  called text;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.role_id IS NOT DISTINCT FROM OLD.role_id AND NEW.role_name IS NOT DISTINCT FROM OLD.role_name THEN
      RETURN NEW;
    ELSIF NEW.role_id IS NOT DISTINCT FROM OLD.role_id THEN
      NEW.role_id := NULL;
    ELSIF NEW.role_name IS NOT DISTINCT FROM OLD.role_name THEN
      NEW.role_name := NULL;
    END IF;
  END IF;
  IF NEW.role_id IS NULL THEN
    NEW.role_id := (SELECT id FROM role WHERE name = NEW.role_name);
    RETURN NEW;
  END IF;
  called := (SELECT name FROM role WHERE id = NEW.role_id);
  IF NEW.role_name <> called THEN
    RAISE EXCEPTION 'step "%" has the role_id of the role "%" and the role_name "%"', NEW.name, called, NEW.role_name
      USING ERRCODE = '23514', TABLE = 'orchestration_step', CONSTRAINT = 'orchestration_step__role_agrees',
        HINT = 'Set one of them; the other follows.';
  END IF;
  NEW.role_name := coalesce(called, NEW.role_name);
  RETURN NEW;
END $$;
CREATE TRIGGER orchestration_step__role_agrees BEFORE INSERT OR UPDATE OF role_id, role_name ON orchestration_step
  FOR EACH ROW WHEN (NEW.role_id IS NOT NULL OR NEW.role_name IS NOT NULL) EXECUTE FUNCTION orchestration_step_role();


-- Steps together ------------------------------------------------------------------------------------------------------

-- What the steps of a version are to each other is looked at when the transaction ends, so that they can be swapped and
-- rebuilt in it; once for each version, behind its last edit. The count also keeps two apart who edit one version at
-- once: the second waits and then sees what the first has done, or is refused where its isolation would hide that.
CREATE FUNCTION orchestration_step_count_edit() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$  -- who may edit steps need not be let count
BEGIN
  UPDATE orchestration_version SET edits = edits + 1 WHERE id IN (SELECT version_id FROM changed);
  RETURN NULL;
END $$;
CREATE TRIGGER orchestration_step__inserted AFTER INSERT ON orchestration_step REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION orchestration_step_count_edit();
CREATE TRIGGER orchestration_step__updated AFTER UPDATE ON orchestration_step REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION orchestration_step_count_edit();

-- A draft may lack what its publication needs. What it has is in a place where a document can have it, so that it can be
-- read, and mended, by whoever looks at it. To take steps away breaks none of this.
CREATE FUNCTION orchestration_steps_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  version orchestration_version;
  wrong   record;
BEGIN
  SELECT * INTO version FROM orchestration_version WHERE id = NEW.id;  -- as it is now, not as it was when it was edited
  IF version.id IS NULL OR version.edits <> NEW.edits THEN
    RETURN NULL;  -- it is gone, or looked at behind an edit that came later
  END IF;
  IF (SELECT count(*) FROM orchestration_step WHERE version_id = version.id) > 200 THEN
    RAISE EXCEPTION 'version % of orchestration % has more than 200 steps', version.number, version.orchestration_id
      USING ERRCODE = '23514', TABLE = 'orchestration_step', CONSTRAINT = 'orchestration_step__at_most_200',
        HINT = 'Move some of them into an orchestration of their own, and call that with a step of the kind orchestration.';
  END IF;
  -- Who is not reached from the top is held by itself, or too far down.
  WITH RECURSIVE tree (id, depth) AS (
    SELECT id, 0 FROM orchestration_step WHERE version_id = version.id AND parent_id IS NULL
    UNION ALL
    SELECT step.id, tree.depth + 1 FROM tree
    JOIN orchestration_step AS step ON step.version_id = version.id AND step.parent_id = tree.id WHERE tree.depth < 9
  )
  SELECT step.name, tree.depth INTO wrong FROM orchestration_step AS step LEFT JOIN tree ON tree.id = step.id
    WHERE step.version_id = version.id AND coalesce(tree.depth, 9) > 8 ORDER BY tree.depth NULLS LAST, step.name LIMIT 1;
  IF wrong.depth IS NOT NULL THEN
    RAISE EXCEPTION 'step "%" is held by steps more than 8 deep', wrong.name
      USING ERRCODE = '23514', TABLE = 'orchestration_step', CONSTRAINT = 'orchestration_step__tree_is_shallow',
        HINT = 'Give it a parent_id further up, or move what holds it into an orchestration of its own.';
  ELSIF wrong.name IS NOT NULL THEN
    RAISE EXCEPTION 'step "%" is held by itself, through the steps above it', wrong.name
      USING ERRCODE = '23514', TABLE = 'orchestration_step', CONSTRAINT = 'orchestration_step__tree_has_a_top',
        HINT = 'Follow parent_id upwards: it has to end at a step without one, in the slot main, onFailure or finally.';
  END IF;
  SELECT step.name, step.slot, parent.name AS parent, parent.kind INTO wrong
    FROM orchestration_step AS step JOIN orchestration_step AS parent ON parent.id = step.parent_id
    WHERE step.version_id = version.id AND NOT CASE
      WHEN step.slot = 'body' THEN parent.kind IN ('loop', 'map', 'group')
      WHEN step.slot = 'else' THEN parent.kind = 'branch'
      WHEN step.slot LIKE 'case:%' THEN parent.kind = 'branch' AND coalesce(
        parent.config -> 'cases' @> jsonb_build_array(jsonb_build_object('name', substr(step.slot, 6))), false)
      WHEN step.slot LIKE 'catch:%' THEN coalesce(jsonb_typeof(parent.config #> '{onError,catch}') = 'array', false)
        AND parent.config #> ARRAY['onError', 'catch', substr(step.slot, 7)] IS NOT NULL
      ELSE parent.kind NOT IN ('fail', 'stop') END  -- compensate
    ORDER BY step.name LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'step "%" stands in the slot % of the step "%", which is of the kind % and has none such',
      wrong.name, wrong.slot, wrong.parent, wrong.kind
      USING ERRCODE = '23514', TABLE = 'orchestration_step', CONSTRAINT = 'orchestration_step__slot_of_its_parent',
        HINT = 'A loop, a map and a group have body; a branch has else, and case:<name> for each of its config.cases; every '
          'step has catch:<n> for each of its config.onError.catch, counted from 0; all but fail and stop have compensate.';
  END IF;
  SELECT min(name) AS one, max(name) AS other, "order" INTO wrong FROM orchestration_step WHERE version_id = version.id
    GROUP BY parent_id, slot, "order"
    HAVING count(*) > 1 AND (count(parallel_group) < count(*) OR min(parallel_group) <> max(parallel_group))
    ORDER BY "order" LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'steps "%" and "%" both have the order %', wrong.one, wrong.other, wrong."order"
      USING ERRCODE = '23514', TABLE = 'orchestration_step', CONSTRAINT = 'orchestration_step__order_is_its_own',
        HINT = 'Only members of one parallel_group may have the same order. Give one of them the next, in this transaction.';
  END IF;
  SELECT min(name) AS name, parallel_group INTO wrong FROM (
    SELECT name, parent_id, slot, parallel_group,
      parallel_group IS DISTINCT FROM lag(parallel_group) OVER (PARTITION BY parent_id, slot ORDER BY "order") AS is_first
    FROM orchestration_step WHERE version_id = version.id
  ) AS step WHERE parallel_group IS NOT NULL AND is_first
    GROUP BY parent_id, slot, parallel_group HAVING count(*) > 1 ORDER BY parallel_group LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the members of the parallel_group "%", such as "%", have other steps between them',
      wrong.parallel_group, wrong.name
      USING ERRCODE = '23514', TABLE = 'orchestration_step', CONSTRAINT = 'orchestration_step__group_is_contiguous',
        HINT = 'Give its members orders that follow each other, or some of them another parallel_group.';
  END IF;
  IF version.status = 'published' THEN
    SELECT name, kind, CASE
        WHEN kind IN ('agent', 'llm') AND role_id IS NULL THEN 'role_name'
        WHEN kind = 'tool' AND coalesce(config ->> 'tool', '') = '' THEN 'config.tool'
        WHEN kind = 'orchestration' AND coalesce(config ->> 'orchestration', '') = '' THEN 'config.orchestration'
        WHEN kind = 'loop' AND config ->> 'maxIterations' IS NULL THEN 'config.maxIterations'
        WHEN kind = 'map' AND config ->> 'items' IS NULL THEN 'config.items'
      END AS lacks INTO wrong
    FROM orchestration_step WHERE version_id = version.id ORDER BY lacks NULLS LAST, name LIMIT 1;
    IF wrong.name IS NULL OR wrong.lacks IS NOT NULL THEN
      RAISE EXCEPTION 'version % of orchestration % is not finished: %', version.number, version.orchestration_id,
        CASE WHEN wrong.name IS NULL THEN 'it has no steps'
          ELSE format('step "%s" of the kind %s has no %s', wrong.name, wrong.kind, wrong.lacks) END
        USING ERRCODE = '55000', TABLE = 'orchestration_version',
          CONSTRAINT = 'orchestration_version__published_is_finished',
          HINT = 'Finish the draft, then publish it. orchestration.version tells everything that is wrong with it.';
    END IF;
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER orchestration_version__steps AFTER UPDATE OF status, edits ON orchestration_version
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION orchestration_steps_guard();

CREATE TRIGGER orchestration_version__no_truncate BEFORE TRUNCATE ON orchestration_version EXECUTE FUNCTION
  refuse('orchestration_version__is_read_only', 'published versions never change', 'Delete orchestrations that never ran.');
CREATE TRIGGER orchestration_step__no_truncate BEFORE TRUNCATE ON orchestration_step EXECUTE FUNCTION
  refuse('orchestration_step__is_read_only', 'steps of published versions never change', 'Delete the drafts.');


-- What servers hear of ------------------------------------------------------------------------------------------------

-- Whoever changes a definition, however they do it, wakes the servers that answer requests. A transaction says it once.
CREATE FUNCTION definition_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('rolecall_definition', '');
  RETURN NULL;
END $$;
CREATE TRIGGER role__is_heard_of AFTER INSERT OR UPDATE OR DELETE ON role
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
CREATE TRIGGER role_version__is_heard_of AFTER UPDATE ON role_version
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
CREATE TRIGGER orchestration__is_heard_of AFTER INSERT OR UPDATE OR DELETE ON orchestration
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
CREATE TRIGGER orchestration_version__is_heard_of AFTER INSERT OR UPDATE OR DELETE ON orchestration_version
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
CREATE TRIGGER orchestration_step__is_heard_of AFTER INSERT OR UPDATE OR DELETE ON orchestration_step
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();


-- Canaries ------------------------------------------------------------------------------------------------------------

COMMENT ON COLUMN orchestration.canary_version_id IS
  'A published version that takes a share of the starts beside the active one; it ends when another becomes active.';
COMMENT ON COLUMN orchestration.canary_percent IS 'How large a share, of the keys that executions are started with.';
ALTER TABLE orchestration ADD CONSTRAINT orchestration__canary_version_id FOREIGN KEY (canary_version_id)
  REFERENCES orchestration_version ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX orchestration__by_canary_version ON orchestration (canary_version_id) WHERE canary_version_id IS NOT NULL;

-- Its share was decided beside the version that was active then; so one UPDATE of active_version_id is a whole roll-back.
CREATE FUNCTION orchestration_end_canary() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.active_version_id IS DISTINCT FROM OLD.active_version_id
    AND (NEW.canary_version_id, NEW.canary_percent) IS NOT DISTINCT FROM (OLD.canary_version_id, OLD.canary_percent)
  THEN
    NEW.canary_version_id := NULL;
    NEW.canary_percent := NULL;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER orchestration__canary_ends BEFORE UPDATE OF active_version_id ON orchestration
  FOR EACH ROW EXECUTE FUNCTION orchestration_end_canary();

-- Checked at commit, as the active version is.
CREATE FUNCTION orchestration_canary_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  checked orchestration;
  canary  orchestration_version;
BEGIN
  SELECT * INTO checked FROM orchestration WHERE id = NEW.id;
  IF checked.canary_version_id IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT * INTO canary FROM orchestration_version
    WHERE id = checked.canary_version_id AND orchestration_id = checked.id AND status = 'published'
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'orchestration "%" cannot have % as its canary', checked.name, checked.canary_version_id
      USING ERRCODE = '23514', TABLE = 'orchestration', CONSTRAINT = 'orchestration__canary_is_its_own',
        HINT = 'A canary is a published version of the same orchestration. Publish it first, without making it active.';
  END IF;
  IF canary.major <> (SELECT major FROM orchestration_version WHERE id = checked.active_version_id) THEN
    RAISE EXCEPTION 'version % of orchestration "%" is of major %, and the active one is not', canary.number, checked.name,
      canary.major
      USING ERRCODE = '23514', TABLE = 'orchestration', CONSTRAINT = 'orchestration__canary_breaks_nobody',
        HINT = 'Callers do not choose the version that they get, so a canary has the major of the active one.';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER orchestration__canary_is_its_own AFTER INSERT OR UPDATE OF canary_version_id, id
  ON orchestration DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION orchestration_canary_guard();

CREATE FUNCTION orchestration_version_stays_canary() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM orchestration WHERE canary_version_id = NEW.id) THEN
    RAISE EXCEPTION 'version % of orchestration % is a canary and cannot be archived', NEW.number, NEW.orchestration_id
      USING ERRCODE = '55000', TABLE = 'orchestration_version', CONSTRAINT = 'orchestration_version__canary_is_published',
        HINT = 'End the canary first: set canary_version_id and canary_percent to null.';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER orchestration_version__canary_is_published AFTER UPDATE OF status ON orchestration_version
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status = 'archived')
  EXECUTE FUNCTION orchestration_version_stays_canary();
