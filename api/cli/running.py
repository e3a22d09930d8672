"""`rolecall run`, `restart`, `retry` and `check`: a file, a name or an execution, run or looked at, here and now."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from rich.console import Console

from api import progress
from api.cli.given import content_of, json_of
from api.cli.mendable import Unusable, line_about
from api.cli.process import on_stop_signals, with_runtime, working
from api.cli.times import duration_of
from services import background, bundles, executions, orchestrations
from services.bundles import Bundle
from services.caller import OPERATOR
from services.errors import NotFound
from services.executions import MAX_DELAY_MS, Execution, ExecutionDetail
from services.executions.reading import history_of
from services.models.catalog import Models
from services.runtime import Runtime

_FILE_SUFFIXES = (".yaml", ".yml", ".json")
_OFFLINE = (
    "It picks sentences by word counts and understands nothing; nothing leaves this machine. For a real model set "
    "OPENAI_API_KEY or ANTHROPIC_API_KEY, or start Ollama; ROLECALL_MODEL=provider/model chooses among them."
)
# What a stopped worker leaves undone goes on elsewhere or later, so nobody has to wait long.
_PATIENCE_SECONDS = 2.0
_INTERRUPTED = 130


def run(
    what: str, given: str | None, priority: int, delay: str | None, sticky_key: str | None, *, breaking: bool
) -> int:
    """Run the orchestration that `what` names or holds; the exit code is 0 when it completed.

    With a `delay` it is left to the workers of then, and the exit code is 0 once it is kept.
    """
    source = _bundle_in(Path(what)) if _is_file(what) else what
    data = {} if given is None else json_of("--input", given)
    later = None if delay is None else duration_of("--delay", delay)
    asked = {"input": data, "priority": priority, "sticky_key": sticky_key}
    return with_runtime(lambda runtime: _run(runtime, source, asked, later, breaking=breaking))


def restart(execution: UUID, from_: str | None, input: str | None, context: str | None) -> int:
    """Restart an execution; the exit code is 0 when the new one completed."""
    data = None if input is None else json_of("--input", input)
    changes = None if context is None else json_of("--context", context)
    if changes is not None and not isinstance(changes, dict):
        raise Unusable("--context is to be an object: for each key of the context its new value")
    return with_runtime(
        lambda runtime: _go_on(
            runtime, executions.restart(OPERATOR, execution=execution, from_=from_, input=data, context=changes)
        )
    )


def retry(execution: UUID) -> int:
    """Retry an execution; the exit code is 0 when the new one completed."""
    return with_runtime(lambda runtime: _go_on(runtime, executions.retry(OPERATOR, execution=execution)))


def check(file: str) -> int:
    """Print every problem of the bundle or document in `file`; the exit code is 0 when there is none."""
    bundle = _bundle_in(Path(file))
    problems = with_runtime(lambda _: bundles.check(OPERATOR, bundle))
    for problem in problems:
        click.echo(line_about(problem), err=True)
    if problems:
        click.echo(f"{file}: {_counted(len(problems), 'problem')}", err=True)
        return 1
    held = f"{_counted(len(bundle.roles), 'role')}, {_counted(len(bundle.orchestrations), 'orchestration')}"
    click.echo(f"{file}: {held}, no problems")
    return 0


async def _run(
    runtime: Runtime, source: Bundle | str, asked: dict[str, Any], later: timedelta | None, *, breaking: bool
) -> int:
    delay_ms = 0 if later is None else later // timedelta(milliseconds=1)
    if delay_ms > MAX_DELAY_MS:
        raise Unusable("--delay is longer than a year; start the execution within 365d")
    name = await _known(source) if isinstance(source, str) else await _loaded(source, breaking=breaking)
    starting = executions.start(OPERATOR, orchestration=name, delay_ms=delay_ms, **asked)
    if later is None:
        return await _go_on(runtime, starting)
    execution = await starting
    click.echo(f"{execution.orchestration}, version {execution.version}")
    click.echo(
        f"queued until {execution.available_at:%Y-%m-%d %H:%M:%S} UTC; a worker that runs then (`rolecall work` or "
        f"`rolecall up`) takes it up: execution {execution.id}"
    )
    return 0


async def _go_on(runtime: Runtime, starting: Awaitable[Execution]) -> int:
    """Start an execution, and show it until it is finished."""
    started_at = time.monotonic()
    console = Console(highlight=False)
    execution = await starting
    origin = "" if execution.restart_of is None else f", a restart of {execution.restart_of}"
    console.print(f"{execution.orchestration}, version {execution.version}{origin}", style="bold", soft_wrap=True)
    plan, _ = await history_of(execution.id)
    if plan.role_names:
        console.print(_model_line(runtime.models), style="dim")
    if plan.events:
        events = " | ".join(sorted(plan.events))
        console.print(f"it waits to be told: rolecall signal {execution.id} {events}", style="dim", soft_wrap=True)
    finished = await _followed(runtime, execution.id, console)
    if finished is None:
        return _INTERRUPTED
    if finished.status == "completed":
        progress.show_output(finished.output, console)
    else:
        await _say_what_failed(finished)
    console.print()
    console.print(progress.summary_of(finished, time.monotonic() - started_at), style="dim", soft_wrap=True)
    return 0 if finished.status == "completed" else 1


async def _followed(runtime: Runtime, execution: UUID, console: Console) -> ExecutionDetail | None:
    """The execution, finished by a worker of ours or another; None when the user stopped before."""
    stop = asyncio.Event()
    async with working(runtime.worker(), patience_seconds=_PATIENCE_SECONDS) as work:
        following = asyncio.create_task(progress.follow(OPERATOR, execution, console))
        stopping = asyncio.create_task(stop.wait())
        with on_stop_signals(stop.set):
            await asyncio.wait({following, stopping, work}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if following.done():
            return following.result()
        await background.end(following)
        if work.done():
            work.result()
    click.echo(
        f"stopped. The execution {execution} is kept and goes on when a worker runs: with `rolecall work`, or with "
        "`rolecall up`, whose `execution.get` shows it.",
        err=True,
    )
    return None


def _is_file(what: str) -> bool:
    return Path(what).is_file() or "/" in what or what.endswith(_FILE_SUFFIXES)


def _bundle_in(file: Path) -> Bundle:
    return bundles.read(content_of(file))


async def _loaded(bundle: Bundle, *, breaking: bool) -> str:
    loaded = await bundles.load(OPERATOR, bundle, breaking=breaking)
    if not loaded.orchestrations:
        raise Unusable("the file holds no orchestration, so there is nothing to run")
    return loaded.orchestrations[-1].name


async def _known(name: str) -> str:
    try:
        return (await orchestrations.get(OPERATOR, orchestration=name)).name
    except NotFound:
        names = [found.name for found in (await orchestrations.list_(OPERATOR)).items]
        there_are = f"there are: {', '.join(names)}" if names else "there are none yet; run a file to load one"
        raise Unusable(f"there is no orchestration {name!r}; {there_are}") from None


def _model_line(models: Models) -> str:
    return f"model: {models.default}. {_OFFLINE}" if models.is_offline else f"model: {models.default}"


async def _say_what_failed(execution: ExecutionDetail) -> None:
    steps = await executions.steps(OPERATOR, execution=execution.id)
    where = ", ".join(step.path for step in steps if step.status == "failed")
    at = f" at the step {where}" if where else ""
    why = f": {execution.error.code}: {execution.error.message}" if execution.error else ""
    click.echo(f"the execution {execution.status.replace('_', ' ')}{at}{why}", err=True)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
