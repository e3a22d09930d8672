-- Roles: who a model plays, and what each was at each of its versions.

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
