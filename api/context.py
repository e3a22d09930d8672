"""What a procedure knows of its request: who calls, and the process that answers."""

from dataclasses import dataclass, field

from api.auth import authorization_of, caller_of
from api.policy import Public, policy_of
from api.rpc import RequestInfo
from services.caller import Caller
from services.engine.worker import Worker
from services.errors import Unauthenticated
from services.models.catalog import Models


@dataclass(frozen=True, slots=True)
class Context:
    """Made once for each request."""

    request_id: str
    models: Models
    worker: Worker | None
    found: Caller | Exception = field(repr=False)

    @property
    def caller(self) -> Caller:
        """Who calls.

        Raises:
            Unauthenticated: no valid token came with the request; says what is wrong with it.
        """
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


async def context_of(request: RequestInfo, models: Models, worker: Worker | None) -> Context:
    """The context of a request. Not to know the caller is no error here: public procedures do not ask."""
    return Context(request.request_id, models, worker, await _found(request))


async def _found(request: RequestInfo) -> Caller | Exception:
    # `system.health` must not wait for a database that does not answer, whatever headers come with it.
    if all(call.procedure is None or isinstance(policy_of(call.procedure), Public) for call in request.calls):
        return Unauthenticated("nobody was asked who calls: these procedures are public")
    try:
        return await caller_of(authorization_of(request.headers, request.connection_params))
    except Exception as error:  # also that of a database that is away: a public procedure in the same batch answers
        return error
