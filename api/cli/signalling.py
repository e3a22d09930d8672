"""`rolecall signal`: tell an execution that an event has come."""

from uuid import UUID

import click

from api.cli.given import json_of
from api.cli.mendable import Unusable
from api.cli.process import with_runtime
from services import executions
from services.caller import OPERATOR
from services.idempotency import MAX_KEY


def send(execution: UUID, event: str, given: str | None, key: str | None) -> int:
    """Send an execution a signal, and say how it stands; the exit code is 0 when it was accepted."""
    data = None if given is None else json_of("--data", given)
    if key is not None and not 1 <= len(key) <= MAX_KEY:
        raise Unusable(f"--key has {len(key)} characters; it has 1 to {MAX_KEY}")
    told = with_runtime(
        lambda _: executions.signal(OPERATOR, execution=execution, event=event, data=data, idempotency_key=key)
    )
    click.echo(f"sent {event!r} to execution {told.id}, which is {told.status}")
    return 0
