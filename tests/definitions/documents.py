"""Random documents that `check` finds nothing wrong with."""

from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from services.definitions.catalog import Catalog
from services.definitions.document import KINDS, Document, Step
from services.json import Json, JsonObject

CATALOG = Catalog(roles={"Reader": UUID(int=1), "Writer": UUID(int=2)}, tools=frozenset({"files.read"}))

_CONDITIONS: st.SearchStrategy[Json] = st.sampled_from(
    [
        None,
        None,
        None,
        False,
        True,
        {"field": "input.n", "operator": ">", "value": 1},
        {"field": "input.n", "operator": "exists"},
    ]
)
_OUTPUTS = st.sampled_from([None, None, "<<output>>", "kept"])


@st.composite
def documents(draw: st.DrawFn, max_stages: int = 4, max_members: int = 3) -> Document:
    """Stages of one or several steps of every kind, each reading the input and one earlier key."""
    steps: list[Step] = []
    keys = ["input"]
    for stage in range(draw(st.integers(1, max_stages))):
        members = draw(st.integers(1, max_members))
        group = f"group {stage}" if members > 1 else None
        staged = [_step(draw, f"S{stage}-{member}", stage, group, keys) for member in range(members)]
        steps += staged
        keys += [key for step in staged for key in (step.output_mapping or {step.name: None})]
    outputs: list[JsonObject | None] = [None, {"last": f"<<context.{keys[-1]}?>>"}]
    ordered = tuple(sorted(steps, key=lambda step: (step.order, step.name)))
    return Document(name="random", steps=ordered, output=draw(st.sampled_from(outputs)))


def _step(draw: st.DrawFn, name: str, order: int, group: str | None, keys: list[str]) -> Step:
    kind = draw(st.sampled_from(KINDS))
    own: dict[str, Any] = {}
    if kind in ("agent", "llm"):
        own["role_name"] = draw(st.sampled_from(["Reader", "Writer"]))
    if kind == "tool":
        own["tool"] = "files.read"
    written = draw(_OUTPUTS)
    return Step(
        name=name,
        kind=kind,
        order=order,
        parallel_group=group,
        condition=draw(_CONDITIONS),
        input_mapping={"from": f"<<context.{draw(st.sampled_from(keys))}?>>", "n": "<<input.n?>>"},
        output_mapping=None if written is None else {f"{name} out": written},
        max_retries=draw(st.integers(0, 2)),
        retry_delay=draw(st.integers(0, 10)),
        **own,
    )
