"""system.*: is it up, and who am I?"""

from api.context import Context
from api.policy import Known, Public
from api.rpc import query
from services import health as health_service
from services.health import Health
from services.principal import Principal


@query(meta=Public())
async def health(ctx: Context) -> Health:
    """Whether the installation works: `ok`, or `degraded` with its `problems`, each with what to do; the state of the
    database, of this process's connections, of the hints and of the workers, requests that nobody answers, the version
    and the default model. Needs no token, never fails, and answers within two seconds.
    """
    return await health_service.check(ctx.models, ctx.worker)


@query(meta=Known())
async def whoami(ctx: Context) -> Principal:
    """The principal that the token stands for, with its scopes. UNAUTHORIZED without a valid token."""
    return ctx.caller.principal
