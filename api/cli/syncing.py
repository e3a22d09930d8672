"""`rolecall sync` and `diff`: a folder and the database kept equal, and what differs between two of anything."""

import re
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from api.cli.exchanging import bundle_in
from api.cli.items import show_differences, show_items
from api.cli.mendable import Unusable, lines_about
from api.cli.process import with_runtime
from services import bundles, catalog
from services.bundles import Bundle, Contents, FileChange, Loaded
from services.caller import OPERATOR

_DIFFERENT = 1
_FAILED = 2
_FILE_SUFFIXES = (".yaml", ".yml", ".json")


def push(folder: str, *, is_dry: bool, prune: bool, breaking: bool, as_json: bool) -> int:
    """Make the database hold what the folder does; the exit code is 1 when a dry run finds a difference."""
    bundle = bundles.joined(bundles.read_folder(Path(folder)))
    if prune and not bundle.role_names and not bundle.orchestrations:
        raise Unusable(f"{folder} holds nothing, and --prune would switch off everything; is it the right folder?")
    loaded: Loaded = with_runtime(
        lambda _: bundles.load(
            OPERATOR, bundle, breaking=breaking, dry_run=is_dry, missing="switch_off" if prune else "keep"
        )
    )
    if as_json:
        click.echo(msgspec.json.encode(loaded.items).decode())
    else:
        show_items(loaded.items, is_dry=is_dry)
    is_same = all(item.outcome == "unchanged" for item in loaded.items)
    return _DIFFERENT if is_dry and not is_same else 0


def pull(folder: str, *, is_dry: bool, prune: bool) -> int:
    """Make the folder hold what the database does; the exit code is 1 when a dry run finds a difference."""
    root = Path(folder)
    held = bundles.read_folder(root) if root.exists() else {}

    async def wanted() -> list[FileChange]:
        contents = await bundles.everything(OPERATOR)
        return bundles.changes_to(held, contents, await catalog.current(), prune=prune)

    changes = with_runtime(lambda _: wanted())
    if not is_dry:
        bundles.written(root, changes)
    done, gone = ("to be written", "to be removed") if is_dry else ("written", "removed")
    for change in changes:
        click.echo(f"{root / change.path}: {gone if change.text is None else done}")
    if not changes:
        click.echo("nothing to write")
    return _DIFFERENT if is_dry and changes else 0


def diff(a: str, b: str, *, as_json: bool) -> int:
    """Print what makes `b` of `a`; the exit code is 1 when they differ."""

    sources = [bundle_in(what) if _is_file(what) else what for what in (a, b)]

    async def both() -> list[Contents]:
        return [await _contents(source) for source in sources]

    before, after = with_runtime(lambda _: both())
    found = bundles.differences(before, after)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        show_differences(found)
    return _DIFFERENT if found else 0


def told(command: Callable[[], int]) -> int:
    """The exit code of a command that ends with 1 when something differs: 2 when it cannot tell."""
    try:
        return command()
    except Exception as error:
        lines = lines_about(error)
        if not lines:
            raise
        for line in lines:
            click.echo(line, err=True)
        return _FAILED


def _is_file(what: str) -> bool:
    return what == "-" or Path(what).exists() or "/" in what or what.endswith(_FILE_SUFFIXES)


async def _contents(source: Bundle | str) -> Contents:
    """What a bundle holds, or an orchestration with its roles, or a version of one alone."""
    if isinstance(source, Bundle):
        return bundles.contents_of(source, await catalog.current())
    name, _, number = source.partition("@")
    if number and not re.fullmatch(r"[1-9][0-9]{0,8}", number):
        raise Unusable(f"{source!r} is no version; write it like {name}@2")
    return await bundles.standing(OPERATOR, name, int(number) if number else None)
