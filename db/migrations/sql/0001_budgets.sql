-- What model calls may take: budgets, and the accounts in which it stands what of them is reserved and spent.
--
-- A call is paid from several accounts at once: its step's, its execution's, those of everything above, and the day's of its
-- role, of the orchestrations and of the installation. Each has to have enough left before the call is made.

CREATE TABLE budget (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  role_id          uuid REFERENCES role ON DELETE CASCADE CONSTRAINT budget__role_id UNIQUE,
  orchestration_id uuid REFERENCES orchestration ON DELETE CASCADE CONSTRAINT budget__orchestration_id UNIQUE,
  usd_per_day      numeric,
  tokens_per_day   bigint,
  CONSTRAINT budget__of_one_thing CHECK (role_id IS NULL OR orchestration_id IS NULL),
  CONSTRAINT budget__limits_something CHECK (usd_per_day IS NOT NULL OR tokens_per_day IS NOT NULL),
  CONSTRAINT budget__usd_per_day CHECK (usd_per_day BETWEEN 0 AND 999999999.999999 AND round(usd_per_day, 6) = usd_per_day),
  CONSTRAINT budget__tokens_per_day CHECK (tokens_per_day BETWEEN 0 AND 1000000000000)
);
COMMENT ON TABLE budget IS
  'What the model calls of a day (UTC) may take: those of a role, those of an orchestration and of all that its executions '
  'start, or, of neither, those of the whole installation.';
COMMENT ON COLUMN budget.id IS 'What the accounts of its days refer to it by.';
COMMENT ON COLUMN budget.role_id IS 'The role whose calls it is for; null where it is not for a role.';
COMMENT ON COLUMN budget.orchestration_id IS 'The orchestration it is for; null, as the role, for the whole installation.';
COMMENT ON COLUMN budget.usd_per_day IS 'US dollars a day, to the millionth; null for any number of them.';
COMMENT ON COLUMN budget.tokens_per_day IS 'Tokens read and written a day; null for any number of them.';
CREATE UNIQUE INDEX budget__one_for_all ON budget ((true)) WHERE role_id IS NULL AND orchestration_id IS NULL;

CREATE TABLE budget_account (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  execution_id    uuid REFERENCES execution ON DELETE CASCADE,
  path            text,
  budget_id       uuid REFERENCES budget ON DELETE CASCADE,
  day             date,
  reserved_usd    numeric NOT NULL DEFAULT 0,
  reserved_tokens bigint NOT NULL DEFAULT 0,
  settled_usd     numeric NOT NULL DEFAULT 0,
  settled_tokens  bigint NOT NULL DEFAULT 0,
  CONSTRAINT budget_account__of_execution UNIQUE (execution_id, path),
  CONSTRAINT budget_account__of_day UNIQUE (budget_id, day),
  CONSTRAINT budget_account__of_one_thing CHECK (
    (execution_id IS NULL) <> (budget_id IS NULL) AND (execution_id IS NULL) = (path IS NULL)
    AND (budget_id IS NULL) = (day IS NULL)),
  CONSTRAINT budget_account__owes_nothing CHECK (
    reserved_usd >= 0 AND reserved_tokens >= 0 AND settled_usd >= 0 AND settled_tokens >= 0)
)
-- Its rows are rewritten with each call: with room in the page that touches no index.
WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE budget_account IS
  'What is reserved and spent of one budget: of an execution, of an instance of a step, or of one day of a row of budget. '
  'Made with the first call that is paid from it.';
COMMENT ON COLUMN budget_account.id IS 'What reservations refer to it by.';
COMMENT ON COLUMN budget_account.execution_id IS 'The execution whose budget it is; null for a day.';
COMMENT ON COLUMN budget_account.path IS
  'The instance path of the step whose budget it is; empty for the execution, null for a day.';
COMMENT ON COLUMN budget_account.budget_id IS 'The row of budget that it is a day of; null for an execution.';
COMMENT ON COLUMN budget_account.day IS 'Which day that is, in UTC.';
COMMENT ON COLUMN budget_account.reserved_usd IS 'US dollars set aside for calls under way.';
COMMENT ON COLUMN budget_account.reserved_tokens IS 'Tokens set aside for calls under way.';
COMMENT ON COLUMN budget_account.settled_usd IS 'US dollars that calls have cost.';
COMMENT ON COLUMN budget_account.settled_tokens IS 'Tokens that calls have read and written.';

CREATE TABLE budget_reservation (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  -- No foreign key: one whose execution has gone is closed like any that was left open.
  execution_id uuid NOT NULL,
  epoch        bigint NOT NULL,
  path         text NOT NULL,
  model        text NOT NULL,
  accounts     uuid[] NOT NULL,
  usd          numeric NOT NULL,
  tokens       bigint NOT NULL,
  reserved_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT budget_reservation__takes_nothing_away CHECK (usd >= 0 AND tokens >= 0)
);
COMMENT ON TABLE budget_reservation IS 'What is set aside for each model call under way. It goes when the call is settled.';
COMMENT ON COLUMN budget_reservation.id IS 'What the caller settles it by.';
COMMENT ON COLUMN budget_reservation.execution_id IS 'The execution that calls.';
COMMENT ON COLUMN budget_reservation.epoch IS
  'Under which epoch: once somebody else owns the execution, or nobody, the call is nobody''s any more.';
COMMENT ON COLUMN budget_reservation.path IS 'The instance path of the step that calls.';
COMMENT ON COLUMN budget_reservation.model IS 'The model that is called, as provider/model.';
COMMENT ON COLUMN budget_reservation.accounts IS 'The accounts that it is paid from.';
COMMENT ON COLUMN budget_reservation.usd IS 'US dollars that the call costs at most.';
COMMENT ON COLUMN budget_reservation.tokens IS 'Tokens that the call reads and writes at most.';
COMMENT ON COLUMN budget_reservation.reserved_at IS 'When it was set aside.';

-- By the journal's rule for paths: the last part of one is the name of the step.
CREATE FUNCTION step_name(path text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT substring(path FROM '[^/]+$')
$$;
COMMENT ON FUNCTION step_name IS 'The name of the step that an instance path is of.';

CREATE FUNCTION budget_payers(spender uuid, at_path text, role_version_id uuid)
RETURNS TABLE (rank integer, kind text, name text, execution_id uuid, path text, budget_id uuid, usd numeric, tokens bigint)
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE chain AS (
    SELECT 0 AS above, id, at_path AS path, version_id, budget_usd, budget_tokens, parent_execution_id, parent_path
    FROM execution WHERE id = spender
    UNION ALL
    SELECT chain.above + 1, parent.id, chain.parent_path, parent.version_id, parent.budget_usd, parent.budget_tokens,
      parent.parent_execution_id, parent.parent_path
    FROM chain JOIN execution AS parent ON parent.id = chain.parent_execution_id
  )
  SELECT 2 * above, 'step', step.name, chain.id, chain.path, NULL::uuid, dollars_in(config #> '{budget,maxCostUsd}'),
    count_in(config #> '{budget,maxTokens}')
  FROM chain JOIN orchestration_step AS step ON step.version_id = chain.version_id AND step.name = step_name(chain.path)
  WHERE config ? 'budget'
  UNION ALL
  SELECT 2 * above + 1, 'execution', id::text, id, '', NULL, budget_usd, budget_tokens
  FROM chain WHERE budget_usd IS NOT NULL OR budget_tokens IS NOT NULL
  UNION ALL
  SELECT 100, 'role', role.name, NULL, NULL, budget.id, usd_per_day, tokens_per_day
  FROM role_version JOIN role ON role.id = role_version.role_id JOIN budget ON budget.role_id = role.id
  WHERE role_version.id = role_version_id
  UNION ALL
  SELECT DISTINCT 101, 'orchestration', orchestration.name, NULL::uuid, NULL, budget.id, usd_per_day, tokens_per_day
  FROM chain JOIN orchestration_version AS version ON version.id = chain.version_id
  JOIN orchestration ON orchestration.id = version.orchestration_id
  JOIN budget ON budget.orchestration_id = orchestration.id
  UNION ALL
  SELECT 102, 'installation', '', NULL, NULL, id, usd_per_day, tokens_per_day
  FROM budget WHERE role_id IS NULL AND orchestration_id IS NULL
$$;
COMMENT ON FUNCTION budget_payers IS
  'The budgets that a model call at a step of an execution counts against, the nearest with the lowest rank, and what they '
  'allow: of the step, the execution and all above it, and of the day.';

-- Whoever takes several accounts takes them in this order, so that no two wait for each other: those of executions, then
-- those of days, which many want, for as short as can be.
CREATE FUNCTION budget_reserve(
  spender uuid, at_path text, under_epoch bigint, role_version_id uuid, model text, usd numeric, tokens bigint,
  OUT reservation uuid, OUT refusal text, OUT kind text, OUT name text, OUT allowed_usd numeric, OUT allowed_tokens bigint,
  OUT left_usd numeric, OUT left_tokens bigint
) LANGUAGE plpgsql AS $$
DECLARE
  today   CONSTANT date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
  nearest integer;
  taken   uuid[] := '{}';
  payer   record;
  held    budget_account;
  reason  text;
BEGIN
  IF NOT EXISTS (SELECT FROM execution WHERE id = spender AND epoch = under_epoch AND owner IS NOT NULL) THEN
    refusal := 'stale';
    RETURN;
  END IF;
  FOR payer IN
    SELECT * FROM budget_payers(spender, at_path, role_version_id) AS payers
    ORDER BY payers.budget_id NULLS FIRST, payers.execution_id, payers.path
  LOOP
    INSERT INTO budget_account (execution_id, path, budget_id, day)
      VALUES (payer.execution_id, payer.path, payer.budget_id, CASE WHEN payer.budget_id IS NOT NULL THEN today END)
      ON CONFLICT DO NOTHING;
    SELECT * INTO held FROM budget_account AS account
      WHERE account.execution_id = payer.execution_id AND account.path = payer.path
        OR account.budget_id = payer.budget_id AND account.day = today
      FOR NO KEY UPDATE;
    CONTINUE WHEN held.id IS NULL;  -- the budget was taken away a moment ago
    taken := taken || held.id;
    reason := CASE
      WHEN payer.usd IS NOT NULL AND usd IS NULL OR payer.tokens IS NOT NULL AND tokens IS NULL THEN 'unknown'
      WHEN held.reserved_usd + held.settled_usd + usd > payer.usd
        OR held.reserved_tokens + held.settled_tokens + tokens > payer.tokens THEN 'exceeded' END;
    IF reason IS NOT NULL AND payer.rank < coalesce(nearest, payer.rank + 1) THEN
      nearest := payer.rank;
      refusal := reason;
      kind := payer.kind;
      name := payer.name;
      allowed_usd := payer.usd;
      allowed_tokens := payer.tokens;
      left_usd := greatest(0, payer.usd - held.reserved_usd - held.settled_usd);
      left_tokens := greatest(0, payer.tokens - held.reserved_tokens - held.settled_tokens);
    END IF;
  END LOOP;
  IF refusal IS NOT NULL OR taken = '{}' THEN
    RETURN;
  END IF;
  UPDATE budget_account AS account
    SET reserved_usd = reserved_usd + coalesce(usd, 0), reserved_tokens = reserved_tokens + coalesce(tokens, 0)
    WHERE account.id = ANY (taken);
  INSERT INTO budget_reservation (execution_id, epoch, path, model, accounts, usd, tokens)
    VALUES (spender, under_epoch, at_path, model, taken, coalesce(usd, 0), coalesce(tokens, 0))
    RETURNING id INTO reservation;
END $$;
COMMENT ON FUNCTION budget_reserve IS
  'Set aside what a model call takes at most, in every account that it is paid from, or in none: then with the refusal, '
  'exceeded, unknown or stale, and of which budget. Without either there is nothing that it is paid from.';

CREATE FUNCTION budget_settle(reservation_id uuid, spent_usd numeric, spent_tokens bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  held budget_reservation;
BEGIN
  DELETE FROM budget_reservation WHERE id = reservation_id RETURNING * INTO held;
  IF held.id IS NULL THEN
    RETURN false;
  END IF;
  PERFORM FROM budget_account WHERE id = ANY (held.accounts)
    ORDER BY budget_id NULLS FIRST, execution_id, path FOR NO KEY UPDATE;
  UPDATE budget_account SET
    reserved_usd = reserved_usd - held.usd, settled_usd = settled_usd + coalesce(spent_usd, held.usd),
    reserved_tokens = reserved_tokens - held.tokens, settled_tokens = settled_tokens + coalesce(spent_tokens, held.tokens)
    WHERE id = ANY (held.accounts);
  RETURN true;
END $$;
COMMENT ON FUNCTION budget_settle IS
  'End a reservation: what was spent is settled and the rest is free again; null says that all of it counts as spent. '
  'False when it had been ended before.';

CREATE VIEW budget_overview AS
  SELECT budget.id, CASE WHEN role.id IS NOT NULL THEN 'role' WHEN orchestration.id IS NOT NULL THEN 'orchestration'
      ELSE 'installation' END AS kind,
    coalesce(role.name, orchestration.name) AS name, usd_per_day, tokens_per_day,
    coalesce(reserved_usd, 0) AS reserved_usd, coalesce(settled_usd, 0) AS settled_usd,
    coalesce(reserved_tokens, 0) AS reserved_tokens, coalesce(settled_tokens, 0) AS settled_tokens
  FROM budget
  LEFT JOIN role ON role.id = role_id
  LEFT JOIN orchestration ON orchestration.id = orchestration_id
  LEFT JOIN budget_account AS account ON account.budget_id = budget.id AND day = (now() AT TIME ZONE 'UTC')::date;
COMMENT ON VIEW budget_overview IS 'Each budget by the name of what it is for, with what is reserved and spent of today.';

-- Servers ask nobody about budgets while there are none, and so have to hear of the first.
CREATE TRIGGER budget__is_heard_of AFTER INSERT OR UPDATE OR DELETE ON budget
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
