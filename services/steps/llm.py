"""The `llm` step: one answer of a model, without tools."""

from services.engine.performer import Attempt
from services.json import Json
from services.models.catalog import Models
from services.steps.agents.dialogue import Dialogue
from services.steps.conversation import role_of


async def perform(models: Models, attempt: Attempt) -> Json:
    """The model's answer: text, or JSON where the step or the role has an output schema.

    Raises:
        Failed: the model call failed, or no answer could be used.
    """
    dialogue = Dialogue(models, attempt, await role_of(attempt), tools=None)
    output = await dialogue.next()
    assert output is not None, "an answer that calls tools is refused where there are none"
    return output.value
