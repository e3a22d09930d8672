"""Random roles and orchestrations as somebody may have written them, with data that is hard to keep."""

from typing import Any

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from services.bundles import BundleRole
from services.definitions.document import Document
from services.json import Json, JsonObject
from services.models.selection import ModelConstraints
from services.roles import Parameters
from tests.definitions.documents import documents
from tests.definitions.test_yaml_writer import texts

# The database keeps no U+0000.
kept_texts = texts.map(lambda text: text.replace("\0", "")[:200])
# What is larger, or is -0.0, the database writes its own way.
kept_floats = st.floats(-9.9e15, 9.9e15).map(lambda number: number + 0.0)
any_floats = st.floats(allow_nan=False, allow_infinity=False)


def data_of(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Json]:
    """Any JSON."""
    return st.recursive(
        st.none() | st.booleans() | st.integers(-(2**40), 2**70) | floats | kept_texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(kept_texts, inner, max_size=3),
        max_leaves=5,
    )


data = data_of(kept_floats)
schemas: st.SearchStrategy[JsonObject] = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", ["string", "null"]]),
        "description": kept_texts,
        "default": data,
        "enum": st.lists(data, min_size=1, max_size=3),
        "properties": st.dictionaries(kept_texts, st.just({"type": "string"}), max_size=3),
        "minimum": kept_floats | st.integers(-(2**60), 2**60),
    },
)
roles = st.builds(
    BundleRole,
    name=st.just("Reader"),
    base_prompt=kept_texts,
    description=kept_texts,
    tools=st.lists(st.sampled_from(["files.read", "files.*"]), unique=True, max_size=3).map(tuple),
    needs_tools=st.booleans(),
    model=st.builds(ModelConstraints, preferred=st.lists(st.text("ab/", min_size=1), max_size=2).map(tuple)),
    parameters=st.builds(Parameters, temperature=st.none() | st.floats(0, 2)),
    output_schema=st.none() | st.booleans() | schemas,
)


@st.composite
def definitions(draw: st.DrawFn, floats: st.SearchStrategy[float] = kept_floats) -> tuple[BundleRole, Document]:
    """A role, and an orchestration whose steps may name it, with data of any kind in its first step."""
    document = draw(documents(max_steps=4))
    first, *others = document.steps
    changes: dict[str, Any] = {"on_error": first.on_error}
    if first.input_mapping is not None:
        changes["input_mapping"] = {**first.input_mapping, "data": {"$literal": draw(data_of(floats))}}
    document = msgspec.structs.replace(
        document,
        description=draw(kept_texts),
        tags=tuple(draw(st.lists(st.sampled_from(["no", "on", "a b", "x-1"]), unique=True, max_size=2))),
        steps=(msgspec.structs.replace(first, **changes), *others),
        input=draw(st.none() | schemas),
    )
    return draw(roles), document


def sample(number: int) -> list[tuple[BundleRole, Document]]:
    """As many definitions, the same each time, each called by its number, with numbers of any size in their data."""
    found: list[tuple[BundleRole, Document]] = []

    @settings(max_examples=number, derandomize=True, deadline=None, phases=[Phase.generate])
    @given(definitions(any_floats))
    def draw(definition: tuple[BundleRole, Document]) -> None:
        role, document = definition
        role = msgspec.structs.replace(role, name=f"Role {len(found)}")
        found.append((role, msgspec.structs.replace(document, name=f"random-{len(found)}")))

    draw()
    return found[:number]
