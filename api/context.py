"""What a procedure knows of its request: who calls, and the process that answers."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from api.auth import Authentication
from api.policy import Public, policy_of
from api.rpc import RequestInfo
from db.acting import act_as
from services.caller import Caller
from services.engine.worker import Worker
from services.errors import Unauthenticated
from services.models.catalog import Models


@dataclass(frozen=True, slots=True)
class Context:
    """Made once for each request. The idempotency key is that of the header, for procedures whose input is not ours."""

    request_id: str
    models: Models
    worker: Worker | None
    found: Caller | Exception = field(repr=False)
    run_wait_seconds: float = 60.0
    idempotency_key: str | None = None

    @property
    def caller(self) -> Caller:
        """Who calls.

        Raises:
            Unauthenticated: no valid token and no session came with the request; says what is wrong.
            Forbidden, LimitExceeded, Unavailable: as `Authentication.caller_of` says.
        """
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def within(context: Context) -> AbstractContextManager[None]:
    """Inside, whoever calls is who acts; nobody, where nobody was asked who calls."""
    if isinstance(context.found, Exception):
        return nullcontext()
    return act_as(context.found.name, "rpc", is_agent=context.found.principal.kind == "agent")


async def context_of(
    request: RequestInfo,
    authentication: Authentication,
    models: Models,
    worker: Worker | None,
    run_wait_seconds: float,
) -> Context:
    """The context of a request. Not to know the caller is no error here: public procedures do not ask."""
    key = request.headers.get("idempotency-key")
    found = await _found(request, authentication)
    return Context(request.request_id, models, worker, found, run_wait_seconds, key)


async def _found(request: RequestInfo, authentication: Authentication) -> Caller | Exception:
    # `system.health` must not wait for a database that does not answer, whatever headers come with it. The calls of a
    # socket come later.
    if request.calls and all(
        call.procedure is None or isinstance(policy_of(call.procedure), Public) for call in request.calls
    ):
        return Unauthenticated("nobody was asked who calls: these procedures are public")
    try:
        return await authentication.caller_of(request)
    except Exception as error:  # also that of a database that is away: a public procedure in the same batch answers
        return error
