"""`rolecall token`, and the first token, which `rolecall up` leaves in a file for whoever owns the data directory."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import click

from api.cli.process import with_runtime
from services import tokens
from services.caller import OPERATOR
from services.errors import Conflict
from services.principal import SCOPES, Scope
from services.settings import Settings

ADMIN = "admin"
FILE = "admin-token"


def create(name: str, scopes: Sequence[str], expires_in_days: int | None) -> int:
    """Make a token and print it: the text alone to stdout, so that a script can take it."""
    wanted = cast(Sequence[Scope], scopes)  # the service looks at each
    made = with_runtime(lambda _: tokens.create(OPERATOR, name=name, scopes=wanted, expires_in_days=expires_in_days))
    until = f"until {made.expires_at:%Y-%m-%d %H:%M} UTC" if made.expires_at else "until it is revoked"
    click.echo(f"{made.name} may {', '.join(made.scopes)}, {until}; the token is shown this once:", err=True)
    click.echo(made.token)
    return 0


async def admin_token(settings: Settings) -> str:
    """Where the token `admin` is kept. At the first start it is made, with every scope, for its owner's eyes only."""
    file = settings.data_path / FILE
    with suppress(Conflict):
        made = await tokens.create(OPERATOR, name=ADMIN, scopes=SCOPES, kind="human")
        _write_for_owner(file, made.token)
    if file.exists():
        return str(file)
    return "`admin` was made at an earlier start; `rolecall token create` makes another"


def _write_for_owner(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # Made aside: a file that is there already may be readable to others, or a link.
    aside = file.with_name(f"{file.name}.new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(f"{text}\n")
    aside.replace(file)
