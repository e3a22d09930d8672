"""The document: one orchestration, every default filled in (DEFINITION §2), and the JSON it is read from."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from services.definitions.patterns import like
from services.json import Json, JsonObject

Kind = Literal[
    "agent",
    "llm",
    "tool",
    "code",
    "transform",
    "wait",
    "approval",
    "webhook",
    "orchestration",
    "branch",
    "loop",
    "map",
    "group",
    "fail",
    "stop",
]
KINDS: tuple[Kind, ...] = (
    "agent", "llm", "tool", "code", "transform", "wait", "approval", "webhook", "orchestration", "branch", "loop",
    "map", "group", "fail", "stop",
)  # fmt: skip
# What the core does by itself; every other kind needs a performer.
CONTROL_KINDS: frozenset[Kind] = frozenset({"transform", "branch", "loop", "map", "group", "fail", "stop"})
# Those that hold other steps, and only follow them.
CONTAINERS: frozenset[Kind] = frozenset({"branch", "loop", "map", "group"})

MAX_STEPS = 200
MAX_FAN_OUT = 100
MAX_STEP_RUNS = 10_000
MAX_NESTING = 8
# How many parents an execution may have above it, and how many orchestrations the steps below a root may call.
MAX_CHILD_DEPTH = 8
MAX_CALLED = 100
# What a map goes over, and works on at a time, where it does not say so.
DEFAULT_ITEMS = 100
DEFAULT_CONCURRENCY = 10
MAX_CONTEXT_BYTES = 1024 * 1024
# Of each attempt, where nothing is said; what a child takes is its own affair.
DEFAULT_TIMEOUT = 300_000
# What happens at the end is done soon, or not at all.
FINALLY_TIMEOUT = 60_000

# The roots of the data scope; a step of such a name could never be told apart from them.
RESERVED_NAMES = frozenset(
    {"context", "input", "output", "steps", "step", "item", "loop", "error", "execution", "vars", "secrets", "previous"}
)

NAME = like(r"^[A-Za-z][A-Za-z0-9 _.-]{0,99}", "A name: 1 to 100 letters, digits, blanks and _.-; a letter first.")
Name = Annotated[str, NAME]
Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=86_400_000)]
Delay = Annotated[int, msgspec.Meta(ge=0, le=86_400_000)]
Retries = Annotated[int, msgspec.Meta(ge=0, le=19)]
Turns = Annotated[int, msgspec.Meta(ge=1, le=100)]
ToolCallCount = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
ContextPolicy = Literal["fail", "trim", "summarise"]
Order = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Text = Annotated[str, msgspec.Meta(max_length=100_000)]
Code = Annotated[str, like(r"^([A-Z][A-Z0-9_]{0,63}|\*)", "A code such as TOOL_ERROR, or * for every one.")]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_FAN_OUT)]
Tokens = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Dollars = Annotated[str, like(r"^[0-9]{1,9}(\.[0-9]{1,6})?", 'Dollars as a text, such as "2.50".')]


class _Part(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, repr_omit_defaults=True
):
    """A part of a document."""


class Retry(_Part, frozen=True, kw_only=True):
    """How `retryDelay` grows from attempt to attempt, and which failures are tried again."""

    backoff: Literal["fixed", "linear", "exponential"] = "fixed"
    max_delay_ms: Delay = 3_600_000
    jitter: Literal["none", "full"] = "none"
    errors: tuple[Code, ...] | None = None
    not_errors: tuple[Code, ...] = ()


class Case(_Part, frozen=True, kw_only=True):
    """One way of a branch: taken when its condition holds, or by weight."""

    name: Name
    when: Json = None
    weight: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    steps: "tuple[Step, ...]"


class Catch(_Part, frozen=True, kw_only=True):
    """What is done about some failures; its last output becomes that of the step."""

    errors: tuple[Code, ...] = ("*",)
    as_: Name | None = msgspec.field(name="as", default=None)
    steps: "tuple[Step, ...]"


class Fallback(_Part, frozen=True, kw_only=True):
    """What takes the place of an output after the last attempt: a value, or what a handler gives."""

    default: Json | msgspec.UnsetType = msgspec.UNSET
    catch: tuple[Catch, ...] | msgspec.UnsetType = msgspec.UNSET


class Tolerance(_Part, frozen=True, kw_only=True):
    """How many items of a map may fail before the map does; both bounds hold."""

    count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    percent: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None


class Assignees(_Part, frozen=True, kw_only=True):
    """Who may decide an approval."""

    roles: tuple[Name, ...] = ()
    users: tuple[str, ...] = ()
    not_initiator: bool = False


class Budget(_Part, frozen=True, kw_only=True):
    """What the model calls of one instance of a step may take, in all its attempts; null where nothing limits it."""

    max_cost_usd: Dollars | None = None
    max_tokens: Tokens | None = None


class Cache(_Part, frozen=True, kw_only=True):
    """That the models' answers are kept for a time, and given again where the same is asked."""

    ttl_ms: Annotated[int, msgspec.Meta(ge=1, le=31_622_400_000)]
    scope: Literal["everyone", "execution"] = "everyone"


class Step(_Part, frozen=True, kw_only=True):
    """One step. `order` is always set here: a document may leave it to the place in the list.

    Which of the fields belong to which kinds is said by `FIELDS_OF_KIND`.
    """

    name: Name
    kind: Kind = "agent"
    order: Order = 0
    parallel_group: Name | None = None
    condition: Json = None
    # What goes in and comes out.
    input_mapping: JsonObject | None = None
    context_keys: tuple[str, ...] | None = None
    output_mapping: JsonObject | None = None
    output_schema: Json = None
    # Attempts.
    max_retries: Retries = 0
    retry_delay: Delay = 1_000
    retry: Retry = Retry()
    timeout: Milliseconds | None = None
    total_timeout: Milliseconds | None = None
    idempotency_key: str | None = None
    on_error: Literal["fail", "continue"] | Fallback = "fail"
    compensate: "tuple[Step, ...]" = ()
    # agent, llm
    role_name: Name | None = None
    prompt: Text | None = None
    tools: tuple[str, ...] | None = None
    max_turns: Turns | None = None
    max_tool_calls: ToolCallCount | None = None
    context_policy: ContextPolicy | None = None
    cache: Cache | None = None
    # agent, llm, orchestration
    budget: Budget | None = None
    # tool
    tool: str | None = None
    # code
    language: Literal["python"] | None = None
    source: Text | None = None
    # wait, and of a loop: the condition that ends it
    for_ms: Annotated[int, msgspec.Meta(ge=0, le=31_622_400_000)] | str | None = None
    until: Json = None
    event: Name | None = None
    match: Json = None
    expires_after_ms: Annotated[int, msgspec.Meta(ge=1, le=31_622_400_000)] | None = None
    # approval
    assignees: Assignees | None = None
    quorum: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    present: Json = None
    form: Json = None
    on_expire: Literal["fail", "continue"] | None = None
    on_reject: Literal["fail", "continue"] | None = None
    # webhook
    direction: Literal["send", "receive"] | None = None
    url: Text | None = None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = None
    headers: dict[str, str] | None = None
    secret_ref: Name | None = None
    verify: Literal["standard-webhooks", "none"] | None = None
    # orchestration
    orchestration: Name | None = None
    version: Annotated[int, msgspec.Meta(ge=1)] | None = None
    wait: bool | None = None
    # branch
    cases: tuple[Case, ...] = ()
    else_: "tuple[Step, ...]" = msgspec.field(name="else", default=())
    split_by: str | None = None
    # loop, map, group
    steps: "tuple[Step, ...]" = ()
    while_: Json = msgspec.field(name="while", default=None)
    max_iterations: Annotated[int, msgspec.Meta(ge=1, le=1_000)] | None = None
    on_limit: Literal["complete", "fail"] | None = None
    collect: Json = None
    items: Json = None
    as_: Name | None = msgspec.field(name="as", default=None)
    max_items: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    max_concurrency: Annotated[int, msgspec.Meta(ge=1, le=MAX_FAN_OUT)] | None = None
    on_item_error: Literal["fail", "null", "drop"] | None = None
    tolerate: Tolerance | None = None
    # fail, stop
    code: Annotated[str, like(r"^[A-Z][A-Z0-9_]{0,63}", "A code such as TOO_SMALL.")] | None = None
    message: Text | None = None
    output: Json = None


class Group(_Part, frozen=True, kw_only=True):
    """How the members of a parallel group come together."""

    join: Literal["all", "any", "n_of", "all_settled"] = "all"
    n: Annotated[int, msgspec.Meta(ge=1, le=MAX_FAN_OUT)] | None = None
    min_success: Count = 0
    on_member_failure: Literal["fail_fast", "wait_all"] = "fail_fast"
    max_concurrency: Annotated[int, msgspec.Meta(ge=1, le=MAX_FAN_OUT)] | None = None
    merge: dict[str, Literal["last", "append", "object"]] = {}


class Limits(_Part, frozen=True, kw_only=True):
    """What one execution may take; null where only the server's own limits hold."""

    timeout_ms: Annotated[int, msgspec.Meta(ge=1, le=31_622_400_000)] | None = None
    max_step_runs: Annotated[int, msgspec.Meta(ge=1, le=MAX_STEP_RUNS)] | None = None
    max_cost_usd: Dollars | None = None
    max_tokens: Tokens | None = None
    max_context_bytes: Annotated[int, msgspec.Meta(ge=1_024, le=MAX_CONTEXT_BYTES)] = MAX_CONTEXT_BYTES


class Defaults(_Part, frozen=True, kw_only=True):
    """What the steps that make attempts have where they do not say it themselves."""

    max_retries: Retries | None = None
    retry_delay: Delay | None = None
    retry: Retry | None = None
    timeout: Milliseconds | None = None


class Document(_Part, frozen=True, kw_only=True):
    """One orchestration: what it takes, its steps in their order, what it gives back."""

    rolecall: Literal[1] = 1
    name: Name
    description: Text = ""
    tags: tuple[Name, ...] = ()
    input: Json = None
    limits: Limits = Limits()
    defaults: Defaults = Defaults()
    groups: dict[Name, Group] = {}
    steps: tuple[Step, ...]
    on_failure: tuple[Step, ...] = ()
    finally_: tuple[Step, ...] = msgspec.field(name="finally", default=())
    output: JsonObject | None = None
    output_schema: Json = None


# Whose steps make attempts, one after another, until one works.
ATTEMPTED: tuple[Kind, ...] = ("agent", "llm", "tool", "code", "webhook", "orchestration")
_FED: tuple[Kind, ...] = ("agent", "llm", "tool", "code", "transform", "approval", "webhook", "orchestration")

# Which of a step's own fields belong to which kinds; every other field belongs to all.
FIELDS_OF_KIND: dict[str, tuple[Kind, ...]] = {
    "roleName": ("agent", "llm"),
    "roleId": ("agent", "llm"),
    "prompt": ("agent", "llm"),
    "tools": ("agent",),
    "maxTurns": ("agent",),
    "maxToolCalls": ("agent",),
    "contextPolicy": ("agent", "llm"),
    "cache": ("agent", "llm"),
    "budget": ("agent", "llm", "orchestration"),
    "tool": ("tool",),
    "language": ("code",),
    "source": ("code",),
    "forMs": ("wait",),
    "until": ("wait", "loop"),
    "event": ("wait",),
    "match": ("wait", "webhook"),
    "expiresAfterMs": ("wait", "approval", "webhook"),
    "assignees": ("approval",),
    "quorum": ("approval",),
    "present": ("approval",),
    "form": ("approval",),
    "onExpire": ("approval",),
    "onReject": ("approval",),
    "direction": ("webhook",),
    "url": ("webhook",),
    "method": ("webhook",),
    "headers": ("webhook",),
    "secretRef": ("webhook",),
    "verify": ("webhook",),
    "orchestration": ("orchestration",),
    "version": ("orchestration",),
    "wait": ("orchestration",),
    "cases": ("branch",),
    "else": ("branch",),
    "splitBy": ("branch",),
    "steps": ("loop", "map", "group"),
    "while": ("loop",),
    "maxIterations": ("loop",),
    "onLimit": ("loop",),
    "collect": ("loop",),
    "items": ("map",),
    "as": ("map",),
    "maxItems": ("map",),
    "maxConcurrency": ("map",),
    "onItemError": ("map",),
    "tolerate": ("map",),
    "code": ("fail",),
    "message": ("fail",),
    "output": ("stop",),
    "inputMapping": _FED,
    "contextKeys": tuple(kind for kind in _FED if kind != "transform"),
    "outputMapping": tuple(kind for kind in KINDS if kind not in ("fail", "stop")),
    "outputSchema": tuple(kind for kind in KINDS if kind not in ("fail", "stop")),
    "compensate": tuple(kind for kind in KINDS if kind not in ("fail", "stop")),
    "maxRetries": ATTEMPTED,
    "retryDelay": ATTEMPTED,
    "retry": ATTEMPTED,
    "timeout": ATTEMPTED,
    "totalTimeout": ATTEMPTED,
    "idempotencyKey": ATTEMPTED,
}

Slot: TypeAlias = str
"""Where in its container a step stands: `body`, `case:<name>`, `else`, `catch:<n>` or `compensate`; of a document
`main`, `onFailure` or `finally`."""


# What tells one step from another, shown whether it is the default or not.
_ALWAYS = frozenset({"name", "kind", "order", "rolecall"})


def inherited(defaults: Defaults, slot: Slot) -> dict[str, Any]:
    """What the steps in a slot of the document that make attempts have where they do not say it, by field.

    >>> inherited(Defaults(max_retries=2), "finally")
    {'timeout': 60000, 'max_retries': 2}
    """
    said = ((name, getattr(defaults, name)) for name in Defaults.__struct_fields__)
    own = {"timeout": FINALLY_TIMEOUT} if slot == "finally" else {}
    return own | {name: value for name, value in said if value is not None}


def as_json(part: msgspec.Struct) -> JsonObject:
    """The document, or a part of it, as the JSON that it is read from; what would be read the same is left out.

    >>> as_json(Step(name="a", kind="group", steps=(Step(name="b", max_retries=2),)))["steps"]
    [{'name': 'b', 'kind': 'agent', 'order': 0, 'maxRetries': 2}]
    """
    return _part_as_json(part, {})


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    """What a field has when nothing is said; NODEFAULT where something has to be."""
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default


def _part_as_json(part: msgspec.Struct, above: dict[str, Any]) -> JsonObject:
    instead = above if isinstance(part, Step) and part.kind in ATTEMPTED else {}
    shown: JsonObject = {}
    for field in msgspec.structs.fields(type(part)):
        value, default = getattr(part, field.name), instead.get(field.name, default_of(field))
        if value != default or type(value) is not type(default) or field.name in _ALWAYS:
            below = inherited(part.defaults, field.encode_name) if isinstance(part, Document) else above
            shown[field.encode_name] = _json(value, below)
    return shown


def _json(value: Any, above: dict[str, Any]) -> Json:
    if isinstance(value, msgspec.Struct):
        return _part_as_json(value, above)
    if isinstance(value, tuple):
        return [_json(item, above) for item in value]
    if isinstance(value, dict):
        return {key: _json(item, above) for key, item in value.items()}
    return value


def slots(step: Step) -> Iterator[tuple[Slot, tuple[Step, ...]]]:
    """The sequences of steps that a step holds, those that have steps.

    >>> [slot for slot, _ in slots(Step(name="a", kind="group", steps=(Step(name="b"),)))]
    ['body']
    """
    held = [("body", step.steps), *((f"case:{case.name}", case.steps) for case in step.cases), ("else", step.else_)]
    if isinstance(step.on_error, Fallback) and step.on_error.catch is not msgspec.UNSET:
        held += [(f"catch:{index}", handler.steps) for index, handler in enumerate(step.on_error.catch)]
    held.append(("compensate", step.compensate))
    return ((slot, steps) for slot, steps in held if steps)


def main_slots(document: Document) -> Iterator[tuple[Slot, tuple[Step, ...]]]:
    """The sequences of steps that a document holds itself, those that have steps."""
    held = (("main", document.steps), ("onFailure", document.on_failure), ("finally", document.finally_))
    return ((slot, steps) for slot, steps in held if steps)


def all_steps(document: Document) -> Iterator[Step]:
    """Every step of the document, each before those that it holds."""
    for _, steps in main_slots(document):
        yield from _with_held(steps)


def _with_held(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        for _, held in slots(step):
            yield from _with_held(held)


def stages(steps: tuple[Step, ...]) -> list[list[Step]]:
    """The steps in the order in which they run: each inner list is one stage, its members run together."""
    result: list[list[Step]] = []
    for step in sorted(steps, key=lambda step: step.order):
        if result and step.parallel_group is not None and step.parallel_group == result[-1][-1].parallel_group:
            result[-1].append(step)
        else:
            result.append([step])
    return [sorted(stage, key=lambda step: (step.order, step.name)) for stage in result]
