"""On whose behalf a service is asked to do something."""

from dataclasses import dataclass
from uuid import UUID

from services.errors import Forbidden
from services.principal import SCOPES, Principal, Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """The principal behind a call; a service function that somebody calls takes one first.

    It asks for the scope that it needs. Only where tokens are concerned no scope is enough: nobody makes, sees or
    revokes one that holds more than the caller. `token` is the id of the one that it has shown, if it has.
    """

    principal: Principal
    token: UUID | None = None

    @property
    def name(self) -> str:
        return self.principal.name

    def require(self, scope: Scope) -> None:
        """Nothing, when the caller holds `scope`.

        Raises:
            Forbidden: it does not; says which scopes it holds.
        """
        if scope not in self.principal.scopes:
            held = ", ".join(self.principal.scopes) or "no scope"
            raise Forbidden(f"{self.principal.kind} {self.name!r} holds {held}; this needs {scope}")


# Whoever can start a process with the database's address already holds everything that the database holds.
OPERATOR = Caller(Principal(kind="human", name="operator", scopes=SCOPES))
