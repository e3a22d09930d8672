"""`rolecall token`, and the first token, which `rolecall up` leaves in a file for whoever owns the data directory."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import click

from api.cli.mendable import Unusable
from api.cli.process import with_runtime
from db.acting import act_as
from services import connections, tokens
from services.caller import OPERATOR
from services.errors import Conflict
from services.principal import SCOPES, Kind, Scope
from services.settings import Settings
from services.tokens import Token

ADMIN = "admin"
FILE = "admin-token"


def create(name: str, scopes: Sequence[str], kind: Kind, expires_in_days: int | None) -> int:
    """Make a token and print it: the text alone to stdout, so that a script can take it."""
    wanted = cast(Sequence[Scope], scopes)  # the service looks at each
    made = with_runtime(
        lambda _: tokens.create(OPERATOR, name=name, scopes=wanted, kind=kind, expires_in_days=expires_in_days)
    )
    click.echo(f"{made.name} may {', '.join(made.scopes)}, {_validity(made)}; the token is shown this once:", err=True)
    click.echo(made.token)
    return 0


def list_() -> int:
    """Print every token, a line each: name, kind, how long it holds, its last use, how its text begins, scopes."""
    found = with_runtime(lambda _: tokens.list_(OPERATOR))
    rows = [
        (it.name, it.kind, _validity(it), _use(it), f"rc_{it.prefix}_…", ", ".join(it.scopes) or "no scope")
        for it in found
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if not rows:
        click.echo("there are no tokens", err=True)
    return 0


def revoke(token: str) -> int:
    """Make the token of that name or id useless from now on, and say so."""
    gone = with_runtime(lambda _: tokens.revoke(OPERATOR, token=token))
    click.echo(f"{gone.name}: {_validity(gone)}")
    return 0


async def admin_token(settings: Settings) -> str:
    """Where the token `admin` is kept. At the first start it is made, with every scope, for its owner's eyes only.

    Raises:
        Unusable: it cannot be kept in the data directory; there is no token then, and the next start makes it.
    """
    file = settings.data_path / FILE
    with suppress(Conflict), act_as(OPERATOR.name, "cli"):
        # Together or not at all: a token that nobody has read would keep the name for ever.
        async with connections.database().transaction():
            made = await tokens.create(OPERATOR, name=ADMIN, scopes=SCOPES, kind="human")
            _write_for_owner(file, made.token)
    # Whoever may not look into the directory is not told of a file there.
    with suppress(OSError):
        if file.exists():
            return str(file)
    return "`admin` was made at an earlier start; `rolecall token create` makes another"


def _validity(token: Token) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%Y-%m-%d %H:%M} UTC"
    return f"until {token.expires_at:%Y-%m-%d %H:%M} UTC" if token.expires_at else "until it is revoked"


def _use(token: Token) -> str:
    return f"used {token.last_used_at:%Y-%m-%d %H:%M} UTC" if token.last_used_at else "never used"


def _write_for_owner(file: Path, text: str) -> None:
    # Made aside: a file that is there already may be readable to others, or a link.
    aside = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        aside.unlink(missing_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(f"{text}\n")
        aside.replace(file)
    except OSError as error:
        message = f"cannot keep the first token in {file}: {error.strerror}; set ROLECALL_DATA_DIR to a directory"
        raise Unusable(f"{message} that can be written") from None
