"""Steps of the kind `code`, in the language of adding up."""

from services.engine.performer import Attempt
from services.failure import failed
from services.json import Json


async def perform(attempt: Attempt) -> Json:
    """The sum of the numbers that the step's input holds."""
    if not isinstance(attempt.input, dict):
        raise failed("CODE_ERROR", "there is nothing to add up")
    return sum(it for it in attempt.input.values() if isinstance(it, int))
