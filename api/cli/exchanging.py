"""`rolecall export` and `import`: roles and orchestrations out of the database and into it, as text."""

import sys
from pathlib import Path

import click

from api.cli.given import content_of
from api.cli.items import show_items
from api.cli.mendable import Unusable
from api.cli.process import with_runtime
from services import bundles, catalog
from services.bundles import Bundle, Format
from services.caller import OPERATOR

_STANDARD_INPUT = "-"


def export(
    names: tuple[str, ...],
    tags: tuple[str, ...],
    roles: tuple[str, ...],
    version: int | None,
    format: Format,
    out: str,
    *,
    with_roles: bool,
) -> int:
    """Write the bundle of what is named, or of all that is active, to `out`."""
    found = with_runtime(
        lambda _: bundles.export(
            OPERATOR, names=names, tags=tags, role_names=roles, with_roles=with_roles, version=version, format=format
        )
    )
    with click.open_file(out, "w", encoding="utf-8", atomic=out != "-") as file:
        file.write(found.text)
    if out != "-":
        click.echo(out)
    for name in found.missing:
        click.echo(f"{name!r} is called, but no version of it is active, so it is not in there", err=True)
    return 0


def export_folder(folder: str) -> int:
    """Write all that is active into a folder that is empty or not there, a file each, and name the files."""
    root = Path(folder)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise Unusable(f"{folder} is not an empty folder; `rolecall sync {folder} --pull` brings one up to date")

    async def written() -> list[bundles.FileChange]:
        contents = await bundles.everything(OPERATOR)
        return bundles.changes_to({}, contents, await catalog.current(), prune=False)

    changes = with_runtime(lambda _: written())
    bundles.written(root, changes)
    for change in changes:
        click.echo(root / change.path)
    return 0


def import_(source: str, *, breaking: bool, dry_run: bool) -> int:
    """Load a file, a folder or the standard input, and say what became of each thing in it."""
    bundle = bundle_in(source)
    loaded = with_runtime(lambda _: bundles.load(OPERATOR, bundle, breaking=breaking, dry_run=dry_run))
    show_items(loaded.items, is_dry=dry_run)
    return 0


def bundle_in(source: str) -> Bundle:
    """What a file, a folder or, as `-`, the standard input holds.

    Raises:
        Unusable: it cannot be read.
        Invalid: it is no YAML and no JSON.
    """
    if source == _STANDARD_INPUT:
        return bundles.read(sys.stdin.buffer.read())
    path = Path(source)
    return bundles.joined(bundles.read_folder(path)) if path.is_dir() else bundles.read(content_of(path))
