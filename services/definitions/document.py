"""The document: one orchestration in its canonical form, every default filled in (DEFINITION §2)."""

from typing import Annotated, Literal

import msgspec

from services.json import Json, JsonObject

Kind = Literal["agent", "llm", "tool", "transform"]
KINDS: tuple[Kind, ...] = ("agent", "llm", "tool", "transform")

MAX_STEPS = 200
MAX_FAN_OUT = 100
MAX_STEP_RUNS = 10_000

# The roots of the data scope; a step of such a name could never be told apart from them.
RESERVED_NAMES = frozenset(
    {"context", "input", "output", "steps", "step", "item", "loop", "error", "execution", "vars", "secrets", "previous"}
)

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9 _.-]{0,99}$"
Name = Annotated[
    str, msgspec.Meta(pattern=NAME_PATTERN, description="Letters, digits, blanks and _.-; a letter first.")
]
Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=86_400_000)]
Delay = Annotated[int, msgspec.Meta(ge=0, le=86_400_000)]
Retries = Annotated[int, msgspec.Meta(ge=0, le=19)]
Turns = Annotated[int, msgspec.Meta(ge=1, le=100)]
Order = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Text = Annotated[str, msgspec.Meta(max_length=100_000)]


class Step(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One step. `order` is always set here: a document may leave it to the place in the list."""

    name: Name
    kind: Kind = "agent"
    order: Order = 0
    parallel_group: Name | None = None
    role_name: Name | None = None
    tool: str | None = None
    prompt: Text | None = None
    tools: tuple[str, ...] | None = None
    max_turns: Turns | None = None
    condition: Json = None
    input_mapping: JsonObject | None = None
    output_mapping: JsonObject | None = None
    output_schema: Json = None
    max_retries: Retries = 0
    retry_delay: Delay = 1_000
    timeout: Milliseconds = 300_000


class Document(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One orchestration: what it takes, its steps in their order, what it gives back."""

    rolecall: Literal[1] = 1
    name: Name
    description: Text = ""
    tags: tuple[Name, ...] = ()
    input: Json = None
    steps: tuple[Step, ...]
    output: JsonObject | None = None
    output_schema: Json = None


# Which of a step's own fields belong to which kinds; every other field belongs to all.
FIELDS_OF_KIND: dict[str, tuple[Kind, ...]] = {
    "roleName": ("agent", "llm"),
    "roleId": ("agent", "llm"),
    "tool": ("tool",),
    "prompt": ("agent", "llm"),
    "tools": ("agent",),
    "maxTurns": ("agent",),
}


def as_json(document: Document) -> JsonObject:
    """The document as the JSON that it is read from."""
    return msgspec.json.decode(msgspec.json.encode(document))


def stages(steps: tuple[Step, ...]) -> list[list[Step]]:
    """The steps in the order in which they run: each inner list is one stage, its members run together."""
    result: list[list[Step]] = []
    for step in sorted(steps, key=lambda step: step.order):
        if result and step.parallel_group is not None and step.parallel_group == result[-1][-1].parallel_group:
            result[-1].append(step)
        else:
            result.append([step])
    return [sorted(stage, key=lambda step: (step.order, step.name)) for stage in result]
