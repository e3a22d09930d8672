"""The `llm` step: one model call, no tools."""

from services.engine.performer import Attempt
from services.json import Json
from services.models.catalog import Models
from services.steps.conversation import ask, opening, request, result, role_of


async def perform(models: Models, attempt: Attempt) -> Json:
    """The model's answer: text, or JSON where the step or the role has an output schema."""
    role = await role_of(attempt)
    answer = await ask(models, attempt, role, request(role, attempt, (opening(attempt),)))
    return result(role, attempt, answer)
