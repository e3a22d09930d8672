-- The audit: who changed what, and what keeps anybody from changing that.

-- To have the changes of another table kept, give it the constraint trigger that stands at the end of this file, with
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
  'Every change of a definition, a role, a budget, a model, a secret, a token or a session, whoever made it and however. '
  'Append-only, and chained by hash: rolecall audit verify finds what was tampered with.';
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
CREATE CONSTRAINT TRIGGER secret__is_audited AFTER INSERT OR UPDATE OR DELETE ON secret
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('value');
CREATE CONSTRAINT TRIGGER provider__is_audited AFTER INSERT OR UPDATE OR DELETE ON provider
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change();
CREATE CONSTRAINT TRIGGER model__is_audited AFTER INSERT OR UPDATE OR DELETE ON model
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change();
CREATE CONSTRAINT TRIGGER model_price__is_audited AFTER INSERT OR UPDATE OR DELETE ON model_price
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change();
CREATE CONSTRAINT TRIGGER default_model__is_audited AFTER INSERT OR UPDATE OR DELETE ON default_model
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change();

CREATE CONSTRAINT TRIGGER mcp_source__is_audited AFTER INSERT OR UPDATE OR DELETE ON mcp_source
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('listed_at', 'problem');
CREATE CONSTRAINT TRIGGER mcp_tool__is_audited AFTER INSERT OR UPDATE OR DELETE ON mcp_tool
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change();
CREATE CONSTRAINT TRIGGER budget__is_audited AFTER INSERT OR UPDATE OR DELETE ON budget
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change();

CREATE TRIGGER token__no_truncate BEFORE TRUNCATE ON token EXECUTE FUNCTION
  refuse('audit__changes_are_by_row', 'the audit keeps each row that goes', 'Delete the rows.');
CREATE TRIGGER session__no_truncate BEFORE TRUNCATE ON session EXECUTE FUNCTION
  refuse('audit__changes_are_by_row', 'the audit keeps each row that goes', 'Delete the rows.');
CREATE TRIGGER budget__no_truncate BEFORE TRUNCATE ON budget EXECUTE FUNCTION
  refuse('audit__changes_are_by_row', 'the audit keeps each row that goes', 'Delete the rows.');
CREATE TRIGGER secret__no_truncate BEFORE TRUNCATE ON secret EXECUTE FUNCTION
  refuse('audit__changes_are_by_row', 'the audit keeps each row that goes', 'Delete the rows.');
CREATE TRIGGER provider__no_truncate BEFORE TRUNCATE ON provider EXECUTE FUNCTION
  refuse('audit__changes_are_by_row', 'the audit keeps each row that goes', 'Delete the rows.');
CREATE TRIGGER model__no_truncate BEFORE TRUNCATE ON model EXECUTE FUNCTION
  refuse('audit__changes_are_by_row', 'the audit keeps each row that goes', 'Delete the rows.');
CREATE TRIGGER default_model__no_truncate BEFORE TRUNCATE ON default_model EXECUTE FUNCTION
  refuse('audit__changes_are_by_row', 'the audit keeps each row that goes', 'Delete the rows.');

CREATE TRIGGER mcp_source__no_truncate BEFORE TRUNCATE ON mcp_source EXECUTE FUNCTION
  refuse('audit__changes_are_by_row', 'the audit keeps each row that goes', 'Delete the rows.');
CREATE TRIGGER mcp_tool__no_truncate BEFORE TRUNCATE ON mcp_tool EXECUTE FUNCTION
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
