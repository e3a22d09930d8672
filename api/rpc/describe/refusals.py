"""The refusals that a procedure can answer with: a table of what each means, and which procedure has which."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from api.rpc.codes import CODES, Code
from api.rpc.procedure import Procedure


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a procedure, as far as a document says: anybody, any known caller, or who holds some scopes."""

    needs_caller: bool = False
    scopes: tuple[str, ...] = ()


class Refusal(NamedTuple):
    """What a code means here, and a message that it comes with."""

    when: str
    message: str


REFUSALS: Mapping[Code, Refusal] = {
    "BAD_REQUEST": Refusal(
        "The input is not what the procedure takes. `problems` says where, and what would have been accepted.",
        "input: `name` is missing",
    ),
    "UNAUTHORIZED": Refusal(
        "No token was sent, or one that is not valid.",
        "no token was sent; send the header `Authorization: Bearer <token>`",
    ),
    "FORBIDDEN": Refusal(
        "The token is valid and lacks the scope that the procedure needs.",
        "service 'reader' holds roles.read; this needs roles.write",
    ),
    "NOT_FOUND": Refusal("There is no such thing, as far as this caller may know.", "there is no role 'Critik'"),
    "METHOD_NOT_SUPPORTED": Refusal(
        "A form or bytes were sent with a GET, which takes its input from the query string.",
        "Only POST requests are supported for multipart/form-data requests",
    ),
    "TIMEOUT": Refusal("The body took too long to arrive.", "the body did not arrive within 30 seconds"),
    "CONFLICT": Refusal(
        "The thing exists, and its state does not allow this.",
        "role 'Critic' exists already; this needs another name, or an update",
    ),
    "PAYLOAD_TOO_LARGE": Refusal("The body is larger than `maxBytes`.", "PAYLOAD_TOO_LARGE"),
    "UNSUPPORTED_MEDIA_TYPE": Refusal(
        "The body is not declared as `application/json`, or it is encoded.", "Missing content-type header"
    ),
    "TOO_MANY_REQUESTS": Refusal("Too much or too fast; `retry-after` says when to come back.", "slow down"),
    "INTERNAL_SERVER_ERROR": Refusal(
        "A mistake of the server's; `requestId` finds it in the server's log.",
        "something went wrong on our side; the request id finds it in our log",
    ),
    "SERVICE_UNAVAILABLE": Refusal(
        "Something that the server depends on does not answer; the same call may work in a moment.",
        "the database does not answer right now; nothing is known to be wrong with the call, try it again",
    ),
}

# A code that a description names is one that the procedure answers with, in the clause that names it.
_NAMED = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b|\b(?:CONFLICT|FORBIDDEN|TIMEOUT|UNAUTHORIZED)\b")
_CLAUSE = re.compile(r"(?:[^;.`]|`[^`]*`|\.(?! [A-Z]|$))+")


def codes_of(procedure: Procedure[..., Any], access: Access) -> list[Code]:
    """The codes of the refusals that a call of the procedure can come to, by their HTTP status."""
    codes: set[Code] = {"BAD_REQUEST", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"}
    codes |= (
        {"TIMEOUT", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"} if is_posted(procedure) else {"METHOD_NOT_SUPPORTED"}
    )
    codes |= {"UNAUTHORIZED", "TOO_MANY_REQUESTS"} if access.needs_caller else set()
    codes |= {"FORBIDDEN"} if access.scopes else set()
    named = set(_NAMED.findall(procedure.description))
    codes |= {code for code in REFUSALS if code in named}
    return sorted(codes, key=lambda code: CODES[code].http)


def is_posted(procedure: Procedure[..., Any]) -> bool:
    """Whether the input is a body, and not a part of the query string."""
    return procedure.kind == "mutation"


def when(procedure: Procedure[..., Any], code: Code) -> str:
    """When the procedure answers with the code: in the words of its description, where that names it.

    >>> from api.rpc.procedure import mutation
    >>> @mutation
    ... async def pay(ctx, *, bill: str) -> None:
    ...     '''Paid. NOT_FOUND when there is no such bill; CONFLICT when it is paid.'''
    >>> when(pay, "NOT_FOUND"), when(pay, "FORBIDDEN")
    ('NOT_FOUND when there is no such bill.', 'The token is valid and lacks the scope that the procedure needs.')
    """
    for clause in _CLAUSE.findall(procedure.description):
        if code in _NAMED.findall(clause):
            return f"{clause.strip()}."
    return REFUSALS[code].when
