"""Who may call a procedure: a line each. A procedure without one does not start."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from api.rpc import Access, Procedure, Router
from services.caller import Caller
from services.principal import Scope


class Called(Protocol):
    """A context that knows its caller, or raises Unauthenticated."""

    @property
    def caller(self) -> Caller: ...


@dataclass(frozen=True, slots=True)
class Public:
    """Anybody, also without a token."""


@dataclass(frozen=True, slots=True)
class Known:
    """Anybody whose token is valid, whatever its scopes."""


@dataclass(frozen=True, slots=True, init=False)
class Needs:
    """Callers that hold these scopes. The service behind it asks for the same: it has other doors."""

    scopes: tuple[Scope, ...]

    def __init__(self, *scopes: Scope) -> None:
        object.__setattr__(self, "scopes", scopes)


Policy: TypeAlias = Public | Known | Needs


def policy_of(procedure: Procedure[..., Any]) -> Policy:
    """Who may call the procedure.

    Raises:
        TypeError: it does not say.
    """
    policy = procedure.meta
    if not isinstance(policy, Policy):
        raise TypeError(f"{procedure.name} says nobody may call it: give it meta=Needs(...), Known() or Public()")
    return policy


def access_of(procedure: Procedure[..., Any]) -> Access:
    """What documents say of who may call the procedure."""
    match policy_of(procedure):
        case Public():
            return Access()
        case Known():
            return Access(needs_caller=True)
        case Needs(scopes=scopes):
            return Access(needs_caller=True, scopes=scopes)


def checked(router: Router) -> Router:
    """The router, all of whose procedures say who may call them.

    Raises:
        TypeError: one does not.
    """
    for _, procedure in router:
        policy_of(procedure)
    for family in router.families.values():
        policy_of(family.member("any"))
    return router


def guard(context: Called, procedure: Procedure[..., Any]) -> None:
    """Nothing, when the caller may call the procedure. It is asked before the input is looked at.

    Raises:
        Unauthenticated: the procedure needs a caller, and there is none.
        Forbidden: the caller lacks the scope.
    """
    match policy_of(procedure):
        case Public():
            pass
        case Known():
            _ = context.caller
        case Needs(scopes=scopes):
            for scope in scopes:
                context.caller.require(scope)
