"""What can be called now: listed, asked whether it answers, and made the default."""

import time

import msgspec

from services import connections, roles
from services.caller import Caller
from services.definitions.nearby import nearest_of
from services.errors import Conflict, NotFound
from services.failure import Failed
from services.models.catalog import Models
from services.models.configuration import watch
from services.models.configuration.merging import names_of
from services.models.configuration.records import Model, ModelCheck, ModelHealth, ModelList
from services.models.health import Health
from services.models.messages import Request, UserMessage
from services.models.selection import Explanation, Offer, offered

CHECK_SECONDS = 20.0
_NEVER_CALLED = Health(state="unknown")
# Models that think before they answer need some room for it.
_CHECK_TOKENS = 512
_SWITCH = "UPDATE default_model SET model = $1 RETURNING model"
_FIRST_SWITCH = "INSERT INTO default_model (model) VALUES ($1) RETURNING model"


async def list_(caller: Caller, models: Models) -> ModelList:
    """Every model that can be called, the default first, and what keeps rows from being any of them."""
    caller.require("models.read")
    configuration = models.configuration
    return ModelList(
        items=tuple(_model(offer, models) for offer in configuration.offers), problems=configuration.problems
    )


async def get(caller: Caller, models: Models, *, model: str) -> Model:
    """The model of that name, "provider/model"; also one that its provider runs for roles that name it.

    Raises:
        NotFound: nobody offers it; names the one that may have been meant.
    """
    caller.require("models.read")
    return _model(_offer(models, model), models)


async def explain(caller: Caller, models: Models, *, role: str) -> Explanation:
    """Which model an agent in the role would get now, which ones after it when calls fail, and what is against the
    others; as seen by the process that answers.

    Raises:
        NotFound: there is no such role.
    """
    caller.require("models.read")
    found = await roles.get(caller, role=role)
    constraints = found.model
    if (found.tools or found.needs_tools) and "tools" not in constraints.capabilities:
        constraints = msgspec.structs.replace(constraints, capabilities=(*constraints.capabilities, "tools"))
    return models.explain(constraints)


async def check(caller: Caller, models: Models, *, model: str) -> ModelCheck:
    """Whether the model answers: it is asked for a word now, which may cost a few tokens.

    Raises:
        NotFound: as `get`.
    """
    caller.require("models.write")
    return await _asked(models, _offer(models, model))


async def switch(caller: Caller, models: Models, *, model: str | None) -> Model:
    """The model, which roles without wishes get from now on; other processes take it over within moments. None is what
    the environment of the servers says.

    Raises:
        NotFound: as `get`.
        Conflict: it does not answer; says why. Everything stays as it is.
    """
    caller.require("models.write")
    if model is None:
        await connections.database().write("DELETE FROM default_model RETURNING model")
    else:
        offer = _offer(models, model)
        checked = await _asked(models, offer)
        if not checked.is_available:
            state = f"does not answer: {checked.problem}"
            raise Conflict("model", offer.name, state=state, allowed="a model that answers; `model.check` asks one")
        async with connections.database().transaction():
            if not await connections.database().write(_SWITCH, offer.name):
                await connections.database().write(_FIRST_SWITCH, offer.name)
    await watch.refresh()
    return _model(_offer(models, models.default), models)


async def test(caller: Caller, models: Models, *, provider: str) -> ModelCheck:
    """Whether the first model that the provider offers answers; see `check`.

    Raises:
        NotFound: it offers none; says why, where a row is the reason.
    """
    caller.require("models.write")
    configuration = models.configuration
    offer = next((offer for offer in configuration.offers if offer.provider == provider), None)
    if offer is None:
        why = [str(problem.message) for problem in configuration.problems if problem.path == f"/provider/{provider}"]
        near = nearest_of(provider, configuration.providers)
        hint = why[0] if why else f"did you mean {near!r}?" if near else "`model.list` shows those there are"
        raise NotFound("provider with models", provider, hint=hint)
    return await _asked(models, offer)


def _offer(models: Models, model: str) -> Offer:
    offers = models.configuration.offers
    found = offered(model, offers)
    if found is None:
        near = nearest_of(model, names_of(offers))
        hint = f"did you mean {near!r}?" if near else "`model.list` shows those there are"
        raise NotFound("model", model, hint=hint)
    return found


async def _asked(models: Models, offer: Offer) -> ModelCheck:
    request = Request(
        model=offer.model,
        system="",
        messages=(UserMessage("Answer with the word: ready"),),
        max_output_tokens=_CHECK_TOKENS,
        timeout_seconds=CHECK_SECONDS,
    )
    began = time.monotonic()
    problem = None
    try:
        await models.configuration.providers[offer.provider].complete(request)
    except Failed as error:
        problem = f"{error.failure.code}: {error.failure.message}"
    duration_ms = round((time.monotonic() - began) * 1000)
    return ModelCheck(model=offer.name, is_available=problem is None, duration_ms=duration_ms, problem=problem)


def _model(offer: Offer, models: Models) -> Model:
    configuration = models.configuration
    return Model(
        name=offer.name,
        capabilities=offer.capabilities,
        context_tokens=offer.context_tokens,
        max_output_tokens=offer.max_output_tokens,
        price=configuration.prices.of(offer.name),
        health=ModelHealth(**msgspec.structs.asdict(models.health().get(offer.name, _NEVER_CALLED))),
        is_default=offer.name == configuration.default,
        serves_others=offer.serves_others,
        only_by_name=offer.only_by_name,
    )
