"""`rolecall secrets`: keys to encrypt with, and secrets, whose values are read from the terminal or a pipe."""

import sys
from collections.abc import Sequence

import click

from api.cli.mendable import Unusable
from api.cli.process import with_runtime
from services import secrets
from services.caller import OPERATOR
from services.secrets import SecretEntry
from services.secrets.keyring import new_key
from services.secrets.secret import Secret

_MAX_CHARACTERS = 10_000


def key() -> int:
    """Print a new key for ROLECALL_SECRETS_KEY; it is kept nowhere."""
    click.echo(new_key())
    return 0


def set_(name: str, hosts: Sequence[str], description: str | None) -> int:
    """Set a secret to what is typed, unseen, or comes through a pipe."""
    value = _value()
    kept = with_runtime(lambda _: secrets.set_(OPERATOR, name=name, value=value, hosts=hosts, description=description))
    click.echo(f"{kept.name} is kept, and may be sent to {', '.join(kept.hosts) or 'no host: give --host'}")
    return 0


def list_() -> int:
    """Print every secret, a line each: name, key, where it may be sent, and what keeps it from being read."""
    found = with_runtime(lambda _: _all())
    for entry in found:
        problem = f"  {entry.problem}" if entry.problem else ""
        click.echo(f"{entry.name}  key {entry.key_id}  {', '.join(entry.hosts) or 'no host'}{problem}")
    if not found:
        click.echo("there are no secrets", err=True)
    return 0


def delete(name: str) -> int:
    """Delete a secret that nothing uses."""
    gone = with_runtime(lambda _: secrets.delete(OPERATOR, secret=name))
    click.echo(f"{gone.name} is gone")
    return 0


def rotate() -> int:
    """Encrypt what other keys have encrypted with the newest; 1 when something could not be read."""
    done = with_runtime(lambda _: secrets.rotate(OPERATOR))
    for entry in done.unreadable:
        click.echo(f"{entry.name}: {entry.problem}", err=True)
    click.echo(f"{done.rotated} encrypted anew with the key {done.key_id}")
    return 1 if done.unreadable else 0


async def _all() -> list[SecretEntry]:
    found: list[SecretEntry] = []
    while page := await secrets.list_(OPERATOR, limit=500, after=found[-1].name if found else None):
        found += page
    return found


def _value() -> Secret:
    if sys.stdin.isatty():
        text = click.prompt("its value", hide_input=True, err=True)
    else:
        text = sys.stdin.read(_MAX_CHARACTERS + 2).rstrip("\r\n")
    if not 1 <= len(text) <= _MAX_CHARACTERS:
        raise Unusable(f"a secret has 1 to {_MAX_CHARACTERS:,} characters; type it, or send it through a pipe")
    return Secret(text)
