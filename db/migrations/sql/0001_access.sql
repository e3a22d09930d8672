-- Who may call: tokens and sessions; and what callers have made under a key.

CREATE TABLE token (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  prefix       varchar(16) NOT NULL CONSTRAINT token__prefix UNIQUE,
  hash         bytea NOT NULL,
  name         varchar NOT NULL CONSTRAINT token__name UNIQUE,
  kind         varchar NOT NULL,
  scopes       varchar[] NOT NULL DEFAULT '{}',
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz,
  CONSTRAINT token__hash_has_32_bytes CHECK (octet_length(hash) = 32),
  CONSTRAINT token__kind CHECK (kind IN ('human', 'agent', 'service')),
  CONSTRAINT token__scopes_are_named CHECK (is_list_of_names(scopes)),
  CONSTRAINT token__agents_manage_no_tokens CHECK (kind <> 'agent' OR 'tokens.manage' <> ALL (scopes)),
  CONSTRAINT token__agents_read_no_audit CHECK (kind <> 'agent' OR 'audit.read' <> ALL (scopes)),
  CONSTRAINT token__agents_set_no_budgets CHECK (kind <> 'agent' OR 'budgets.write' <> ALL (scopes)),
  CONSTRAINT token__agents_are_no_admins CHECK (kind <> 'agent' OR 'admin' <> ALL (scopes)),
  CONSTRAINT token__agents_manage_no_tools CHECK (kind <> 'agent' OR 'tools.write' <> ALL (scopes)),
  CONSTRAINT token__agents_set_no_models CHECK (kind <> 'agent' OR NOT scopes && '{models.write,secrets.write}'::varchar[]),
  CONSTRAINT token__name_has_a_length CHECK (length(name) BETWEEN 1 AND 2000),
  CONSTRAINT token__times_are_dates CHECK (
    is_date(created_at) AND is_date(expires_at) AND is_date(revoked_at) AND is_date(last_used_at))
);
COMMENT ON TABLE token IS 'Who may call: found by prefix, compared by hash. The secret itself is never stored.';

CREATE TABLE session (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  hash         bytea NOT NULL CONSTRAINT session__hash UNIQUE,
  token_id     uuid REFERENCES token ON DELETE CASCADE,
  name         varchar,
  scopes       varchar[],
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  revoked_at   timestamptz,
  CONSTRAINT session__hash_has_32_bytes CHECK (octet_length(hash) = 32),
  CONSTRAINT session__stands_for_one CHECK (
    (token_id IS NULL) = (name IS NOT NULL) AND (token_id IS NULL) = (scopes IS NOT NULL)),
  CONSTRAINT session__scopes_are_named CHECK (is_list_of_names(scopes))
);
CREATE INDEX session__by_token ON session (token_id);
COMMENT ON TABLE session IS
  'Browsers that have signed in: with a token, whose rights the session has as long as that holds, or as a person by name.';

-- Starts of executions are not here: they keep their key themselves, and for as long as they are kept.
CREATE TABLE idempotency_key (
  principal      text NOT NULL,
  key            varchar(200) NOT NULL,
  procedure      varchar NOT NULL,
  request_digest varchar NOT NULL,
  -- As text that was checked, not jsonb: it is given back byte by byte.
  answer         json NOT NULL,
  created_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (principal, key),
  CONSTRAINT idempotency_key__key_is_not_empty CHECK (key <> '')
);
COMMENT ON TABLE idempotency_key IS
  'What a caller has made under a key, and the answer it got: the same call gets it again. Pruned after a day.';
CREATE INDEX idempotency_key__by_creation ON idempotency_key (created_at);
CREATE TRIGGER idempotency_key__is_not_edited BEFORE UPDATE ON idempotency_key EXECUTE FUNCTION
  refuse('idempotency_key__is_not_edited', 'an answer is given again as it was given', 'Delete the key to forget it.');
