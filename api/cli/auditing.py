"""`rolecall audit`: who has changed what, whether that is still what was written, and the key that anchors are signed
with.
"""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from api.cli.given import content_of
from api.cli.mendable import Unusable
from api.cli.process import with_runtime
from api.cli.times import instant_of
from services import audit
from services.audit import Entry, Finding, Verification, anchors
from services.audit.findings import Findings
from services.caller import OPERATOR


def list_(limit: int, since: str | None, until: str | None, *, as_json: bool, **asked: Any) -> int:
    """Print entries, the newest first: a line each, or each as JSON with the row as it was and as it is."""
    within = {
        "since": None if since is None else instant_of("--since", since),
        "until": None if until is None else instant_of("--until", until),
    }
    entries = with_runtime(lambda _: _listed(limit, {**asked, **within}))
    for entry in entries:
        click.echo(msgspec.json.encode(entry).decode() if as_json else _line(entry))
    if not entries:
        click.echo("there are no such entries", err=True)
    return 0


def head() -> int:
    """Print the last entry's number, hash and time."""
    found = with_runtime(lambda _: audit.head(OPERATOR))
    click.echo("nothing was changed yet" if found is None else f"{found.seq}  {found.hash}  {_time(found.at)}")
    return 0


def verify(after: int, anchored: str | None, key: str | None) -> int:
    """Say what was tampered with, all of it; 1 when there is anything."""
    if (anchored is None) != (key is None):
        raise Unusable("give --anchors and --key together: anchors are believed by their signature")
    lines = [] if anchored is None else content_of(Path(anchored)).splitlines()
    public = None if key is None else anchors.public_key(Path(key))
    pieces, in_lines = with_runtime(lambda _: _verified(after, lines, public))
    findings = [*in_lines.shown, *(finding for piece in pieces for finding in piece.findings)]
    for finding in findings:
        click.echo(_finding(finding))
    if in_lines.has_more or any(piece.has_more_findings for piece in pieces):
        click.echo("and there is more")
    last = next((piece.last for piece in reversed(pieces) if piece.last is not None), None)
    read = f"{sum(piece.entries for piece in pieces)} entries" + (f", up to {last.seq} {last.hash}" if last else "")
    click.echo(f"{read}: {'tampered with' if findings else 'as they were written'}", err=bool(findings))
    return 1 if findings else 0


def key(file: str) -> int:
    """Write a new key, its public half beside it, and say what to do with the two."""
    private, public = Path(file), Path(f"{file}.pub")
    halves = anchors.new_key()
    for path, content, mode in ((private, halves[0], 0o600), (public, halves[1], 0o644)):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except OSError as error:
            raise Unusable(f"cannot write {path}: {error.strerror}") from None
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
    click.echo(f"{private}: the private half, for the server: ROLECALL_AUDIT_ANCHOR_KEY_FILE")
    click.echo(f"{public}: the public half, for whoever verifies, to be kept elsewhere")
    return 0


async def _listed(limit: int, asked: dict[str, Any]) -> list[Entry]:
    entries: list[Entry] = []
    cursor = None
    while len(entries) < limit:
        page = await audit.list_(OPERATOR, **asked, cursor=cursor, limit=min(500, limit - len(entries)))
        entries += page.items
        if (cursor := page.next_cursor) is None:
            break
    return entries


async def _verified(after: int, lines: Iterable[bytes], public: Any) -> tuple[list[Verification], Findings]:
    in_lines = Findings()
    kept = [] if public is None else anchors.read(lines, public, await audit.chain(OPERATOR), in_lines)
    pieces = [await audit.verify(OPERATOR, after=after, anchors=kept)]
    while (next_after := pieces[-1].next_after) is not None:
        pieces.append(await audit.verify(OPERATOR, after=next_after))
    return pieces, in_lines


def _line(entry: Entry) -> str:
    row = entry.after or entry.before
    name = row.get("name") if isinstance(row, dict) else None
    what = f"{entry.action} {entry.noun} {name or ''}".rstrip()
    return f"{entry.seq:>6}  {_time(entry.at)}  {entry.channel:<5}  {entry.actor}  {what}  {entry.subject}"


def _finding(finding: Finding) -> str:
    return f"{finding.code}: {finding.message}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
