"""Short ways to write plans, events and commands in tests."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from msgspec.structs import replace

from services.definitions.document import Document, Step
from services.engine.core.commands import StartStep
from services.engine.core.events import Called, ChildStarted, ExecutionStarted, StepCompleted, StepFailed
from services.engine.core.plan import Plan, plan_of
from services.failure import Failure
from services.json import Json


def tool(name: str, **fields: Any) -> Step:
    return Step(name=name, kind="tool", tool="files.read", **fields)


def transform(name: str, mapping: dict[str, Json], **fields: Any) -> Step:
    return Step(name=name, kind="transform", input_mapping=mapping, **fields)


def document_of(*steps: Step, **fields: Any) -> Document:
    """A document whose steps run one after another where they have no order of their own."""
    numbered = tuple(replace(step, order=step.order or place) for place, step in enumerate(steps))
    return Document(name="flow", steps=numbered, **fields)


def plan_with(*steps: Step, **fields: Any) -> Plan:
    return plan_of(document_of(*steps, **fields))


def started(input: Json = None) -> ExecutionStarted:
    calls = {call: Called(UUID(int=2)) for call in ("Other", "Other@3")}
    return ExecutionStarted(execution=UUID(int=1), at=datetime(2026, 1, 31, tzinfo=UTC), input=input, calls=calls)


def child_of(path: str, attempt: int) -> ChildStarted:
    return ChildStarted(path=path, attempt=attempt, execution=uuid5(UUID(int=1), f"{path} {attempt}"))


def start_of(path: str, attempt: int = 1, input: Json = None, **others: Any) -> StartStep:
    return StartStep(path=path, attempt=attempt, input=input, timeout_ms=others.pop("timeout_ms", 300_000), **others)


def completed(path: str, output: Json = None, attempt: int = 1) -> StepCompleted:
    return StepCompleted(path=path, attempt=attempt, output=output)


def failed(path: str, *, retryable: bool = True, attempt: int = 1, code: str = "TOOL_ERROR") -> StepFailed:
    return StepFailed(path=path, attempt=attempt, failure=Failure(code=code, message="no", retryable=retryable))
