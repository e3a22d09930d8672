"""Verification: each entry of the audit hashed again, each row compared with its last entry, what writes it looked at.

Nothing is locked, and no function of the database's own is relied on that somebody could have replaced.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated

import msgspec
from asyncpg import Record

from db.audited import AUDITED, Trigger, functions, triggers
from services import connections
from services.audit.entries import Head, shown
from services.audit.findings import Finding, Findings
from services.caller import Caller

MAX_ENTRIES = 1_000_000
MAX_ANCHORS = 1_000

_AT_ONCE = 500
_HASH = r"^sha256:[0-9a-f]{64}$"

# What the hash of an entry is taken of, besides the hash before: as audit_seal has it.
_ENTRIES = f"""
SELECT seq, at, noun, subject, hash, convert_to(jsonb_build_array(
  seq, (extract(epoch FROM at) * 1000000)::bigint, actor, channel, db_user, action, noun, subject, before, after
)::text, 'UTF8') AS written
FROM audit WHERE seq > $1 ORDER BY seq LIMIT {_AT_ONCE}
"""  # noqa: S608
# Columns that a row has not had from the beginning, or has no more, were not recorded throughout.
_UNRECORDED = """
SELECT last.seq, coalesce(last.subject, present.id) AS subject,
  CASE WHEN present.id IS NULL THEN 'gone' WHEN last.after IS NULL THEN 'there' ELSE 'changed' END AS state
FROM (
  SELECT DISTINCT ON (subject) subject, seq, after FROM audit WHERE noun = $1 ORDER BY subject, seq DESC
) AS last
FULL JOIN (SELECT id, to_jsonb(it) - $2::text[] AS now FROM {} AS it) AS present ON present.id = last.subject
WHERE CASE WHEN now IS NULL OR after IS NULL THEN (now IS NULL) <> (after IS NULL)
  ELSE (SELECT jsonb_object_agg(key, value) FROM jsonb_each(now) WHERE after ? key)
    <> (SELECT jsonb_object_agg(key, value) FROM jsonb_each(after) WHERE now ? key) END
ORDER BY last.seq LIMIT $3
"""
_STATES = {
    "gone": "is gone, and the audit knows nothing of that",
    "there": "is there, and the audit knows nothing of that",
    "changed": "is not what the audit says it is",
}
_TRIGGERS = """
SELECT relname AS table, tgname AS name, tgtype::integer AS type, proname AS function,
  tgenabled IN ('O', 'A') AND tgqual IS NULL AND tgattr = ''::int2vector AS is_on,
  string_to_array(encode(tgargs, 'escape'), '\\000') AS arguments
FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE relnamespace = 'public'::regnamespace AND pronamespace = 'public'::regnamespace AND tgname = ANY($1)
"""
_FUNCTIONS = "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY($1)"


class Anchored(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An entry as it was kept elsewhere."""

    # No more than JavaScript counts exactly: what is greater would come back as text.
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
    hash: Annotated[str, msgspec.Meta(pattern=_HASH)]


class Verification(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was found, and how far it was looked: `entries` were read, up to `last`.

    With a `nextAfter` there are more entries, which a call with it as `after` goes on with; the last call also compares
    the rows and looks at what writes the audit. The first hundred `findings` are shown.
    """

    entries: int
    last: Head | None
    next_after: int | None
    findings: tuple[Finding, ...]
    has_more_findings: bool

    @property
    def is_clean(self) -> bool:
        return not self.findings


async def verify(
    caller: Caller, *, after: int = 0, entries: int = MAX_ENTRIES, anchors: Sequence[Anchored] = ()
) -> Verification:
    """What was tampered with among up to so many entries behind the number `after`, and whether the `anchors` hold."""
    caller.require("audit.read")
    findings = Findings()
    await _check_anchors(anchors, findings)
    read, last, is_end = await _check_chain(after, entries, findings)
    if is_end:
        await _check_rows(findings)
        await _check_triggers(findings)
        await _check_functions(findings)
    return Verification(
        entries=read,
        last=None if last is None else Head(seq=last["seq"], hash=shown(last["hash"]), at=last["at"]),
        next_after=None if is_end or last is None else last["seq"],
        findings=tuple(findings.shown),
        has_more_findings=findings.has_more,
    )


async def _check_anchors(anchors: Sequence[Anchored], findings: Findings) -> None:
    rows = await connections.pool().fetch(
        "SELECT seq, hash FROM audit WHERE seq = ANY($1)", [anchor.seq for anchor in anchors]
    )
    present = {row["seq"]: shown(row["hash"]) for row in rows}
    for anchor in anchors:
        if anchor.seq not in present:
            findings.add("ANCHOR", f"entry {anchor.seq} was anchored, and is not there", seq=anchor.seq)
        elif present[anchor.seq] != anchor.hash:
            findings.add("ANCHOR", f"entry {anchor.seq} is not the one that was anchored", seq=anchor.seq)


async def _check_chain(after: int, entries: int, findings: Findings) -> tuple[int, Record | None, bool]:
    """How many entries were read, the last of them, and whether it is the last there is."""
    number, hashed, read, last = after, await _hash_at(after), 0, None
    if hashed is None:
        findings.add("GAP", f"entry {after} is missing", seq=after)
    while read < entries:
        rows = await connections.pool().fetch(_ENTRIES, number)
        for row in rows[: entries - read]:
            _check_entry(row, number, hashed, findings)
            number, hashed, last, read = row["seq"], row["hash"], row, read + 1
        if len(rows) < _AT_ONCE and (not rows or number == rows[-1]["seq"]):
            return read, last, True
    return read, last, False


def _check_entry(row: Record, number: int, hashed: bytes | None, findings: Findings) -> None:
    seq = row["seq"]
    if seq != number + 1:
        missing = f"{number + 1} to {seq - 1} are" if seq > number + 2 else f"{number + 1} is"
        message = f"of the entries before {seq}, {missing} missing"
        findings.add("GAP", message, seq=seq, noun=row["noun"], subject=row["subject"])
    elif hashed is not None and hashlib.sha256(hashed + row["written"]).digest() != row["hash"]:
        message = f"entry {seq}, or the one before it, is not what was written"
        findings.add("CHANGED", message, seq=seq, noun=row["noun"], subject=row["subject"])


async def _hash_at(seq: int) -> bytes | None:
    """What the entry behind that one is hashed with; None when that one is missing."""
    return b"" if seq == 0 else await connections.pool().fetchval("SELECT hash FROM audit WHERE seq = $1", seq)


async def _check_rows(findings: Findings) -> None:
    for noun, left_out in AUDITED.items():
        query = _UNRECORDED.format(f'"{noun}"')
        for row in await connections.pool().fetch(query, noun, list(left_out), findings.room + 1):
            message = f"{noun} {row['subject']} {_STATES[row['state']]}"
            findings.add("UNRECORDED", message, seq=row["seq"], noun=noun, subject=row["subject"])


async def _check_triggers(findings: Findings) -> None:
    wanted = list(triggers())
    rows = await connections.pool().fetch(_TRIGGERS, [trigger.name for trigger in wanted])
    present = {(row["table"], row["name"]): row for row in rows}
    for trigger in wanted:
        row = present.get((trigger.table, trigger.name))
        if row is None or not _is_as_wanted(trigger, row):
            state = "is not there" if row is None else "is off" if not row["is_on"] else "is another one"
            message = f"the trigger {trigger.name} on {trigger.table} {state}: what it should see passes the audit"
            findings.add("TRIGGER_OFF", message, noun=trigger.table)


def _is_as_wanted(trigger: Trigger, row: Record) -> bool:
    arguments = tuple(row["arguments"][:-1])
    return (
        row["is_on"]
        and (row["type"], row["function"]) == (trigger.type, trigger.function)
        and (trigger.function != "audit_change" or arguments == AUDITED[trigger.table])
    )


async def _check_functions(findings: Findings) -> None:
    wanted = functions()
    present: dict[str, list[str]] = {name: [] for name in wanted}
    for row in await connections.pool().fetch(_FUNCTIONS, list(wanted)):
        present[row["proname"]].append(row["prosrc"])
    for name, body in wanted.items():
        if present[name] != [body]:
            findings.add("FUNCTION_REPLACED", f"the function {name} is not the one that the migrations make")
