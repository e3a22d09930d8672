-- What a refusal says to do instead, for the rules that have only a name to say it with.
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
  'The wish for a model is a JSON object such as {"preferred": ["openai"]}; {} takes any.';
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
COMMENT ON CONSTRAINT orchestration_step__budget_is_a_budget ON orchestration_step IS
  'A budget is {"maxCostUsd": "0.50", "maxTokens": 20000}, or one of both: dollars as a text, tokens up to 1,000,000,000.';
COMMENT ON CONSTRAINT orchestration_step__cache_is_a_cache ON orchestration_step IS
  'A cache is {"ttlMs": 3600000}, for up to 31,622,400,000 ms, with the scope everyone or execution, if any.';
COMMENT ON CONSTRAINT orchestration_version__budget_is_a_budget ON orchestration_version IS
  'In limits, write maxCostUsd as a text such as "2.50", and maxTokens as a whole number up to 1,000,000,000.';
COMMENT ON CONSTRAINT budget__role_id ON budget IS
  'Edit the budget that the role has: UPDATE budget SET … WHERE role_id = ….';
COMMENT ON CONSTRAINT budget__orchestration_id ON budget IS
  'Edit the budget that the orchestration has: UPDATE budget SET … WHERE orchestration_id = ….';
COMMENT ON CONSTRAINT budget_role_id_fkey ON budget IS 'Take the id of a role there is: SELECT id FROM role WHERE name = ….';
COMMENT ON CONSTRAINT budget_orchestration_id_fkey ON budget IS
  'Take the id of an orchestration there is: SELECT id FROM orchestration WHERE name = ….';
COMMENT ON CONSTRAINT budget__of_one_thing ON budget IS
  'Set role_id, or orchestration_id, or neither for the whole installation; make a row for each.';
COMMENT ON CONSTRAINT budget__limits_something ON budget IS
  'Set usd_per_day, tokens_per_day or both; to limit nothing any more, delete the row.';
COMMENT ON CONSTRAINT budget__usd_per_day ON budget IS
  'Take 0 to 999,999,999.999999 dollars, to the millionth, or null for any number of them.';
COMMENT ON CONSTRAINT budget__tokens_per_day ON budget IS
  'Take 0 to 1,000,000,000,000 tokens, or null for any number of them.';
COMMENT ON CONSTRAINT orchestration_step__max_retries ON orchestration_step IS 'Retry 0 to 19 times.';
COMMENT ON CONSTRAINT orchestration_step__retry_delay_ms ON orchestration_step IS
  'Wait for 0 to 86,400,000 ms, which is a day.';
COMMENT ON CONSTRAINT orchestration_step__timeout_ms ON orchestration_step IS
  'Allow 1 to 86,400,000 ms, which is a day, or null for what the kind has.';

COMMENT ON CONSTRAINT secret__name ON secret IS
  'Take another name, or change the secret that has this one, with the procedure secret.set.';
COMMENT ON CONSTRAINT secret__name_is_a_name ON secret IS
  'A name begins with a letter and has up to 100 letters, digits, spaces, dots, underscores and hyphens.';
COMMENT ON CONSTRAINT secret__value_is_an_envelope ON secret IS
  'Nothing is kept here as it is read: set it with `rolecall secrets set NAME` or the procedure secret.set, which '
  'encrypt it. If it was a real key, it stands in logs and in this session''s history now: have its issuer make '
  'another.';
COMMENT ON CONSTRAINT secret__hosts_are_named ON secret IS
  'A list of hosts such as {api.openai.com}; leave out what is null or empty.';
COMMENT ON CONSTRAINT secret__texts_have_a_length ON secret IS
  'Take up to 100,000 characters, and of names of people up to 2,000.';
COMMENT ON CONSTRAINT secret__times_are_dates ON secret IS
  'Take dates from the years 1 to 9999, and not infinity.';
COMMENT ON CONSTRAINT provider__name ON provider IS
  'Take another name, or edit the provider that has this one: SELECT * FROM provider WHERE name = ….';
COMMENT ON CONSTRAINT provider__name_is_a_name ON provider IS
  'A name begins with a small letter and has up to 50 small letters, digits, underscores and hyphens.';
COMMENT ON CONSTRAINT provider__offline_is_ours ON provider IS
  'Take another name: offline is the model that is built in.';
COMMENT ON CONSTRAINT provider__preset_is_a_name ON provider IS
  'A preset is openai, anthropic, ollama, gemini, mistral, deepseek, huggingface or compatible.';
COMMENT ON CONSTRAINT provider__base_url_is_a_url ON provider IS
  'A URL begins with https:// or http://, and has no user, no query and no fragment: https://llm.example.com/v1; '
  'null for the preset''s.';
COMMENT ON CONSTRAINT provider__api ON provider IS
  'An api is chat or responses, or null for what the preset has.';
COMMENT ON CONSTRAINT provider__has_one_key ON provider IS
  'Set either secret or key_variable, and the other one to null.';
COMMENT ON CONSTRAINT provider__key_variable_is_ours ON provider IS
  'A variable of the servers'' environment that begins with ROLECALL_KEY_, such as ROLECALL_KEY_GATEWAY; rows may '
  'read no other.';
COMMENT ON CONSTRAINT provider__timeout_ms ON provider IS
  'Allow 1 to 86,400,000 ms, which is a day, or null for no bound of its own.';
COMMENT ON CONSTRAINT provider__limits_count_from_one ON provider IS
  'Take a number from 1, or null for no limit; is_active = false for none at all.';
COMMENT ON CONSTRAINT provider__capabilities ON provider IS
  'A capability is tools, json, vision or streaming; null for what the preset says.';
COMMENT ON CONSTRAINT provider__capabilities_are_named ON provider IS
  'A list such as {tools,json}; leave out what is null or empty.';
COMMENT ON CONSTRAINT provider__created_by_has_a_length ON provider IS
  'Take up to 2,000 characters.';
COMMENT ON CONSTRAINT provider__times_are_dates ON provider IS
  'Take dates from the years 1 to 9999, and not infinity.';
COMMENT ON CONSTRAINT model_provider_id_fkey ON model IS
  'Make the provider first, or take the id of one there is, from provider.';
COMMENT ON CONSTRAINT model__provider_name ON model IS
  'Edit the model of this provider that has this name: SELECT * FROM model WHERE name = ….';
COMMENT ON CONSTRAINT model__name_is_a_name ON model IS
  'A name is what the provider calls it: a letter or digit first, then also . _ : / @ + and -, up to 200 '
  'characters.';
COMMENT ON CONSTRAINT model__capabilities ON model IS
  'A capability is tools, json, vision or streaming; null for what its provider can.';
COMMENT ON CONSTRAINT model__capabilities_are_named ON model IS
  'A list such as {tools,json}; leave out what is null or empty.';
COMMENT ON CONSTRAINT model__tokens_count_from_one ON model IS
  'Take a number from 1, or null where it is not known.';
COMMENT ON CONSTRAINT model__created_by_has_a_length ON model IS
  'Take up to 2,000 characters.';
COMMENT ON CONSTRAINT model__times_are_dates ON model IS
  'Take dates from the years 1 to 9999, and not infinity.';
COMMENT ON CONSTRAINT model_price__number ON model_price IS
  'Leave the number to the database.';
COMMENT ON CONSTRAINT model_price__model_is_a_name ON model_price IS
  'A model is named with its provider, as in openai/gpt-6-luna: SELECT provider.name || ''/'' || model.name FROM '
  'model JOIN provider ON provider.id = provider_id.';
COMMENT ON CONSTRAINT model_price__is_a_price ON model_price IS
  'A price is in USD per million tokens, from 0 to 1,000,000, with up to 12 decimals.';
COMMENT ON CONSTRAINT model_price__long_is_whole ON model_price IS
  'Set long_from, long_input and long_output together, or none of them.';
COMMENT ON CONSTRAINT model_price__long_from ON model_price IS
  'Count from 1 token, or null for none.';
COMMENT ON CONSTRAINT model_price__texts_have_a_length ON model_price IS
  'Take up to 100,000 characters, and of names of people up to 2,000.';
COMMENT ON CONSTRAINT model_price__times_are_dates ON model_price IS
  'Take dates from the years 1 to 9999, and not infinity.';
COMMENT ON CONSTRAINT default_model__is_only ON default_model IS
  'Change the row that is there: UPDATE default_model SET model = ….';
COMMENT ON CONSTRAINT default_model__is_only_is_true ON default_model IS
  'Leave is_only out.';
COMMENT ON CONSTRAINT default_model__model_is_a_name ON default_model IS
  'A model is named with its provider, as in openai/gpt-6-luna; delete the row for what the environment says.';
COMMENT ON CONSTRAINT default_model__updated_at_is_a_date ON default_model IS
  'Take dates from the years 1 to 9999, and not infinity.';

COMMENT ON CONSTRAINT mcp_source__name ON mcp_source IS
  'Take another name, or edit the source that has this one: SELECT * FROM mcp_source WHERE name = ….';
COMMENT ON CONSTRAINT mcp_source__name_is_a_name ON mcp_source IS
  'A name begins with a small letter and has up to 40 small letters, digits, underscores and hyphens.';
COMMENT ON CONSTRAINT mcp_source__transport ON mcp_source IS
  'A transport is stdio or http.';
COMMENT ON CONSTRAINT mcp_source__reached_in_one_way ON mcp_source IS
  'With stdio set command and nothing else, with http set url and maybe headers.';
COMMENT ON CONSTRAINT mcp_source__command_is_a_name ON mcp_source IS
  'Name a command of ROLECALL_MCP_COMMANDS; its program and arguments stand there, in the servers'' environment.';
COMMENT ON CONSTRAINT mcp_source__url_is_a_url ON mcp_source IS
  'Begin with https://, or http:// in your own network; no user, no password and no #.';
COMMENT ON CONSTRAINT mcp_source__headers_name_secrets ON mcp_source IS
  'The headers are an object such as {"Authorization": "Weather key"}: the names of secrets, by header.';
COMMENT ON CONSTRAINT mcp_source__timeout_ms ON mcp_source IS
  'Allow 100 to 600,000 ms, which are ten minutes.';
COMMENT ON CONSTRAINT mcp_source__texts_have_a_length ON mcp_source IS
  'Take up to 100,000 characters, and of names of people up to 2,000.';
COMMENT ON CONSTRAINT mcp_source__times_are_dates ON mcp_source IS
  'Take dates from the years 1 to 9999, and not infinity; null has the source listed.';
COMMENT ON CONSTRAINT mcp_tool_source_id_fkey ON mcp_tool IS
  'Make the source first, or take the id of one there is, from mcp_source.';
COMMENT ON CONSTRAINT mcp_tool__source_name ON mcp_tool IS
  'Each tool of a source stands there once; edit that row.';
COMMENT ON CONSTRAINT mcp_tool__name_is_a_name ON mcp_tool IS
  'A name has letters, digits, _ and -, with single dots between; a server writes it.';
COMMENT ON CONSTRAINT mcp_tool__digests_are_digests ON mcp_tool IS
  'Leave digest to the servers, and set approved_digest to digest or to null.';
COMMENT ON CONSTRAINT mcp_tool__effect ON mcp_tool IS
  'An effect is none, read, write or external.';
COMMENT ON CONSTRAINT mcp_tool__security ON mcp_tool IS
  'A security level is low, medium, high or critical.';
COMMENT ON CONSTRAINT mcp_tool__said_is_readable ON mcp_tool IS
  'Nest it up to 64 levels, with numbers up to 1.7e308, and write it with up to 1 MiB, as an object.';
COMMENT ON CONSTRAINT mcp_tool__texts_have_a_length ON mcp_tool IS
  'Take up to 100,000 characters, and of names of people up to 2,000.';
COMMENT ON CONSTRAINT mcp_tool__times_are_dates ON mcp_tool IS
  'Take dates from the years 1 to 9999, and not infinity.';

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
FROM unnest('{role, orchestration, orchestration_version, orchestration_step, budget, secret, provider, model, model_price,
  default_model, mcp_source, mcp_tool}'::regclass[]) AS edited;
-- A key takes a lock until the end of the transaction, and each edit of many roles writes versions as well.
SELECT hint_triggers('role_version', with_keys => false);
