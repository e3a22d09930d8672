"""The `agent` step: model, tool calls, model, until the model is done.

Every model answer and every tool result is kept before the loop goes on, so an attempt that follows a crash or a
failure goes on inside the loop and repeats nothing that was kept.
"""

from services.engine.performer import Attempt
from services.json import Json
from services.models.catalog import Models
from services.steps.agents.calling import ToolCalls
from services.steps.agents.dialogue import Dialogue
from services.steps.agents.granting import tools_of
from services.steps.conversation import role_of


async def perform(models: Models, attempt: Attempt) -> Json:
    """The agent's last answer: text, or JSON where the step or the role has an output schema.

    Raises:
        Failed: a model call failed, no answer could be used, or `maxTurns` model calls were not enough.
    """
    role = await role_of(attempt)
    tools = tools_of(role, attempt)
    dialogue = Dialogue(models, attempt, role, tools)
    calls = ToolCalls(attempt, role, tools, dialogue.transcript, dialogue.keep)
    while True:
        await calls.answer()
        output = await dialogue.next()
        if output is not None:
            return output.value
