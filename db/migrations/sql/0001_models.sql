-- Models: who runs them, what each of them can do and costs, and the keys that providers want to see.

-- The value is encrypted with a key of the servers', bound to the row and to where it may be sent: copied to another row,
-- or with other hosts, it cannot be read.
CREATE TABLE secret (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name        varchar(100) NOT NULL CONSTRAINT secret__name UNIQUE,
  description text NOT NULL DEFAULT '',
  value       text NOT NULL,
  hosts       varchar[] NOT NULL DEFAULT '{}',
  key_id      text GENERATED ALWAYS AS (split_part(value, ':', 3)) STORED,
  created_by  text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT secret__name_is_a_name CHECK (name ~ '^[A-Za-z][A-Za-z0-9 _.-]{0,99}$'),
  CONSTRAINT secret__value_is_an_envelope CHECK (
    value ~ '^enc:v1:[0-9a-f]{8}:[A-Za-z0-9_-]{16}:[A-Za-z0-9_-]{22,}$' AND length(value) <= 100000),
  CONSTRAINT secret__hosts_are_named CHECK (is_list_of_names(hosts)),
  CONSTRAINT secret__texts_have_a_length CHECK (length(description) <= 100000 AND length(created_by) <= 2000),
  CONSTRAINT secret__times_are_dates CHECK (is_date(created_at) AND is_date(updated_at))
);
COMMENT ON TABLE secret IS
  'What must not be read, such as the key of a provider: encrypted, and named by whatever uses it. secret.set writes it.';
CREATE TRIGGER secret__updated_at BEFORE UPDATE ON secret FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE provider (
  id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name                varchar(50) NOT NULL CONSTRAINT provider__name UNIQUE,
  preset              varchar(50) NOT NULL,
  base_url            text,
  api                 varchar,
  secret              varchar(100),
  key_variable        varchar(100),
  timeout_ms          integer,
  max_concurrent      integer,
  requests_per_minute integer,
  tokens_per_minute   integer,
  capabilities        varchar[],
  is_active           boolean NOT NULL DEFAULT true,
  created_by          text NOT NULL,
  created_at          timestamptz NOT NULL DEFAULT now(),
  updated_at          timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT provider__name_is_a_name CHECK (name ~ '^[a-z][a-z0-9_-]{0,49}$'),
  CONSTRAINT provider__offline_is_ours CHECK (name <> 'offline'),
  CONSTRAINT provider__preset_is_a_name CHECK (preset ~ '^[a-z][a-z0-9_-]{0,49}$'),
  CONSTRAINT provider__base_url_is_a_url CHECK (
    base_url ~ '^https?://[^\s/?#@\\]+(/[^\s?#@\\]*)?$' AND length(base_url) <= 2000),
  CONSTRAINT provider__api CHECK (api IN ('chat', 'responses')),
  CONSTRAINT provider__has_one_key CHECK (secret IS NULL OR key_variable IS NULL),
  CONSTRAINT provider__key_variable_is_ours CHECK (key_variable ~ '^ROLECALL_KEY_[A-Z0-9_]{1,80}$'),
  CONSTRAINT provider__timeout_ms CHECK (timeout_ms BETWEEN 1 AND 86400000),
  CONSTRAINT provider__limits_count_from_one CHECK (
    max_concurrent >= 1 AND requests_per_minute >= 1 AND tokens_per_minute >= 1),
  CONSTRAINT provider__capabilities CHECK (capabilities <@ '{tools,json,vision,streaming}'::varchar[]),
  CONSTRAINT provider__capabilities_are_named CHECK (is_list_of_names(capabilities)),
  CONSTRAINT provider__created_by_has_a_length CHECK (length(created_by) <= 2000),
  CONSTRAINT provider__times_are_dates CHECK (is_date(created_at) AND is_date(updated_at))
);
COMMENT ON TABLE provider IS
  'Who runs models, beside those that the servers'' environment names; of the same name, the row counts. Edit freely.';
CREATE TRIGGER provider__updated_at BEFORE UPDATE ON provider FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE model (
  id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  provider_id       uuid NOT NULL REFERENCES provider ON DELETE CASCADE,
  name              varchar(200) NOT NULL,
  capabilities      varchar[],
  context_tokens    integer,
  max_output_tokens integer,
  only_by_name      boolean NOT NULL DEFAULT false,
  is_active         boolean NOT NULL DEFAULT true,
  created_by        text NOT NULL,
  created_at        timestamptz NOT NULL DEFAULT now(),
  updated_at        timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT model__provider_name UNIQUE (provider_id, name),
  CONSTRAINT model__name_is_a_name CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$'),
  CONSTRAINT model__capabilities CHECK (capabilities <@ '{tools,json,vision,streaming}'::varchar[]),
  CONSTRAINT model__capabilities_are_named CHECK (is_list_of_names(capabilities)),
  CONSTRAINT model__tokens_count_from_one CHECK (context_tokens >= 1 AND max_output_tokens >= 1),
  CONSTRAINT model__created_by_has_a_length CHECK (length(created_by) <= 2000),
  CONSTRAINT model__times_are_dates CHECK (is_date(created_at) AND is_date(updated_at))
);
COMMENT ON TABLE model IS 'What a provider of the table provider runs, and what it can do. Edit freely.';
CREATE TRIGGER model__updated_at BEFORE UPDATE ON model FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- By model and not by its row: those that the environment names have prices as well.
CREATE TABLE model_price (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  number       bigint GENERATED ALWAYS AS IDENTITY,
  model        varchar(251) NOT NULL,
  valid_from   timestamptz NOT NULL DEFAULT now(),
  input        numeric NOT NULL,
  cached_input numeric,
  output       numeric NOT NULL,
  long_from    integer,
  long_input   numeric,
  long_output  numeric,
  note         text NOT NULL DEFAULT '',
  created_by   text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT model_price__number UNIQUE (number),
  CONSTRAINT model_price__model_is_a_name CHECK (model ~ '^[a-z][a-z0-9_-]{0,49}/[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$'),
  -- Also no NaN and no infinity, which are greater than any number.
  CONSTRAINT model_price__is_a_price CHECK (
    input BETWEEN 0 AND 1000000 AND output BETWEEN 0 AND 1000000 AND cached_input BETWEEN 0 AND 1000000
    AND long_input BETWEEN 0 AND 1000000 AND long_output BETWEEN 0 AND 1000000
    AND scale(input) <= 12 AND scale(output) <= 12 AND scale(cached_input) <= 12
    AND scale(long_input) <= 12 AND scale(long_output) <= 12),
  CONSTRAINT model_price__long_is_whole CHECK (
    (long_from IS NULL) = (long_input IS NULL) AND (long_from IS NULL) = (long_output IS NULL)),
  CONSTRAINT model_price__long_from CHECK (long_from >= 1),
  CONSTRAINT model_price__texts_have_a_length CHECK (length(note) <= 100000 AND length(created_by) <= 2000),
  CONSTRAINT model_price__times_are_dates CHECK (is_date(valid_from) AND is_date(created_at))
);
COMMENT ON TABLE model_price IS
  'What models cost from when on, in USD per million tokens. Append-only: of those that hold, the latest valid_from '
  'counts, and of the same the highest number. Models without a row have the list price that Rolecall knows, if any.';
CREATE INDEX model_price__by_model ON model_price (model, valid_from DESC, number DESC);
CREATE TRIGGER model_price__is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON model_price EXECUTE FUNCTION
  refuse('model_price__is_append_only', 'costs name the prices that they were reckoned with',
    'Insert another price: of the same valid_from the later one counts.');

CREATE TABLE default_model (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  is_only    boolean NOT NULL DEFAULT true CONSTRAINT default_model__is_only UNIQUE,
  model      varchar(251) NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT default_model__is_only_is_true CHECK (is_only),
  CONSTRAINT default_model__model_is_a_name CHECK (
    model ~ '^[a-z][a-z0-9_-]{0,49}/[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$'),
  CONSTRAINT default_model__updated_at_is_a_date CHECK (is_date(updated_at))
);
COMMENT ON TABLE default_model IS
  'One row at most: the model of roles without wishes, for all servers. Without it, what their environment says.';
CREATE TRIGGER default_model__updated_at BEFORE UPDATE ON default_model FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE FUNCTION secret_use_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  used_by CONSTANT text := (SELECT string_agg(name, ', ' ORDER BY name) FROM provider WHERE secret = OLD.name);
BEGIN
  IF used_by IS NOT NULL AND (TG_OP = 'DELETE' OR NEW.name <> OLD.name) THEN
    RAISE EXCEPTION 'secret "%" is the key of %', OLD.name, used_by
      USING ERRCODE = '55000', TABLE = 'secret', CONSTRAINT = 'secret__is_not_in_use',
        HINT = 'Give these providers another key first, or none: UPDATE provider SET secret = ….';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER secret__is_not_in_use BEFORE UPDATE OF name OR DELETE ON secret
  FOR EACH ROW EXECUTE FUNCTION secret_use_guard();

CREATE TRIGGER secret__is_heard_of AFTER INSERT OR UPDATE OR DELETE ON secret
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
CREATE TRIGGER provider__is_heard_of AFTER INSERT OR UPDATE OR DELETE ON provider
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
CREATE TRIGGER model__is_heard_of AFTER INSERT OR UPDATE OR DELETE ON model
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
CREATE TRIGGER model_price__is_heard_of AFTER INSERT ON model_price
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
CREATE TRIGGER default_model__is_heard_of AFTER INSERT OR UPDATE OR DELETE ON default_model
  FOR EACH STATEMENT EXECUTE FUNCTION definition_changed();
