-- Answers of models that are kept for a time.

-- Without a log of its own: a cache may be lost in a crash.
CREATE UNLOGGED TABLE answer (
  key        varchar(71) PRIMARY KEY,
  model      text NOT NULL,
  content    text NOT NULL,
  kept_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  CONSTRAINT answer__key_is_a_digest CHECK (key ~ '^sha256:[0-9a-f]{64}$'),
  CONSTRAINT answer__content_has_a_length CHECK (octet_length(content) <= 1048576),
  CONSTRAINT answer__times_are_dates CHECK (is_date(kept_at) AND is_date(expires_at))
);
COMMENT ON TABLE answer IS
  'What models have answered in steps that have a cache: given again where the same is asked. May be emptied at any time.';
COMMENT ON COLUMN answer.key IS 'The hash of all that was asked: role version, model, messages, tools, schema, parameters.';
COMMENT ON COLUMN answer.model IS 'Which model answered, as provider/model.';
COMMENT ON COLUMN answer.content IS 'The answer as JSON, byte by byte.';
COMMENT ON COLUMN answer.kept_at IS 'When it was given.';
COMMENT ON COLUMN answer.expires_at IS 'From then on nobody gets it any more.';
CREATE INDEX answer__by_expiry ON answer (expires_at);
