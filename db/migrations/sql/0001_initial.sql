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

-- Whether somebody writes rows by hand: neither a server nor a function of the owner's rights.
CREATE FUNCTION is_by_hand() RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce(pg_has_role(to_regrole('rolecall_admin'), 'USAGE')
    AND NOT pg_has_role(to_regrole('rolecall_app'), 'USAGE'), false)
$$;
COMMENT ON FUNCTION is_by_hand IS 'Whether the one who asks has rolecall_admin, and is no server.';


-- What a column can hold, and a program cannot read -------------------------------------------------------------------

CREATE FUNCTION is_date(instant timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT instant >= timestamptz '0001-01-02 00:00:00+00' AND instant < timestamptz '9999-12-31 00:00:00+00'
$$;
COMMENT ON FUNCTION is_date IS
  'Whether an instant is one of the years 1 to 9999: what lies beyond, infinity too, most programs cannot read.';

-- Numbers that no double holds, and what is nested deeper than a document is read.
CREATE FUNCTION is_readable(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT NOT jsonb_path_exists(value, 'strict $.**{65}')
    AND NOT jsonb_path_exists(value, 'strict $.** ? (@ > 1.7e308 || @ < -1.7e308)')
    AND octet_length(value::text) <= 1048576
$$;
COMMENT ON FUNCTION is_readable IS
  'Whether JSON is nested up to 64 levels, has numbers up to 1.7e308 and is written with up to 1 MiB.';

CREATE FUNCTION is_list_of_names(names varchar[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(array_ndims(names), 1) = 1 AND cardinality(names) <= 1000
    AND NOT EXISTS (SELECT FROM unnest(names) AS name WHERE name IS NULL OR length(name) NOT BETWEEN 1 AND 100)
$$;
COMMENT ON FUNCTION is_list_of_names IS
  'Whether an array is a list (no table) of up to 1,000 texts, none of them null, each of 1 to 100 characters.';

CREATE FUNCTION is_count(value jsonb, most integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE jsonb_typeof(value)
    WHEN 'number' THEN value::numeric BETWEEN 1 AND most AND value::numeric % 1 = 0
    ELSE value IS NULL OR value = 'null' END
$$;
COMMENT ON FUNCTION is_count IS 'Whether JSON is a whole number from 1 to that many, or nothing is said.';


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
  expires_at    timestamptz,
  CONSTRAINT role__expires_at_is_a_date CHECK (expires_at >= '1970-01-01 UTC' AND expires_at < '9999-12-31 UTC'),
  CONSTRAINT role__name_is_a_name CHECK (name ~ '^[A-Za-z][A-Za-z0-9 _.-]{0,99}$'),
  CONSTRAINT role__tools_are_named CHECK (is_list_of_names(tools)),
  CONSTRAINT role__model_is_an_object CHECK (jsonb_typeof(model) = 'object'),
  CONSTRAINT role__model_is_readable CHECK (is_readable(model)),
  CONSTRAINT role__parameters_are_an_object CHECK (jsonb_typeof(parameters) = 'object'),
  CONSTRAINT role__parameters_are_readable CHECK (is_readable(parameters)),
  CONSTRAINT role__output_schema_is_a_schema CHECK (jsonb_typeof(output_schema) IN ('object', 'boolean')),
  CONSTRAINT role__output_schema_is_readable CHECK (is_readable(output_schema)),
  CONSTRAINT role__texts_have_a_length CHECK (
    length(description) <= 100000 AND length(base_prompt) <= 100000 AND length(created_by) <= 2000),
  CONSTRAINT role__times_are_dates CHECK (is_date(created_at) AND is_date(updated_at))
);
COMMENT ON TABLE role IS
  'Who a model plays: a prompt, tools and a wish for a model. Edit freely; every content is kept in role_version.';
COMMENT ON COLUMN role.version IS 'Counted by the database: the number of the version that has this content.';
-- Lists by name walk the unique index; each of these is another order that a list can have.
CREATE INDEX role__by_creation ON role (created_at, id);
CREATE INDEX role__by_change ON role (updated_at, id);
-- What has expired is looked for at each start.
CREATE INDEX role__by_expiry ON role (expires_at) WHERE expires_at IS NOT NULL;
COMMENT ON COLUMN role.expires_at IS 'From then on no execution starts whose steps use it; null for never.';

CREATE TABLE role_version (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  -- CASCADE, so that deleting a role takes its versions along; the guard below refuses to delete them in any other way.
  role_id        uuid NOT NULL REFERENCES role ON DELETE CASCADE,
  number         integer NOT NULL,
  status         varchar NOT NULL DEFAULT 'draft',
  content        jsonb NOT NULL,
  message        text NOT NULL DEFAULT '',
  created_by     text,
  created_at     timestamptz NOT NULL DEFAULT now(),
  decided_by     text,
  published_at   timestamptz,
  rejected_at    timestamptz,
  rejection      text NOT NULL DEFAULT '',
  problems       jsonb NOT NULL DEFAULT '[]',
  requested_by   text,
  requested_at   timestamptz,
  requested_from varchar,
  CONSTRAINT role_version__role_number UNIQUE (role_id, number),
  CONSTRAINT role_version__number_counts_from_one CHECK (number >= 1),
  CONSTRAINT role_version__status CHECK (
    status IN ('draft', 'proposed', 'publishing', 'published', 'rejected', 'archived')),
  CONSTRAINT role_version__published_when_dated CHECK (
    (status IN ('published', 'archived')) = (published_at IS NOT NULL)),
  CONSTRAINT role_version__rejected_when_decided CHECK ((status = 'rejected') = (rejected_at IS NOT NULL)),
  CONSTRAINT role_version__publishing_is_requested CHECK (
    status <> 'publishing' OR (requested_by IS NOT NULL AND requested_at IS NOT NULL
      AND coalesce(requested_from IN ('draft', 'proposed'), false))),
  CONSTRAINT role_version__problems_are_a_list CHECK (jsonb_typeof(problems) = 'array'),
  CONSTRAINT role_version__content_is_of_a_role CHECK (CASE jsonb_typeof(content) WHEN 'object' THEN coalesce(
    content - '{name,description,base_prompt,tools,needs_tools,model,parameters,output_schema}'::text[] = '{}'
    AND jsonb_typeof(content -> 'name') = 'string' AND jsonb_typeof(content -> 'description') = 'string'
    AND jsonb_typeof(content -> 'base_prompt') = 'string' AND jsonb_typeof(content -> 'tools') = 'array'
    AND NOT jsonb_path_exists(content, '$.tools[*] ? (@.type() <> "string" || @ == "")')
    AND jsonb_typeof(content -> 'needs_tools') = 'boolean' AND jsonb_typeof(content -> 'model') = 'object'
    AND jsonb_typeof(content -> 'parameters') = 'object'
    AND jsonb_typeof(content -> 'output_schema') IN ('null', 'object', 'boolean'), false) ELSE false END),
  CONSTRAINT role_version__content_is_readable CHECK (
    is_readable(content -> 'model') AND is_readable(content -> 'parameters') AND is_readable(content -> 'output_schema')
    AND length(content ->> 'description') <= 100000 AND length(content ->> 'base_prompt') <= 100000
    AND is_readable(content -> 'tools')),
  CONSTRAINT role_version__texts_have_a_length CHECK (
    length(message) <= 100000 AND length(rejection) <= 100000 AND length(created_by) <= 2000 AND length(decided_by) <= 2000),
  CONSTRAINT role_version__times_are_dates CHECK (
    is_date(created_at) AND is_date(published_at) AND is_date(rejected_at))
);
COMMENT ON TABLE role_version IS
  'What a role was at each of its versions, written by a trigger on role; and drafts and proposals of what it could be.';
COMMENT ON COLUMN role_version.created_by IS 'Who drafted or proposed it; null where an edit of the role has made it.';
COMMENT ON COLUMN role_version.decided_by IS 'Who published or rejected it.';
COMMENT ON COLUMN role_version.status IS
  'Set it to publishing, and a server that runs checks the version and answers here: published, or what it was before '
  'with problems.';
COMMENT ON COLUMN role_version.problems IS 'What kept it from being published when that was last asked for.';
COMMENT ON COLUMN role_version.requested_by IS 'Who last asked for it to be published: as the audit names them.';
COMMENT ON COLUMN role_version.requested_at IS 'When that was; nothing else tells one request from the next.';
COMMENT ON COLUMN role_version.requested_from IS 'What it was when that was asked: draft or proposed.';

CREATE FUNCTION role_content(role) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'name', $1.name, 'description', $1.description, 'base_prompt', $1.base_prompt, 'tools', $1.tools,
    'needs_tools', $1.needs_tools, 'model', $1.model, 'parameters', $1.parameters, 'output_schema', $1.output_schema)
$$;

CREATE FUNCTION role_count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- A version that is published takes the role along to its number; see role_version_publish.
  IF NEW.version IS DISTINCT FROM (CASE TG_OP WHEN 'INSERT' THEN 1 ELSE OLD.version END) AND (
    TG_OP = 'INSERT' OR NEW.version IS NULL OR NEW.version < OLD.version OR NOT EXISTS (
      SELECT FROM role_version
      WHERE role_id = NEW.id AND number = NEW.version AND status = 'published' AND content = role_content(NEW))
  ) THEN
    RAISE EXCEPTION 'role "%" cannot be set to version %: versions are counted by the database', NEW.name, NEW.version
      USING ERRCODE = '23514', TABLE = 'role', CONSTRAINT = 'role__version_is_counted',
        HINT = 'Leave version out. If it was read earlier, somebody has changed the role since: read it again.';
  END IF;
  IF TG_OP = 'UPDATE' THEN
    NEW.updated_at := now();
    IF NEW.version = OLD.version AND role_content(NEW) IS DISTINCT FROM role_content(OLD) THEN
      NEW.version := (SELECT max(number) + 1 FROM role_version WHERE role_id = OLD.id);
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER role__version_is_counted BEFORE INSERT OR UPDATE ON role
  FOR EACH ROW EXECUTE FUNCTION role_count_version();

CREATE FUNCTION role_keep_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (TG_OP = 'INSERT' OR NEW.version > OLD.version)
    AND NOT EXISTS (SELECT FROM role_version WHERE role_id = NEW.id AND number = NEW.version AND status = 'published')
  THEN
    INSERT INTO role_version (role_id, number, status, content, published_at)
      VALUES (NEW.id, NEW.version, 'published', role_content(NEW), now());
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER role__keep_version AFTER INSERT OR UPDATE ON role FOR EACH ROW EXECUTE FUNCTION role_keep_version();

-- What is not a draft or a proposal may only be written as the present content of its role, and only vanish after its
-- role has: by the cascade.
CREATE FUNCTION role_version_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status IN ('draft', 'proposed') OR NEW.status = 'published' AND EXISTS (
      SELECT FROM role WHERE id = NEW.role_id AND version = NEW.number AND role_content(role) = NEW.content
    ) THEN
      RETURN NEW;
    END IF;
    RAISE EXCEPTION 'version % of role % is not what the role is', NEW.number, NEW.role_id
      USING ERRCODE = '23514', TABLE = 'role_version', CONSTRAINT = 'role_version__is_written_by_the_role',
        HINT = 'Edit the role, and its version is written by the database; or put in a draft, and have that published.';
  END IF;
  IF OLD.status = 'draft' THEN
    RETURN OLD;
  END IF;
  IF EXISTS (SELECT FROM role WHERE id = OLD.role_id) THEN
    RAISE EXCEPTION 'version % of role % is % and cannot be deleted', OLD.number, OLD.role_id, OLD.status
      USING ERRCODE = '55000', TABLE = 'role_version', CONSTRAINT = 'role_version__is_immutable',
        HINT = 'Reject it, if it is proposed; or delete the role, if no step uses it.';
  END IF;
  -- The first event of an execution names the versions it keeps to; also of roles that were assigned at its start.
  IF EXISTS (
    SELECT FROM execution JOIN journal ON execution_id = execution.id AND seq = 1
    WHERE status IN ('queued', 'running', 'waiting', 'paused', 'cancelling') AND strpos(payload, OLD.id::text) > 0
  ) THEN
    RAISE EXCEPTION 'version % of role % is pinned by executions that have not finished', OLD.number, OLD.role_id
      USING ERRCODE = '55000', TABLE = 'role_version', CONSTRAINT = 'role_version__is_pinned',
        HINT = 'Switch the role off (is_active), or wait for the executions.';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER role_version__guard BEFORE INSERT OR DELETE ON role_version
  FOR EACH ROW EXECUTE FUNCTION role_version_guard();

CREATE FUNCTION role_version_change_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  same_but_status  role_version := NEW;
  same_but_decided role_version;
BEGIN
  same_but_status.status := OLD.status;
  -- What was proposed, or asked to be published, is what is decided about: only what the decision writes may change.
  same_but_decided := same_but_status;
  same_but_decided.decided_by := OLD.decided_by;
  same_but_decided.published_at := OLD.published_at;
  same_but_decided.rejected_at := OLD.rejected_at;
  same_but_decided.rejection := OLD.rejection;
  same_but_decided.problems := OLD.problems;
  IF OLD.status IN ('draft', 'proposed', 'publishing') AND NEW.status = 'published' AND NOT is_publishing() THEN
    RAISE EXCEPTION 'version % of role % was not published by a server', OLD.number, OLD.role_id
      USING ERRCODE = '55000', TABLE = 'role_version', CONSTRAINT = 'role_version__published_by_a_server',
        HINT = 'Set its status to publishing, and a server checks it and answers in this row; or edit the role itself.';
  END IF;
  CASE OLD.status
  WHEN 'draft' THEN
    IF NEW.status IN ('archived', 'rejected') THEN
      RAISE EXCEPTION 'version % of role % is a draft and cannot be %', OLD.number, OLD.role_id, NEW.status
        USING ERRCODE = '55000', TABLE = 'role_version', CONSTRAINT = 'role_version__transition',
          HINT = 'Delete the draft, or propose or publish it first.';
    END IF;
  WHEN 'proposed' THEN
    IF NEW.status NOT IN ('publishing', 'published', 'rejected') OR same_but_decided IS DISTINCT FROM OLD THEN
      RAISE EXCEPTION 'version % of role % is proposed and waits for a decision', OLD.number, OLD.role_id
        USING ERRCODE = '55000', TABLE = 'role_version', CONSTRAINT = 'role_version__proposal_is_kept',
          HINT = 'Publish or reject it as it is; propose another one instead of changing it.';
    END IF;
  WHEN 'publishing' THEN
    IF NEW.status NOT IN (OLD.requested_from, 'publishing', 'published')
      OR (CASE WHEN is_publishing() THEN same_but_decided ELSE same_but_status END) IS DISTINCT FROM OLD
    THEN
      RAISE EXCEPTION 'version % of role % waits for a server to publish it', OLD.number, OLD.role_id
        USING ERRCODE = '55000', TABLE = 'role_version', CONSTRAINT = 'role_version__request_is_kept',
          HINT = format('To withdraw the request, set its status back to %s.', OLD.requested_from);
    END IF;
  ELSE
    IF NEW.status <> 'archived' OR OLD.status <> 'published' OR same_but_status IS DISTINCT FROM OLD THEN
      RAISE EXCEPTION 'version % of role % is % and never changes', OLD.number, OLD.role_id, OLD.status
        USING ERRCODE = '55000', TABLE = 'role_version', CONSTRAINT = 'role_version__is_immutable',
          HINT = 'Edit the role, which makes a new version. One that the role is not at any more can be archived.';
    END IF;
    PERFORM FROM role WHERE id = OLD.role_id AND version = OLD.number FOR NO KEY UPDATE;
    IF FOUND THEN
      RAISE EXCEPTION 'version % of role % is what the role is and cannot be archived', OLD.number, OLD.role_id
        USING ERRCODE = '55000', TABLE = 'role_version', CONSTRAINT = 'role_version__present_is_published',
          HINT = 'Edit the role or publish another version first.';
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
CREATE TRIGGER role_version__changes BEFORE UPDATE ON role_version
  FOR EACH ROW EXECUTE FUNCTION role_version_change_guard();
-- To publish a draft or a proposal is to make it what the role is. The role goes to its number, and never back: what
-- somebody has made of the role meanwhile is not undone by what was written before.
CREATE FUNCTION role_version_publish() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  present integer;
BEGIN
  SELECT version INTO present FROM role WHERE id = NEW.role_id FOR NO KEY UPDATE;
  IF present > NEW.number THEN
    RAISE EXCEPTION 'version % of role % is older than version %, which the role is at', NEW.number, NEW.role_id, present
      USING ERRCODE = '55000', TABLE = 'role_version', CONSTRAINT = 'role_version__is_not_outdated',
        HINT = 'Draft or propose it anew, beginning with what the role is now.';
  END IF;
  UPDATE role SET
    name = NEW.content ->> 'name', description = NEW.content ->> 'description',
    base_prompt = NEW.content ->> 'base_prompt', tools = ARRAY(SELECT jsonb_array_elements_text(NEW.content -> 'tools')),
    needs_tools = (NEW.content ->> 'needs_tools')::boolean, model = NEW.content -> 'model',
    parameters = NEW.content -> 'parameters', output_schema = nullif(NEW.content -> 'output_schema', 'null'),
    version = NEW.number
  WHERE id = NEW.role_id;
  RETURN NULL;
END $$;
CREATE TRIGGER role_version__publishes AFTER UPDATE OF status ON role_version
  FOR EACH ROW WHEN (NEW.status = 'published' AND OLD.status <> 'published') EXECUTE FUNCTION role_version_publish();
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


-- Workers and executions ----------------------------------------------------------------------------------------------

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
  CONSTRAINT execution__depth CHECK (depth BETWEEN 0 AND 8)
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
  PERFORM FROM orchestration_version AS version JOIN orchestration ON orchestration.id = version.orchestration_id
    WHERE version.id = NEW.version_id AND (version.status = 'published' AND orchestration.is_active
      OR NEW.parent_execution_id IS NOT NULL AND version.status IN ('published', 'archived'));
  IF NOT FOUND THEN
    RAISE EXCEPTION 'version % cannot be executed', NEW.version_id
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__starts_from_a_published_version',
        HINT = 'Only a published version of an active orchestration can be executed.';
  END IF;
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
      NEW.forked_from, NEW.parent_execution_id, NEW.parent_path, NEW.parent_attempt, NEW.is_detached, NEW.depth)
    IS DISTINCT FROM
     (OLD.id, OLD.version_id, OLD.input, OLD.started_by, OLD.idempotency_key, OLD.request_digest, OLD.created_at,
      OLD.forked_from, OLD.parent_execution_id, OLD.parent_path, OLD.parent_attempt, OLD.is_detached, OLD.depth)
  THEN
    RAISE EXCEPTION 'execution % keeps its version, its input and where it comes from', OLD.id
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__identity_is_fixed',
        HINT = 'Start another execution.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER execution__identity BEFORE UPDATE OF
  id, version_id, input, started_by, idempotency_key, request_digest, created_at,
  forked_from, parent_execution_id, parent_path, parent_attempt, is_detached, depth ON execution
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


-- History and messages ------------------------------------------------------------------------------------------------

CREATE TABLE journal (
  -- No foreign key: the fence below finds the execution once for each statement; a look-up for every row would cost a
  -- fifth of the throughput and add nothing.
  execution_id uuid NOT NULL,
  seq          integer NOT NULL,
  epoch        bigint NOT NULL DEFAULT 0,
  kind         varchar NOT NULL,
  path         text NOT NULL DEFAULT '',
  attempt      integer NOT NULL DEFAULT 0,
  -- Text, not jsonb: the engine writes and reads bytes of JSON and never looks inside with SQL.
  payload      text NOT NULL,
  recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (execution_id, seq),
  CONSTRAINT journal__seq_counts_from_one CHECK (seq >= 1),
  CONSTRAINT journal__times_are_dates CHECK (is_date(recorded_at))
) PARTITION BY RANGE (execution_id);
COMMENT ON TABLE journal IS
  'What happened in each execution, in order: its only history. Append-only. In a partition for each month of starts.';
COMMENT ON COLUMN journal.epoch IS 'The epoch under which it was written.';

-- A step gives one output and each of its attempts fails once. An attempt may fail and its step then have an output: from
-- its handler, or its default; or fail with these, which is no attempt: 0. Partial, so that a row is in one or in none.
CREATE UNIQUE INDEX journal__one_output_per_step ON journal (execution_id, path) WHERE kind = 'step_completed';
CREATE UNIQUE INDEX journal__one_failure_per_attempt ON journal (execution_id, path, attempt)
  WHERE kind = 'step_failed' AND attempt > 0;

CREATE VIEW journal_event AS
  SELECT execution_id, seq, epoch, kind, path, attempt, payload::jsonb AS payload, recorded_at FROM journal;
COMMENT ON VIEW journal_event IS 'The journal for people: the payload as jsonb.';

-- A row is written under the present epoch of its execution, which somebody owns or which this transaction has just
-- changed: started it, or settled it in the statement that appended. Once for each statement: for each row it would cost
-- several times as much. Locking whoever owns them would be dearer still; the checkpoint does it, for its worker only.
CREATE FUNCTION journal_fence() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$  -- the plan is kept, and tables grow
DECLARE
  stale record;
BEGIN
  SELECT added.execution_id, added.epoch, held.status, held.epoch AS held_epoch INTO stale
  FROM added LEFT JOIN LATERAL (
    -- OFFSET 0 keeps the look-up on the primary key: there are no statistics of what was added.
    SELECT execution.epoch, execution.status, execution.owner, execution.xmin AS changed_by FROM execution
    WHERE execution.id = added.execution_id OFFSET 0
  ) AS held ON true
  WHERE held.epoch IS DISTINCT FROM added.epoch
    OR (held.owner IS NULL AND held.changed_by <> pg_current_xact_id()::xid)
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'execution % is % at epoch %; epoch % cannot write its history', stale.execution_id,
      coalesce(stale.status, 'not there'), coalesce(stale.held_epoch::text, '-'), stale.epoch
      USING ERRCODE = '55000', TABLE = 'journal', CONSTRAINT = 'journal__is_fenced',
        HINT = 'Only the owner of an execution appends to its journal, under its epoch. Put a message into its inbox.';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER journal__is_fenced AFTER INSERT ON journal REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION journal_fence();

-- Whether execution_prune, below, is at work in this transaction. It leaves its mark in a setting that ends with the
-- transaction; the guards that let it through see to it even so that only whole executions go, and only finished ones.
CREATE FUNCTION is_pruning() RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce(current_setting('rolecall.pruning', true) = pg_current_xact_id_if_assigned()::text, false)
$$;

-- For each row, because such a trigger guards the partitions too when they are named directly.
CREATE FUNCTION journal_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND is_pruning() AND NOT EXISTS (SELECT FROM execution WHERE id = OLD.execution_id) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'journal % is refused: the journal is append-only', TG_OP
    USING ERRCODE = '55000', TABLE = 'journal', CONSTRAINT = 'journal__is_append_only',
      HINT = 'Nothing needs to change it; read it as journal_event. Old executions go with execution_prune.';
END $$;
CREATE TRIGGER journal__is_append_only BEFORE UPDATE OR DELETE ON journal
  FOR EACH ROW EXECUTE FUNCTION journal_guard();

-- An execution's id is a UUIDv7, so it carries its start, and its whole history is in the partition of that month.
CREATE FUNCTION first_id_at(instant timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT rpad(lpad(to_hex(floor(extract(epoch FROM instant) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;
COMMENT ON FUNCTION first_id_at IS 'The least UUIDv7 of an instant: every id made earlier is smaller.';

-- What a partition does not get from the journal: names of indexes that say what they hold, and triggers that look at
-- whole statements. The fence is there for those that name the partition; TRUNCATE asks each partition in any case.
CREATE FUNCTION journal_dress(partition text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format($sql$
    CREATE UNIQUE INDEX %2$I ON %1$I (execution_id, path) WHERE kind = 'step_completed';
    CREATE UNIQUE INDEX %3$I ON %1$I (execution_id, path, attempt) WHERE kind = 'step_failed' AND attempt > 0;
    CREATE TRIGGER journal__is_fenced AFTER INSERT ON %1$I REFERENCING NEW TABLE AS added
      FOR EACH STATEMENT EXECUTE FUNCTION journal_fence();
    CREATE TRIGGER journal__no_truncate BEFORE TRUNCATE ON %1$I EXECUTE FUNCTION
      refuse('journal__is_append_only', 'the journal is append-only', 'Old executions go with execution_prune.');
  $sql$, partition, partition || '__one_output_per_step', partition || '__one_failure_per_attempt');
END $$;

-- Attached and not created in place: that would stop all reading and writing until whoever reads now is done.
CREATE FUNCTION journal_add_partition(month date) RETURNS boolean LANGUAGE plpgsql
SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  name   CONSTANT text := 'journal_' || to_char(month, 'YYYY_MM');
  lowest CONSTANT uuid := first_id_at(date_trunc('month', month::timestamp) AT TIME ZONE 'UTC');
  beyond CONSTANT uuid := first_id_at((date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC');
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('journal_add_partition'));
  -- A month that began without its partition stays where it is, in journal_default.
  IF to_regclass(name) IS NOT NULL
    OR EXISTS (SELECT FROM journal_default WHERE execution_id >= lowest AND execution_id < beyond)
  THEN
    RETURN false;
  END IF;
  EXECUTE format('CREATE TABLE %I (LIKE journal INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
  PERFORM journal_dress(name);
  EXECUTE format('ALTER TABLE journal ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, lowest, beyond);
  RETURN true;
END $$;

CREATE FUNCTION journal_add_partitions(months_ahead integer DEFAULT 2) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FILTER (WHERE journal_add_partition((this_month + make_interval(months => ahead))::date))
  FROM date_trunc('month', now() AT TIME ZONE 'UTC') AS this_month, generate_series(0, months_ahead) AS ahead
$$;
COMMENT ON FUNCTION journal_add_partitions IS
  'Make the partitions of the journal for this month and the next ones; returns how many there were to make. Run daily.';

-- Where a row goes whose month has no partition: nothing is lost when nobody runs journal_add_partitions.
CREATE TABLE journal_default (LIKE journal INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
SELECT journal_dress('journal_default');
ALTER TABLE journal ATTACH PARTITION journal_default DEFAULT;
SELECT journal_add_partitions();

-- For each execution looked at, so what cannot be read pins nothing and keeps no other from being found.
CREATE FUNCTION pins_role_version(first_event text, versions text[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  event jsonb;
BEGIN
  -- Inputs are long, and reading them is dear.
  IF strpos(first_event, '"roles"') = 0 AND strpos(first_event, '"roleAssignments"') = 0 THEN
    RETURN false;
  END IF;
  event := first_event;
  RETURN EXISTS (
    SELECT FROM jsonb_each_text(event -> 'roles') WHERE value = ANY (versions)
    UNION ALL
    SELECT FROM jsonb_each(event -> 'roleAssignments') WHERE value ->> 'version' = ANY (versions));
EXCEPTION WHEN data_exception THEN
  RETURN false;
END $$;
COMMENT ON FUNCTION pins_role_version IS
  'Whether an execution with this first event has pinned one of these versions of roles, named by a step or assigned to one.';

-- How an execution ends stands in its journal, and its parent learns of it. Seen when the statement is done, so that the
-- checkpoint can append and settle in one.
CREATE FUNCTION execution_end_guard() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$  -- the plans are kept, and tables grow
DECLARE
  last_kind CONSTANT text := (SELECT kind FROM journal WHERE execution_id = NEW.id ORDER BY seq DESC LIMIT 1);
BEGIN
  IF last_kind IS DISTINCT FROM (CASE NEW.status WHEN 'timed_out' THEN 'execution_failed' ELSE 'execution_' || NEW.status END)
  THEN
    RAISE EXCEPTION 'execution % cannot be % while the last thing in its journal is %', NEW.id, NEW.status,
      coalesce(last_kind, 'nothing')
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__end_is_journaled',
        HINT = 'Put a message of kind cancel into its inbox; whoever ends an execution appends its last event with it.';
  END IF;
  IF NEW.status = 'completed' AND EXISTS (
    SELECT FROM execution WHERE parent_execution_id = NEW.id AND finished_at IS NULL
      AND NOT is_detached AND cancel_requested_at IS NULL
  ) THEN
    RAISE EXCEPTION 'execution % cannot be completed while it has children that are to go on', NEW.id
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__completes_after_its_children',
        HINT = 'Wait for its children, or cancel them.';
  END IF;
  -- However it ended, nobody waits for its children any more.
  IF NEW.status <> 'completed' THEN
    INSERT INTO inbox (execution_id, kind, payload, sender)
      SELECT id, 'cancel', jsonb_build_object('reason', format('its parent is %s', NEW.status)), NEW.id::text
      FROM execution WHERE parent_execution_id = NEW.id AND finished_at IS NULL
        AND NOT is_detached AND cancel_requested_at IS NULL ORDER BY execution.id FOR NO KEY UPDATE;
  END IF;
  IF NEW.parent_execution_id IS NOT NULL AND NOT NEW.is_detached THEN
    INSERT INTO inbox (execution_id, kind, payload, sender)
      SELECT id, 'child_finished', jsonb_build_object(
        'execution', NEW.id, 'path', NEW.parent_path, 'status', NEW.status), NEW.id::text
      FROM execution WHERE id = NEW.parent_execution_id AND finished_at IS NULL FOR NO KEY UPDATE;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER execution__end AFTER UPDATE ON execution
  FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL) EXECUTE FUNCTION execution_end_guard();

CREATE FUNCTION execution_history_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM journal WHERE execution_id = OLD.id) AND NOT (OLD.finished_at IS NOT NULL AND is_pruning()) THEN
    RAISE EXCEPTION 'execution % has a history and cannot be deleted', OLD.id
      USING ERRCODE = '55000', TABLE = 'execution', CONSTRAINT = 'execution__history_is_kept',
        HINT = 'Cancel it instead. Those that finished long ago go with execution_prune.';
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
  'Messages to executions: signals, decisions, cancels, overrides, ends of children. Each wakes its execution as it is put in.';
CREATE INDEX inbox__by_execution ON inbox (execution_id, id);

-- Whoever puts a message in, however they do it, wakes the execution in the same transaction; a cancel goes on to its
-- children first. Executions are so locked from the leaves up, as they are when children end.
CREATE FUNCTION inbox_wake() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wakes_paused CONSTANT boolean := NEW.kind IN ('resume', 'cancel', 'complete_step', 'skip_step');
BEGIN
  IF NEW.kind = 'cancel' THEN
    INSERT INTO inbox (execution_id, kind, payload, sender)
      SELECT id, NEW.kind, NEW.payload, NEW.sender FROM execution
      WHERE parent_execution_id = NEW.execution_id AND finished_at IS NULL AND NOT is_detached
      ORDER BY id FOR NO KEY UPDATE;
  END IF;
  UPDATE execution
  SET wake_seq = wake_seq + 1,
      -- A paused execution is left alone until somebody wants it to go on or to end, or settles a step by hand.
      status = CASE WHEN status = 'paused' AND wakes_paused THEN 'queued' ELSE status END,
      available_at = CASE
        -- Before its time an execution begins only in order to end; what else has arrived is read when it is due.
        WHEN status = 'queued' AND epoch = 0 AND NEW.kind <> 'cancel' THEN available_at
        WHEN status IN ('queued', 'waiting') OR (status = 'paused' AND wakes_paused) THEN clock_timestamp() END,
      cancel_requested_at = CASE NEW.kind
        WHEN 'cancel' THEN coalesce(cancel_requested_at, clock_timestamp()) ELSE cancel_requested_at END
  WHERE id = NEW.execution_id AND finished_at IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'execution % has finished and reads no messages', NEW.execution_id
      USING ERRCODE = '55000', TABLE = 'inbox', CONSTRAINT = 'inbox__execution_is_open', HINT = 'Start another execution.';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER inbox__wakes AFTER INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION inbox_wake();

CREATE TRIGGER inbox__is_not_edited BEFORE UPDATE OR TRUNCATE ON inbox EXECUTE FUNCTION
  refuse('inbox__is_not_edited', 'messages are read as they were sent', 'Put in another message.');

-- Seen when the statement is done, so that the checkpoint can journal a cancel and take it away in one.
CREATE FUNCTION inbox_cancel_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM execution WHERE id = OLD.execution_id AND finished_at IS NULL)
    AND NOT EXISTS (SELECT FROM journal WHERE execution_id = OLD.execution_id AND kind = 'cancel_requested')
  THEN
    RAISE EXCEPTION 'the cancel of execution % cannot be taken back', OLD.execution_id
      USING ERRCODE = '55000', TABLE = 'inbox', CONSTRAINT = 'inbox__cancel_is_kept',
        HINT = 'Let the execution end, and start another.';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER inbox__cancel_is_kept AFTER DELETE ON inbox
  FOR EACH ROW WHEN (OLD.kind = 'cancel') EXECUTE FUNCTION inbox_cancel_guard();

CREATE TABLE signal_key (
  -- CASCADE, so that the keys go with their execution; the guard below refuses to delete them in any other way.
  execution_id   uuid NOT NULL REFERENCES execution ON DELETE CASCADE,
  key            varchar(200) NOT NULL,
  request_digest varchar NOT NULL,
  created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (execution_id, key)
);
COMMENT ON TABLE signal_key IS
  'The idempotency keys of signals. The message leaves the inbox when it is read; by this a repetition is known later too.';

CREATE TRIGGER signal_key__is_not_edited BEFORE UPDATE OR TRUNCATE ON signal_key EXECUTE FUNCTION
  refuse('signal_key__is_not_edited', 'a key stands for the signal that was sent with it', 'Send with another key.');

CREATE FUNCTION signal_key_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM execution WHERE id = OLD.execution_id) THEN
    RAISE EXCEPTION 'key "%" of a signal to execution % cannot be deleted', OLD.key, OLD.execution_id
      USING ERRCODE = '55000', TABLE = 'signal_key', CONSTRAINT = 'signal_key__is_kept',
        HINT = 'Send with another key. Keys go with their execution.';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER signal_key__is_kept BEFORE DELETE ON signal_key FOR EACH ROW EXECUTE FUNCTION signal_key_guard();


-- Requests to start ---------------------------------------------------------------------------------------------------

-- An id as servers make them (UUIDv7): it carries the time, so that ids are in the order in which they were made.
CREATE FUNCTION uuid7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
    52, 1), 53, 1), 'hex')::uuid
$$;

CREATE TABLE execution_request (
  id              uuid PRIMARY KEY DEFAULT uuid7(),
  orchestration   varchar(100) NOT NULL,
  input           jsonb NOT NULL DEFAULT '{}',
  idempotency_key varchar(200),
  requested_by    text NOT NULL DEFAULT session_user,
  requested_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  answered_at     timestamptz,
  execution_id    uuid,
  problems        jsonb NOT NULL DEFAULT '[]',
  CONSTRAINT execution_request__key_is_not_empty CHECK (idempotency_key <> ''),
  -- As the API takes it: a mebibyte, and 64 levels.
  CONSTRAINT execution_request__input_is_bounded CHECK (
    octet_length(input::text) <= 1048576 AND NOT jsonb_path_exists(input, '$.**{64}')),
  CONSTRAINT execution_request__problems_are_a_list CHECK (jsonb_typeof(problems) = 'array'),
  CONSTRAINT execution_request__answer_is_one CHECK (
    (answered_at IS NULL AND execution_id IS NULL AND problems = '[]')
    OR (answered_at IS NOT NULL AND (execution_id IS NULL) = (problems <> '[]')))
);
COMMENT ON TABLE execution_request IS
  'Executions that somebody wants started from SQL (rolecall.run): a server starts each, or says in problems why it does '
  'not. Pruned a day after its answer.';
-- What was refused stands in nobody's way.
CREATE UNIQUE INDEX execution_request__one_per_key ON execution_request (requested_by, idempotency_key)
  WHERE idempotency_key IS NOT NULL AND problems = '[]';
CREATE INDEX execution_request__open ON execution_request (requested_at) WHERE answered_at IS NULL;
CREATE INDEX execution_request__by_answer ON execution_request (answered_at) WHERE answered_at IS NOT NULL;

-- Whatever a statement says, it is the database that says who asks and when, and what the execution will be called.
CREATE FUNCTION execution_request_ask() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.id := uuid7();
  NEW.requested_by := session_user;
  NEW.requested_at := clock_timestamp();
  NEW.answered_at := NULL;
  NEW.execution_id := NULL;
  NEW.problems := '[]';
  RETURN NEW;
END $$;
CREATE TRIGGER execution_request__is_asked BEFORE INSERT ON execution_request
  FOR EACH ROW EXECUTE FUNCTION execution_request_ask();

CREATE FUNCTION execution_request_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.answered_at IS NOT NULL OR (
    NEW.id, NEW.orchestration, NEW.input, NEW.idempotency_key, NEW.requested_by, NEW.requested_at
  ) IS DISTINCT FROM (
    OLD.id, OLD.orchestration, OLD.input, OLD.idempotency_key, OLD.requested_by, OLD.requested_at
  ) THEN
    RAISE EXCEPTION 'request % is answered as it was made, and once', OLD.id
      USING ERRCODE = '55000', TABLE = 'execution_request', CONSTRAINT = 'execution_request__is_answered_once',
        HINT = 'Make another one: SELECT rolecall.run(...). To withdraw one that is not answered yet, delete it.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER execution_request__is_answered_once BEFORE UPDATE ON execution_request
  FOR EACH ROW EXECUTE FUNCTION execution_request_guard();
CREATE TRIGGER execution_request__is_heard_of AFTER INSERT ON execution_request
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();

CREATE VIEW row_request AS
  SELECT 'publication' AS kind, id, requested_by, requested_at FROM orchestration_version WHERE status = 'publishing'
  UNION ALL
  SELECT 'publication of a role', id, requested_by, requested_at FROM role_version WHERE status = 'publishing'
  UNION ALL
  SELECT 'start', id, requested_by, requested_at FROM execution_request WHERE answered_at IS NULL;
COMMENT ON VIEW row_request IS 'What was asked of the servers by writing a row, and is not answered yet.';


-- Retention -----------------------------------------------------------------------------------------------------------

-- Of its owner's rights, so that a role which may not delete anything can be granted this.
CREATE FUNCTION execution_prune(older_than interval, batch integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  oldest_kept CONSTANT timestamptz := clock_timestamp() - older_than;
  gone        uuid[];
BEGIN
  PERFORM set_config('rolecall.pruning', pg_current_xact_id()::text, true);
  gone := ARRAY(
    SELECT id FROM execution
    -- What others still refer to goes after them: children before their parent, restarts before their origin; and
    -- children not while their parent goes on, or is kept.
    WHERE finished_at < oldest_kept
      AND NOT EXISTS (SELECT FROM execution AS child WHERE child.parent_execution_id = execution.id)
      AND NOT EXISTS (SELECT FROM execution AS restart WHERE restart.forked_from = execution.id)
      AND NOT EXISTS (
        SELECT FROM execution AS parent WHERE parent.id = execution.parent_execution_id
          AND (parent.finished_at IS NULL OR parent.finished_at >= oldest_kept))
    ORDER BY finished_at LIMIT batch FOR UPDATE SKIP LOCKED
  );
  DELETE FROM inbox WHERE execution_id = ANY (gone);
  DELETE FROM execution WHERE id = ANY (gone);
  DELETE FROM journal USING unnest(gone) AS pruned (id) WHERE journal.execution_id = pruned.id;
  PERFORM set_config('rolecall.pruning', '', true);
  RETURN cardinality(gone);
END $$;
REVOKE ALL ON FUNCTION execution_prune FROM PUBLIC;
COMMENT ON FUNCTION execution_prune IS
  'Delete up to that many executions which finished longer ago than that, with their history; returns how many. '
  'The only way in which history goes. Call it until it returns 0.';

-- A month that nobody refers to any more, dropped whole: that gives its space back at once.
CREATE FUNCTION journal_drop_partitions() RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  name    text;
  month   timestamp;
  lowest  uuid;
  beyond  uuid;
  is_free boolean;
  dropped integer := 0;
BEGIN
  FOR name IN
    SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'journal'::regclass AND relname ~ '^journal_\d{4}_\d{2}$'
      AND relname < 'journal_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')
  LOOP
    month := to_date(right(name, 7), 'YYYY_MM');
    lowest := first_id_at(month AT TIME ZONE 'UTC');
    beyond := first_id_at((month + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I)', name) INTO is_free;
    IF is_free AND NOT EXISTS (SELECT FROM execution WHERE id >= lowest AND id < beyond) THEN
      EXECUTE format('DROP TABLE %I', name);
      dropped := dropped + 1;
    END IF;
  END LOOP;
  RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION journal_drop_partitions FROM PUBLIC;
COMMENT ON FUNCTION journal_drop_partitions IS
  'Drop the partitions of past months in which no execution is left; returns how many.';


-- Access --------------------------------------------------------------------------------------------------------------

CREATE TABLE token (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  prefix       varchar(16) NOT NULL CONSTRAINT token__prefix UNIQUE,
  hash         bytea NOT NULL,
  name         varchar NOT NULL CONSTRAINT token__name UNIQUE,
  kind         varchar NOT NULL,
  scopes       varchar[] NOT NULL DEFAULT '{}',
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz,
  CONSTRAINT token__hash_has_32_bytes CHECK (octet_length(hash) = 32),
  CONSTRAINT token__kind CHECK (kind IN ('human', 'agent', 'service')),
  CONSTRAINT token__scopes_are_named CHECK (is_list_of_names(scopes)),
  CONSTRAINT token__agents_manage_no_tokens CHECK (kind <> 'agent' OR 'tokens.manage' <> ALL (scopes)),
  CONSTRAINT token__agents_read_no_audit CHECK (kind <> 'agent' OR 'audit.read' <> ALL (scopes)),
  CONSTRAINT token__agents_are_no_admins CHECK (kind <> 'agent' OR 'admin' <> ALL (scopes)),
  CONSTRAINT token__name_has_a_length CHECK (length(name) BETWEEN 1 AND 2000),
  CONSTRAINT token__times_are_dates CHECK (
    is_date(created_at) AND is_date(expires_at) AND is_date(revoked_at) AND is_date(last_used_at))
);
COMMENT ON TABLE token IS 'Who may call: found by prefix, compared by hash. The secret itself is never stored.';

CREATE TABLE session (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  hash         bytea NOT NULL CONSTRAINT session__hash UNIQUE,
  token_id     uuid REFERENCES token ON DELETE CASCADE,
  name         varchar,
  scopes       varchar[],
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  revoked_at   timestamptz,
  CONSTRAINT session__hash_has_32_bytes CHECK (octet_length(hash) = 32),
  CONSTRAINT session__stands_for_one CHECK (
    (token_id IS NULL) = (name IS NOT NULL) AND (token_id IS NULL) = (scopes IS NOT NULL)),
  CONSTRAINT session__scopes_are_named CHECK (is_list_of_names(scopes))
);
CREATE INDEX session__by_token ON session (token_id);
COMMENT ON TABLE session IS
  'Browsers that have signed in: with a token, whose rights the session has as long as that holds, or as a person by name.';

-- Starts of executions are not here: they keep their key themselves, and for as long as they are kept.
CREATE TABLE idempotency_key (
  principal      text NOT NULL,
  key            varchar(200) NOT NULL,
  procedure      varchar NOT NULL,
  request_digest varchar NOT NULL,
  -- As text that was checked, not jsonb: it is given back byte by byte.
  answer         json NOT NULL,
  created_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (principal, key),
  CONSTRAINT idempotency_key__key_is_not_empty CHECK (key <> '')
);
COMMENT ON TABLE idempotency_key IS
  'What a caller has made under a key, and the answer it got: the same call gets it again. Pruned after a day.';
CREATE INDEX idempotency_key__by_creation ON idempotency_key (created_at);
CREATE TRIGGER idempotency_key__is_not_edited BEFORE UPDATE ON idempotency_key EXECUTE FUNCTION
  refuse('idempotency_key__is_not_edited', 'an answer is given again as it was given', 'Delete the key to forget it.');


-- Audit ---------------------------------------------------------------------------------------------------------------

-- To have the changes of another table kept, give it the constraint trigger that stands at the end of this section, with
-- its secret columns and those that say nothing of a change as arguments, and name it in db/audited.py. Its key is a
-- uuid called id. Where nothing else refuses TRUNCATE, which no trigger sees row by row, refuse it as well.

CREATE TABLE audit (
  seq     bigint PRIMARY KEY,
  at      timestamptz NOT NULL,
  actor   text NOT NULL,
  channel text NOT NULL,
  db_user text NOT NULL,
  action  text NOT NULL,
  noun    text NOT NULL,
  subject uuid NOT NULL,
  before  jsonb,
  after   jsonb,
  hash    bytea NOT NULL
);
COMMENT ON TABLE audit IS
  'Every change of a definition, a role, a token or a session, whoever made it and however. Append-only, and chained by '
  'hash: rolecall audit verify finds what was tampered with.';
COMMENT ON COLUMN audit.seq IS 'Counts from 1 without a gap, in the order of the commits.';
COMMENT ON COLUMN audit.at IS 'When it was about to be committed; never before the entry before it.';
COMMENT ON COLUMN audit.actor IS 'Who, as the channel says (rolecall.actor), or else the database user.';
COMMENT ON COLUMN audit.channel IS 'By which way: rpc, meta, cli, admin, or sql for everything else.';
COMMENT ON COLUMN audit.db_user IS 'As whom the session was opened; nobody can set it.';
COMMENT ON COLUMN audit.action IS 'What was done to the row: insert, update or delete.';
COMMENT ON COLUMN audit.noun IS 'The table that the row stands in.';
COMMENT ON COLUMN audit.subject IS 'The id of the row.';
COMMENT ON COLUMN audit.before IS 'The row as it was, without its secrets; null when it is new.';
COMMENT ON COLUMN audit.after IS 'The row as it is, without its secrets; null when it is gone.';
COMMENT ON COLUMN audit.hash IS 'SHA-256 of the hash before and of everything here.';
CREATE INDEX audit__by_subject ON audit (noun, subject, seq);
CREATE INDEX audit__by_actor ON audit (actor, seq);

-- Between the change of a row and its entry. A row is gone before its transaction commits, so nobody ever sees one and
-- none has to survive a crash.
CREATE UNLOGGED TABLE audit_pending (
  number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  action  text NOT NULL,
  noun    text NOT NULL,
  subject uuid NOT NULL,
  before  jsonb,
  after   jsonb
);
COMMENT ON TABLE audit_pending IS
  'What a transaction has changed, while it commits: each row becomes an entry of the audit when all else is checked.';
COMMENT ON COLUMN audit_pending.number IS 'The order of the changes.';
COMMENT ON COLUMN audit_pending.action IS 'What was done to the row: insert, update or delete.';
COMMENT ON COLUMN audit_pending.noun IS 'The table that the row stands in.';
COMMENT ON COLUMN audit_pending.subject IS 'The id of the row.';
COMMENT ON COLUMN audit_pending.before IS 'The row as it was.';
COMMENT ON COLUMN audit_pending.after IS 'The row as it is.';

CREATE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION 'nobody writes into the audit by hand'
      USING ERRCODE = '55000', TABLE = TG_TABLE_NAME, CONSTRAINT = 'audit__is_written_by_the_database',
        HINT = 'Change the row itself; its entry is written with it.';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION audit_guard IS 'Refuses what does not come from the triggers that keep the audit.';
CREATE TRIGGER audit__is_written_by_the_database BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_guard();
CREATE TRIGGER audit_pending__is_written_by_the_database BEFORE INSERT ON audit_pending
  FOR EACH ROW EXECUTE FUNCTION audit_guard();
CREATE TRIGGER audit__is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit EXECUTE FUNCTION
  refuse('audit__is_append_only', 'the audit is history', 'Nothing of it is ever changed; rolecall audit verify checks it.');

CREATE FUNCTION audit_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  left_out CONSTANT text[] := coalesce(TG_ARGV, '{}');
  before   CONSTANT jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - left_out END;
  after    CONSTANT jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - left_out END;
BEGIN
  IF before IS DISTINCT FROM after THEN
    INSERT INTO audit_pending (action, noun, subject, before, after)
      VALUES (lower(TG_OP), TG_TABLE_NAME, (coalesce(after, before) ->> 'id')::uuid, before, after);
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION audit_change IS 'Puts down what has happened to a row, without the columns that are its arguments.';

-- The next entry of the chain. One transaction after the other until it has committed, because an entry holds the hash of
-- the one before.
CREATE FUNCTION audit_seal() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  last  record;
  entry audit;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('rolecall.audit'));
  SELECT seq, at, hash INTO last FROM audit ORDER BY seq DESC LIMIT 1;
  entry.seq := coalesce(last.seq, 0) + 1;
  entry.at := greatest(clock_timestamp(), last.at);
  entry.actor := coalesce(nullif(current_setting('rolecall.actor', true), ''), session_user);
  entry.channel := coalesce(nullif(current_setting('rolecall.channel', true), ''), 'sql');
  entry.db_user := session_user;
  entry.action := NEW.action;
  entry.noun := NEW.noun;
  entry.subject := NEW.subject;
  entry.before := NEW.before;
  entry.after := NEW.after;
  -- No text in it depends on the session: instants are counted in microseconds, and rows were written as in UTC.
  entry.hash := sha256(coalesce(last.hash, '') || convert_to(jsonb_build_array(
    entry.seq, (extract(epoch FROM entry.at) * 1000000)::bigint, entry.actor, entry.channel, entry.db_user,
    entry.action, entry.noun, entry.subject, entry.before, entry.after)::text, 'UTF8'));
  -- A transaction that sees only what was there when it began is told to run again; any other sees the last entry.
  INSERT INTO audit SELECT entry.* ON CONFLICT (seq) DO NOTHING;
  DELETE FROM audit_pending WHERE number = NEW.number;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION audit_seal IS 'Makes the next entry of the audit of what a transaction has changed.';
-- Put off once more than the triggers below, so that it comes after all that is checked at commit: what waits for others
-- waits before it holds the chain, and nobody holds that for longer than it takes to seal and commit.
CREATE CONSTRAINT TRIGGER audit_pending__is_sealed AFTER INSERT ON audit_pending
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_seal();

CREATE CONSTRAINT TRIGGER role__is_audited AFTER INSERT OR UPDATE OR DELETE ON role
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change();
CREATE CONSTRAINT TRIGGER role_version__is_audited AFTER INSERT OR UPDATE OR DELETE ON role_version
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change();
CREATE CONSTRAINT TRIGGER orchestration__is_audited AFTER INSERT OR UPDATE OR DELETE ON orchestration
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change();
CREATE CONSTRAINT TRIGGER orchestration_version__is_audited AFTER INSERT OR UPDATE OR DELETE ON orchestration_version
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('edits');
CREATE CONSTRAINT TRIGGER orchestration_step__is_audited AFTER INSERT OR UPDATE OR DELETE ON orchestration_step
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change();
CREATE CONSTRAINT TRIGGER token__is_audited AFTER INSERT OR UPDATE OR DELETE ON token
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('hash', 'last_used_at');
CREATE CONSTRAINT TRIGGER session__is_audited AFTER INSERT OR UPDATE OR DELETE ON session
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('hash', 'last_used_at');

CREATE TRIGGER token__no_truncate BEFORE TRUNCATE ON token EXECUTE FUNCTION
  refuse('audit__changes_are_by_row', 'the audit keeps each row that goes', 'Delete the rows.');
CREATE TRIGGER session__no_truncate BEFORE TRUNCATE ON session EXECUTE FUNCTION
  refuse('audit__changes_are_by_row', 'the audit keeps each row that goes', 'Delete the rows.');

CREATE TABLE audit_anchor (
  is_only  boolean PRIMARY KEY DEFAULT true CONSTRAINT audit_anchor__is_only CHECK (is_only),
  seq      bigint,
  hash     bytea,
  taken_at timestamptz NOT NULL,
  problem  text
);
COMMENT ON TABLE audit_anchor IS
  'One row: which entry was the head of the audit when that was last told outside, and who may tell it next.';
COMMENT ON COLUMN audit_anchor.is_only IS 'There is no second row.';
COMMENT ON COLUMN audit_anchor.seq IS 'The entry that was told last; null until then.';
COMMENT ON COLUMN audit_anchor.hash IS 'The hash of that entry.';
COMMENT ON COLUMN audit_anchor.taken_at IS 'When a server last took its turn to tell; for a while no other takes one.';
COMMENT ON COLUMN audit_anchor.problem IS 'Why it could not be told in that turn.';

-- Hints ---------------------------------------------------------------------------------------------------------------
--
-- A constraint says its own name when it refuses a row, and no more. What people edit says what to do instead: the COMMENT
-- of a constraint is the HINT of its refusal. Triggers made from the constraints themselves hold each row against them
-- first, and refuse in their name and with their code. The constraints stay, behind the triggers.

COMMENT ON CONSTRAINT role__name ON role IS
  'Take another name, or edit the role that has this one: SELECT * FROM role WHERE name = ….';
COMMENT ON CONSTRAINT role__name_is_a_name ON role IS
  'A name begins with a letter and has up to 100 letters, digits, spaces, dots, underscores and hyphens.';
COMMENT ON CONSTRAINT role__tools_are_named ON role IS
  'Each tool is a name, a pattern such as files.* or a tag; leave out what is null or empty.';
COMMENT ON CONSTRAINT role__model_is_an_object ON role IS
  'The wish for a model is a JSON object such as {"provider": "openai"}; {} takes any.';
COMMENT ON CONSTRAINT role__parameters_are_an_object ON role IS
  'The parameters are a JSON object such as {"temperature": 0.2}; {} leaves them to the provider.';
COMMENT ON CONSTRAINT role__output_schema_is_a_schema ON role IS
  'A JSON Schema is an object, true or false; null means that any answer will do.';

COMMENT ON CONSTRAINT role__expires_at_is_a_date ON role IS 'Take a date from 1970 to 9999, or null for never.';

COMMENT ON CONSTRAINT role_version_role_id_fkey ON role_version IS
  'Make the role first, or take the id of one there is, from role.';
COMMENT ON CONSTRAINT role_version__role_number ON role_version IS
  'Take the next number: SELECT max(number) + 1 FROM role_version WHERE role_id = ….';
COMMENT ON CONSTRAINT role_version__number_counts_from_one ON role_version IS
  'Take the next number: one more than the highest of its role.';
COMMENT ON CONSTRAINT role_version__status ON role_version IS
  'A version is draft, proposed, publishing, published, rejected or archived.';
COMMENT ON CONSTRAINT role_version__published_when_dated ON role_version IS
  'Leave published_at to the server that publishes: set the status to publishing.';
COMMENT ON CONSTRAINT role_version__rejected_when_decided ON role_version IS
  'To reject a proposal, set rejected_at = now() with the status.';
COMMENT ON CONSTRAINT role_version__publishing_is_requested ON role_version IS
  'Set the status of a draft or a proposal to publishing, and leave the columns requested_… to the database.';
COMMENT ON CONSTRAINT role_version__problems_are_a_list ON role_version IS
  'Leave problems to the server, which lists there what keeps the version from being published.';
COMMENT ON CONSTRAINT role_version__content_is_of_a_role ON role_version IS
  'A content has name, description, base_prompt, tools, needs_tools, model, parameters and output_schema, each as in role: '
  'begin with SELECT role_content(role) FROM role.';

COMMENT ON CONSTRAINT orchestration__name ON orchestration IS
  'Take another name, or edit the orchestration that has this one: SELECT * FROM orchestration WHERE name = ….';
COMMENT ON CONSTRAINT orchestration__name_is_a_name ON orchestration IS
  'A name begins with a letter and has up to 100 letters, digits, spaces, dots, underscores and hyphens.';
COMMENT ON CONSTRAINT orchestration__tags_are_named ON orchestration IS 'Leave out the tags that are null or empty.';
COMMENT ON CONSTRAINT orchestration__canary_is_whole ON orchestration IS
  'Set canary_version_id and canary_percent together, or both to null.';
COMMENT ON CONSTRAINT orchestration__canary_percent ON orchestration IS 'Take 0 to 100 percent of the starts.';
COMMENT ON CONSTRAINT orchestration__canary_is_beside_the_active ON orchestration IS
  'A canary stands beside an active version, and is another one.';
COMMENT ON CONSTRAINT orchestration__canary_version_id ON orchestration IS
  'Take the id of one of its published versions, from orchestration_version, or null for none.';
COMMENT ON CONSTRAINT orchestration__active_version_id ON orchestration IS
  'Take the id of one of its published versions, from orchestration_version, or null for none.';

COMMENT ON CONSTRAINT orchestration__canary_is_whole ON orchestration IS
  'Set canary_version_id and canary_percent together, or both to null to end the canary.';
COMMENT ON CONSTRAINT orchestration__canary_percent ON orchestration IS 'Take a share of 0 to 100 percent.';
COMMENT ON CONSTRAINT orchestration__canary_is_beside_the_active ON orchestration IS
  'A canary is beside the active version: have one active, and take another as the canary.';
COMMENT ON CONSTRAINT orchestration__canary_version_id ON orchestration IS
  'Take the id of one of its published versions, from orchestration_version, or null for none.';

COMMENT ON CONSTRAINT orchestration_version__expires_at_is_a_date ON orchestration_version IS
  'Take an instant between the years 1970 and 9999, or null for never.';
COMMENT ON CONSTRAINT orchestration_version_orchestration_id_fkey ON orchestration_version IS
  'Make the orchestration first, or take the id of one there is, from orchestration.';
COMMENT ON CONSTRAINT orchestration_version__orchestration_number ON orchestration_version IS
  'Take the next number: SELECT max(number) + 1 FROM orchestration_version WHERE orchestration_id = ….';
COMMENT ON CONSTRAINT orchestration_version__number_counts_from_one ON orchestration_version IS
  'Take the next number: SELECT max(number) + 1 FROM orchestration_version WHERE orchestration_id = ….';
COMMENT ON CONSTRAINT orchestration_version__status ON orchestration_version IS
  'A version is draft, proposed, publishing, published, rejected or archived.';
COMMENT ON CONSTRAINT orchestration_version__document_is_an_object ON orchestration_version IS
  'The document is a JSON object; its steps are rows of orchestration_step.';
COMMENT ON CONSTRAINT orchestration_version__digest_is_a_digest ON orchestration_version IS
  'Leave the digest to the server, which writes it when it publishes.';
COMMENT ON CONSTRAINT orchestration_version__max_step_runs ON orchestration_version IS
  'Leave max_step_runs to the server, which counts it when it publishes.';
COMMENT ON CONSTRAINT orchestration_version__major_counts_from_one ON orchestration_version IS
  'Leave major to the server, which counts it when it publishes.';
COMMENT ON CONSTRAINT orchestration_version__published_is_complete ON orchestration_version IS
  'Ask a server to publish it: it writes digest, max_step_runs and published_at together.';
COMMENT ON CONSTRAINT orchestration_version__rejected_when_decided ON orchestration_version IS
  'Set status to rejected and rejected_at to now() together, and both for a proposal only.';
COMMENT ON CONSTRAINT orchestration_version__publishing_is_requested ON orchestration_version IS
  'Set the status of a draft or a proposal to publishing, and leave the columns requested_… to the database.';
COMMENT ON CONSTRAINT orchestration_version__problems_are_a_list ON orchestration_version IS
  'Leave problems to the server, which lists there what keeps the version from being published.';
COMMENT ON CONSTRAINT orchestration_version__effects_are_a_list ON orchestration_version IS
  'Leave effects to the server, which lists them when it publishes.';
COMMENT ON CONSTRAINT orchestration_version__closure_is_an_object ON orchestration_version IS
  'Leave closure to the server, which writes it when it publishes.';
COMMENT ON CONSTRAINT execution_version_id_fkey ON execution IS
  'It was executed, and history is kept: switch the orchestration off instead, UPDATE orchestration SET is_active = false.';

COMMENT ON CONSTRAINT orchestration_step_version_id_fkey ON orchestration_step IS
  'Take the id of a draft, from orchestration_version.';
COMMENT ON CONSTRAINT orchestration_step_role_id_fkey ON orchestration_step IS
  'A step takes the id of a role there is, and a role that steps use stays: switch it off instead, is_active = false.';
COMMENT ON CONSTRAINT orchestration_step__version_name ON orchestration_step IS
  'Names are unique within a version, those of steps in steps included; two can be swapped in one transaction.';
COMMENT ON CONSTRAINT orchestration_step__parent_of_same_version ON orchestration_step IS
  'The parent is a step of the same version that is there when the transaction ends.';
COMMENT ON CONSTRAINT orchestration_step__not_its_own_parent ON orchestration_step IS
  'Take another step of the version as its parent, or null and the slot main.';
COMMENT ON CONSTRAINT orchestration_step__slot ON orchestration_step IS
  'A slot is main, onFailure or finally; in a step it is body, else, compensate, case:<name> or catch:<number>.';
COMMENT ON CONSTRAINT orchestration_step__slot_fits_parent ON orchestration_step IS
  'Without a parent the slot is main, onFailure or finally, and with one it is none of these: set both together.';
COMMENT ON CONSTRAINT orchestration_step__name_is_free ON orchestration_step IS
  'Take another name: templates give this one a meaning of its own.';
COMMENT ON CONSTRAINT orchestration_step__order ON orchestration_step IS 'Count from 0.';
COMMENT ON CONSTRAINT orchestration_version__expires_at_is_a_date ON orchestration_version IS
  'Take a date from 1970 to 9999, or null for never.';
COMMENT ON CONSTRAINT role__times_are_dates ON role IS
  'Take dates from the years 1 to 9999, and not infinity.';
COMMENT ON CONSTRAINT role__texts_have_a_length ON role IS
  'Take up to 100,000 characters, and of names of people up to 2,000.';
COMMENT ON CONSTRAINT role__model_is_readable ON role IS
  'Nest it up to 64 levels, with numbers up to 1.7e308, and write it with up to 1 MiB.';
COMMENT ON CONSTRAINT role__parameters_are_readable ON role IS
  'Nest it up to 64 levels, with numbers up to 1.7e308, and write it with up to 1 MiB.';
COMMENT ON CONSTRAINT role__output_schema_is_readable ON role IS
  'Nest it up to 64 levels, with numbers up to 1.7e308, and write it with up to 1 MiB.';
COMMENT ON CONSTRAINT role_version__times_are_dates ON role_version IS
  'Take dates from the years 1 to 9999, and not infinity.';
COMMENT ON CONSTRAINT role_version__texts_have_a_length ON role_version IS
  'Take up to 100,000 characters, and of names of people up to 2,000.';
COMMENT ON CONSTRAINT role_version__content_is_readable ON role_version IS
  'Nest it up to 64 levels, with numbers up to 1.7e308, and write it with up to 1 MiB.';
COMMENT ON CONSTRAINT orchestration__times_are_dates ON orchestration IS
  'Take dates from the years 1 to 9999, and not infinity.';
COMMENT ON CONSTRAINT orchestration__texts_have_a_length ON orchestration IS
  'Take up to 100,000 characters, and of names of people up to 2,000.';
COMMENT ON CONSTRAINT orchestration_version__times_are_dates ON orchestration_version IS
  'Take dates from the years 1 to 9999, and not infinity.';
COMMENT ON CONSTRAINT orchestration_version__texts_have_a_length ON orchestration_version IS
  'Take up to 100,000 characters, and of names of people up to 2,000.';
COMMENT ON CONSTRAINT orchestration_version__document_is_readable ON orchestration_version IS
  'Nest it up to 64 levels, with numbers up to 1.7e308, and write it with up to 1 MiB.';
COMMENT ON CONSTRAINT orchestration_version__findings_are_readable ON orchestration_version IS
  'Nest it up to 64 levels, with numbers up to 1.7e308, and write it with up to 1 MiB.';
COMMENT ON CONSTRAINT orchestration_step__condition_is_readable ON orchestration_step IS
  'Nest it up to 64 levels, with numbers up to 1.7e308, and write it with up to 1 MiB.';
COMMENT ON CONSTRAINT orchestration_step__config_is_readable ON orchestration_step IS
  'Nest it up to 64 levels, with numbers up to 1.7e308, and write it with up to 1 MiB.';
COMMENT ON CONSTRAINT orchestration_step__mappings_are_readable ON orchestration_step IS
  'Nest it up to 64 levels, with numbers up to 1.7e308, and write it with up to 1 MiB.';
COMMENT ON CONSTRAINT orchestration_step__mappings_are_objects ON orchestration_step IS
  'A mapping is an object, {"name": "<<context.Step>>"}, or null for none.';
COMMENT ON CONSTRAINT orchestration_step__name_is_a_name ON orchestration_step IS
  'Begin with a letter; then letters, digits, spaces, _ . and -, up to 100 characters.';
COMMENT ON CONSTRAINT orchestration_step__role_name_is_a_name ON orchestration_step IS
  'Begin with a letter; then letters, digits, spaces, _ . and -, up to 100 characters.';
COMMENT ON CONSTRAINT orchestration_step__group_is_a_name ON orchestration_step IS
  'Begin with a letter; then letters, digits, spaces, _ . and -, up to 100 characters.';
COMMENT ON CONSTRAINT orchestration_step__loop_is_bounded ON orchestration_step IS
  'Set maxIterations in config to a whole number from 1 to 1000.';
COMMENT ON CONSTRAINT orchestration_step__map_is_bounded ON orchestration_step IS
  'Set in config maxItems from 1 to 10000, and maxConcurrency from 1 to 100 if at all.';
COMMENT ON CONSTRAINT orchestration_step__kind ON orchestration_step IS
  'A kind is agent, llm, tool, code, transform, wait, approval, webhook, orchestration, branch, loop, map, group, fail or '
  'stop.';
COMMENT ON CONSTRAINT orchestration_step__config_is_an_object ON orchestration_step IS
  'What a kind asks for is a JSON object such as {"tool": "files.read"}; {} where it asks for nothing.';
COMMENT ON CONSTRAINT orchestration_step__max_retries ON orchestration_step IS 'Retry 0 to 19 times.';
COMMENT ON CONSTRAINT orchestration_step__retry_delay_ms ON orchestration_step IS
  'Wait for 0 to 86,400,000 ms, which is a day.';
COMMENT ON CONSTRAINT orchestration_step__timeout_ms ON orchestration_step IS
  'Allow 1 to 86,400,000 ms, which is a day, or null for what the kind has.';

-- A statement of a trigger that refuses a row for which a condition holds, in the name of a constraint.
CREATE FUNCTION hint_refusal(condition text, message text, code text, broken pg_constraint) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT format('IF %s THEN RAISE EXCEPTION %L USING ERRCODE = %L, TABLE = %L, CONSTRAINT = %L, HINT = %L; END IF; ',
    condition, replace(message, '%', '%%'), code, broken.conrelid::regclass, broken.conname,
    coalesce(obj_description(broken.oid, 'pg_constraint'), 'What holds is ' || pg_get_constraintdef(broken.oid) || '.'))
$$;

-- The columns of a key, each after a prefix such as NEW.
CREATE FUNCTION hint_columns(relation oid, key smallint[], prefix text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT string_agg(prefix || quote_ident(attname), ', ' ORDER BY place)
  FROM unnest(key) WITH ORDINALITY AS part (number, place) JOIN pg_attribute ON attrelid = relation AND attnum = number
$$;

CREATE FUNCTION hint_nulls(relation regclass) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT string_agg(format(
    'IF NEW.%1$I IS NULL THEN RAISE EXCEPTION %2$L USING ERRCODE = ''23502'', TABLE = %3$L, COLUMN = %1$L, HINT = %4$L; END IF; ',
    attname, format('%s of %s cannot be null', attname, relation), relation,
    CASE WHEN atthasdef THEN 'Give it a value, or leave it out for its default.' ELSE 'Give it a value.' END), '' ORDER BY attnum)
  FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND attnotnull AND NOT attisdropped
$$;

CREATE FUNCTION hint_checks(relation regclass) RETURNS text LANGUAGE sql STABLE AS $$
  -- Which of them it is that does not hold is only asked when one does not.
  SELECT format('IF (SELECT NOT (%s) FROM (SELECT NEW.*) AS changed) THEN %s END IF; ',
    string_agg('(' || pg_get_expr(conbin, conrelid) || ')', ' AND ' ORDER BY conname),
    string_agg(hint_refusal(
      format('(SELECT NOT (%s) FROM (SELECT NEW.*) AS changed)', pg_get_expr(conbin, conrelid)),
      format('this row of %s breaks the rule %s', relation, conname), '23514', held), '' ORDER BY conname))
  FROM pg_constraint AS held WHERE conrelid = relation AND contype = 'c'
$$;

-- A key that is held at the end of a transaction is looked at as it is then, of the row `present`.
CREATE FUNCTION hint_keys(relation regclass, is_deferred boolean) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT string_agg(CASE
    WHEN is_deferred THEN refusal
    ELSE format('IF (%s) IS DISTINCT FROM (%s) THEN %s END IF; ',
      hint_columns(relation, conkey, 'NEW.'), hint_columns(relation, conkey, 'OLD.'), refusal) END, '' ORDER BY contype DESC, conname)
  FROM (
    SELECT contype, conname, conkey, CASE contype WHEN 'u' THEN
      -- Whoever takes the same key at this moment has this one wait, which then sees it taken.
      format('PERFORM pg_advisory_xact_lock(hashtextextended(concat_ws('' '', %L, %s), 0)); ', conname, given)
      || hint_refusal(
        format('EXISTS (SELECT FROM %s WHERE (%s) = (%s) AND id <> %s.id)', relation, own, given, row_name),
        format('another row of %s has this %s', relation, own), '23505', held)
    ELSE
      hint_refusal(
        format('(%1$s) IS NOT NULL AND NOT EXISTS (SELECT FROM %2$s WHERE (%3$s) = (%1$s))',
          given, confrelid::regclass, hint_columns(confrelid, confkey, '')),
        format('%s of %s is of no row of %s', own, relation, confrelid::regclass), '23503', held)
    END AS refusal
    FROM pg_constraint AS held, (SELECT CASE WHEN is_deferred THEN 'present' ELSE 'NEW' END AS row_name) AS this,
      LATERAL (SELECT hint_columns(relation, conkey, '') AS own, hint_columns(relation, conkey, row_name || '.') AS given) AS key
    WHERE conrelid = relation AND contype IN ('u', 'f') AND condeferrable = is_deferred
  ) AS keys
$$;

CREATE FUNCTION hint_uses(relation regclass) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT string_agg(hint_refusal(
    format('EXISTS (SELECT FROM %s WHERE (%s) = (%s))',
      conrelid::regclass, hint_columns(conrelid, conkey, ''), hint_columns(confrelid, confkey, 'OLD.')),
    format('this row of %s is used by %s', relation, conrelid::regclass), '23503', held), '' ORDER BY conname)
  FROM pg_constraint AS held WHERE confrelid = relation AND contype = 'f' AND confdeltype IN ('a', 'r')
$$;

-- Give a table the triggers. Their names make them come last before the row is written, and at the end of a transaction
-- before Postgres's own.
CREATE FUNCTION hint_triggers(relation regclass, with_keys boolean DEFAULT true) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  keys_at_end CONSTANT text := hint_keys(relation, true);
  uses        CONSTANT text := hint_uses(relation);
BEGIN
  EXECUTE format($sql$
    CREATE FUNCTION %2$I() RETURNS trigger LANGUAGE plpgsql AS %3$L;
    CREATE TRIGGER %2$I BEFORE INSERT OR UPDATE ON %1$s FOR EACH ROW EXECUTE FUNCTION %2$I();
  $sql$, relation, relation || '__with_hints',
    'BEGIN ' || concat(hint_nulls(relation), hint_checks(relation),
      CASE WHEN with_keys THEN hint_keys(relation, false) END) || 'RETURN NEW; END');
  IF keys_at_end IS NOT NULL THEN
    EXECUTE format($sql$
      CREATE FUNCTION %2$I() RETURNS trigger LANGUAGE plpgsql AS %3$L;
      CREATE CONSTRAINT TRIGGER %4$I AFTER INSERT OR UPDATE ON %1$s DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION %2$I();
    $sql$, relation, relation || '__with_hints_at_end',
      format('DECLARE present %1$s; BEGIN SELECT * INTO present FROM %1$s WHERE id = NEW.id; %2$s RETURN NULL; END',
        relation, keys_at_end), 'A__' || relation || '__with_hints');
  END IF;
  IF uses IS NOT NULL THEN
    EXECUTE format($sql$
      CREATE FUNCTION %2$I() RETURNS trigger LANGUAGE plpgsql AS %3$L;
      CREATE TRIGGER %2$I BEFORE DELETE ON %1$s FOR EACH ROW EXECUTE FUNCTION %2$I();
    $sql$, relation, relation || '__with_hints_on_use', format('BEGIN %s RETURN OLD; END', uses));
  END IF;
END $$;

SELECT hint_triggers(edited)
FROM unnest('{role, orchestration, orchestration_version, orchestration_step}'::regclass[]) AS edited;
-- A key takes a lock until the end of the transaction, and each edit of many roles writes versions as well.
SELECT hint_triggers('role_version', with_keys => false);


-- Database roles ------------------------------------------------------------------------------------------------------
--
-- Groups that people's and deployments' own users are put into (GRANT rolecall_admin TO anna); none of them can log in.
-- They are of the cluster, so another database's Rolecall may have made them already. Where the migration may not, all
-- goes on without them: everything is then of the user that migrates, and database_roles_missing says what is to be run.
--
--   rolecall_owner     has the tables; whoever migrates is in it
--   rolecall_app       serves and works
--   rolecall_agent     what a server does for an agent: no tokens, no sessions, none of the engine's own writing
--   rolecall_admin     people with psql: edit roles and orchestrations, steer executions, read all but hashes of secrets
--   rolecall_readonly  reads all but hashes of secrets

-- Admins are granted what these refuse: a refusal of the privilege alone would not say what to do instead.
CREATE TRIGGER execution__is_run_by_workers BEFORE INSERT OR UPDATE OR DELETE ON execution
  FOR EACH STATEMENT WHEN (is_by_hand()) EXECUTE FUNCTION refuse('execution__is_run_by_workers',
    'executions are started and run by servers', 'To steer one, put a message of kind cancel, pause or resume into its inbox.');
CREATE TRIGGER journal__is_written_by_workers BEFORE INSERT OR UPDATE OR DELETE ON journal
  FOR EACH STATEMENT WHEN (is_by_hand()) EXECUTE FUNCTION refuse('journal__is_written_by_workers',
    'the journal is what happened, written by who did it', 'Read it as journal_event; put a message into an inbox.');
CREATE TRIGGER inbox__is_read_by_workers BEFORE DELETE ON inbox
  FOR EACH STATEMENT WHEN (is_by_hand()) EXECUTE FUNCTION refuse('inbox__is_read_by_workers',
    'messages go when they are read', 'Put in another message: resume goes on with what was paused.');
CREATE TRIGGER worker__is_kept_by_workers BEFORE INSERT OR UPDATE OR DELETE ON worker
  FOR EACH STATEMENT WHEN (is_by_hand()) EXECUTE FUNCTION refuse('worker__is_kept_by_workers',
    'each worker keeps its own row', 'End the process: others take its executions back once its lease has lapsed.');

-- What a server finds out about a version when it publishes it is for nobody else to say, also not before.
CREATE FUNCTION orchestration_version_finding_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.digest, NEW.max_step_runs, NEW.published_at, NEW.major, NEW.effects, NEW.closure) IS DISTINCT FROM (
    OLD.digest, OLD.max_step_runs, OLD.published_at, coalesce(OLD.major, 1), coalesce(OLD.effects, '[]'),
    coalesce(OLD.closure, '{}'))
  THEN
    RAISE EXCEPTION 'what was found out about version % of orchestration % is not written by hand', NEW.number,
      NEW.orchestration_id
      USING ERRCODE = '42501', TABLE = 'orchestration_version',
        CONSTRAINT = 'orchestration_version__is_written_by_a_server',
        HINT = 'Leave digest, max_step_runs, major, published_at, effects and closure alone; set status to publishing.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER orchestration_version__is_written_by_a_server BEFORE INSERT OR UPDATE ON orchestration_version
  FOR EACH ROW WHEN (is_by_hand()) EXECUTE FUNCTION orchestration_version_finding_guard();

-- What is done because of an edit is done with the owner's rights: whoever may make the edit needs none for that.
ALTER FUNCTION role_keep_version SECURITY DEFINER;
ALTER FUNCTION role_version_publish SECURITY DEFINER;
ALTER FUNCTION inbox_wake SECURITY DEFINER;
ALTER FUNCTION journal_add_partition SECURITY DEFINER;

-- The statements that are still to be run by somebody who may: a superuser, or who has CREATEROLE and made the roles.
CREATE FUNCTION database_roles_missing() RETURNS SETOF text LANGUAGE sql STABLE AS $$
  SELECT format('CREATE ROLE %I NOLOGIN', name) FROM unnest(
    '{rolecall_owner, rolecall_app, rolecall_agent, rolecall_admin, rolecall_readonly}'::text[]) AS name
  WHERE to_regrole(name) IS NULL
  UNION ALL
  SELECT format('GRANT %I TO %I', granted, member) FROM (VALUES
    ('rolecall_agent', 'rolecall_app'), ('rolecall_agent', 'rolecall_owner'), ('rolecall_owner', current_user::text)
  ) AS wanted (granted, member)
  WHERE coalesce(NOT pg_has_role(to_regrole(quote_ident(member)), to_regrole(granted), 'USAGE'), true)
  UNION ALL
  -- Often everybody may use the schema; where not, these have to.
  SELECT format('GRANT %s ON SCHEMA public TO %I', privilege, name) FROM (VALUES
    ('CREATE', 'rolecall_owner'), ('USAGE', 'rolecall_owner'), ('USAGE', 'rolecall_app'), ('USAGE', 'rolecall_agent'),
    ('USAGE', 'rolecall_admin'), ('USAGE', 'rolecall_readonly')
  ) AS wanted (privilege, name)
  WHERE NOT coalesce(has_schema_privilege(to_regrole(name), 'public', privilege),
    has_schema_privilege('public', 'public', privilege))
$$;
COMMENT ON FUNCTION database_roles_missing IS 'The statements that a database administrator has to run for the roles to work.';

CREATE FUNCTION database_roles_create() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  statement text;
BEGIN
  FOR statement IN SELECT database_roles_missing() LOOP
    BEGIN
      EXECUTE statement;
    EXCEPTION
      WHEN insufficient_privilege OR undefined_object THEN
        RAISE NOTICE 'a database administrator has to run: %', statement;
      WHEN duplicate_object OR unique_violation OR internal_error THEN
        NULL;  -- another database of this cluster is made at the same time
    END;
  END LOOP;
END $$;

-- What each may do. A new table or view needs its lines here, and so does a function that is not for everybody.
CREATE FUNCTION database_rights() RETURNS TABLE (grantee text, privileges text, kind text, names text[])
LANGUAGE sql IMMUTABLE AS $$
  SELECT grantee, privileges, kind, string_to_array(names, ', ') FROM (VALUES
    -- For nobody: only functions of the owner's rights write there.
    ('rolecall_owner', 'SELECT', 'TABLE', 'audit_pending'),

    ('rolecall_app', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE',
      'role, role_version, orchestration, orchestration_version, orchestration_step, worker, inbox, session, '
      'idempotency_key'),
    ('rolecall_app', 'SELECT, INSERT, UPDATE', 'TABLE', 'execution, audit_anchor'),
    ('rolecall_app', 'SELECT, INSERT', 'TABLE', 'journal, signal_key'),
    ('rolecall_app', 'SELECT, INSERT, UPDATE (revoked_at, last_used_at)', 'TABLE', 'token'),
    ('rolecall_app', 'SELECT, UPDATE, DELETE', 'TABLE', 'execution_request'),
    ('rolecall_app', 'SELECT', 'TABLE', 'audit, execution_priority, journal_event, row_request, migration'),
    ('rolecall_app', 'EXECUTE', 'FUNCTION', 'execution_prune, journal_drop_partitions, journal_add_partition'),

    -- Whoever takes an expiry away is a person.
    ('rolecall_agent', 'SELECT, INSERT, DELETE', 'TABLE', 'role, role_version, orchestration, orchestration_version, orchestration_step'),
    ('rolecall_agent', 'UPDATE (name, description, base_prompt, tools, needs_tools, model, parameters, output_schema, '
      'is_active)', 'TABLE', 'role'),
    ('rolecall_agent', 'UPDATE (name, description, tags, is_active, active_version_id, canary_version_id, canary_percent)',
      'TABLE', 'orchestration'),
    ('rolecall_agent', 'UPDATE (status, content, message, decided_by, published_at, rejected_at, rejection, problems)',
      'TABLE', 'role_version'),
    ('rolecall_agent', 'UPDATE (status, document, message, digest, max_step_runs, major, decided_by, published_at, '
      'rejected_at, rejection, problems, effects, closure)', 'TABLE', 'orchestration_version'),
    ('rolecall_agent', 'UPDATE (role_id)', 'TABLE', 'orchestration_step'),
    -- To lock a row takes the right to update something of it: the id never changes.
    ('rolecall_agent', 'SELECT, INSERT, UPDATE (id)', 'TABLE', 'execution'),
    ('rolecall_agent', 'SELECT, INSERT', 'TABLE', 'journal, inbox, signal_key, idempotency_key'),

    ('rolecall_admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE',
      'role, orchestration, orchestration_version, orchestration_step'),
    -- Most of this is refused by triggers, which say what to do instead.
    ('rolecall_admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE',
      'execution, journal, inbox, worker, role_version, signal_key, audit'),
    ('rolecall_admin', 'TRUNCATE', 'TABLE',
      'role_version, orchestration_version, orchestration_step, execution, journal, inbox, signal_key, audit'),
    ('rolecall_admin', 'SELECT, INSERT, DELETE', 'TABLE', 'execution_request'),
    ('rolecall_admin', 'SELECT', 'TABLE',
      'journal_event, execution_priority, row_request, idempotency_key, audit_anchor, migration'),
    ('rolecall_admin', 'SELECT (id, prefix, name, kind, scopes, created_at, expires_at, revoked_at, last_used_at)',
      'TABLE', 'token'),
    ('rolecall_admin', 'SELECT (id, token_id, name, scopes, created_at, last_used_at, expires_at, revoked_at)',
      'TABLE', 'session'),

    ('rolecall_readonly', 'SELECT', 'TABLE', 'role, role_version, orchestration, orchestration_version, '
      'orchestration_step, execution, journal, inbox, worker, signal_key, audit, journal_event, execution_priority, '
      'row_request, execution_request, idempotency_key, audit_anchor, migration'),
    ('rolecall_readonly', 'SELECT (id, prefix, name, kind, scopes, created_at, expires_at, revoked_at, last_used_at)',
      'TABLE', 'token'),
    ('rolecall_readonly', 'SELECT (id, token_id, name, scopes, created_at, last_used_at, expires_at, revoked_at)',
      'TABLE', 'session')
  ) AS list (grantee, privileges, kind, names)
  UNION ALL
  SELECT grantee, 'SELECT', 'TABLE', '{workflow_overview, version_history, role_usage, execution_overview, waiting_for,
    step_log, failure_overview, cost_by_role}'::text[]
  FROM unnest('{rolecall_admin, rolecall_readonly}'::text[]) AS grantee
$$;
COMMENT ON FUNCTION database_rights IS 'What each database role may do with which tables and functions.';

-- Make the tables and functions those of rolecall_owner, when whoever asks is in it.
CREATE FUNCTION database_roles_own() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  ours      CONSTANT regclass[] := ARRAY(SELECT DISTINCT to_regclass(unnest(names)) FROM database_rights() WHERE kind = 'TABLE');
  statement text;
BEGIN
  IF NOT coalesce(pg_has_role(to_regrole('rolecall_owner'), 'USAGE')
    AND has_schema_privilege(to_regrole('rolecall_owner'), 'public', 'CREATE'), false)
  THEN
    RETURN;
  END IF;
  FOR statement IN
    SELECT 'ALTER SCHEMA rolecall OWNER TO rolecall_owner' FROM pg_namespace
    WHERE nspname = 'rolecall' AND nspowner = current_user::regrole
    UNION ALL
    SELECT format('ALTER TABLE %s OWNER TO rolecall_owner', oid::regclass) FROM pg_class
    WHERE relowner = current_user::regrole
      AND (oid = ANY (ours) OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = ANY (ours)))
    UNION ALL
    SELECT format('ALTER FUNCTION %s OWNER TO rolecall_owner', oid::regprocedure) FROM pg_proc
    WHERE pronamespace = to_regnamespace('rolecall') AND proowner = current_user::regrole
      OR pronamespace = 'public'::regnamespace AND proowner = current_user::regrole AND (
      proname IN (SELECT unnest(names) FROM database_rights() WHERE kind = 'FUNCTION')
      OR oid IN (SELECT tgfoid FROM pg_trigger WHERE tgrelid = ANY (ours)))
  LOOP
    EXECUTE statement;
  END LOOP;
END $$;

CREATE FUNCTION database_roles_grant() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT format('GRANT %s ON %s %s TO %I', privileges, kind, array_to_string(names, ', '), grantee)
    FROM database_rights() WHERE to_regrole(grantee) IS NOT NULL
    UNION ALL
    SELECT format('GRANT USAGE ON SCHEMA rolecall TO %I', grantee)
    FROM unnest('{rolecall_admin, rolecall_readonly}'::text[]) AS grantee WHERE to_regrole(grantee) IS NOT NULL
    UNION ALL
    -- People with psql may call all of them; those who only read, what changes nothing.
    SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', oid::regprocedure, grantee)
    FROM pg_proc, unnest('{rolecall_admin, rolecall_readonly}'::text[]) AS grantee
    WHERE pronamespace = 'rolecall'::regnamespace AND to_regrole(grantee) IS NOT NULL
      AND (grantee = 'rolecall_admin' OR provolatile <> 'v')
  LOOP
    EXECUTE statement;
  END LOOP;
END $$;

CREATE FUNCTION database_roles_establish() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM database_roles_create();
  PERFORM database_roles_own();
  PERFORM database_roles_grant();
  RETURN QUERY SELECT database_roles_missing();
END $$;
COMMENT ON FUNCTION database_roles_establish IS
  'Make the database roles and give them their rights, as far as that is permitted; returns what has still to be run.';

-- A trigger looks at these tables and no others, whatever stands first in the search_path of who fires it; and nobody
-- has the owner's rights but those who were granted them.
DO $$
DECLARE
  guard regprocedure;
BEGIN
  FOR guard IN
    SELECT oid FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND (prosecdef OR prorettype = 'trigger'::regtype)
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = public, pg_temp', guard);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', guard);
  END LOOP;
END $$;
