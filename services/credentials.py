"""Credentials: whether what callers have shown still holds."""

import time
from collections.abc import Collection, Mapping
from uuid import UUID

from services import sessions, tokens
from services.caller import Caller, Credential
from services.principal import Principal


async def still_valid(callers: Collection[Caller]) -> Mapping[Caller, Principal]:
    """The principals, as they are now, of those callers whose credentials still hold; of an issuer's they stay."""
    shown = {caller: caller.credential for caller in callers if caller.credential is not None}
    stored = {
        "token": await tokens.still_valid(_ids(shown.values(), "token")),
        "session": await sessions.still_valid(_ids(shown.values(), "session")),
    }
    now = time.time()
    valid: dict[Caller, Principal] = {}
    for caller, credential in shown.items():
        if credential.expires_at <= now:
            continue
        if credential.id is None:
            valid[caller] = caller.principal
        elif (principal := stored[credential.kind].get(credential.id)) is not None:
            valid[caller] = principal
    return valid


def _ids(credentials: Collection[Credential], kind: str) -> set[UUID]:
    return {credential.id for credential in credentials if credential.kind == kind and credential.id is not None}
