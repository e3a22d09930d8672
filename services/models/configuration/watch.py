"""The configuration watch: what rows say of models, taken over by this process while it runs.

It looks when it hears that a definition has changed, and from time to time by itself: behind some poolers nothing is
heard, and a price begins to hold without anybody changing a row.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass

from services.models.catalog import Models
from services.models.configuration.kept import KeptProvider
from services.models.configuration.making import made
from services.models.configuration.merging import merged
from services.models.configuration.recipes import Recipe
from services.models.configuration.rows import read
from services.models.provider import Provider
from services.outbound import Guard
from services.row_watch import RowWatch
from services.secrets import opened

_log = logging.getLogger(__name__)

POLL_SECONDS = 15.0


class ConfigurationWatch:
    """Keeps `models` as the rows say, beside and above what it was made with: that is what `environ` says.

    A provider whose row changes is made anew; the old one is closed when the last call to it has ended. No provider is
    asked anything. `guard` says which addresses of rows may be asked.
    """

    def __init__(
        self, models: Models, environ: Mapping[str, str], guard: Guard, *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._models = models
        self._environ = environ
        self._guard = guard
        self._base = models.configuration
        self._kept: dict[str, tuple[Recipe, KeptProvider]] = {}
        self._told: set[str] = set()
        self._watch = RowWatch("what rows say of models", self.refresh, poll_seconds=poll_seconds)
        self._looking = asyncio.Lock()

    def wake(self) -> None:
        """Look at once."""
        self._watch.wake()

    async def refresh(self) -> None:
        """Look now; afterwards `models` is as the rows are, or were meanwhile."""
        async with self._looking:
            rows = await read()
            secrets = await opened({row.secret for row in rows.providers if row.secret is not None})
            kept: dict[str, tuple[Recipe, KeptProvider]] = {}
            configuration = merged(
                self._base,
                rows,
                opened=secrets,
                environ=self._environ,
                guard=self._guard,
                make=self._making(kept),
            )
            self._models.use(configuration)
            replaced, self._kept = self._kept, kept
            for name, (_, provider) in replaced.items():
                if name not in kept or kept[name][1] is not provider:
                    await provider.give_up()
        self._tell({f"{problem.path}: {problem.message}" for problem in configuration.faults})

    async def run(self) -> None:
        """Look until cancelled."""
        await self._watch.run()

    async def close(self) -> None:
        """Close what the environment named and rows have taken the place of; `Models.close` closes all others."""
        for name, provider in self._base.providers.items():
            if self._models.configuration.providers.get(name) is not provider:
                await provider.close()

    def _making(self, kept: dict[str, tuple[Recipe, KeptProvider]]) -> Callable[[Recipe], Provider]:
        """Makes providers and puts them into `kept`; one whose recipe is what it was goes on."""

        def make(recipe: Recipe) -> Provider:
            before = self._kept.get(recipe.name)
            found = (
                before
                if before is not None and before[0] == recipe
                else (recipe, KeptProvider(made(recipe, self._guard)))
            )
            kept[recipe.name] = found
            return found[1]

        return make

    def _tell(self, problems: set[str]) -> None:
        for problem in sorted(problems - self._told):
            _log.warning("a row of models is of no use: %s", problem)
        self._told = problems


@dataclass(slots=True)
class _Process:
    watch: ConfigurationWatch | None = None


_process = _Process()


def use(watch: ConfigurationWatch | None) -> None:
    """Let the services of this process have its models refreshed by `watch`; None when it is closed."""
    _process.watch = watch


async def refresh() -> None:
    """Let this process call what the rows say now, as others will within moments. Nothing, where nobody watches."""
    if _process.watch is not None:
        # Whoever has changed a row does not read for the server.
        await asyncio.create_task(_process.watch.refresh(), context=Context())
