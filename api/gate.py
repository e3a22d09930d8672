"""What every call has to pass before its input is read: its caller is known, not too fast, and allowed to make it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from api.limits import Limits
from api.policy import Called, Public, guard, policy_of
from api.rpc import Procedure

Gate: TypeAlias = Callable[[Called, Procedure[..., Any]], AbstractContextManager[None] | None]


def gate(limits: Limits) -> Gate:
    """A gate with these limits. Whoever passes gives back what the call holds while it is under way."""

    def passed(context: Called, procedure: Procedure[..., Any]) -> AbstractContextManager[None] | None:
        if isinstance(policy_of(procedure), Public):
            return None  # never limited: health, above all
        # Counted before it may be refused: somebody without rights can be a burden, too.
        admission = limits.admit(context.caller.principal, procedure)
        guard(context, procedure)
        return admission

    return passed
