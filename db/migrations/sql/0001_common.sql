-- The first schema, in the scripts whose names begin with 0001: every table, and the rules that its rows keep whoever
-- writes them. Here stands what the others build on.
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

CREATE FUNCTION is_dollars(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE jsonb_typeof(value)
    WHEN 'string' THEN value #>> '{}' ~ '^[0-9]{1,9}(\.[0-9]{1,6})?$'
    ELSE value IS NULL OR value = 'null' END
$$;
COMMENT ON FUNCTION is_dollars IS 'Whether JSON is US dollars as a text such as "2.50", or nothing is said.';

CREATE FUNCTION dollars_in(value jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN is_dollars(value) THEN (value #>> '{}')::numeric END
$$;
COMMENT ON FUNCTION dollars_in IS 'The US dollars that JSON says as a text; null when it says none.';

CREATE FUNCTION count_in(value jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN jsonb_typeof(value) = 'number' AND is_count(value, 2147483647) THEN value::bigint END
$$;
COMMENT ON FUNCTION count_in IS 'The whole number from 1 on that JSON is; null when it is none.';
