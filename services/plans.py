"""Plans by version. A published version never changes, so its plan is compiled once in each process.

That it has not changed is seen before it is compiled: its digest is the one that was written when it was published.
"""

import asyncio
from uuid import UUID

from services import orchestrations
from services.engine.core.plan import Plan, plan_of
from services.errors import Conflict
from services.failure import failed

_MAX_PLANS = 1_000
_plans: dict[UUID, Plan] = {}
_compiling: dict[UUID, asyncio.Task[Plan]] = {}


async def of_version(version: UUID) -> Plan:
    """The plan of a published version.

    Raises:
        NotFound: there is no such version.
        Conflict: it is not what was published, or somebody has written rows that no document can be read from.
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


async def to_run(version: UUID) -> Plan:
    """The plan of the version of an execution that has started.

    Raises:
        Failed: DEFINITION_TAMPERED when the version is not what was published. Nobody can go on with the execution.
    """
    try:
        return await of_version(version)
    except Conflict as error:
        raise failed("DEFINITION_TAMPERED", str(error)) from None


async def _compile(version: UUID) -> Plan:
    plan = plan_of(await orchestrations.published_document(version))
    if len(_plans) >= _MAX_PLANS:
        _plans.pop(next(iter(_plans)))
    _plans[version] = plan
    return plan
