-- Tools of others: MCP servers that tools come from, and which of their tools somebody has looked at and approved.

CREATE TABLE mcp_source (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name        varchar(40) NOT NULL CONSTRAINT mcp_source__name UNIQUE,
  description text NOT NULL DEFAULT '',
  transport   varchar NOT NULL,
  command     varchar(100),
  url         text,
  headers     jsonb NOT NULL DEFAULT '{}',
  timeout_ms  integer NOT NULL DEFAULT 30000,
  is_active   boolean NOT NULL DEFAULT true,
  listed_at   timestamptz,
  problem     text,
  created_by  text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT mcp_source__name_is_a_name CHECK (name ~ '^[a-z][a-z0-9_-]{0,39}$'),
  CONSTRAINT mcp_source__transport CHECK (transport IN ('stdio', 'http')),
  CONSTRAINT mcp_source__reached_in_one_way CHECK (
    (transport = 'stdio') = (command IS NOT NULL) AND (transport = 'http') = (url IS NOT NULL)
    AND (transport = 'http' OR headers = '{}')),
  -- What it runs stands in the servers' environment: a row names it, and says nothing of its arguments.
  CONSTRAINT mcp_source__command_is_a_name CHECK (command ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
  CONSTRAINT mcp_source__url_is_a_url CHECK (
    url ~ '^https?://[^\s/?#@\\]+(/[^\s#@\\]*)?$' AND length(url) <= 2000),
  CONSTRAINT mcp_source__headers_name_secrets CHECK (CASE jsonb_typeof(headers) WHEN 'object' THEN
    NOT jsonb_path_exists(headers, '$.keyvalue() ? (@.value.type() <> "string"
      || !(@.key like_regex "^[A-Za-z0-9-]{1,100}$") || !(@.value like_regex "^[A-Za-z][A-Za-z0-9 _.-]{0,99}$"))')
    AND octet_length(headers::text) <= 10000 ELSE false END),
  CONSTRAINT mcp_source__timeout_ms CHECK (timeout_ms BETWEEN 100 AND 600000),
  CONSTRAINT mcp_source__texts_have_a_length CHECK (
    length(description) <= 100000 AND length(problem) <= 100000 AND length(created_by) <= 2000),
  CONSTRAINT mcp_source__times_are_dates CHECK (is_date(listed_at) AND is_date(created_at))
);
COMMENT ON TABLE mcp_source IS
  'MCP servers that tools come from. A server that runs lists their tools in mcp_tool, where somebody approves them.';

CREATE TABLE mcp_tool (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  source_id       uuid NOT NULL REFERENCES mcp_source ON DELETE CASCADE,
  name            varchar(128) NOT NULL,
  description     text NOT NULL,
  input_schema    jsonb NOT NULL,
  annotations     jsonb NOT NULL DEFAULT '{}',
  digest          varchar,
  approved_digest varchar,
  approved_by     text,
  approved_at     timestamptz,
  effect          varchar NOT NULL DEFAULT 'external',
  security        varchar NOT NULL DEFAULT 'high',
  created_at      timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT mcp_tool__source_name UNIQUE (source_id, name),
  CONSTRAINT mcp_tool__name_is_a_name CHECK (name ~ '^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$'),
  CONSTRAINT mcp_tool__digests_are_digests CHECK (
    digest ~ '^sha256:[0-9a-f]{64}$' AND approved_digest ~ '^sha256:[0-9a-f]{64}$'),
  CONSTRAINT mcp_tool__effect CHECK (effect IN ('none', 'read', 'write', 'external')),
  CONSTRAINT mcp_tool__security CHECK (security IN ('low', 'medium', 'high', 'critical')),
  CONSTRAINT mcp_tool__said_is_readable CHECK (
    jsonb_typeof(input_schema) = 'object' AND is_readable(input_schema)
    AND jsonb_typeof(annotations) = 'object' AND is_readable(annotations)),
  CONSTRAINT mcp_tool__texts_have_a_length CHECK (length(description) <= 100000 AND length(approved_by) <= 2000),
  CONSTRAINT mcp_tool__times_are_dates CHECK (is_date(approved_at) AND is_date(created_at))
);
COMMENT ON TABLE mcp_tool IS
  'What MCP servers say of their tools. One is called only as long as it is what was approved: set approved_digest to '
  'digest to approve it, and to null to withdraw that.';

-- An approval is of what stands in the row, and is put down to who gives it.
CREATE FUNCTION mcp_tool_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.approved_digest IS NOT DISTINCT FROM OLD.approved_digest THEN
    NEW.approved_by := OLD.approved_by;
    NEW.approved_at := OLD.approved_at;
    RETURN NEW;
  END IF;
  IF NEW.approved_digest IS NOT NULL AND NEW.approved_digest IS DISTINCT FROM NEW.digest THEN
    RAISE EXCEPTION 'tool "%" is not what is approved', NEW.name
      USING ERRCODE = '23514', TABLE = 'mcp_tool', CONSTRAINT = 'mcp_tool__approved_as_it_is',
        HINT = 'Read what its server says of it now, and set approved_digest to digest; to withdraw, set it to null.';
  END IF;
  NEW.approved_by := CASE WHEN NEW.approved_digest IS NOT NULL
    THEN coalesce(nullif(current_setting('rolecall.actor', true), ''), session_user) END;
  NEW.approved_at := CASE WHEN NEW.approved_digest IS NOT NULL THEN clock_timestamp() END;
  RETURN NEW;
END $$;
CREATE TRIGGER mcp_tool__approval BEFORE INSERT OR UPDATE ON mcp_tool
  FOR EACH ROW EXECUTE FUNCTION mcp_tool_approval();

-- Another server may say the same of its tools and do something else: nobody has approved those.
CREATE FUNCTION mcp_source_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_WHEN = 'BEFORE' THEN
    NEW.listed_at := NULL;
    RETURN NEW;
  END IF;
  UPDATE mcp_tool SET approved_digest = NULL WHERE source_id = NEW.id AND approved_digest IS NOT NULL;
  RETURN NULL;
END $$;
CREATE TRIGGER mcp_source__is_listed_anew BEFORE UPDATE ON mcp_source
  FOR EACH ROW WHEN ((OLD.transport, OLD.command, OLD.url, OLD.headers) IS DISTINCT FROM (
    NEW.transport, NEW.command, NEW.url, NEW.headers)) EXECUTE FUNCTION mcp_source_moved();
CREATE TRIGGER mcp_source__withdraws_approvals AFTER UPDATE ON mcp_source
  FOR EACH ROW WHEN ((OLD.transport, OLD.command, OLD.url) IS DISTINCT FROM (NEW.transport, NEW.command, NEW.url))
  EXECUTE FUNCTION mcp_source_moved();

CREATE TRIGGER mcp_source__is_heard_of AFTER INSERT OR UPDATE OR DELETE ON mcp_source
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
CREATE TRIGGER mcp_tool__is_heard_of AFTER INSERT OR UPDATE OR DELETE ON mcp_tool
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
