"""The `llm` step: one model call, no tools."""

from services import roles
from services.engine.performer import Attempt
from services.json import Json
from services.models.catalog import Models
from services.steps.conversation import ask, opening, request, result


async def perform(models: Models, attempt: Attempt) -> Json:
    """The model's answer: text, or JSON where the step or the role has an output schema."""
    assert attempt.role_version is not None, "check refuses an llm step without a role"
    role = await roles.content(attempt.role_version)
    answer = await ask(models, attempt, role, request(role, attempt, (opening(attempt),)))
    return result(role, attempt, answer)
