"""run.*: every active orchestration as a procedure of its own."""

from typing import Any

import msgspec

from api.context import Context
from api.policy import Needs
from api.rpc import Procedure, whole
from services import runs
from services.json import Json

_DESCRIPTION = """Start the orchestration of this name, wait until its execution has ended, and answer its output."""


def member(name: str) -> Procedure[..., Any]:
    """The procedure that runs the orchestration which is called so, if there is one when it is called."""

    async def run(ctx: Context, *, input: Json | msgspec.UnsetType) -> Json:
        return await runs.run(
            ctx.caller,
            procedure=name,
            input=None if input is msgspec.UNSET else input,
            idempotency_key=ctx.idempotency_key,
            wait_seconds=ctx.run_wait_seconds,
        )

    return whole("mutation", run, _DESCRIPTION, meta=Needs("executions.run"))
