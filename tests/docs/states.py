"""The tables of docs/engine.md that follow from the code: `python -m tests.docs.states` writes them anew.

What an execution may become stands in a trigger of the schema; what becomes of a step, in the core's `evolve`.
"""

import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from uuid import UUID

import msgspec

from db import migrations
from services.definitions.document import Document, Step
from services.engine.core.events import (
    AnyEvent,
    ExecutionStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from services.engine.core.evolve import evolve
from services.engine.core.plan import plan_of
from services.engine.core.state import NEW, OPEN, StepState, StepStatus
from services.executions.records import Status
from services.failure import Failure
from tests.docs.markdown import DOCS

SQL = Path(migrations.__path__[0]) / "sql"
PAGE = DOCS / "engine.md"
_BUSY = Failure(code="RATE_LIMITED", message="busy", retryable=True)
_PLAN = plan_of(
    Document(
        name="flow",
        steps=(
            Step(name="A", kind="tool", tool="t", max_retries=1, parallel_group="g"),
            Step(name="B", kind="tool", tool="t", parallel_group="g"),
        ),
    )
)
_EVENTS: dict[str, AnyEvent] = {
    "`step_started`": StepStarted(path="A", attempt=1),
    "`step_waiting`": StepWaiting(path="A", for_ms=1),
    "`step_failed`, to be tried again": StepFailed(path="A", attempt=1, failure=_BUSY),
    "`step_failed`, the last time": StepFailed(path="A", attempt=2, failure=_BUSY),
    "`step_completed`": StepCompleted(path="A", attempt=1, output=None),
    "`step_skipped`": StepSkipped(path="A", reason="no"),
    "`step_cancelled`": StepCancelled(path="A"),
}


def of_executions() -> str:
    """What an execution may become, by what it is."""
    sql = (SQL / "0001_executions.sql").read_text(encoding="utf-8")
    guard = sql[sql.index("FUNCTION execution_transition_guard") :]
    ways: dict[str, list[str]] = defaultdict(list)
    for before, after in re.findall(r"'(\w+)>(\w+)'", guard[: guard.index("$$;")]):
        ways[before].append(after)
    rows = [
        [f"`{it}`", ", ".join(f"`{after}`" for after in ways[it]) or "nothing: it is over"] for it in get_args(Status)
    ]
    return _table(["an execution that is", "may become"], rows)


def of_steps() -> str:
    """What becomes of a step, by what happens and by what it was."""
    columns: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for status in get_args(StepStatus):
        columns[tuple(_after(event, status) for event in _EVENTS.values())].append(f"`{status}`")
    headings = ["what happens to a step that is", *(", ".join(statuses) for statuses in columns.values())]
    return _table(headings, [list(row) for row in zip(_EVENTS, *columns, strict=True)])


def write() -> None:
    """Put the tables into the page, in the place of those that stand there."""
    PAGE.write_text(fresh(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def fresh(page: str) -> str:
    """The page with its tables as they follow from the code."""
    for name, table in (("executions", of_executions()), ("steps", of_steps())):
        begin, end = f"<!-- {name} -->\n", "<!-- end -->"
        before, _, rest = page.partition(begin)
        page = before + begin + table + end + rest.partition(end)[2]
    return page


def _after(event: AnyEvent, status: StepStatus) -> str:
    at = datetime(2026, 1, 31, tzinfo=UTC)
    state = evolve(_PLAN, NEW, ExecutionStarted(execution=UUID(int=7), at=at, input={}))
    before = {} if status == "pending" else {"A": StepState(status=status, attempt=1)}
    after = evolve(_PLAN, msgspec.structs.replace(state, steps=before), event).steps.get("A")
    became = "pending" if after is None else after.status
    return "as it was" if became == status and status not in OPEN else f"`{became}`"


def _table(headings: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (headings, *rows)]
    lines.insert(1, "|" + "---|" * len(headings))
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    write()
