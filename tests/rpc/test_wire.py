"""The pure half of the wire, on plain data and on noise."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.rpc import Procedure, RpcError, wire
from api.rpc.codes import CODES, Code
from api.rpc.inputs import Inputs, read_input
from api.rpc.text import MAX_DEPTH, MAX_INTEGER, check_text, for_javascript
from api.rpc.wire import Call, Outcome, Request
from tests.rpc.toy import decoded, echo, echo_mut, health, pack, router

JSON_TYPE = "application/json"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["box", "name", "kind"]), inner),
    max_leaves=20,
)
noise = st.binary() | json_values.map(lambda value: msgspec.json.encode(value)) | st.text().map(str.encode)


def test_a_batch_is_one_call_per_path() -> None:
    request = Request("GET", b"/health,nope,echo", b"batch=1&input=%7B%7D&connectionParams=%7B%22a%22%3A%22b%22%7D")

    plan = wire.plan(router, request, max_batch=3, max_url_bytes=1_000)

    assert plan == wire.Plan(
        method="GET",
        calls=(Call(0, "health", health), Call(1, "nope", None), Call(2, "echo", echo)),
        batch=True,
        connection_params={"a": "b"},
        query_input=b"{}",
    )


def test_the_path_is_decoded_once() -> None:
    plan = wire.plan(router, Request("POST", b"echo%2541", content_type=JSON_TYPE), max_batch=1, max_url_bytes=1_000)

    assert plan.calls == (Call(0, "echo%41", None),)


@pytest.mark.parametrize(
    ("raw_path", "path", "root_path", "below"),
    [
        (b"/trpc/health", "/trpc/health", "", b"/health"),
        (b"/app/trpc/health", "/app/trpc/health", "/app", b"/health"),
        (b"/trpc/health", "/trpc/health", "/trpc", b"/health"),
        (b"/health", "/health", "", b"/health"),
        (b"/trpc", "/trpc", "", b""),
        (b"/trpcx/health", "/trpcx/health", "", b"/trpcx/health"),
        (b"/trpc/health?batch=1", "/trpc/health", "", b"/health"),
        (None, "/trpc/é", "", b"/%C3%A9"),
    ],
)
def test_the_prefix_is_taken_off_however_we_are_mounted(
    raw_path: bytes | None, path: str, root_path: str, below: bytes
) -> None:
    assert wire.path_below("/trpc", raw_path, path, root_path) == below


def test_method_override_is_optional() -> None:
    call = Call(0, "echo", echo)

    refusal = wire.refusal(router, call, "POST", allow_method_override=False)

    assert refusal is not None
    assert refusal.message == 'Unsupported POST-request to query procedure at path "echo"'
    assert refusal.headers == {"allow": "GET"}
    assert wire.refusal(router, call, "POST", allow_method_override=True) is None


@pytest.mark.parametrize(
    ("statuses", "status"), [([200], 200), ([200, 200], 200), ([403, 403], 403), ([200, 403], 207), ([404, 403], 207)]
)
def test_different_statuses_become_207(statuses: list[int], status: int) -> None:
    outcomes = [Outcome(status, b"{}", {}) for status in statuses]

    assert wire.answer(outcomes, batch=True).status == status


def test_there_are_21_codes_and_their_numbers_are_what_clients_expect() -> None:
    retried = {code for code, numbers in CODES.items() if numbers.json_rpc == -32603}

    assert len(CODES) == 21
    assert retried == {
        "INTERNAL_SERVER_ERROR",
        "NOT_IMPLEMENTED",
        "BAD_GATEWAY",
        "SERVICE_UNAVAILABLE",
        "GATEWAY_TIMEOUT",
    }


@pytest.mark.parametrize("code", CODES)
def test_an_error_is_its_code_in_three_spellings(code: Code) -> None:
    outcome = wire.failed(RpcError(code, data={"code": "mine", "more": 1}), "a.b")

    numbers = CODES[code]
    assert outcome.status == numbers.http
    assert decoded(outcome.envelope)["error"] == {
        "message": code,
        "code": numbers.json_rpc,
        "data": {"code": code, "httpStatus": numbers.http, "path": "a.b", "more": 1},
    }


def test_no_input_and_null_are_different() -> None:
    inputs = Inputs(b'{"1":null}', batch=True)

    assert (inputs.of(0), inputs.of(1)) == (None, b"null")


def test_depth_counts_brackets_outside_of_strings() -> None:
    deepest = b"[" * MAX_DEPTH + b'"' + rb"[\"[" * 100 + b'"' + b"]" * MAX_DEPTH

    check_text(deepest)

    with pytest.raises(RpcError, match="more than 64 levels deep"):
        check_text(b"[" + deepest + b"]")


@given(json_values)
def test_depth_is_never_found_where_there_is_none(value: Any) -> None:
    def depth(value: Any) -> int:
        members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if members is None else 1 + max(map(depth, members), default=0)

    text = msgspec.json.encode(value)

    check_text(text, max_depth=depth(value))


@given(pairs=st.lists(st.tuples(st.text(max_size=3), json_values), max_size=5), nested=st.booleans())
def test_a_key_is_given_once_in_an_object(pairs: list[tuple[str, Any]], nested: bool) -> None:
    members = b",".join(msgspec.json.encode(key) + b":" + msgspec.json.encode(value) for key, value in pairs)
    text = b"{" + members + b"}"
    keys = [key for key, _ in pairs]

    try:
        check_text(b'{"":[1,' + text + b"]}" if nested else text)
        is_taken = True
    except RpcError as error:
        is_taken = False
        assert "is given twice" in error.message

    assert is_taken == (len(set(keys)) == len(keys))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (rb'{"a":1,"\u0061":2}', "a"),
        (rb'{"say \"a\":":1, "b":[{"c" : 1,"d":2, "c" :2}]}', "c"),
        (b'{"' + b"k" * 200 + b'":1,"' + b"k" * 200 + b'":1}', "k" * 100),
    ],
)
def test_a_key_given_twice_is_named(text: bytes, key: str) -> None:
    with pytest.raises(RpcError) as refused:
        check_text(text)

    assert refused.value.message == f"the key `{key}` is given twice in one object; which one counts?"


@pytest.mark.parametrize("text", [rb'{"a":"\"a\":","b":1}', b'[{"a":1},{"a":1e999999}]', b'{"a":1,"a"', b'"a":"a":'])
def test_what_only_looks_like_a_key_is_none(text: bytes) -> None:
    check_text(text)


@given(json_values)
def test_what_javascript_reads_is_what_was_meant(value: Any) -> None:
    def as_sent(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: as_sent(member) for key, member in value.items()}
        if isinstance(value, list):
            return [as_sent(item) for item in value]
        too_large = isinstance(value, int) and abs(value) > MAX_INTEGER
        return str(value) if too_large else value

    sent = decoded(for_javascript(msgspec.json.encode(value)))

    assert sent == decoded(msgspec.json.encode(as_sent(value)))


@settings(max_examples=400)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "", "é"]),
    path=st.binary(max_size=30) | st.lists(st.sampled_from(list(router.procedures))).map(",".join).map(str.encode),
    query=st.binary(max_size=60) | noise.map(lambda text: b"batch=1&connectionParams=" + text),
    content_type=st.sampled_from([None, JSON_TYPE, "multipart/form-data"]) | st.text(),
)
def test_reading_a_request_raises_nothing_but_refusals(
    method: str, path: bytes, query: bytes, content_type: str | None
) -> None:
    try:
        plan = wire.plan(router, Request(method, path, query, content_type), max_batch=5, max_url_bytes=1_000)
    except RpcError as refusal:
        plan = None
        assert decoded(wire.failed(refusal).envelope)["error"]["message"]

    assert plan is None or 1 <= len(plan.calls) <= 5


@settings(max_examples=600)
@given(
    text=noise | noise.map(lambda text: b'{"0":' + text + b"}") | noise.map(lambda text: b'{"box":' + text + b"}"),
    batch=st.booleans(),
    procedure=st.sampled_from([echo_mut, pack, router.procedures["anything"], router.procedures["greet"]]),
)
def test_reading_an_input_raises_nothing_but_refusals(text: bytes, batch: bool, procedure: Procedure[..., Any]) -> None:
    try:
        value = read_input(procedure, Inputs(text, batch=batch).of(0))
    except RpcError as refusal:
        value = None
        assert decoded(wire.failed(refusal, "x").envelope)["error"]["data"]["code"] == "BAD_REQUEST"

    assert value is None or isinstance(value, procedure.input_type or type(None))


@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 2_000, 100_000])
@pytest.mark.parametrize("batch", [True, False])
def test_deep_nesting_is_a_refusal_at_any_depth(depth: int, batch: bool) -> None:
    text = b'{"0":' * depth + b"1" + b"}" * depth

    with pytest.raises(RpcError, match="nested more than"):
        read_input(router.procedures["anything"], Inputs(text, batch=batch).of(0))
