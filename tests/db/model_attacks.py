"""Attacks on the rules of secrets, providers, models and prices, and edits that they allow; see attacks.py."""

from __future__ import annotations

SEALED = "'enc:v1:0123abcd:' || repeat('A', 16) || ':' || repeat('B', 30)"
FOREVER = ("'infinity'", "'-infinity'", "'10000-01-01'", "'0044-03-15 BC'")
NEW_SECRET = "INSERT INTO secret (name, value, created_by) VALUES ('{}', {}, 'eve')"
EDIT_SECRET = "UPDATE secret SET {} WHERE name = 'Spare key'"
NEW_PROVIDER = "INSERT INTO provider (name, preset, created_by, {}) VALUES ('{}', 'compatible', 'eve', {})"
EDIT_PROVIDER = "UPDATE provider SET {} WHERE name = 'gateway'"
EDIT_MODEL = "UPDATE model SET {} WHERE name = 'large'"
NEW_MODEL = (
    "INSERT INTO model (provider_id, name, created_by) SELECT {}, 'large', 'eve' FROM provider WHERE name = 'gateway'"
)
NEW_PRICE = "INSERT INTO model_price (model, input, output, created_by, {}) VALUES ('{}', 1, 2, 'eve', {})"
PRICE = "INSERT INTO model_price (model, input, output, created_by) VALUES ('gateway/large', {}, {}, 'eve')"
DEFAULT = "INSERT INTO default_model (model{}) VALUES ('gateway/large'{})"
NO_NAMES = ("''", "'1st'", "'Gateway'", "'a/b'", "repeat('a', 51)")
BY_ROW = "audit__changes_are_by_row"

MODEL_ATTACKS: tuple[tuple[str, str], ...] = (
    ("secret__name", NEW_SECRET.format("Spare key", SEALED)),
    ("secret__name_is_a_name", NEW_SECRET.format("1st", SEALED)),
    ("secret__name_is_a_name", NEW_SECRET.format("", SEALED)),
    *[
        ("secret__value_is_an_envelope", NEW_SECRET.format("New", value))
        for value in (
            "'sk-proj-in-plain-text'",
            "''",
            "'enc:v1:'",
            f"replace({SEALED}, 'v1', 'v2')",
            f"{SEALED} || ' '",
            f"{SEALED} || repeat('C', 100000)",
        )
    ],
    ("secret__hosts_are_named", EDIT_SECRET.format("hosts = ARRAY['']")),
    ("secret__hosts_are_named", EDIT_SECRET.format("hosts = ARRAY['a', NULL]")),
    ("secret__texts_have_a_length", EDIT_SECRET.format("description = repeat('x', 100001)")),
    ("secret__texts_have_a_length", EDIT_SECRET.format("created_by = repeat('x', 2001)")),
    *[("secret__times_are_dates", EDIT_SECRET.format(f"created_at = {value}")) for value in FOREVER],
    *[
        (
            "secret__times_are_dates",
            "ALTER TABLE secret DISABLE TRIGGER secret__updated_at; " + EDIT_SECRET.format(f"updated_at = {value}"),
        )
        for value in FOREVER
    ],
    ("secret__is_not_in_use", "DELETE FROM secret WHERE name = 'Gateway key'"),
    ("secret__is_not_in_use", "UPDATE secret SET name = 'Other key' WHERE name = 'Gateway key'"),
    ("provider__name", NEW_PROVIDER.format("is_active", "gateway", "true")),
    *[("provider__name_is_a_name", EDIT_PROVIDER.format(f"name = {name}::text")) for name in NO_NAMES[:4]],
    ("provider__offline_is_ours", NEW_PROVIDER.format("is_active", "offline", "true")),
    *[("provider__preset_is_a_name", EDIT_PROVIDER.format(f"preset = {name}::text")) for name in NO_NAMES[:4]],
    *[
        ("provider__base_url_is_a_url", EDIT_PROVIDER.format(f"base_url = {url}"))
        for url in (
            "''",
            "'llm.example.com'",
            "'file:///etc/passwd'",
            "'https://'",
            "'https://anna:pw@llm.example.com/v1'",
            "'https://llm.example.com/v1?key=1'",
            "'https://llm.example.com/v1#x'",
            "'https://llm.example.com\\@evil.example/v1'",
            "E'https://llm.example.com/v1\\nx'",
            "'https://llm.example.com/' || repeat('x', 2000)",
        )
    ],
    ("provider__api", EDIT_PROVIDER.format("api = 'assistants'")),
    ("provider__has_one_key", EDIT_PROVIDER.format("key_variable = 'ROLECALL_KEY_GATEWAY'")),
    *[
        ("provider__key_variable_is_ours", EDIT_PROVIDER.format(f"secret = NULL, key_variable = '{variable}'"))
        for variable in ("ROLECALL_DATABASE_URL", "ROLECALL_KEY_", "rolecall_key_a", "ROLECALL_SECRETS_KEY", "")
    ],
    ("provider__timeout_ms", EDIT_PROVIDER.format("timeout_ms = 0")),
    ("provider__timeout_ms", EDIT_PROVIDER.format("timeout_ms = 86400001")),
    *[
        ("provider__limits_count_from_one", EDIT_PROVIDER.format(f"{limit} = 0"))
        for limit in ("max_concurrent", "requests_per_minute", "tokens_per_minute")
    ],
    ("provider__capabilities", EDIT_PROVIDER.format("capabilities = '{tools,magic}'")),
    ("provider__capabilities_are_named", EDIT_PROVIDER.format("capabilities = '{{tools},{json}}'")),
    ("provider__created_by_has_a_length", EDIT_PROVIDER.format("created_by = repeat('x', 2001)")),
    *[("provider__times_are_dates", EDIT_PROVIDER.format(f"created_at = {value}")) for value in FOREVER],
    *[
        (
            "provider__times_are_dates",
            "ALTER TABLE provider DISABLE TRIGGER provider__updated_at; "
            + EDIT_PROVIDER.format(f"updated_at = {value}"),
        )
        for value in FOREVER
    ],
    ("model_provider_id_fkey", EDIT_MODEL.format("provider_id = gen_random_uuid()")),
    ("model__provider_name", NEW_MODEL.format("id")),
    *[("model__name_is_a_name", EDIT_MODEL.format(f"name = '{name}'")) for name in ("", " large", "-x", "a b")],
    ("model__capabilities", EDIT_MODEL.format("capabilities = '{magic}'")),
    ("model__capabilities_are_named", EDIT_MODEL.format("capabilities = '{{tools},{json}}'")),
    ("model__tokens_count_from_one", EDIT_MODEL.format("context_tokens = 0")),
    ("model__tokens_count_from_one", EDIT_MODEL.format("max_output_tokens = -1")),
    ("model__created_by_has_a_length", EDIT_MODEL.format("created_by = repeat('x', 2001)")),
    *[("model__times_are_dates", EDIT_MODEL.format(f"created_at = {value}")) for value in FOREVER],
    *[
        (
            "model__times_are_dates",
            "ALTER TABLE model DISABLE TRIGGER model__updated_at; " + EDIT_MODEL.format(f"updated_at = {value}"),
        )
        for value in FOREVER
    ],
    (
        "model_price__number",
        "INSERT INTO model_price (number, model, input, output, created_by) OVERRIDING SYSTEM VALUE "
        "SELECT number, model, 1, 2, 'eve' FROM model_price",
    ),
    *[
        ("model_price__model_is_a_name", NEW_PRICE.format("note", name, "''"))
        for name in ("large", "gateway/", "/large", "Gateway/large", "gateway/a b")
    ],
    *[
        ("model_price__is_a_price", PRICE.format(*prices))
        for prices in (
            (-1, 1),
            (1, -1),
            (1_000_001, 1),
            ("'NaN'", 1),
            (1, "'NaN'"),
            ("0.0000000000001", 1),
            (1, "0.0000000000001"),
        )
    ],
    ("model_price__is_a_price", NEW_PRICE.format("cached_input", "gateway/large", "-1")),
    ("model_price__is_a_price", NEW_PRICE.format("long_from, long_input, long_output", "gateway/large", "1, -1, 1")),
    ("model_price__is_a_price", NEW_PRICE.format("long_from, long_input, long_output", "gateway/large", "1, 1, -1")),
    ("model_price__long_is_whole", NEW_PRICE.format("long_from, long_output", "gateway/large", "1, 1")),
    ("model_price__long_is_whole", NEW_PRICE.format("long_input", "gateway/large", "1")),
    (
        "model_price__long_from",
        NEW_PRICE.format("long_from, long_input, long_output", "gateway/large", "0, 1, 1"),
    ),
    ("model_price__texts_have_a_length", NEW_PRICE.format("note", "gateway/large", "repeat('x', 100001)")),
    *[
        ("model_price__times_are_dates", NEW_PRICE.format(column, "gateway/large", value))
        for value in FOREVER
        for column in ("valid_from", "created_at")
    ],
    ("model_price__is_append_only", "UPDATE model_price SET input = 0"),
    ("model_price__is_append_only", "DELETE FROM model_price"),
    ("model_price__is_append_only", "TRUNCATE model_price"),
    ("default_model__is_only", DEFAULT.format("", "")),
    ("default_model__is_only_is_true", DEFAULT.format(", is_only", ", false")),
    ("default_model__model_is_a_name", "UPDATE default_model SET model = 'large'"),
    *[
        (
            "default_model__updated_at_is_a_date",
            "ALTER TABLE default_model DISABLE TRIGGER default_model__updated_at; "
            f"UPDATE default_model SET updated_at = {value}",
        )
        for value in FOREVER
    ],
    ("token__agents_set_no_models", "UPDATE token SET kind = 'agent', scopes = '{roles.read,models.write}'"),
    ("token__agents_set_no_models", "UPDATE token SET kind = 'agent', scopes = '{roles.read,secrets.write}'"),
    (BY_ROW, "TRUNCATE secret"),
    (BY_ROW, "TRUNCATE model"),
    (BY_ROW, "TRUNCATE default_model"),
    (BY_ROW, "TRUNCATE provider CASCADE"),
    (BY_ROW, "ALTER TABLE model DISABLE TRIGGER USER; TRUNCATE provider CASCADE"),
)

_LAST_ENTRY = "SELECT array[action, noun] FROM audit ORDER BY seq DESC LIMIT 1"
_TABLES = {
    "secret": EDIT_SECRET,
    "provider": EDIT_PROVIDER,
    "model": EDIT_MODEL,
    "default_model": "UPDATE default_model SET {}",
}
_CHANGES = {
    "secret": "description = 'x'",
    "provider": "timeout_ms = 5",
    "model": "context_tokens = 5",
    "default_model": "model = 'gateway/small'",
}

# (what, the edit, a query, its result afterwards)
MODEL_EDITS = (
    *[
        (
            f"a change of {table} is dated by the database",
            edit.format(f"{_CHANGES[table]}, updated_at = '2001-01-01'"),
            f"SELECT bool_or(updated_at = now()) FROM {table}",
            True,
        )
        for table, edit in _TABLES.items()
    ],
    *[
        (f"a change of {table} stands in the audit", edit.format(_CHANGES[table]), _LAST_ENTRY, ["update", table])
        for table, edit in _TABLES.items()
    ],
    ("a new price stands in the audit", PRICE.format(3, 4), _LAST_ENTRY, ["insert", "model_price"]),
    (
        "another value of a secret is told by its key, and not told",
        EDIT_SECRET.format(f"value = replace({SEALED}, '0123abcd', '89abcdef')"),
        "SELECT array[before ->> 'key_id', after ->> 'key_id', after ->> 'value'] FROM audit ORDER BY seq DESC LIMIT 1",
        ["0123abcd", "89abcdef", None],
    ),
    (
        "a secret that nobody uses is renamed",
        EDIT_SECRET.format("name = 'Old key'"),
        "SELECT count(*) FROM secret WHERE name = 'Old key'",
        1,
    ),
    (
        "a secret that nobody uses is deleted",
        "DELETE FROM secret WHERE name = 'Spare key'",
        "SELECT count(*) FROM secret",
        1,
    ),
    (
        "a provider takes its models along",
        "DELETE FROM provider WHERE name = 'gateway'",
        "SELECT count(*) FROM model",
        0,
    ),
)
