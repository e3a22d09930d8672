"""The `orchestration` step: what the child that it starts is to work on."""

from services import plans
from services.engine.performer import Attempt
from services.failure import failed
from services.json import Json
from services.problem import said
from services.schema import problems_of_value, with_defaults


async def perform(attempt: Attempt) -> Json:
    """The child's input, its defaults filled in. Nothing has started yet: the engine starts it as it keeps this.

    Raises:
        Failed: INPUT_INVALID when it does not fit the input schema of the orchestration that the step calls;
            DEFINITION_TAMPERED when that is not what was published.
    """
    assert attempt.called is not None, "the core asks for nothing that was not pinned"
    plan = await plans.to_run(attempt.called)
    input = with_defaults(plan.input_schema, {} if attempt.input is None else attempt.input)
    if plan.input_schema is not None and (problems := problems_of_value(plan.input_schema, input)):
        name = attempt.step.orchestration
        raise failed("INPUT_INVALID", f"the input does not fit the input schema of {name!r}: {said(problems)}")
    return input
