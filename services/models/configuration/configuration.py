"""What a process can call: providers, what they offer, within which limits and at what price."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.models.limits import Limits
from services.models.prices import PriceList
from services.models.provider import Provider
from services.models.selection import Offer
from services.problem import Problem

NO_MODELS = "NO_MODELS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Providers and limits by the providers' names, and what they offer: the first offer is the default.

    `problems` are rows that nothing could be made of. The path of each says what it is about: `/provider/<name>`,
    `/model/<provider>/<model>` or `/defaultModel`.
    """

    providers: Mapping[str, Provider]
    offers: tuple[Offer, ...]
    limits: Mapping[str, Limits] = field(default_factory=dict)
    prices: PriceList = field(default_factory=PriceList)
    problems: tuple[Problem, ...] = ()

    @property
    def faults(self) -> tuple[Problem, ...]:
        """The problems but for providers that have no models yet: what is only unfinished is no fault."""
        return tuple(problem for problem in self.problems if problem.code != NO_MODELS)

    @property
    def default(self) -> str:
        """ "provider/model" of what is called when a role has no wishes; empty where nothing is offered."""
        return self.offers[0].name if self.offers else ""
