"""What keeps the audit, as it has to be in a database: the columns that are left out, the triggers, the functions."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# By table, the columns that are not kept: secrets, and what says nothing of a change.
AUDITED: Mapping[str, tuple[str, ...]] = {
    "role": (),
    "role_version": (),
    "orchestration": (),
    "orchestration_version": ("edits",),
    "orchestration_step": (),
    "token": ("hash", "last_used_at"),
    "session": ("hash", "last_used_at"),
    "budget": (),
    # Of a secret only that it has changed, and its key: what is kept for ever could not be encrypted anew.
    "secret": ("value",),
    "provider": (),
    "model": (),
    "model_price": (),
    "default_model": (),
    "mcp_source": ("listed_at", "problem"),
    "mcp_tool": (),
}

_SCRIPTS = Path(__file__).parent / "migrations" / "sql"
_FUNCTION = re.compile(
    r"^CREATE (?:OR REPLACE )?FUNCTION (audit_\w+|refuse)\(.*?\$\$(.*?)\$\$", re.DOTALL | re.MULTILINE
)

# How pg_trigger writes down what a trigger is for.
_BY_ROW, _BEFORE, _INSERT, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 4, 8, 16, 32
_CHANGE = _BY_ROW | _INSERT | _DELETE | _UPDATE


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A trigger without which changes could pass the audit; `type` is as in pg_trigger."""

    table: str
    name: str
    type: int
    function: str


def triggers() -> Iterator[Trigger]:
    """Every one that there has to be."""
    for table in AUDITED:
        yield Trigger(table=table, name=f"{table}__is_audited", type=_CHANGE, function="audit_change")
    yield Trigger(table="audit_pending", name="audit_pending__is_sealed", type=_BY_ROW | _INSERT, function="audit_seal")
    yield Trigger(
        table="audit", name="audit__is_append_only", type=_BEFORE | _UPDATE | _DELETE | _TRUNCATE, function="refuse"
    )
    for table in ("audit", "audit_pending"):
        name = f"{table}__is_written_by_the_database"
        yield Trigger(table=table, name=name, type=_BY_ROW | _BEFORE | _INSERT, function="audit_guard")
    for table in (
        "token",
        "session",
        "budget",
        "secret",
        "provider",
        "model",
        "default_model",
        "mcp_source",
        "mcp_tool",
    ):
        yield Trigger(table=table, name=f"{table}__no_truncate", type=_BEFORE | _TRUNCATE, function="refuse")


@cache
def functions() -> Mapping[str, str]:
    """The bodies of the functions behind these triggers by their names, as the migrations make them."""
    scripts = sorted(_SCRIPTS.glob("*.sql"))
    return {name: body for script in scripts for name, body in _FUNCTION.findall(script.read_text("utf-8"))}
