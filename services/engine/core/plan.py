"""The plan: a document compiled once, ready to be folded over."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

import msgspec

from services.definitions.calls import called
from services.definitions.document import CONTROL_KINDS, Case, Document, Group, Slot, Step, main_slots, slots, stages
from services.expressions import Condition, Template, compile_condition, compile_template
from services.json import Json

_ALONE = Group()


@dataclass(frozen=True, slots=True)
class Way:
    """A case of a branch: the slot of its steps, and what it is taken for. The last one may be the `else`."""

    name: str
    slot: Slot
    when: Condition | None
    weight: int


@dataclass(frozen=True, slots=True)
class Branch:
    """Which way a branch goes: the first whose condition holds, or one by weight."""

    ways: tuple[Way, ...]
    is_weighted: bool
    split_by: Template | None


@dataclass(frozen=True, slots=True)
class Loop:
    """When a loop ends, and what it collects."""

    until: Condition | None
    while_: Condition | None
    collect: Template | None


@dataclass(frozen=True, slots=True)
class Map:
    """What a map goes over."""

    items: Template


@dataclass(frozen=True, slots=True)
class Wait:
    """How long or until when a wait waits, or what the data of the event is like that it waits for."""

    for_ms: Template | None
    until: Template | None
    match: Condition | None


@dataclass(frozen=True, slots=True)
class Fail:
    """What a fail says."""

    message: Template


@dataclass(frozen=True, slots=True)
class Stop:
    """What the execution gives back when it stops here; None for what it would give at its end."""

    output: Template | None


Control: TypeAlias = Branch | Loop | Map | Wait | Fail | Stop


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its templates and its conditions compiled. `place` counts the steps of the plan as they are read."""

    name: str
    definition: Step
    place: int
    condition: Condition | None
    input: Template | None
    output: Template | None
    idempotency_key: Template | None
    control: Control | None
    blocks: "dict[Slot, Block]"

    needs_performer: bool
    """Whether somebody outside the core is asked to perform the step; for a wait that is the clock."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps that run together, in (order, name) order, and how they come together."""

    members: tuple[PlannedStep, ...]
    group: Group
    names: frozenset[str]
    is_performed: bool
    """Whether every member needs a performer, so that the core settles none by itself."""


@dataclass(frozen=True, slots=True)
class Block:
    """What stands in one slot: stages, one after another."""

    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an execution follows.

    `blocks` are those of the document: `main`, and `onFailure` and `finally` where there are such. `steps` are all
    steps by name, those that stand inside others too; `calls` is what they call, `events` what they wait for.
    """

    blocks: dict[Slot, Block]
    steps: dict[str, PlannedStep]
    input_schema: Json
    output: Template | None
    output_schema: Json
    max_context_bytes: int
    max_tokens: int | None
    max_cost_usd: Decimal | None
    timeout_ms: int | None
    role_names: frozenset[str]
    calls: frozenset[str]
    events: frozenset[str]

    @property
    def main_names(self) -> tuple[str, ...]:
        """The steps of the main sequence, in their order."""
        return tuple(member.name for stage in self.blocks["main"].stages for member in stage.members)


def plan_of(document: Document) -> Plan:
    """The plan of a document that `check` found nothing wrong with.

    Raises:
        ExpressionError: a template or a condition does not parse, which `check` would have said.
    """
    steps: dict[str, PlannedStep] = {}
    limits = document.limits
    return Plan(
        blocks=_blocks(main_slots(document), document.groups, steps),
        steps=steps,
        input_schema=document.input,
        output=_template(document.output),
        output_schema=document.output_schema,
        max_context_bytes=limits.max_context_bytes,
        max_tokens=limits.max_tokens,
        max_cost_usd=None if limits.max_cost_usd is None else Decimal(limits.max_cost_usd),
        timeout_ms=limits.timeout_ms,
        role_names=frozenset(
            step.definition.role_name for step in steps.values() if step.definition.role_name is not None
        ),
        calls=called(document),
        events=frozenset(step.definition.event for step in steps.values() if step.definition.event is not None),
    )


def _blocks(
    held: Iterable[tuple[Slot, tuple[Step, ...]]], groups: dict[str, Group], steps: dict[str, PlannedStep]
) -> dict[Slot, Block]:
    blocks: dict[Slot, Block] = {}
    for slot, listed in held:
        staged: list[Stage] = []
        for members in stages(listed):
            group = groups.get(members[0].parallel_group or "", _ALONE)
            planned = tuple(_planned(member, groups, steps) for member in members)
            names = frozenset(member.name for member in members)
            staged.append(Stage(planned, group, names, all(member.needs_performer for member in planned)))
        blocks[slot] = Block(tuple(staged))
    return blocks


def _planned(step: Step, groups: dict[str, Group], steps: dict[str, PlannedStep]) -> PlannedStep:
    place = len(steps)
    steps[step.name] = None  # type: ignore[assignment]  # its place, until it is made
    planned = PlannedStep(
        name=step.name,
        definition=step,
        place=place,
        condition=_condition(step.condition),
        input=_template(step.input_mapping),
        output=_template(step.output_mapping),
        idempotency_key=_template(step.idempotency_key),
        control=_control(step),
        blocks=_blocks(slots(step), groups, steps),
        needs_performer=step.kind not in CONTROL_KINDS,
    )
    steps[step.name] = planned
    return planned


def _control(step: Step) -> Control | None:
    match step.kind:
        case "branch":
            ways = tuple(_way(case) for case in step.cases)
            last = (Way("else", "else", None, 0),) if step.else_ else ()
            is_weighted = any(case.weight is not None for case in step.cases)
            return Branch(ways + last, is_weighted, _template(step.split_by))
        case "loop":
            return Loop(_condition(step.until), _condition(step.while_), _template(step.collect))
        case "map":
            return Map(compile_template(step.items, jsonpath=True))
        case "wait":
            return Wait(_template(step.for_ms), _template(step.until), _condition(step.match))
        case "fail":
            return Fail(compile_template(step.message or ""))
        case "stop":
            return Stop(_template(step.output))
        case _:
            return None


def _way(case: Case) -> Way:
    return Way(case.name, f"case:{case.name}", _condition(case.when), case.weight or 0)


def _condition(value: Json) -> Condition | None:
    return None if value is None else compile_condition(value)


def _template(value: Json) -> Template | None:
    return None if value is None else compile_template(value, jsonpath=True)


def handler_slot(step: Step, code: str) -> Slot | None:
    """What takes care of a failure after the last attempt: `catch:<n>`, `default` or `continue`; None for nothing."""
    if step.on_error == "fail" or code == "CANCELLED":
        return None
    if step.on_error == "continue":
        return "continue"
    if step.on_error.catch is msgspec.UNSET:
        return "default"
    for index, handler in enumerate(step.on_error.catch):
        if code in handler.errors or "*" in handler.errors:
            return f"catch:{index}"
    return None
