"""The one table: what was refused, by a service or by the database, and the code that says so to clients."""

import logging
from uuid import UUID

import asyncpg
import msgspec

from api.rpc import RpcError
from db.connection import CannotOpen
from db.refusal import refusal_of
from services.errors import (
    Conflict,
    Forbidden,
    Invalid,
    LimitExceeded,
    NotCompleted,
    NotFound,
    ServiceError,
    StillRunning,
    Unauthenticated,
    Unavailable,
)
from services.failure import Failure
from services.problem import Problem

_DATABASE_AWAY = "the database does not answer right now; nothing is known to be wrong with the call, try it again"
_RETRY = {"retry-after": "1"}
_SESSION_IS_LOST = ("FATAL", "PANIC")

_logger = logging.getLogger(__name__)


class ErrorData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What refusals have in their `data` beside what every router's have.

    After as many milliseconds the same call may work. Of an execution that was waited for there are its id and, if it
    has ended, why it did not complete and the path of the step that failed.
    """

    retry_after_ms: int | msgspec.UnsetType = msgspec.UNSET
    execution_id: UUID | msgspec.UnsetType = msgspec.UNSET
    failure: Failure | msgspec.UnsetType = msgspec.UNSET
    step: str | msgspec.UnsetType = msgspec.UNSET


def refusal(error: Exception) -> RpcError | None:
    """The refusal that `error` is to a client; None for what is our mistake."""
    if isinstance(error, ServiceError):
        return _of_service(error)
    return _of_values(error) or _of_absence(error) or _of_rules(error)


def _of_service(error: ServiceError) -> RpcError | None:
    message = str(error)
    match error:
        case Unauthenticated():
            return RpcError("UNAUTHORIZED", message, headers={"www-authenticate": 'Bearer realm="rolecall"'})
        case Forbidden():
            return RpcError("FORBIDDEN", message)
        case NotFound():
            return RpcError("NOT_FOUND", message)
        case Invalid(problems=problems):
            return RpcError("BAD_REQUEST", message, data={"problems": problems})
        case Conflict(problems=problems):
            return RpcError("CONFLICT", message, data={"problems": problems} if problems else None)
        case LimitExceeded(retry_after_seconds=seconds):
            return RpcError("TOO_MANY_REQUESTS", message, data=_retry_after_ms(seconds), headers=_retry_after(seconds))
        case Unavailable():
            return RpcError("SERVICE_UNAVAILABLE", message, headers=_RETRY)
        case NotCompleted(execution=execution, failure=failure, step=step):
            data = ErrorData(execution_id=execution, failure=failure or msgspec.UNSET, step=step or msgspec.UNSET)
            return RpcError("UNPROCESSABLE_CONTENT", message, data=msgspec.to_builtins(data))
        case StillRunning(execution=execution):
            return RpcError("TIMEOUT", message, data=msgspec.to_builtins(ErrorData(execution_id=execution)))
        case _:
            return None


def _of_values(error: Exception) -> RpcError | None:
    """The refusal of a value that PostgreSQL, or the driver on the way to it, cannot hold."""
    match error:
        case asyncpg.DataError() | asyncpg.ProgramLimitExceededError():
            return RpcError("BAD_REQUEST", f"a value cannot be stored: {refusal_of(error)}")
        case asyncpg.InterfaceError() if isinstance(error, ValueError):
            # The driver's own data error, which its public names hide behind the server's.
            return RpcError("BAD_REQUEST", f"a value cannot be stored: {error}")
        case _:
            return None


def _of_absence(error: Exception) -> RpcError | None:
    """The refusal of a call while the database is away, overloaded or held up."""
    match error:
        case (
            OSError()
            | CannotOpen()
            | asyncpg.InterfaceError()
            | asyncpg.InternalClientError()
            | asyncpg.PostgresConnectionError()
            | asyncpg.OperatorInterventionError()
            | asyncpg.InsufficientResourcesError()
            | asyncpg.TransactionRollbackError()
            | asyncpg.LockNotAvailableError()
            | asyncpg.ReadOnlySQLTransactionError()
        ):
            return _away(error)
        case asyncpg.PostgresError() if getattr(error, "severity_en", None) in _SESSION_IS_LOST:
            return _away(error)
        case _:
            return None


def _of_rules(error: Exception) -> RpcError | None:
    """The refusal of a change by a rule of the database that no service has caught."""
    match error:
        case asyncpg.CheckViolationError() | asyncpg.NotNullViolationError():
            code = "BAD_REQUEST"
        case asyncpg.IntegrityConstraintViolationError() | asyncpg.ObjectNotInPrerequisiteStateError():
            code = "CONFLICT"
        case _:
            return None
    refused = refusal_of(error)
    # The rule's name is stable, so a client can tell the rules apart by it.
    problem = Problem(code=refused.rule or "CONSTRAINT", path="", message=str(refused))
    return RpcError(code, problem.message, data={"problems": (problem,)})


def _away(error: Exception) -> RpcError:
    _logger.warning("a call was refused because of the database: %r", error)
    return RpcError("SERVICE_UNAVAILABLE", _DATABASE_AWAY, headers=_RETRY)


def _retry_after_ms(seconds: float | None) -> dict[str, int]:
    return {} if seconds is None else {"retryAfterMs": -int(-seconds * 1000 // 1)}


def _retry_after(seconds: float | None) -> dict[str, str]:
    # The header has whole seconds; coming back too early would be refused again.
    return {} if seconds is None else {"retry-after": str(-int(-seconds // 1))}
