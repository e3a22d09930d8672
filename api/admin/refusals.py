"""What the pages are told when something is refused: plain words, which their forms show as they are."""

from json import JSONDecodeError

import asyncpg
from piccolo_api.crud.endpoints import ParamException
from piccolo_api.crud.exceptions import MalformedQuery
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from api.errors import refusal
from api.rpc import RpcError
from db.connection import CannotOpen
from services.errors import ServiceError

# Each of them is either ours to raise, or one that `api.errors.refusal` may know.
KNOWN = (
    RpcError,
    ServiceError,
    JSONDecodeError,
    RecursionError,
    UnicodeDecodeError,
    ValidationError,
    ParamException,
    MalformedQuery,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    CannotOpen,
    OSError,
)


def refused(request: Request, error: Exception) -> Response:
    """The answer to a request that was refused.

    Raises:
        Exception: it was not, but failed: our mistake.
    """
    known = _known(error)
    if known is None:
        raise error
    status, words, headers = known
    if request.path_params.get("form_slug") is not None:
        # Those of forms are read in this shape alone.
        return JSONResponse({"custom_form_error": words}, status_code=422, headers=headers)
    return PlainTextResponse(words, status_code=status, headers=headers)


def _known(error: Exception) -> tuple[int, str, dict[str, str]] | None:
    """Status, words and headers of the answer to what was refused; None for what is our mistake."""
    match error:
        case JSONDecodeError() | RecursionError() | UnicodeDecodeError():
            return 400, f"send JSON: {error}", {}
        case ParamException() | MalformedQuery():
            return 400, str(error), {}
        case ValidationError():
            problems = (f"{'.'.join(map(str, it['loc']))}: {it['msg']}" for it in error.errors())
            return 400, "; ".join(problems), {}
    known = error if isinstance(error, RpcError) else refusal(error)
    return None if known is None else (known.numbers.http, known.message, dict(known.headers))
