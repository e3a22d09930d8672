"""The environment and the rows, made one configuration: of the same name, the row counts."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from services.definitions.nearby import nearest_of
from services.models.configuration.configuration import NO_MODELS, Configuration
from services.models.configuration.recipes import Recipe, Unusable, recipe_of
from services.models.configuration.rows import ModelRow, ProviderRow, Rows
from services.models.environment import abilities
from services.models.presets import PRESETS
from services.models.prices import PriceList
from services.models.provider import Provider
from services.models.selection import Offer, offered
from services.outbound import Guard
from services.problem import Problem
from services.secrets import Opened


def merged(
    base: Configuration,
    rows: Rows,
    *,
    opened: Mapping[str, Opened],
    environ: Mapping[str, str],
    guard: Guard,
    make: Callable[[Recipe], Provider],
) -> Configuration:
    """What can be called. A row of which nothing can be made is told in `problems`, and disables only itself: one that
    is switched off or cannot be used takes the place of the environment's provider all the same.

    `opened` are the secrets that rows name; `guard` says which addresses of theirs may be asked. The default is what
    was switched to, else that of `base`.
    """
    of_rows = {row.name for row in rows.providers}
    problems: list[Problem] = []
    providers = {name: provider for name, provider in base.providers.items() if name not in of_rows}
    limits = {name: limit for name, limit in base.limits.items() if name not in of_rows}
    offers: list[Offer] = []
    for row in rows.providers:
        if not row.is_active:
            continue
        try:
            providers[row.name] = make(recipe_of(row, opened, environ, guard))
        except Unusable as error:
            problems.append(_problem(f"/provider/{row.name}", error.code, str(error), error.suggestion))
            continue
        limits[row.name] = row.limits
        found = _offers(row, [model for model in rows.models if model.provider == row.name], base)
        if not found:
            message = f"provider {row.name!r} has no active model; `model.create` adds one"
            problems.append(_problem(f"/provider/{row.name}", NO_MODELS, message))
        offers += found
    kept = [offer for offer in base.offers if offer.provider not in of_rows]
    ordered = _ordered(base, kept, offers, is_wished=bool(environ.get("ROLECALL_MODEL")))
    return Configuration(
        providers=providers,
        offers=_with_default(rows.default, ordered, problems),
        limits=limits,
        prices=PriceList(rows.prices),
        problems=tuple(problems),
    )


def _offers(row: ProviderRow, models: Sequence[ModelRow], base: Configuration) -> list[Offer]:
    """What a provider offers: its models, by their rows; without any, what is usual for its preset."""
    preset = PRESETS[row.preset]
    usual = row.capabilities if row.capabilities is not None else abilities(preset.capabilities)
    if models:
        return [
            Offer(
                row.name,
                model.name,
                model.capabilities if model.capabilities is not None else usual,
                model.context_tokens or preset.context_tokens(model.name),
                model.max_output_tokens,
                only_by_name=model.only_by_name,
            )
            for model in models
        ]
    of_environment = [offer for offer in base.offers if offer.provider == row.name]
    if of_environment or not preset.default_model or row.base_url is not None:
        return [msgspec.structs.replace(offer, capabilities=usual) for offer in of_environment]
    context = preset.context_tokens(preset.default_model)
    return [Offer(row.name, preset.default_model, usual, context, serves_others=True)]


def _ordered(base: Configuration, kept: list[Offer], added: list[Offer], *, is_wished: bool) -> list[Offer]:
    """The offers of the environment, then those of rows. The offline model comes last and only by name where there is
    any other for everybody, unless it was wished for.
    """
    if is_wished or all(offer.only_by_name for offer in added):
        return sorted([*kept, *added], key=lambda offer: offer.name != base.default)
    others = [offer for offer in (*kept, *added) if offer.provider != "offline"]
    offline = [msgspec.structs.replace(offer, only_by_name=True) for offer in kept if offer.provider == "offline"]
    return [*others, *offline]


def _with_default(wanted: str | None, offers: Sequence[Offer], problems: list[Problem]) -> tuple[Offer, ...]:
    if wanted is None:
        return tuple(offers)
    found = offered(wanted, offers)
    if found is None:
        near = nearest_of(wanted, names_of(offers))
        taken = f"so {offers[0].name!r} takes its place" if offers else "and nothing else is"
        message = f"the default model {wanted!r} is not offered, {taken}; `model.switch` sets another"
        problems.append(_problem("/defaultModel", "UNKNOWN_MODEL", message, near))
        return tuple(offers)
    others = [offer for offer in offers if offer.name != found.name]
    return (msgspec.structs.replace(found, only_by_name=False), *others)


def names_of(offers: Iterable[Offer]) -> tuple[str, ...]:
    """ "provider/model" of each."""
    return tuple(offer.name for offer in offers)


def _problem(path: str, code: str, message: str, suggestion: str | None = None) -> Problem:
    return Problem(code=code, path=path, message=message, suggestion=suggestion)
