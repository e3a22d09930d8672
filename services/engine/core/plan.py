"""The plan: a document compiled once, ready to be folded over."""

from dataclasses import dataclass

from services.definitions.document import Document, Step, stages
from services.expressions import Condition, Template, compile_condition, compile_template
from services.json import Json


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its templates and its condition compiled."""

    definition: Step
    condition: Condition | None
    input: Template | None
    output: Template | None

    @property
    def name(self) -> str:
        return self.definition.name


@dataclass(frozen=True, slots=True)
class Plan:
    """What an execution follows: stages one after another, the members of a stage together."""

    stages: tuple[tuple[PlannedStep, ...], ...]
    steps: dict[str, PlannedStep]
    input_schema: Json
    output: Template | None
    output_schema: Json

    @property
    def has_roles(self) -> bool:
        """Whether any step names a role, whose version an execution has to pin."""
        return any(step.definition.role_name is not None for step in self.steps.values())


def plan_of(document: Document) -> Plan:
    """The plan of a document that `check` found nothing wrong with.

    Raises:
        ExpressionError: a template or a condition does not parse, which `check` would have said.
    """
    staged = tuple(tuple(_planned(step) for step in stage) for stage in stages(document.steps))
    return Plan(
        stages=staged,
        steps={step.name: step for stage in staged for step in stage},
        input_schema=document.input,
        output=None if document.output is None else compile_template(document.output, jsonpath=True),
        output_schema=document.output_schema,
    )


def _planned(step: Step) -> PlannedStep:
    return PlannedStep(
        definition=step,
        condition=None if step.condition is None else compile_condition(step.condition),
        input=None if step.input_mapping is None else compile_template(step.input_mapping, jsonpath=True),
        output=None if step.output_mapping is None else compile_template(step.output_mapping, jsonpath=True),
    )
