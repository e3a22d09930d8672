-- What people do with SQL: the functions of the schema rolecall. SELECT * FROM rolecall.help() lists them.
--
-- What only reads is STABLE, and runs with the rights of who calls it. What reaches into executions, which nobody writes
-- by hand, runs with those of its owner and puts down who called: session_user, which no SET ROLE changes.

CREATE SCHEMA rolecall;
COMMENT ON SCHEMA rolecall IS
  'What one does with SQL: SELECT * FROM rolecall.help() lists it. Tables and views stand in the schema public.';


-- Names ---------------------------------------------------------------------------------------------------------------

CREATE FUNCTION likeness(a text, b text) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
  SELECT 2.0 * count(*) FILTER (WHERE texts = 2) / (count(*) + count(*) FILTER (WHERE texts = 2))
  FROM (
    SELECT pair, count(DISTINCT text) AS texts FROM (
      SELECT 1 AS text, substr(' ' || lower(a) || ' ', place, 2) AS pair FROM generate_series(1, length(a) + 1) AS place
      UNION ALL
      SELECT 2, substr(' ' || lower(b) || ' ', place, 2) FROM generate_series(1, length(b) + 1) AS place
    ) AS pairs GROUP BY pair
  ) AS counted
$$;
COMMENT ON FUNCTION likeness IS
  'How alike two texts are, from 0 to 1: the share of their pairs of neighbouring letters that stand in both.';

CREATE FUNCTION did_you_mean(wanted text, known text[]) RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = public, pg_temp AS $$
  SELECT format('Did you mean %s?', string_agg(format('"%s"', name), ' or ' ORDER BY alike DESC, name))
  FROM (
    SELECT name, likeness(left(wanted, 100), name) AS alike FROM unnest(known) AS name ORDER BY 2 DESC, 1 LIMIT 3
  ) AS nearest
  WHERE alike >= 0.4 HAVING count(*) > 0
$$;
COMMENT ON FUNCTION did_you_mean IS 'A hint with up to three names that look like the wanted one; null when none does.';

CREATE FUNCTION orchestration_named(wanted text) RETURNS orchestration LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
DECLARE
  named orchestration;
BEGIN
  SELECT * INTO named FROM orchestration WHERE orchestration.name = wanted;
  IF named.id IS NULL THEN
    RAISE EXCEPTION 'there is no orchestration %', coalesce('"' || left(wanted, 100) || '"', 'without a name')
      USING ERRCODE = 'no_data_found', HINT = coalesce(
        did_you_mean(wanted, ARRAY(SELECT name FROM orchestration)),
        'Those there are: SELECT name FROM workflow_overview.');
  END IF;
  RETURN named;
END $$;
COMMENT ON FUNCTION orchestration_named IS
  'The orchestration of that name; refuses, with the nearest names, when there is none.';

-- Without a number: the active one or, where nothing is active, the newest.
CREATE FUNCTION version_numbered(wanted text, number integer) RETURNS orchestration_version LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
DECLARE
  named    CONSTANT orchestration := orchestration_named(wanted);
  numbered orchestration_version;
BEGIN
  SELECT * INTO numbered FROM orchestration_version AS version
    WHERE orchestration_id = named.id
      AND version.number = coalesce(version_numbered.number, version.number)
      AND (version_numbered.number IS NOT NULL OR named.active_version_id IS NULL OR version.id = named.active_version_id)
    ORDER BY version.number DESC LIMIT 1;
  IF numbered.id IS NULL THEN
    RAISE EXCEPTION 'orchestration "%" has no version%', named.name, coalesce(' ' || number, '')
      USING ERRCODE = 'no_data_found', HINT = coalesce(
        (SELECT format('It has %s.',
            string_agg(format('%s (%s)', newest.number, newest.status), ', ' ORDER BY newest.number))
          FROM (
            SELECT version.number, version.status FROM orchestration_version AS version
            WHERE orchestration_id = named.id ORDER BY version.number DESC LIMIT 10
          ) AS newest),
        'Insert a draft into orchestration_version.');
  END IF;
  RETURN numbered;
END $$;
COMMENT ON FUNCTION version_numbered IS
  'The version of that number; without one the active version or, where none is active, the newest.';

CREATE FUNCTION version_with_id(wanted uuid) RETURNS orchestration_version LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
DECLARE
  known orchestration_version;
BEGIN
  SELECT * INTO known FROM orchestration_version WHERE id = wanted;
  IF known.id IS NULL THEN
    RAISE EXCEPTION 'there is no version with the id %', coalesce(wanted::text, 'null')
      USING ERRCODE = 'no_data_found', HINT = 'Ids of versions: SELECT orchestration, number, id FROM version_history.';
  END IF;
  RETURN known;
END $$;
COMMENT ON FUNCTION version_with_id IS 'The version of that id; refuses when there is none.';

CREATE FUNCTION rolecall.version(name text, number integer DEFAULT NULL) RETURNS uuid LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
  SELECT CASE
    WHEN number IS NOT NULL THEN (version_numbered(name, number)).id
    ELSE (
      SELECT id FROM orchestration_version AS version
      WHERE orchestration_id = (orchestration_named(name)).id ORDER BY version.number DESC LIMIT 1
    ) END
$$;
COMMENT ON FUNCTION rolecall.version IS
  'The id of a version, to edit its steps: WHERE version_id = rolecall.version(''name''). Without a number of the newest.';


-- To look at a version ------------------------------------------------------------------------------------------------

-- The fields that have columns of their own; the others stand in config under their names. What has its default is left
-- out: that of the language or, for steps that make attempts, what the document says in its defaults (inherited).
CREATE FUNCTION step_alone(step orchestration_step, inherited jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
DECLARE
  usual   CONSTANT jsonb := '{"maxRetries": 0, "retryDelay": 1000, "timeout": null, "retry": {}}' || CASE
    WHEN step.kind IN ('agent', 'llm', 'tool', 'code', 'webhook', 'orchestration') THEN inherited ELSE '{}' END;
  said    CONSTANT jsonb := jsonb_build_object(
    'maxRetries', step.max_retries, 'retryDelay', step.retry_delay_ms, 'timeout', step.timeout_ms,
    'retry', coalesce(step.config -> 'retry', '{}'));
  unusual CONSTANT jsonb := coalesce(
    (SELECT jsonb_object_agg(key, value) FROM jsonb_each(said) WHERE value <> usual -> key), '{}');
BEGIN
  RETURN jsonb_build_object('name', step.name, 'kind', step.kind, 'order', step."order")
    || jsonb_strip_nulls(jsonb_build_object('parallelGroup', step.parallel_group, 'roleName', step.role_name))
    || CASE WHEN step.condition IS NULL THEN '{}' ELSE jsonb_build_object('condition', step.condition) END
    || CASE WHEN step.input_mapping IS NULL THEN '{}' ELSE jsonb_build_object('inputMapping', step.input_mapping) END
    || CASE WHEN step.output_mapping IS NULL THEN '{}' ELSE jsonb_build_object('outputMapping', step.output_mapping) END
    || (step.config - 'retry') || unusual;
END $$;
COMMENT ON FUNCTION step_alone IS
  'A step as the language writes it, without the steps that it holds and without defaults.';

CREATE FUNCTION step_definition(step orchestration_step, inherited jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
DECLARE
  written jsonb := step_alone(step, inherited);
  slots   CONSTANT text[] := ARRAY(
    SELECT DISTINCT slot FROM orchestration_step WHERE version_id = step.version_id AND parent_id = step.id);
BEGIN
  IF 'body' = ANY (slots) THEN
    written := written || jsonb_build_object('steps', steps_in(step.version_id, step.id, 'body', inherited));
  END IF;
  IF 'else' = ANY (slots) THEN
    written := written || jsonb_build_object('else', steps_in(step.version_id, step.id, 'else', inherited));
  END IF;
  IF 'compensate' = ANY (slots) THEN
    written := written || jsonb_build_object('compensate', steps_in(step.version_id, step.id, 'compensate', inherited));
  END IF;
  IF jsonb_typeof(written -> 'cases') = 'array' THEN
    written := written || jsonb_build_object('cases', (
      SELECT coalesce(jsonb_agg(
        CASE WHEN jsonb_typeof(option) = 'object' AND 'case:' || (option ->> 'name') = ANY (slots)
          THEN option || jsonb_build_object(
            'steps', steps_in(step.version_id, step.id, 'case:' || (option ->> 'name'), inherited))
          ELSE option END ORDER BY place), '[]')
      FROM jsonb_array_elements(written -> 'cases') WITH ORDINALITY AS each (option, place)));
  END IF;
  IF jsonb_typeof(written #> '{onError,catch}') = 'array' THEN
    written := jsonb_set(written, '{onError,catch}', (
      SELECT coalesce(jsonb_agg(
        CASE WHEN jsonb_typeof(handler) = 'object' AND 'catch:' || place - 1 = ANY (slots)
          THEN handler || jsonb_build_object(
            'steps', steps_in(step.version_id, step.id, 'catch:' || place - 1, inherited))
          ELSE handler END ORDER BY place), '[]')
      FROM jsonb_array_elements(written #> '{onError,catch}') WITH ORDINALITY AS each (handler, place)));
  END IF;
  RETURN written;
END $$;
COMMENT ON FUNCTION step_definition IS 'A step as the language writes it, with the steps that it holds.';

CREATE FUNCTION steps_in(version uuid, parent uuid, slot text, inherited jsonb) RETURNS jsonb LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
  SELECT coalesce(
    jsonb_agg(step_definition(step, inherited) ORDER BY step."order", step.name COLLATE "C"), '[]')
  FROM orchestration_step AS step
  WHERE step.version_id = version AND step.parent_id IS NOT DISTINCT FROM parent AND step.slot = steps_in.slot
$$;
COMMENT ON FUNCTION steps_in IS
  'The steps in a slot of a step, or of the version where no step is given, in their sequence.';

CREATE FUNCTION rolecall.definition(version uuid) RETURNS jsonb LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
DECLARE
  shown      CONSTANT orchestration_version := version_with_id(definition.version);
  defaults   CONSTANT jsonb := coalesce(
    (SELECT jsonb_object_agg(key, value) FROM jsonb_each(
      CASE jsonb_typeof(shown.document -> 'defaults') WHEN 'object' THEN shown.document -> 'defaults' ELSE '{}' END)
      WHERE value <> 'null'), '{}');
  on_failure CONSTANT jsonb := steps_in(shown.id, NULL, 'onFailure', defaults);
  -- What happens at the end is done soon, unless the document says how soon.
  finally    CONSTANT jsonb := steps_in(shown.id, NULL, 'finally', '{"timeout": 60000}' || defaults);
BEGIN
  RETURN '{"rolecall": 1}' || shown.document
    || jsonb_build_object('steps', steps_in(shown.id, NULL, 'main', defaults))
    || CASE on_failure WHEN '[]' THEN '{}' ELSE jsonb_build_object('onFailure', on_failure) END
    || CASE finally WHEN '[]' THEN '{}' ELSE jsonb_build_object('finally', finally) END;
END $$;
CREATE FUNCTION rolecall.definition(name text, number integer DEFAULT NULL) RETURNS jsonb LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
  SELECT rolecall.definition((version_numbered(name, number)).id)
$$;
COMMENT ON FUNCTION rolecall.definition(uuid) IS 'The whole document of a version, its steps nested, without defaults.';
COMMENT ON FUNCTION rolecall.definition(text, integer) IS
  'The whole document of a version, its steps nested, without defaults. Without a number of the active one.';

CREATE FUNCTION rolecall.tree(name text, number integer DEFAULT NULL) RETURNS SETOF text LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
DECLARE
  shown CONSTANT orchestration_version := version_numbered(tree.name, tree.number);
BEGIN
  RETURN NEXT format('%s, version %s (%s)', tree.name, shown.number, shown.status || CASE
    WHEN EXISTS (SELECT FROM orchestration WHERE active_version_id = shown.id) THEN ', active' ELSE '' END);
  RETURN QUERY
    WITH RECURSIVE placed AS (
      SELECT step.*, row_number() OVER siblings AS place, count(*) OVER (PARTITION BY parent_id) AS among
      FROM orchestration_step AS step WHERE version_id = shown.id
      WINDOW siblings AS (
        PARTITION BY parent_id
        ORDER BY array_position(ARRAY['main', 'onFailure', 'finally', 'body', 'case', 'else', 'catch', 'compensate'],
          split_part(slot, ':', 1)), slot COLLATE "C", "order", step.name COLLATE "C")
    ), drawn AS (
      SELECT placed.*, '' AS indent, ARRAY[place] AS at FROM placed WHERE parent_id IS NULL
      UNION ALL
      SELECT held.*, indent || CASE WHEN drawn.place = drawn.among THEN '   ' ELSE '│  ' END, at || held.place
      FROM drawn JOIN placed AS held ON held.parent_id = drawn.id
    )
    SELECT indent || CASE WHEN place = among THEN '└─ ' ELSE '├─ ' END
      || CASE WHEN slot IN ('main', 'body') THEN '' ELSE replace(slot, ':', ' ') || ': ' END || drawn.name
      || format(' (%s)', concat_ws(', ', kind || coalesce(' as ' || role_name, ' ' || (config ->> 'tool'),
          ' of ' || (config ->> 'orchestration'), ' for ' || (config ->> 'event'), ''),
        'at most ' || coalesce(config ->> 'maxIterations', config ->> 'maxItems'), 'together as ' || parallel_group,
        'if ' || left(condition::text, 60)))
    FROM drawn ORDER BY at;
END $$;
COMMENT ON FUNCTION rolecall.tree IS 'The steps of a version, drawn as a tree. Without a number of the active one.';


-- To compare versions -------------------------------------------------------------------------------------------------

-- The most names that stand in the same sequence in both lists; all the others have moved. Of several such sequences
-- the first by name is taken, so that it is the same one seen from either side.
CREATE FUNCTION staying(before text[], after text[]) RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = public, pg_temp AS $$
DECLARE
  first    text[] := '{}';
  last     text[] := '{}';
  best     text[] := '{}';
  ends     jsonb := '{}';  -- the best sequence that ends with each name
  sequence text[];
  name     text;
BEGIN
  -- What begins and ends both alike has stayed, which most often is all; the rest costs the square of its length.
  WHILE before[1] = after[1] LOOP
    first := first || before[1];
    before := before[2:];
    after := after[2:];
  END LOOP;
  WHILE before[cardinality(before)] = after[cardinality(after)] LOOP
    last := before[cardinality(before)] || last;
    before := before[:cardinality(before) - 1];
    after := after[:cardinality(after) - 1];
  END LOOP;
  FOREACH name IN ARRAY after LOOP
    sequence := coalesce((
      SELECT chain FROM (
        SELECT ARRAY(SELECT jsonb_array_elements_text(value)) AS chain FROM jsonb_each(ends)
        WHERE array_position(before, key) < array_position(before, name)
      ) AS earlier ORDER BY cardinality(chain) DESC, chain COLLATE "C" LIMIT 1
    ), '{}') || name;
    ends := ends || jsonb_build_object(name, sequence);
    IF cardinality(sequence) > cardinality(best)
      OR cardinality(sequence) = cardinality(best) AND sequence COLLATE "C" < best COLLATE "C"
    THEN
      best := sequence;
    END IF;
  END LOOP;
  RETURN first || best || last;
END $$;
COMMENT ON FUNCTION staying IS 'Of names in two sequences, the most that stand in the same one in both.';

CREATE FUNCTION steps_compared(a uuid, b uuid)
RETURNS TABLE (name text, before jsonb, after jsonb, old_place jsonb, new_place jsonb, is_staying boolean)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  WITH placed AS (
    SELECT step.version_id, step.name::text AS name, step_alone(step) AS alone, parent.name AS parent, step.slot,
      step."order", jsonb_build_object('in', parent.name, 'slot', step.slot, 'order', step."order") AS place
    FROM orchestration_step AS step
    LEFT JOIN orchestration_step AS parent ON parent.version_id = step.version_id AND parent.id = step.parent_id
    WHERE step.version_id IN (a, b)
  ), paired AS (
    SELECT coalesce(new.name, old.name) AS name, old.alone AS before, new.alone AS after, old.place AS old_place,
      new.place AS new_place, (old.parent, old.slot) IS NOT DISTINCT FROM (new.parent, new.slot) AS is_in_place
    FROM (SELECT * FROM placed WHERE version_id = a) AS old
    FULL JOIN (SELECT * FROM placed WHERE version_id = b) AS new ON new.name = old.name
  ), stayed AS (
    SELECT unnest(staying(
      array_agg(name ORDER BY (old_place -> 'order')::integer, name COLLATE "C"),
      array_agg(name ORDER BY (new_place -> 'order')::integer, name COLLATE "C"))) AS name
    FROM paired WHERE before IS NOT NULL AND after IS NOT NULL AND is_in_place
    GROUP BY new_place ->> 'in', new_place ->> 'slot'
  )
  SELECT name, before, after, old_place, new_place, name IN (SELECT stayed.name FROM stayed) FROM paired
$$;
COMMENT ON FUNCTION steps_compared IS
  'The steps of two versions side by side, by name: each alone, where it stands, and whether it has stayed there.';

-- Fields as texts are compared as the digest sees them: 1 is not 1.0.
CREATE FUNCTION fields_compared(a jsonb, b jsonb, defaults jsonb)
RETURNS TABLE (field text, old jsonb, new jsonb) LANGUAGE sql IMMUTABLE AS $$
  SELECT field, old, new FROM (
    SELECT key AS field, coalesce(a -> key, defaults -> key, 'null') AS old,
      coalesce(b -> key, defaults -> key, 'null') AS new
    FROM (SELECT jsonb_object_keys(a) UNION SELECT jsonb_object_keys(b)) AS keys (key)
  ) AS fields WHERE old::text <> new::text
$$;
COMMENT ON FUNCTION fields_compared IS 'The fields in which two objects differ; one that is left out has its default.';

CREATE FUNCTION rolecall.diff(a uuid, b uuid)
RETURNS TABLE (step text, change text, field text, old jsonb, new jsonb) LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
DECLARE
  before CONSTANT orchestration_version := version_with_id(a);
  after  CONSTANT orchestration_version := version_with_id(b);
BEGIN
  RETURN QUERY
    SELECT NULL::text, 'changed', differing.field, differing.old, differing.new
    FROM fields_compared(before.document, after.document,
      '{"description": "", "tags": [], "limits": {}, "defaults": {}, "groups": {}, "rolecall": 1}') AS differing
    ORDER BY differing.field;
  RETURN QUERY
    WITH compared AS MATERIALIZED (SELECT * FROM steps_compared(a, b))
    SELECT found.step, found.change, found.field, found.old, found.new FROM (
      SELECT 1 AS part, name AS step, 'removed' AS change, NULL::text AS field, compared.before AS old, NULL::jsonb AS new
      FROM compared WHERE compared.after IS NULL
      UNION ALL
      SELECT 2, name, 'added', NULL, NULL, compared.after FROM compared WHERE compared.before IS NULL
      UNION ALL
      SELECT 3, name, 'moved', NULL,
        CASE WHEN is_in_slot THEN old_place -> 'order' ELSE old_place END,
        CASE WHEN is_in_slot THEN new_place -> 'order' ELSE new_place END
      FROM (SELECT *, old_place - 'order' = new_place - 'order' AS is_in_slot FROM compared) AS placed
      WHERE placed.before IS NOT NULL AND placed.after IS NOT NULL AND NOT is_staying
      UNION ALL
      SELECT 4, name, 'changed', differing.field, differing.old, differing.new
      FROM compared, fields_compared(compared.before - '{name,order}'::text[], compared.after - '{name,order}'::text[],
        '{"maxRetries": 0, "retryDelay": 1000, "retry": {}, "onError": "fail", "cases": []}') AS differing
      WHERE compared.before IS NOT NULL AND compared.after IS NOT NULL
      UNION ALL
      SELECT 5, NULL, 'changed', 'order', jsonb_object_agg(name, old_place -> 'order'),
        jsonb_object_agg(name, new_place -> 'order')
      FROM compared WHERE is_staying AND old_place -> 'order' <> new_place -> 'order' HAVING count(*) > 0
    ) AS found ORDER BY found.part, found.step COLLATE "C", found.field;
END $$;
CREATE FUNCTION rolecall.diff(name text, a integer, b integer DEFAULT NULL)
RETURNS TABLE (step text, change text, field text, old jsonb, new jsonb) LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
  SELECT * FROM rolecall.diff(
    CASE WHEN a IS NULL THEN NULL ELSE (version_numbered(name, a)).id END, (version_numbered(name, b)).id)
$$;
COMMENT ON FUNCTION rolecall.diff(uuid, uuid) IS
  'What makes version b of version a, by step and field: added, removed, moved, changed. No row when they mean the same.';
COMMENT ON FUNCTION rolecall.diff(text, integer, integer) IS
  'What makes version b of version a of one orchestration, by step and field. Without b what is active now.';


-- To edit a version ---------------------------------------------------------------------------------------------------

CREATE FUNCTION rolecall.draft(name text, number integer DEFAULT NULL, message text DEFAULT '') RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
  named  CONSTANT orchestration := orchestration_named(draft.name);
  origin orchestration_version;
  made   uuid;
BEGIN
  -- Numbers are given one after another, and what is active is that after whoever had the lock.
  PERFORM FROM orchestration WHERE id = named.id FOR NO KEY UPDATE;
  origin := version_numbered(draft.name, draft.number);
  INSERT INTO orchestration_version (orchestration_id, number, document, message, created_by)
    SELECT named.id, max(version.number) + 1, origin.document, coalesce(draft.message, ''), session_user
    FROM orchestration_version AS version WHERE orchestration_id = named.id
    RETURNING id INTO made;
  WITH copied AS (
    SELECT step, step.id, step.parent_id, gen_random_uuid() AS copy FROM orchestration_step AS step
    WHERE step.version_id = origin.id
  )
  INSERT INTO orchestration_step
    SELECT whole.* FROM copied LEFT JOIN copied AS parent ON parent.id = copied.parent_id,
      jsonb_populate_record(copied.step, jsonb_build_object(
        'id', copied.copy, 'version_id', made, 'parent_id', parent.copy)) AS whole;
  RETURN made;
END $$;
COMMENT ON FUNCTION rolecall.draft IS
  'Makes a draft of a version, with its steps, and gives its id. Without a number of the active one.';

CREATE FUNCTION rolecall.move_step(version uuid, step text, before text DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
  edited   CONSTANT orchestration_version := version_with_id(move_step.version);
  moved    orchestration_step;
  neighbor orchestration_step;
  place    integer;
BEGIN
  PERFORM FROM orchestration_version WHERE id = edited.id FOR NO KEY UPDATE;
  moved := step_named(edited.id, move_step.step);
  IF move_step.before IS NULL THEN
    neighbor := moved;
    place := 1 + max(other."order") FROM orchestration_step AS other WHERE other.version_id = edited.id
      AND other.parent_id IS NOT DISTINCT FROM moved.parent_id AND other.slot = moved.slot AND other.id <> moved.id;
  ELSE
    neighbor := step_named(edited.id, move_step.before);
    IF neighbor.id IN (SELECT * FROM step_and_those_in_it(moved)) THEN
      RAISE EXCEPTION 'step "%" cannot stand before "%", which is itself or in it', moved.name, neighbor.name
        USING ERRCODE = 'invalid_parameter_value', HINT = 'Name a step outside of it.';
    END IF;
    -- Before all that runs together with it, unless it is to run with them.
    place := min(other."order") FROM orchestration_step AS other WHERE other.version_id = edited.id
      AND other.parent_id IS NOT DISTINCT FROM neighbor.parent_id AND other.slot = neighbor.slot
      AND (other.id = neighbor.id OR other.parallel_group = neighbor.parallel_group
        AND other.parallel_group IS DISTINCT FROM moved.parallel_group);
    UPDATE orchestration_step AS other SET "order" = other."order" + 1
      WHERE other.version_id = edited.id AND other.parent_id IS NOT DISTINCT FROM neighbor.parent_id
        AND other.slot = neighbor.slot AND other."order" >= place AND other.id <> moved.id;
  END IF;
  UPDATE orchestration_step AS other
    SET parent_id = neighbor.parent_id, slot = neighbor.slot, "order" = coalesce(place, 0),
      parallel_group = CASE WHEN neighbor.parallel_group = moved.parallel_group THEN moved.parallel_group END
    WHERE other.id = moved.id;
  RETURN coalesce(place, 0);
END $$;
COMMENT ON FUNCTION rolecall.move_step IS
  'Puts a step of a draft before another one, also into another list, or last in its own; gives its new order. It leaves '
  'its parallel group unless the other one is in that too.';

CREATE FUNCTION step_named(version uuid, wanted text) RETURNS orchestration_step LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
DECLARE
  named orchestration_step;
BEGIN
  SELECT * INTO named FROM orchestration_step AS step WHERE step.version_id = version AND step.name = wanted;
  IF named.id IS NULL THEN
    RAISE EXCEPTION 'there is no step % in this version', coalesce('"' || left(wanted, 100) || '"', 'without a name')
      USING ERRCODE = 'no_data_found', HINT = coalesce(
        did_you_mean(wanted, ARRAY(SELECT step.name FROM orchestration_step AS step WHERE step.version_id = version)),
        'Those there are: SELECT name FROM orchestration_step WHERE version_id = ...');
  END IF;
  RETURN named;
END $$;
COMMENT ON FUNCTION step_named IS
  'The step of that name in a version; refuses, with the nearest names, when there is none.';

CREATE FUNCTION step_and_those_in_it(step orchestration_step) RETURNS SETOF uuid LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
  WITH RECURSIVE held AS (
    SELECT step.id
    UNION
    SELECT inner_step.id FROM held JOIN orchestration_step AS inner_step ON inner_step.parent_id = held.id
    WHERE inner_step.version_id = step.version_id
  ) SELECT id FROM held
$$;
COMMENT ON FUNCTION step_and_those_in_it IS 'The ids of a step and of all steps inside it, at any depth.';


-- To publish it -------------------------------------------------------------------------------------------------------

CREATE FUNCTION rolecall.publish(
  name text, number integer DEFAULT NULL, activate boolean DEFAULT true, breaking boolean DEFAULT false
) RETURNS integer LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
  named     CONSTANT orchestration := orchestration_named(publish.name);
  undecided integer[];
  asked     orchestration_version;
BEGIN
  PERFORM FROM orchestration WHERE id = named.id FOR NO KEY UPDATE;
  IF publish.number IS NULL THEN
    undecided := ARRAY(SELECT version.number FROM orchestration_version AS version
      WHERE orchestration_id = named.id AND status IN ('draft', 'proposed') ORDER BY version.number);
    IF cardinality(undecided) <> 1 THEN
      RAISE EXCEPTION 'orchestration "%" has % drafts and proposals, so it has to be said which to publish', named.name,
        cardinality(undecided) USING ERRCODE = 'object_not_in_prerequisite_state', HINT = CASE cardinality(undecided)
          WHEN 0 THEN format('Make one: SELECT rolecall.draft(%L).', named.name)
          ELSE format('Give a number: %s.', array_to_string(undecided, ', ')) END;
    END IF;
  END IF;
  asked := version_numbered(publish.name, coalesce(publish.number, undecided[1]));
  IF asked.status NOT IN ('draft', 'proposed') THEN
    RAISE EXCEPTION 'version % of orchestration "%" is % and cannot be published', asked.number, named.name, asked.status
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = CASE asked.status
        WHEN 'publishing' THEN format('It has been asked already: SELECT * FROM rolecall.publication(%L).', named.name)
        WHEN 'published'
          THEN format('To let executions start from it: SELECT rolecall.activate(%L, %s).', named.name, asked.number)
        ELSE format('Make a draft of it: SELECT rolecall.draft(%L, %s).', named.name, asked.number) END;
  END IF;
  UPDATE orchestration_version
    SET status = 'publishing', activates = coalesce(publish.activate, true),
      allows_breaking = coalesce(publish.breaking, false)
    WHERE id = asked.id;
  RETURN asked.number;
END $$;
COMMENT ON FUNCTION rolecall.publish IS
  'Asks the servers to publish a draft or a proposal, once this transaction commits, and gives its number. '
  'rolecall.publication tells what has come of it.';

CREATE FUNCTION rolecall.publication(name text, number integer DEFAULT NULL)
RETURNS TABLE (version integer, answer text, is_active boolean, problems bigint, asked_by text, asked_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
  named CONSTANT orchestration := orchestration_named(publication.name);
  asked CONSTANT orchestration_version := version_asked(named.id, publication.name, publication.number);
BEGIN
  RETURN QUERY SELECT asked.number, CASE
      WHEN asked.status = 'publishing' THEN 'not yet'
      WHEN asked.status IN ('published', 'archived') THEN 'published'
      WHEN asked.problems <> '[]' THEN 'refused'
      ELSE 'not asked' END,
    asked.id IS NOT DISTINCT FROM named.active_version_id, jsonb_array_length(asked.problems)::bigint,
    asked.requested_by::text, asked.requested_at;
END $$;
COMMENT ON FUNCTION rolecall.publication IS
  'What has come of the request to publish a version: not yet, published or refused. Without a number of the last one.';

CREATE FUNCTION rolecall.problems(name text, number integer DEFAULT NULL)
RETURNS TABLE (code text, path text, message text, suggestion text) LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
DECLARE
  named CONSTANT orchestration := orchestration_named(problems.name);
  asked CONSTANT orchestration_version := version_asked(named.id, problems.name, problems.number);
BEGIN
  RETURN QUERY
    SELECT problem ->> 'code', problem ->> 'path', problem ->> 'message', problem ->> 'suggestion'
    FROM jsonb_array_elements(asked.problems) WITH ORDINALITY AS each (problem, place) ORDER BY place;
END $$;
COMMENT ON FUNCTION rolecall.problems IS
  'What kept a version from being published when that was last asked for. Without a number of the last one asked for.';

CREATE FUNCTION version_asked(orchestration uuid, name text, number integer) RETURNS orchestration_version
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
  last_asked integer;
BEGIN
  SELECT version.number INTO last_asked FROM orchestration_version AS version
    WHERE orchestration_id = version_asked.orchestration AND requested_at IS NOT NULL
    ORDER BY requested_at DESC, version.number DESC LIMIT 1;
  RETURN version_numbered(version_asked.name, coalesce(version_asked.number, last_asked));
END $$;
COMMENT ON FUNCTION version_asked IS
  'The version of that number; without one the version whose publication was last asked for.';

-- As the server does it: the orchestration is called and described as its active version says.
CREATE FUNCTION make_active(named orchestration, chosen orchestration_version) RETURNS integer LANGUAGE plpgsql VOLATILE
SET search_path = public, pg_temp AS $$
BEGIN
  IF chosen.status <> 'published' THEN
    RAISE EXCEPTION 'version % of orchestration "%" is % and cannot be active', chosen.number, named.name, chosen.status
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = CASE
        WHEN chosen.status IN ('draft', 'proposed')
          THEN format('Publish it first: SELECT rolecall.publish(%L, %s).', named.name, chosen.number)
        ELSE format('Those that can be: SELECT number FROM version_history WHERE orchestration = %L AND %s.', named.name,
          'status = ''published''') END;
  END IF;
  UPDATE orchestration SET active_version_id = chosen.id, name = coalesce(chosen.document ->> 'name', named.name),
      description = coalesce(chosen.document ->> 'description', ''),
      tags = ARRAY(SELECT jsonb_array_elements_text(coalesce(chosen.document -> 'tags', '[]')))
    WHERE id = named.id;
  RETURN chosen.number;
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION 'version % is called "%", and so is another orchestration', chosen.number, chosen.document ->> 'name'
    USING ERRCODE = 'unique_violation', HINT = 'Give the other one another name first.';
END $$;
COMMENT ON FUNCTION make_active IS
  'Lets executions start from a published version of an orchestration; gives its number.';

CREATE FUNCTION rolecall.activate(name text, number integer) RETURNS integer LANGUAGE plpgsql VOLATILE
SET search_path = public, pg_temp AS $$
DECLARE
  named CONSTANT orchestration := orchestration_named(activate.name);
BEGIN
  IF activate.number IS NULL THEN
    RAISE EXCEPTION 'no number says which version of "%" is to be active', named.name
      USING ERRCODE = 'null_value_not_allowed',
        HINT = format('Those there are: SELECT number, status FROM version_history WHERE orchestration = %L.', named.name);
  END IF;
  PERFORM FROM orchestration WHERE id = named.id FOR NO KEY UPDATE;
  RETURN make_active(named, version_numbered(activate.name, activate.number));
END $$;
COMMENT ON FUNCTION rolecall.activate IS
  'Lets executions start from a published version, also from an older one; gives its number.';

CREATE FUNCTION rolecall.rollback(name text, number integer DEFAULT NULL) RETURNS integer LANGUAGE plpgsql VOLATILE
SET search_path = public, pg_temp AS $$
DECLARE
  named   orchestration := orchestration_named(rollback.name);
  active  integer;
  earlier integer;
BEGIN
  SELECT * INTO named FROM orchestration WHERE id = named.id FOR NO KEY UPDATE;
  SELECT version.number INTO active FROM orchestration_version AS version WHERE id = named.active_version_id;
  earlier := coalesce(rollback.number, (
    SELECT max(version.number) FROM orchestration_version AS version
    WHERE orchestration_id = named.id AND status = 'published' AND version.number < active));
  IF earlier IS NULL OR active IS NULL OR earlier >= active THEN
    RAISE EXCEPTION 'orchestration "%" cannot go back%: %', named.name, coalesce(' to version ' || rollback.number, ''),
      CASE
        WHEN active IS NULL THEN 'no version is active'
        WHEN rollback.number IS NULL THEN format('no published version stands before %s, which is active', active)
        ELSE format('that does not stand before %s, which is active', active) END
      USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = format('SELECT rolecall.activate(%L, ...) takes any published version.', named.name);
  END IF;
  RETURN make_active(named, version_numbered(rollback.name, earlier));
END $$;
COMMENT ON FUNCTION rolecall.rollback IS
  'Lets executions start from the published version before the active one again, or from that of an earlier number.';


-- To run it -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION rolecall.run(name text, input jsonb DEFAULT '{}', key text DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  named CONSTANT orchestration := orchestration_named(run.name);
  known execution_request;
BEGIN
  IF run.input IS NULL THEN
    RAISE EXCEPTION 'the input is null' USING ERRCODE = 'null_value_not_allowed',
      HINT = 'Leave it out for an empty object, or give JSON, such as ''{"topic": "tea"}''.';
  END IF;
  INSERT INTO execution_request (orchestration, input, idempotency_key) VALUES (named.name, run.input, run.key)
    ON CONFLICT (requested_by, idempotency_key) WHERE idempotency_key IS NOT NULL AND problems = '[]' DO NOTHING
    RETURNING * INTO known;
  IF known.id IS NULL THEN
    SELECT * INTO known FROM execution_request
      WHERE requested_by = session_user AND idempotency_key = run.key AND problems = '[]';
    IF (known.orchestration, known.input) IS DISTINCT FROM (named.name, run.input) THEN
      RAISE EXCEPTION 'the key "%" was used for another request', left(run.key, 200)
        USING ERRCODE = 'unique_violation', HINT = 'Take a new key; one key stands for one request.';
    END IF;
  END IF;
  RETURN coalesce(known.execution_id, known.id);
END $$;
COMMENT ON FUNCTION rolecall.run IS
  'Asks the servers to start an execution, once this transaction commits, and gives its id. With the same key, later calls '
  'give the id of the first. rolecall.status tells what has come of it.';

CREATE FUNCTION refuse_unknown_execution(wanted uuid) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  RAISE EXCEPTION 'there is no execution with the id %', coalesce(wanted::text, 'null')
    USING ERRCODE = 'no_data_found',
      HINT = 'The newest: SELECT id, orchestration FROM execution_overview ORDER BY id DESC LIMIT 10.';
END $$;
COMMENT ON FUNCTION refuse_unknown_execution IS 'Refuses in the name of an execution that there is not.';

CREATE FUNCTION rolecall.status(execution uuid) RETURNS TABLE (
  status text, orchestration text, version integer, waits_for text, output jsonb, error_code text, error_message text,
  problems jsonb, started_at timestamptz, finished_at timestamptz
) LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
  asked execution_request;
BEGIN
  SELECT * INTO asked FROM execution_request WHERE id = status.execution;
  RETURN QUERY
    SELECT overview.status::text, overview.orchestration::text, overview.version,
      (SELECT string_agg(DISTINCT concat_ws(' ', wait.waits_for, wait.event), ', ') FROM waiting_for AS wait
        WHERE wait.execution = overview.id),
      overview.output, overview.error_code, overview.error_message, '[]'::jsonb, overview.started_at, overview.finished_at
    FROM execution_overview AS overview WHERE overview.id = coalesce(asked.execution_id, status.execution);
  IF NOT FOUND AND asked.id IS NOT NULL THEN
    RETURN QUERY SELECT CASE WHEN asked.answered_at IS NULL THEN 'asked' WHEN asked.problems <> '[]' THEN 'refused'
        ELSE 'pruned' END, asked.orchestration::text, NULL::integer, NULL::text, NULL::jsonb, NULL::text, NULL::text,
      asked.problems, NULL::timestamptz, NULL::timestamptz;
  ELSIF NOT FOUND THEN
    PERFORM refuse_unknown_execution(status.execution);
  END IF;
END $$;
COMMENT ON FUNCTION rolecall.status IS
  'How an execution stands: its status with output, error and what it waits for; asked or refused before it has begun.';

CREATE FUNCTION steer(steered uuid, kind text, payload jsonb) RETURNS text LANGUAGE plpgsql VOLATILE
SET search_path = public, pg_temp AS $$
DECLARE
  asked   execution_request;
  present execution;
BEGIN
  SELECT * INTO asked FROM execution_request WHERE id = steered;
  SELECT * INTO present FROM execution WHERE id = coalesce(asked.execution_id, steered);
  IF present.id IS NULL AND asked.id IS NOT NULL THEN
    RAISE EXCEPTION 'execution % has not begun: its request is %', steered,
      CASE WHEN asked.answered_at IS NULL THEN 'not answered yet' ELSE 'refused' END
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SELECT * FROM rolecall.status(...) tells when it has.';
  ELSIF present.id IS NULL THEN
    PERFORM refuse_unknown_execution(steered);
  END IF;
  -- The inbox wakes it, and refuses when it has finished.
  INSERT INTO inbox (execution_id, kind, payload, sender) VALUES (present.id, steer.kind, steer.payload, session_user);
  PERFORM pg_notify('rolecall_wake', '');
  RETURN (SELECT status FROM execution WHERE id = present.id);
END $$;
COMMENT ON FUNCTION steer IS 'Puts a message into the inbox of an execution that has not finished; gives its status.';

CREATE FUNCTION rolecall.cancel(execution uuid, reason text DEFAULT '') RETURNS text LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  RETURN steer(cancel.execution, 'cancel', jsonb_build_object('reason', coalesce(cancel.reason, '')));
END $$;
COMMENT ON FUNCTION rolecall.cancel IS
  'Asks an execution and its children to end, which cannot be taken back; gives the status it has by now.';

CREATE FUNCTION rolecall.pause(execution uuid) RETURNS text LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  RETURN steer(pause.execution, 'pause', '{}');
END $$;
COMMENT ON FUNCTION rolecall.pause IS
  'Asks an execution to begin nothing new until it is resumed; gives the status it has by now.';

CREATE FUNCTION rolecall.resume(execution uuid) RETURNS text LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  RETURN steer(resume.execution, 'resume', '{}');
END $$;
COMMENT ON FUNCTION rolecall.resume IS 'Lets a paused execution go on; gives the status it has by now.';


-- Help, and who may ---------------------------------------------------------------------------------------------------

CREATE FUNCTION rolecall.help() RETURNS TABLE (call text, purpose text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
  SELECT format('rolecall.%s(%s)', proname, regexp_replace(pg_get_function_arguments(oid), '::[a-z]+', '', 'g')),
    obj_description(oid, 'pg_proc')
  FROM pg_proc WHERE pronamespace = 'rolecall'::regnamespace ORDER BY proname, pronargs
$$;
COMMENT ON FUNCTION rolecall.help IS 'Lists the functions of this schema, each with its parameters and what it does.';

-- For those who are granted it; database_roles_grant says who they are.
DO $$
DECLARE
  made regprocedure;
BEGIN
  FOR made IN SELECT oid FROM pg_proc WHERE pronamespace = 'rolecall'::regnamespace LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
  END LOOP;
END $$;
