"""What an administrator may type into a column: values that its type holds, and that no program of ours expects."""

import json
from random import Random

_DEEP = "(repeat('[', {0}) || '1' || repeat(']', {0}))::jsonb"

# JSON as SQL. Whatever of it Postgres does not take, or a rule refuses, is a mutation that was refused.
JSON = (
    *(
        f"{json.dumps(value)!r}::jsonb"
        for value in (None, True, 0, -1, 7, "", "x", "Role 1", [], {}, [None], [[1]], {"": {}})
    ),
    *(
        f"'{number}'::jsonb"
        for number in ("1e400", "-1e400", "1e5000", "1e-400", "1.5e308", "1e30", "9223372036854775808")
    ),
    *(f"'{number}'::jsonb" for number in ("0.1", "-0.0", "2.5", "1e2")),
    *(_DEEP.format(levels) for levels in (3, 60, 64, 65, 500, 1000, 3000, 10000)),
    "jsonb_build_object('type', 'objekt')",
    "jsonb_build_object('$ref', '#')",
    "jsonb_build_object('$ref', 'http://127.0.0.1:9/schema')",
    "jsonb_build_object('pattern', '(a+)+$(')",
    "jsonb_build_object('type', 'object', 'required', jsonb_build_array('no such'))",
    "jsonb_build_object('properties', jsonb_build_object('a/b~c', true, '__proto__', true, 'x', '{}'::jsonb))",
    "jsonb_build_object('enum', '[]'::jsonb)",
    "jsonb_build_object('preferred', 'offline')",
    "jsonb_build_object('preferred', '[null, 7]'::jsonb)",
    "jsonb_build_object('capabilities', '[\"fly\"]'::jsonb)",
    "jsonb_build_object('minContextTokens', '1e30'::jsonb)",
    "jsonb_build_object('minContextTokens', 'much')",
    "jsonb_build_object('temperature', 'hot')",
    "jsonb_build_object('temperature', '1e400'::jsonb)",
    "jsonb_build_object('temperature', 99)",
    "jsonb_build_object('maxOutputTokens', 1.5)",
    "jsonb_build_object('steps', '[]'::jsonb)",
    "jsonb_build_object('steps', '[{\"name\": \"Sneaked in\"}]'::jsonb)",
    "jsonb_build_object('name', 'Another')",
    "jsonb_build_object('name', 7)",
    "jsonb_build_object('kind', 'goto')",
    "jsonb_build_object('order', -1)",
    "jsonb_build_object('tool', 'no.such.tool')",
    "jsonb_build_object('tools', '[null]'::jsonb)",
    "jsonb_build_object('tools', '[\"[z-a]*\", \"**********\"]'::jsonb)",
    "jsonb_build_object('orchestration', 'Nobody')",
    "jsonb_build_object('orchestration', '{}'::jsonb, 'version', 'x')",
    "jsonb_build_object('orchestration', 'Steady', 'version', '1e30'::jsonb)",
    "jsonb_build_object('maxIterations', '1e30'::jsonb)",
    "jsonb_build_object('maxIterations', 3, 'until', '<<')",
    "jsonb_build_object('maxIterations', 3, 'until', '{}'::jsonb)",
    'jsonb_build_object(\'cases\', \'[{"name": "A", "when": "1 +"}]\'::jsonb)',
    'jsonb_build_object(\'cases\', \'[{"name": "A"}, {"name": "A"}]\'::jsonb)',
    "jsonb_build_object('cases', '{\"0\": 1}'::jsonb)",
    "jsonb_build_object('items', '<<input.topic', 'maxItems', 3)",
    "jsonb_build_object('onError', '{\"catch\": 7}'::jsonb)",
    "jsonb_build_object('onError', 'never')",
    "jsonb_build_object('retry', '{\"errors\": [7]}'::jsonb)",
    "jsonb_build_object('limits', '{\"maxContextBytes\": 1}'::jsonb)",
    "jsonb_build_object('limits', '{\"timeoutMs\": 1e30}'::jsonb)",
    "jsonb_build_object('limits', '{\"maxCostUsd\": \"NaN\"}'::jsonb)",
    'jsonb_build_object(\'groups\', \'{"nobody": {"join": "some"}}\'::jsonb)',
    "jsonb_build_object('input', '{\"type\": 7}'::jsonb)",
    "jsonb_build_object('input', 'schema')",
    "jsonb_build_object('outputSchema', '{\"$ref\": \"#/x\"}'::jsonb)",
    "jsonb_build_object('rolecall', 2)",
    "jsonb_build_object('a', '<<input.topic>>', 'b', '<<nothing.at.all')",
    "jsonb_build_object('a', jsonb_build_object('$expr', '__import__(1)'))",
    "jsonb_build_object('$path', '$..[?(@.a)]')",
    "jsonb_build_object('field', 'a', 'operator', 'like', 'value', 1)",
    "jsonb_build_object('all', '[{\"not\": 7}]'::jsonb)",
    "to_jsonb(repeat('x', 200000))",
    "to_jsonb(repeat('x', 2000000))",
    "to_jsonb(array_fill(1, ARRAY[50000]))",
    "to_jsonb(E'\\u0001\\u202e\\ufeff'::text)",
    "to_jsonb('context.a >' || repeat(' (1', 500))",
)
TEXT = (
    "''", "' '", "'x'", "'7'", "NULL", "E'a\\nb'", "E'a\\u0001b'", "U&'\\202Ea\\+01F600'", "'<script>'", "'a/b'",
    "'..'", "'%s{}'", "'Role 1'", "'Victim 1'", "'Steady'", "'role.list'", "'context'", "'__proto__'",
    "'case:A'", "'case:'", "'catch:0'", "'catch:99999999999999999999'", "'body'", "'else'", "'main'", "'finally'",
    "'onFailure'", "'compensate'", "'agent'", "'llm'", "'tool'", "'loop'", "'map'", "'branch'", "'group'", "'wait'",
    "'approval'", "'webhook'", "'code'", "'fail'", "'stop'", "'orchestration'", "'transform'", "'draft'",
    "'proposed'", "'published'", "'rejected'", "'archived'", "'publishing'", "'sha256:' || repeat('0', 64)",
    "repeat('x', 100)", "repeat('x', 101)", "repeat('x', 100001)", "repeat('x', 3000000)", "'g'", "'h'",
)  # fmt: skip
NUMBERS = (
    "0", "1", "2", "3", "-1", "7", "19", "20", "100", "1000", "1001", "1000000", "1000001", "86400000", "86400001",
    "2147483647", "-2147483648", "2147483648", "NULL", "'NaN'::float8",
)  # fmt: skip
INSTANTS = (
    "NULL", "now()", "'infinity'", "'-infinity'", "'294276-12-31'", "'4713-01-01 BC'", "'0001-01-01'", "'0001-01-03'",
    "'10000-01-01'", "'9999-12-30 23:59:59.999999+00'", "'1969-12-31'",
)  # fmt: skip
LISTS = (
    "NULL", "'{}'", "'{a}'", "'{NULL}'", "'{\"\"}'", "'{{a},{b}}'", "'[5:6]={a,b}'", "'{meta}'",
    "'{files.*,no.such}'", "'{*}'", "'{[z-a],**}'", "array_fill('a'::varchar, ARRAY[1001])",
    "ARRAY[repeat('x', 100001)]", "ARRAY[E'a\\u0001']",
)  # fmt: skip
BOOLEANS = ("true", "false", "NULL")
# Of rows that there may be, and of nobody.
IDS = (
    "NULL", "gen_random_uuid()", "'00000000-0000-0000-0000-000000000000'",
    "(SELECT id FROM role ORDER BY random() LIMIT 1)",
    "(SELECT id FROM orchestration_version ORDER BY random() LIMIT 1)",
    "(SELECT id FROM orchestration_step ORDER BY random() LIMIT 1)",
    "(SELECT id FROM orchestration ORDER BY random() LIMIT 1)",
)  # fmt: skip

_OF_TYPE = {
    "jsonb": JSON,
    "varchar": TEXT,
    "text": TEXT,
    "int2": NUMBERS,
    "int4": NUMBERS,
    "bool": BOOLEANS,
    "timestamptz": INSTANTS,
    "uuid": IDS,
    "_varchar": LISTS,
}

# Where something is read in JSON: as many places again are made up.
PLACES = (
    "preferred", "capabilities", "minContextTokens", "temperature", "maxOutputTokens", "type", "properties",
    "required", "name", "description", "tags", "input", "output", "outputSchema", "limits", "defaults", "groups",
    "steps", "tool", "tools", "prompt", "maxTurns", "maxIterations", "until", "while", "collect", "items", "as",
    "maxItems", "maxConcurrency", "onItemError", "tolerate", "cases", "onError", "retry", "orchestration", "version",
    "wait", "forMs", "event", "match", "code", "message", "contextKeys", "idempotencyKey", "totalTimeout", "rolecall",
    "noSuchField", "topic", "said",
)  # fmt: skip


def value_for(type_: str, random: Random) -> str:
    """SQL for a value of that type, by its name in pg_type."""
    return random.choice(_OF_TYPE[type_])


def inside(column: str, random: Random) -> str:
    """SQL for the JSON of a column with something else at one place in it."""
    place = random.choice(PLACES)
    return f"jsonb_set({column}, '{{{place}}}', {random.choice(JSON)})"
