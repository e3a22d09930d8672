-- Database roles, and what each of them may do.
--
-- Groups that people's and deployments' own users are put into (GRANT rolecall_admin TO anna); none of them can log in.
-- They are of the cluster, so another database's Rolecall may have made them already. Where the migration may not, all
-- goes on without them: everything is then of the user that migrates, and database_roles_missing says what is to be run.
--
--   rolecall_owner     has the tables; whoever migrates is in it
--   rolecall_app       serves and works
--   rolecall_agent     what a server does for an agent: no tokens, no sessions, no secrets, none of the engine's writing
--   rolecall_admin     people with psql: edit roles, orchestrations and models, steer executions, read all but secrets
--   rolecall_readonly  reads all but secrets

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

-- What a server has heard of a tool is for nobody else to say: it is what people approve.
CREATE FUNCTION mcp_tool_finding_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' OR (NEW.source_id, NEW.name, NEW.description, NEW.input_schema, NEW.annotations, NEW.digest)
    IS DISTINCT FROM (OLD.source_id, OLD.name, OLD.description, OLD.input_schema, OLD.annotations, OLD.digest)
  THEN
    RAISE EXCEPTION 'what is said of tool "%" is not written by hand', NEW.name
      USING ERRCODE = '42501', TABLE = 'mcp_tool', CONSTRAINT = 'mcp_tool__is_written_by_a_server',
        HINT = 'Change approved_digest, effect and security only. To have a source listed anew: UPDATE mcp_source SET '
          'listed_at = NULL.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER mcp_tool__is_written_by_a_server BEFORE INSERT OR UPDATE ON mcp_tool
  FOR EACH ROW WHEN (is_by_hand()) EXECUTE FUNCTION mcp_tool_finding_guard();

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
      'idempotency_key, secret, provider, model, default_model, mcp_source, mcp_tool'),
    ('rolecall_app', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE', 'budget, budget_account, budget_reservation, answer'),
    ('rolecall_app', 'SELECT, INSERT, UPDATE', 'TABLE', 'execution, audit_anchor'),
    ('rolecall_app', 'SELECT, INSERT', 'TABLE', 'journal, signal_key, model_price, step_metric, step_metric_hour'),
    ('rolecall_app', 'SELECT, INSERT, UPDATE (revoked_at, last_used_at)', 'TABLE', 'token'),
    ('rolecall_app', 'SELECT, UPDATE, DELETE', 'TABLE', 'execution_request'),
    ('rolecall_app', 'SELECT', 'TABLE', 'audit, execution_priority, journal_event, row_request, budget_overview, migration'),
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
    ('rolecall_agent', 'SELECT', 'TABLE', 'mcp_source, mcp_tool'),

    ('rolecall_admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE',
      'role, orchestration, orchestration_version, orchestration_step, provider, model, default_model, mcp_source, '
      'mcp_tool, budget'),
    -- Whoever may not read a secret may not say either where it is sent.
    ('rolecall_admin', 'SELECT (id, name, description, hosts, key_id, created_by, created_at, updated_at), INSERT, '
      'UPDATE (name, description, value), DELETE', 'TABLE', 'secret'),
    -- Most of this is refused by triggers, which say what to do instead.
    ('rolecall_admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE',
      'execution, journal, inbox, worker, role_version, signal_key, audit, model_price'),
    ('rolecall_admin', 'TRUNCATE', 'TABLE',
      'role_version, orchestration_version, orchestration_step, execution, journal, inbox, signal_key, audit, model_price'),
    ('rolecall_admin', 'SELECT, INSERT, DELETE', 'TABLE', 'execution_request'),
    ('rolecall_admin', 'SELECT, DELETE', 'TABLE', 'answer'),
    ('rolecall_admin', 'SELECT', 'TABLE', 'step_metric, step_metric_hour'),
    ('rolecall_admin', 'SELECT', 'TABLE',
      'journal_event, execution_priority, row_request, idempotency_key, audit_anchor, budget_account, '
      'budget_reservation, budget_overview, migration'),
    ('rolecall_admin', 'SELECT (id, prefix, name, kind, scopes, created_at, expires_at, revoked_at, last_used_at)',
      'TABLE', 'token'),
    ('rolecall_admin', 'SELECT (id, token_id, name, scopes, created_at, last_used_at, expires_at, revoked_at)',
      'TABLE', 'session'),

    ('rolecall_readonly', 'SELECT', 'TABLE', 'role, role_version, orchestration, orchestration_version, '
      'orchestration_step, execution, journal, inbox, worker, signal_key, audit, journal_event, execution_priority, '
      'row_request, execution_request, idempotency_key, audit_anchor, migration, provider, model, model_price, '
      'default_model, mcp_source, mcp_tool'),
    ('rolecall_readonly', 'SELECT (id, name, description, hosts, key_id, created_by, created_at, updated_at)',
      'TABLE', 'secret'),
    ('rolecall_readonly', 'SELECT', 'TABLE', 'budget, budget_account, budget_reservation, budget_overview, '
      'answer, step_metric, step_metric_hour'),
    ('rolecall_readonly', 'SELECT (id, prefix, name, kind, scopes, created_at, expires_at, revoked_at, last_used_at)',
      'TABLE', 'token'),
    ('rolecall_readonly', 'SELECT (id, token_id, name, scopes, created_at, last_used_at, expires_at, revoked_at)',
      'TABLE', 'session')
  ) AS list (grantee, privileges, kind, names)
  UNION ALL
  SELECT grantee, 'SELECT', 'TABLE', '{workflow_overview, version_history, role_usage, execution_overview, waiting_for,
    step_log, model_call_log, failure_overview, cost_by_role}'::text[]
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
