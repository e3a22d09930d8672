"""On whose behalf a service is asked to do something."""

from dataclasses import dataclass
from math import inf
from typing import Literal
from uuid import UUID

from services.errors import Forbidden
from services.principal import NOT_FOR_AGENTS, SCOPES, Principal, Scope


@dataclass(frozen=True, slots=True)
class Credential:
    """What a caller has shown: a token or a session by its id, or the token of an issuer.

    `expires_at`, in seconds since 1970, is known beforehand of the issuer's alone; the others may be revoked as well.
    """

    kind: Literal["token", "session", "issued"]
    id: UUID | None = None
    expires_at: float = inf


@dataclass(frozen=True, slots=True)
class Caller:
    """The principal behind a call; a service function that somebody calls takes one first.

    It asks for the scope that it needs. Only where tokens are concerned no scope is enough: nobody makes, sees or
    revokes one that holds more than the caller. Who calls from within this process has shown no `credential`.
    """

    principal: Principal
    credential: Credential | None = None

    @property
    def name(self) -> str:
        return self.principal.name

    def require(self, scope: Scope) -> None:
        """Nothing, when the caller holds `scope`.

        Raises:
            Forbidden: it does not, says which scopes it holds; or it is an agent and the scope is not for agents.
        """
        if self.principal.kind == "agent" and scope in NOT_FOR_AGENTS:
            raise Forbidden(f"agent {self.name!r} may not do this; {scope} is for people and services")
        if scope not in self.principal.scopes:
            held = ", ".join(self.principal.scopes) or "no scope"
            raise Forbidden(f"{self.principal.kind} {self.name!r} holds {held}; this needs {scope}")


# Whoever can start a process with the database's address already holds everything that the database holds.
OPERATOR = Caller(Principal(kind="human", name="operator", scopes=SCOPES))
