"""`rolecall follow`: what happens in an execution, a line each."""

import os
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from api.cli.process import with_runtime
from services import executions
from services.caller import OPERATOR
from services.executions import (
    AttemptStarted,
    Delta,
    Followed,
    Progress,
    Recorded,
    ToolAnswered,
    ToolCalled,
    TurnStarted,
)


def follow(execution: UUID, after: int, *, as_json: bool) -> int:
    """Print the events of an execution behind number `after`; the exit code is 0 when it has completed."""
    shown = json_line if as_json else line
    return with_runtime(lambda _: _follow(execution, after, shown))


def line(item: Followed) -> str:
    """An item for people: the number of an event, when it was (UTC), what it was and where.

    >>> line(Delta(path="Draft", attempt=1, text="# Leases\\n"))
    '    -                delta               Draft (1): "# Leases\\\\n"'
    """
    number, kind = (str(item.seq), item.kind) if isinstance(item, Recorded) else ("-", _kind(item))
    at = item.at if isinstance(item, Recorded | AttemptStarted) else None
    time = "" if at is None else f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"
    return f"{number:>5}  {time:12}  {kind:19} {_where(item)}{_what(item)}".rstrip()


def json_line(item: Followed) -> str:
    """An item for programs."""
    return msgspec.json.encode(item).decode()


async def _follow(execution: UUID, after: int, shown: Callable[[Followed], str]) -> int:
    has_completed: bool | None = None
    try:
        async for item in executions.follow(OPERATOR, execution=execution, after=after):
            print(shown(item), flush=True)
            if isinstance(item, Recorded) and item.is_last:
                has_completed = item.kind == "execution_completed"
    except BrokenPipeError:
        # Whoever read has enough, such as `head`. What is left in the buffer must not fail once more at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if has_completed is None:
        has_completed = (await executions.get(OPERATOR, execution=execution)).status == "completed"
    return 0 if has_completed else 1


def _where(item: Followed) -> str:
    if isinstance(item, Recorded) and item.kind == "signal_received" and isinstance(item.event, dict):
        return str(item.event.get("name"))
    return f"{item.path} ({item.attempt})" if item.attempt else item.path


def _kind(item: Progress) -> str:
    return str(item.__struct_config__.tag)


def _what(item: Followed) -> str:
    """What there is to say beside what happened and where."""
    match item:
        case Recorded(event=event):
            return _why(event)
        case Delta(text=text):
            return f": {_quoted(text)}"
        case TurnStarted(turn=turn):
            return f": {turn}"
        case ToolCalled(tool=tool):
            return f": {tool}"
        case ToolAnswered(tool=tool, is_error=is_error):
            return f": {tool}{' did not work' if is_error else ''}"
        case _:
            return ""


def _why(event: Any) -> str:
    """Why something failed, where that is what happened."""
    failure = event.get("failure") if isinstance(event, dict) else None
    if not isinstance(failure, dict):
        return ""
    return f": {failure.get('code')}: {_quoted(str(failure.get('message')))}"


def _quoted(text: str) -> str:
    """The text as JSON, so that it stays on its line."""
    return msgspec.json.encode(text).decode()
