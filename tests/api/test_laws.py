"""Laws of the whole API: whatever JSON comes in, the answer is an answer."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.root import router
from tests.api.client import NO_INPUT, Api
from tests.api.documents import quoting
from tests.api.inputs import replaced, smallest_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEGAL = {200, 400, 404, 409}

unremarkable = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.sampled_from(["<<context.a>>", "{{", "$.a[*]", "<<input.topic | join(>>", "$..[?(@.a)]", "\0", "[" * 70, "ª"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["field", "operator", "value", "$path", "$expr", "$literal", "all", "type", "properties"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
inputs = st.sampled_from([name for name, _ in router]).flatmap(
    lambda name: st.tuples(st.just(name), spoiled(smallest_input(router.procedures[name])))
)
FIELDS = ("name", "input", "steps", "output", "outputSchema", "tags", "description")
STEP_FIELDS = ("name", "kind", "order", "condition", "inputMapping", "outputMapping", "outputSchema", "parallelGroup")
OTHER_STEP_FIELDS = ("roleName", "roleId", "stepType", "timeout", "tool", "tools", "prompt", "colour")
places = (
    st.just(())
    | st.tuples(st.sampled_from(FIELDS))
    | st.just(("steps", 0))
    | st.tuples(st.just("steps"), st.just(0), st.sampled_from(STEP_FIELDS + OTHER_STEP_FIELDS))
)


def spoiled(good: Any) -> st.SearchStrategy[Any]:
    """Inputs that are nothing like what is wanted, or nearly it."""
    if not isinstance(good, dict) or not good:
        return values
    return values | st.tuples(st.sampled_from(sorted(good)), values).map(lambda put: {**good, put[0]: put[1]})


@unremarkable
@given(case=inputs)
async def test_no_input_is_an_error_of_ours(api: Api, case: tuple[str, Any]) -> None:
    name, input = case

    reply = await api.call(name, NO_INPUT if input is None else input)

    assert reply.status in LEGAL, reply.body


@unremarkable
@given(place=places, value=values)
async def test_no_document_is_an_error_of_ours(api: Api, place: tuple[str | int, ...], value: Any) -> None:
    document = replaced(quoting("Spoiled"), place, value)
    before = await api.rows()

    validated = await api.call("orchestration.validate", {"document": document})

    assert validated.status in LEGAL, validated.body
    assert await api.rows() == before


@unremarkable
@given(place=places, value=values)
async def test_what_is_valid_can_be_created_and_nothing_else(
    api: Api, place: tuple[str | int, ...], value: Any
) -> None:
    document = replaced(quoting("Spoiled"), place, value)
    validated = await api.call("orchestration.validate", {"document": document})

    created = await api.call("orchestration.create", {"document": document})

    is_valid = validated.status == 200 and not validated.data["problems"]
    assert created.status == (200 if is_valid else 400), created.body
    if is_valid:
        assert (created.data["digest"], created.data["maxStepRuns"]) == (
            validated.data["digest"],
            validated.data["maxStepRuns"],
        )
        deleted = await api.call("orchestration.delete", {"orchestration": created.data["id"]})
        assert deleted.status == 200
