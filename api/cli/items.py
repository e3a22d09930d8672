"""Roles and orchestrations on the terminal, with what is changed about them."""

from collections.abc import Iterable, Sequence

import click

from services.bundles import Difference, Item
from services.definitions.diff import Change, lines

_MARKS = {"created": "+", "updated": "~", "absent": "?", "switched_off": "-"}
_DONE = {"created": "created", "updated": "updated", "switched_off": "switched off"}
_WOULD_BE = {"created": "to be created", "updated": "to be updated", "switched_off": "to be switched off"}
_ABSENT = "only in the database"
_MARKS_OF_DIFFERENCES = {"added": "+", "removed": "-", "changed": "~"}


def show_items(items: Sequence[Item], *, is_dry: bool) -> None:
    """Print what is not as it was, with what is changed about it, and how many things there are of each kind."""
    words = {"absent": _ABSENT, "unchanged": "unchanged", **(_WOULD_BE if is_dry else _DONE)}
    for item in items:
        if item.outcome == "unchanged":
            continue
        version = f", version {item.version}" if not is_dry and item.outcome in ("created", "updated") else ""
        click.echo(f"{_MARKS[item.outcome]} {item.noun} {item.name}: {words[item.outcome]}{version}")
        _show_changes(item.changes)
    counts = {outcome: sum(item.outcome == outcome for item in items) for outcome in words}
    order = ("created", "updated", "unchanged", "switched_off", "absent")
    click.echo(", ".join(f"{counts[it]} {words[it]}" for it in order if counts[it]) or "nothing there")


def show_differences(found: Iterable[Difference]) -> None:
    """Print what differs, a line for each thing and below it what is changed about it."""
    for difference in found:
        click.echo(f"{_MARKS_OF_DIFFERENCES[difference.what]} {difference.noun} {difference.name}: {difference.what}")
        _show_changes(difference.changes)


def _show_changes(changes: tuple[Change, ...]) -> None:
    for line in lines(changes):
        click.echo(f"    {line}")
