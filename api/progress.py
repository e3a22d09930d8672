"""Show an execution at a terminal: its steps while it runs, what came out, and what it took."""

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import msgspec
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from services import background, executions
from services.caller import Caller
from services.engine.core.state import StepStatus
from services.executions import SETTLED, Delta, ExecutionDetail, StepLog
from services.json import Json

_REFRESH_SECONDS = 0.1

_SIGNS: dict[StepStatus, tuple[str, str]] = {
    "pending": ("·", "dim"),
    "running": ("…", "cyan"),
    "waiting": ("…", "cyan"),
    "retrying": ("↻", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "skipped": ("–", "dim"),
    "cancelled": ("×", "yellow"),
}
_COLUMNS = ("Stage", "Step", "Status", "Attempts", "Time", "Model", "Tokens", "Cost")
_FIGURES = frozenset({"Stage", "Attempts", "Time", "Tokens", "Cost"})
_LONG_CHARACTERS = 200


async def follow(caller: Caller, execution: UUID, console: Console) -> ExecutionDetail:
    """The execution, finished. Until then its steps are shown: as a living table, or off a terminal one line each."""
    if console.is_terminal:
        return await _in_a_table(caller, execution, console)
    return await _in_lines(caller, execution, console)


def show_output(output: Json, console: Console) -> None:
    """Print what came out: a text as Markdown, an object around one text as that text, all else as JSON."""
    text, rest = text_in(output)
    console.print()
    if text is None:
        _print(console, msgspec.json.format(msgspec.json.encode(output)).decode())
        return
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        _print(console, text)
    if rest:
        shown = (f"{name}: {msgspec.json.encode(value).decode()}" for name, value in rest.items())
        _print(console, "\n" + "\n".join(shown))


def text_in(output: Json) -> tuple[str | None, dict[str, Json]]:
    """The text that `output` is, or is around, and what else it holds; no text when there are none or several.

    >>> text_in("Hello."), text_in({"brief": "# One\\n\\nTwo.", "score": 0.9}), text_in({"a": "b"})
    (('Hello.', {}), ('# One\\n\\nTwo.', {'score': 0.9}), (None, {}))
    """
    if isinstance(output, str):
        return output, {}
    if not isinstance(output, dict):
        return None, {}
    texts = [name for name, value in output.items() if isinstance(value, str) and _is_long(value)]
    if len(texts) != 1:
        return None, {}
    text = output[texts[0]]
    assert isinstance(text, str)
    return text, {name: value for name, value in output.items() if name != texts[0]}


def summary_of(execution: ExecutionDetail, seconds: float) -> str:
    """What an execution took, on one line."""
    parts = [
        f"{execution.steps_settled} of {execution.steps_total} steps",
        f"{seconds:.1f} s",
        f"{_tokens(execution.input_tokens, execution.output_tokens)} tokens",
        _cost(execution.cost_usd),
        f"execution {execution.id}",
    ]
    return f"{execution.status}: {' · '.join(parts)}"


async def _in_a_table(caller: Caller, execution: UUID, console: Console) -> ExecutionDetail:
    clock = _Clock()
    # We refresh: the thread that would do it for us does not know of our changes.
    with Live(console=console, auto_refresh=False) as live:
        return await _watched(caller, execution, lambda steps: live.update(_table(steps, clock), refresh=True))


async def _in_lines(caller: Caller, execution: UUID, console: Console) -> ExecutionDetail:
    shown: set[str] = set()

    def show(steps: list[StepLog]) -> None:
        for step in steps:
            if step.status in SETTLED and step.path not in shown:
                shown.add(step.path)
                _print(console, _line(step))

    return await _watched(caller, execution, show)


async def _watched(caller: Caller, execution: UUID, show: Callable[[list[StepLog]], None]) -> ExecutionDetail:
    """The execution, finished. Until then its steps are shown ten times a second, and read again when it goes on."""
    goes_on = asyncio.Event()
    watching = asyncio.create_task(_watch(caller, execution, goes_on))
    try:
        while True:
            is_over = watching.done()
            goes_on.clear()
            detail, steps = await executions.get_with_steps(caller, execution=execution)
            show(steps)
            if is_over:
                watching.result()
                return detail
            await asyncio.sleep(_REFRESH_SECONDS)
            while not goes_on.is_set() and not watching.done():
                show(steps)
                await asyncio.sleep(_REFRESH_SECONDS)
    finally:
        await background.end(watching)


async def _watch(caller: Caller, execution: UUID, goes_on: asyncio.Event) -> None:
    async for item in executions.follow(caller, execution=execution):
        if not isinstance(item, Delta):
            goes_on.set()


class _Clock:
    """How long each step has been running here; the database's clock need not be this machine's."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def seconds(self, step: StepLog) -> float:
        if step.status in SETTLED:
            return step.duration_ms / 1000
        now = time.monotonic()
        return now - self._seen.setdefault(step.path, now)


def _table(steps: list[StepLog], clock: _Clock) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in _COLUMNS:
        table.add_column(title, justify="right" if title in _FIGURES else "left", no_wrap=True, overflow="ellipsis")
    stage = -1
    for step in steps:
        sign, style = _SIGNS[step.status]
        status = Text(f"{sign} {step.status}", style=style)
        is_main = "/" not in step.path
        is_first = is_main and step.stage != stage
        stage = step.stage if is_main else stage
        table.add_row(str(stage + 1) if is_first else "", step.path, status, *_figures(step, clock.seconds(step)))
    return table


def _figures(step: StepLog, seconds: float) -> list[str]:
    if step.attempts == 0:
        return []
    figures = [str(step.attempts), f"{seconds:.1f} s"]
    if step.model is None:
        return figures
    return [*figures, step.model, _tokens(step.input_tokens, step.output_tokens), _cost(step.cost_usd)]


def _line(step: StepLog) -> str:
    sign, _ = _SIGNS[step.status]
    attempts = [f"{step.attempts} attempts"] if step.attempts > 1 else []
    figures = _figures(step, step.duration_ms / 1000)[1:]
    return "  ".join([f"{sign} {step.path}: {step.status}", *attempts, *figures])


def _is_long(text: str) -> bool:
    return "\n" in text or len(text) >= _LONG_CHARACTERS


def _tokens(tokens_in: int, tokens_out: int) -> str:
    return f"{tokens_in:,} + {tokens_out:,}"


def _cost(cost: Decimal | None) -> str:
    """Dollars to the hundredth of a cent; the price of some models is not known."""
    return "cost unknown" if cost is None else f"${cost:.4f}" if cost else "$0"


def _print(console: Console, text: str) -> None:
    """Print `text` as it is: no markup, no colours, no wrapping."""
    console.print(Text(text), soft_wrap=True)
