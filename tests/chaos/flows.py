"""The reference orchestrations, and what is known beforehand of how they end."""

from random import Random
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

from services import executions, orchestrations
from services.caller import OPERATOR
from services.definitions import yaml12
from services.definitions.catalog import Callee, Catalog
from services.definitions.check import check
from services.definitions.document import KINDS, as_json
from services.tools import files, registry

# What the others call.
LEAF = """
name: leaf
steps: [{name: Effect, kind: tool, tool: files.read, inputMapping: {ms: "<<input.ms>>"}}]
output: {at: "<<context.Effect.at>>"}
"""

# A sequence, a parallel group, children, a loop, a map, a branch, timers, retries, compensations, what is always done.
MIXED = """
name: mixed
steps:
  - name: Begin
    kind: tool
    tool: files.read
    inputMapping: {ms: "<<input.ms>>"}
    compensate: [{name: Undo begin, kind: tool, tool: files.read, inputMapping: {ms: "<<input.ms>>"}}]
  - {name: Left, kind: tool, tool: files.read, parallelGroup: both, inputMapping: {ms: "<<input.ms>>"}}
  - name: Right
    kind: group
    parallelGroup: both
    steps:
      - name: Flaky
        kind: tool
        tool: files.read
        maxRetries: 2
        retryDelay: 150
        inputMapping: {ms: "<<input.ms>>", fails: "<<input.fails>>"}
      - {name: Settle, kind: wait, forMs: "<<input.nap>>"}
  - {name: Aside, kind: wait, parallelGroup: both, forMs: "<<input.nap>>"}
  - {name: Beside, kind: orchestration, orchestration: leaf, parallelGroup: both, inputMapping: {ms: "<<input.ms>>"}}
  - name: Rounds
    kind: loop
    maxIterations: 2
    steps:
      - {name: Ask, kind: tool, tool: files.read, inputMapping: {ms: "<<input.ms>>", round: "<<loop.iteration>>"}}
      - {name: Breathe, kind: wait, forMs: 40}
  - name: Route
    kind: branch
    cases:
      - name: even
        when: "input.n % 2 == 0"
        steps: [{name: Even, kind: tool, tool: files.read, inputMapping: {ms: "<<input.ms>>"}}]
    else: [{name: Odd, kind: wait, forMs: 60}]
  - name: Each
    kind: map
    items: [a, b, c]
    maxConcurrency: 2
    steps:
      - name: Item
        kind: tool
        tool: files.read
        inputMapping: {ms: "<<input.ms>>", item: "<<item>>"}
        compensate: [{name: Undo item, kind: tool, tool: files.read, inputMapping: {ms: "<<input.ms>>"}}]
      - {name: Check, kind: transform, inputMapping: {item: "<<item>>", at: "<<context.Item.at>>"}}
  - {name: Nap, kind: wait, forMs: "<<input.nap>>"}
  - {name: Sub, kind: orchestration, orchestration: leaf, timeout: 60000, inputMapping: {ms: "<<input.ms>>"}}
  - {name: Last, kind: tool, tool: files.read, inputMapping: {ms: "<<input.ms>>", breaks: "<<input.breaks>>"}}
onFailure:
  - {name: Tell, kind: tool, tool: files.read, inputMapping: {code: "<<error.code>>"}}
finally:
  - {name: Close, kind: tool, tool: files.read, inputMapping: {}}
output:
  items: "<<context.Each.results>>"
  rounds: "<<context.Rounds.iterations>>"
  way: "<<context.Route.case>>"
  sub: "<<context.Sub.at>>"
"""

# As many timers as there are durations, all at once; a retry delay and a timer beside a working tool.
TIMERS = """
name: timers
steps:
  - name: Each
    kind: map
    items: "<<input.naps>>"
    maxItems: 100
    maxConcurrency: 100
    steps: [{name: Nap, kind: wait, forMs: "<<item>>"}]
  - {name: Busy, kind: tool, tool: files.read, parallelGroup: race, inputMapping: {ms: 30}}
  - {name: Beside, kind: wait, parallelGroup: race, forMs: 30}
  - name: Again
    kind: tool
    tool: files.read
    parallelGroup: race
    maxRetries: 1
    retryDelay: 30
    inputMapping: {fails: 1}
output: {fired: "<<context.Each.total>>"}
"""

# Some twelve steps of every kind that needs a worker, soon over: for the crash matrix.
TWELVE = """
name: twelve
steps:
  - name: Begin
    kind: tool
    tool: files.read
    inputMapping: {}
    compensate: [{name: Undo begin, kind: tool, tool: files.read, inputMapping: {}}]
  - {name: Left, kind: tool, tool: files.read, parallelGroup: both, inputMapping: {ms: 5}}
  - name: Right
    kind: tool
    tool: files.read
    parallelGroup: both
    maxRetries: 1
    retryDelay: 20
    inputMapping: {fails: 1}
  - {name: Nap, kind: wait, forMs: 20}
  - {name: Rounds, kind: loop, maxIterations: 2, steps: [{name: Ask, kind: tool, tool: files.read, inputMapping: {}}]}
  - name: Each
    kind: map
    items: [a, b]
    steps:
      - name: Item
        kind: tool
        tool: files.read
        inputMapping: {}
        compensate: [{name: Undo item, kind: tool, tool: files.read, inputMapping: {}}]
  - {name: Sub, kind: orchestration, orchestration: leaf, inputMapping: {ms: 5}}
  - {name: Last, kind: tool, tool: files.read, inputMapping: {breaks: "<<input.breaks>>"}}
finally: [{name: Close, kind: tool, tool: files.read, inputMapping: {}}]
output: {items: "<<context.Each.results>>"}
"""

# One tool that takes as long as it is told to.
SLOW = """
name: slow
steps:
  - {name: Effect, kind: tool, tool: files.read, inputMapping: {ms: "<<input.ms>>"}}
  - {name: After, kind: tool, tool: files.read, inputMapping: {ms: 0}}
output: {at: "<<context.After.at>>"}
"""

# A tool, and then a timer beside another one, so that the execution is not parked while it runs.
BESIDE = """
name: beside
steps:
  - {name: Effect, kind: tool, tool: files.read, inputMapping: {ms: "<<input.ms>>"}}
  - {name: Nap, kind: wait, parallelGroup: both, forMs: "<<input.nap>>"}
  - {name: Busy, kind: tool, tool: files.read, parallelGroup: both, inputMapping: {ms: 1500}}
"""

# It goes on only when it is told: twice the same, in a row, and then each item of a map by itself.
TOLD = """
name: told
steps:
  - {name: Begin, kind: tool, tool: files.read, inputMapping: {ms: "<<input.ms>>"}}
  - name: Rounds
    kind: loop
    maxIterations: 2
    collect: "<<context.News.n>>"
    steps:
      - {name: News, kind: wait, event: news, expiresAfterMs: 600000}
      - {name: Act, kind: tool, tool: files.read, inputMapping: {ms: "<<input.ms>>"}}
  - name: Each
    kind: map
    items: [a, b, c]
    maxConcurrency: 2
    steps:
      - {name: Part, kind: wait, event: part, match: "output.item == item"}
      - {name: Fit, kind: tool, tool: files.read, inputMapping: {ms: "<<input.ms>>"}}
      - name: Note
        kind: transform
        inputMapping: {item: "<<item>>", told: "<<context.Part.item>>", at: "<<context.Fit.at>>"}
output: {news: "<<context.Rounds.results>>", parts: "<<context.Each.results>>"}
"""

# What an execution is told, one after another: each an event and its data.
Tale: TypeAlias = list[tuple[str, Any]]

_CATALOG = Catalog(
    roles={}, tools=frozenset({"files.read"}), kinds=frozenset(KINDS), orchestrations={"leaf": Callee(max_step_runs=1)}
)


async def save(text: str) -> Any:
    """The document that the services have taken, as JSON; what it calls is saved as well."""
    registry.register(*files.tools(None))
    document = _document(text)
    if "orchestration: leaf" in text:
        await orchestrations.create(OPERATOR, document=leaf())
    await orchestrations.create(OPERATOR, document=document)
    return document


def leaf() -> Any:
    """The document of `LEAF`, as JSON."""
    return _document(LEAF)


def told() -> Any:
    """The document of `TOLD`, as JSON."""
    return _document(TOLD)


def _document(text: str) -> Any:
    checked = check(yaml12.read(text), _CATALOG)
    assert checked.document is not None, checked.problems
    assert checked.problems == (), checked.problems
    return msgspec.to_builtins(as_json(checked.document))


def mixed_input(random: Random, n: int) -> dict[str, Any]:
    """One of many: every fifth fails at its last step and is undone."""
    return {
        "n": n,
        "ms": random.choice((0, 5, 20, 60)),
        "nap": random.choice((0, 30, 200, 600)),
        "fails": random.choice((0, 0, 1, 2)),
        "breaks": n % 5 == 4,
    }


def expected(input: dict[str, Any]) -> tuple[Literal["completed", "failed"], Any]:
    """The status that an execution of `MIXED` ends with, and its output."""
    if input["breaks"]:
        return "failed", None
    items = [{"item": item, "at": f"Each[{index}]/Item"} for index, item in enumerate("abc")]
    return "completed", {"items": items, "rounds": 2, "way": "even" if input["n"] % 2 == 0 else "else", "sub": "Effect"}


def told_signals(random: Random) -> Tale:
    """All that an execution of `TOLD` is to be told, each an event and its data: news in their order, parts in any."""
    events = ["part"] * 3 + ["news"] * 2
    random.shuffle(events)
    items, numbers = iter(random.sample("abc", 3)), iter((1, 2))
    return [(event, {"item": next(items)} if event == "part" else {"n": next(numbers)}) for event in events]


# What an execution of `TOLD` gives.
TOLD_OUTPUT: Any = {
    "news": [1, 2],
    "parts": [{"item": item, "told": item, "at": f"Each[{place}]/Fit"} for place, item in enumerate("abc")],
}


async def start(name: str, input: Any, key: str) -> Any:
    """The id of the execution of this key, started now or before."""
    return (await executions.start(OPERATOR, orchestration=name, input=input, idempotency_key=key)).id


async def tell(execution: UUID, event: str, data: Any) -> None:
    """Tell an execution that an event has come; once, however often this is called."""
    key = f"{event} {data}"
    await executions.signal(OPERATOR, execution=execution, event=event, data=data, idempotency_key=key)
