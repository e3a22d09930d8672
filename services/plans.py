"""Plans by version. A published version never changes, so its plan is compiled once in each process."""

import asyncio
from uuid import UUID

from services import orchestrations
from services.engine.core.plan import Plan, plan_of

_MAX_PLANS = 1_000
_plans: dict[UUID, Plan] = {}
_compiling: dict[UUID, asyncio.Task[Plan]] = {}


async def of_version(version: UUID) -> Plan:
    """The plan of a published version.

    Raises:
        NotFound: there is no such version.
        Conflict: somebody has written rows into it that nobody can run; names what is wrong with them.
    """
    plan = _plans.get(version)
    if plan is None:
        # Executions are claimed in their hundreds: those of one version wait for one compilation.
        task = _compiling.get(version)
        if task is None:
            task = _compiling[version] = asyncio.create_task(_compile(version))
            task.add_done_callback(lambda _: _compiling.pop(version, None))
        plan = await asyncio.shield(task)
    return plan


async def _compile(version: UUID) -> Plan:
    plan = plan_of(await orchestrations.executable(version))
    if len(_plans) >= _MAX_PLANS:
        _plans.pop(next(iter(_plans)))
    _plans[version] = plan
    return plan
