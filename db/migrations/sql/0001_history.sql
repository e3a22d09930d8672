-- What happened in executions, what is said to them, and how long that is kept.


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
