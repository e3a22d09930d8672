"""How a step calls a model: paid from its budgets, or given what was answered before where it has a cache."""

from collections.abc import Callable

from services import answers
from services.budgets import purse_of
from services.engine.performer import Attempt
from services.models.catalog import Models
from services.models.messages import Answer, Request
from services.models.provider import Emit
from services.models.selection import ModelConstraints


async def complete(
    models: Models,
    attempt: Attempt,
    constraints: ModelConstraints,
    request: Request,
    emit: Emit,
    anew: Callable[[], None],
) -> Answer:
    """The answer of the model that the constraints lead to, or the one that is kept; recorded on the attempt.

    `emit` and `anew` are as `Models.complete` has them.

    Raises:
        Failed: no model fits, a budget does not suffice, or the provider failed.
    """

    async def ask() -> Answer:
        purse = purse_of(attempt)
        return await models.complete(constraints, request, emit, purse=purse, on_call=attempt.record, anew=anew)

    if attempt.step.cache is None:
        return await ask()
    choice = models.choose(constraints)
    return await answers.answer_to(request, attempt, choice, cache=attempt.step.cache, emit=emit, ask=ask)
