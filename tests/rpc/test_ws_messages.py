"""The messages of a WebSocket, as texts."""

import pytest
from msgspec import UNSET

from api.rpc import RpcError, Tracked
from api.rpc.sockets.messages import (
    NOTHING,
    Asked,
    Ref,
    Refused,
    Stop,
    answered,
    connection_params,
    failed,
    item,
    requests,
    started,
    stopped,
)


def asked(text: str) -> Asked:
    (request,) = requests(text, max_batch=10)
    assert isinstance(request, Asked)
    return request


def test_what_the_client_sends_is_read() -> None:
    captured = """[{"id":1,"method":"query","params":{"path":"health"}},
      {"id":"two","method":"mutation","params":{"input":{"text":"x"},"path":"echoMut"}},
      {"id":3,"method":"subscription","params":{"input":{"count":2},"path":"ticks","lastEventId":"7"}},
      {"id":3,"method":"subscription.stop"}]"""

    assert requests(captured, max_batch=10) == (
        Asked(Ref(1), "query", "health", None, None),
        Asked(Ref("two"), "mutation", "echoMut", b'{"text":"x"}', None),
        Asked(Ref(3), "subscription", "ticks", b'{"count":2}', "7"),
        Stop(3),
    )


@pytest.mark.parametrize(
    "id", ["1", "0", "-1", "1.5", "1e21", '"1"', '""', '"ü"', "9007199254740993", "123456789012345678901234567890"]
)
def test_an_id_goes_back_as_it_came(id: str) -> None:
    request = asked(f'{{"id":{id},"method":"query","params":{{"path":"health"}}}}')

    assert started(request.ref) == f'{{"id":{id},"result":{{"type":"started"}}}}'


def test_json_rpc_is_answered_to_those_who_speak_it() -> None:
    request = asked('{"id":1,"jsonrpc":"2.0","method":"query","params":{"path":"health"}}')

    assert stopped(request.ref) == '{"id":1,"jsonrpc":"2.0","result":{"type":"stopped"}}'


def test_null_is_an_input_and_nothing_is_none() -> None:
    assert asked('{"id":1,"method":"query","params":{"path":"p","input":null}}').input == b"null"
    assert asked('{"id":1,"method":"query","params":{"path":"p"}}').input is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "PING ",
        "1",
        '"PING"',
        "null",
        '["x"]',
        "[[]]",
        '{"method":"query","params":{"path":"p"}}',
        '{"id":true,"method":"query","params":{"path":"p"}}',
        '{"id":{},"method":"query","params":{"path":"p"}}',
        '{"id":[1],"method":"query","params":{"path":"p"}}',
        '{"id":NaN,"method":"query","params":{"path":"p"}}',
        '{"id":1e400,"method":"query","params":{"path":"p"}}',
        '{"id":"\\ud800","method":"query","params":{"path":"p"}}',
        '{"id":1,"jsonrpc":"1.0","method":"query","params":{"path":"p"}}',
        '{"id":1,"jsonrpc":null,"method":"query","params":{"path":"p"}}',
        '{"id":1,"params":{"path":"p"}}',
        '{"id":1,"method":"Query","params":{"path":"p"}}',
        '{"id":1,"method":"reconnect"}',
        '{"method":"connectionParams","data":null}',
        '{"id":1,"method":"query"}',
        '{"id":1,"method":"query","params":null}',
        '{"id":1,"method":"query","params":[]}',
        '{"id":1,"method":"query","params":"p"}',
        '{"id":1,"method":"query","params":{}}',
        '{"id":1,"method":"query","params":{"path":null}}',
        '{"id":1,"method":"query","params":{"path":["p"]}}',
        '{"id":1,"method":"query","params":{"path":"\\ud800"}}',
        '{"id":1,"method":"subscription","params":{"path":"p","lastEventId":7}}',
        '{"id":1,"method":"subscription","params":{"path":"p","lastEventId":null}}',
        '{"id":1,"method":"query","params":{"path":"p","input":}}',
        '{"id":1,"method":"query","params":{"path":"p","input":nul}}',
        '[{"id":1,"method":"query","params":{"path":"p"}},{"id":2}]',
        '[{"id":1,"method":"query","params":{"path":"p","input":"\\ud800"}},{"id":2}]',
        '{"id":1,"method":"query","params":{"path":"p"}} {}',
        "[" * 100_000,
        '{"id":1,"method":"query","params":{"path":"p","input":' + "[" * 100_000 + "]" * 100_000 + "}}",
    ],
)
def test_what_is_no_message_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(RpcError, match="this is no message of tRPC: ") as refused:
        requests(text, max_batch=10)

    assert refused.value.code == "PARSE_ERROR"


def test_nothing_is_asked_by_an_empty_batch() -> None:
    assert requests("[]", max_batch=10) == ()


def test_a_stop_needs_no_params_and_fields_we_do_not_know_are_ignored() -> None:
    assert requests('{"id":1,"method":"subscription.stop","params":7,"more":1}', max_batch=1) == (Stop(1),)
    assert asked('{"id":1,"method":"query","params":{"path":"p","context":{}},"type":"x"}').path == "p"


@pytest.mark.parametrize("method", ["query", "subscription.stop"])
def test_a_message_without_an_id_is_refused_and_its_neighbours_are_not(method: str) -> None:
    text = f'[{{"id":null,"method":"{method}","params":{{"path":"p"}}}},{{"id":1,"method":"subscription.stop"}}]'

    refused, stop = requests(text, max_batch=10)

    assert isinstance(refused, Refused)
    assert failed(refused.ref, refused.error) == (
        '{"id":null,"error":{"message":"`id` is required","code":-32700,'
        '"data":{"code":"PARSE_ERROR","httpStatus":400}}}'
    )
    assert stop == Stop(1)


def test_each_call_of_a_batch_that_is_too_long_is_refused() -> None:
    one = '{"id":%d,"method":"query","params":{"path":"p"}}'
    text = f'[{one % 1},{{"id":9,"method":"subscription.stop"}},{one % 2}]'

    refusals = requests(text, max_batch=2)

    assert [(each.ref.id, each.error.message) for each in refusals if isinstance(each, Refused)] == [
        (1, "Batch call exceeds maximum size"),
        (2, "Batch call exceeds maximum size"),
    ]
    assert len(refusals) == 2


def test_half_a_character_in_an_input_is_a_matter_of_that_call() -> None:
    text = """[{"id":1,"method":"query","params":{"path":"echo","input":{"text":"\\ud83d"}}},
      {"id":2,"method":"query","params":{"path":"health"}},{"id":3,"method":"subscription.stop"}]"""

    assert requests(text, max_batch=3) == (
        Asked(Ref(1), "query", "echo", b'{"text": "\\ud83d"}', None),
        Asked(Ref(2), "query", "health", None, None),
        Stop(3),
    )


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ('{"method":"connectionParams","data":{"token":"abc"}}', {"token": "abc"}),
        ('{"method":"connectionParams","data":{}}', {}),
        ('{"method":"connectionParams","data":null}', None),
        ('{"data":null}', None),
    ],
)
def test_connection_params_are_read(text: str, params: dict[str, str] | None) -> None:
    assert connection_params(text) == params


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Malformed TRPCConnectionParamsMessage"),
        ("{", "Malformed TRPCConnectionParamsMessage"),
        ("[]", "Malformed TRPCConnectionParamsMessage"),
        ("null", "Malformed TRPCConnectionParamsMessage"),
        ("[" * 100_000, "Malformed TRPCConnectionParamsMessage"),
        ('{"method":"connectionParams"}', "Invalid connection params shape"),
        ('{"method":"connectionParams","data":[]}', "Invalid connection params shape"),
        ('{"method":"connectionParams","data":"x"}', "Invalid connection params shape"),
        ('{"method":"connectionParams","data":{"token":1}}', "Invalid connection params shape"),
        ('{"method":"connectionParams","data":{"token":null}}', "Invalid connection params shape"),
        ('{"method":"connectionParams","data":{"token":"a\\u0000"}}', "Invalid connection params shape"),
        ('{"id":1,"method":"query","params":{"path":"health"}}', "Invalid connection params shape"),
    ],
)
def test_other_connection_params_are_refused(text: str, message: str) -> None:
    with pytest.raises(RpcError) as refused:
        connection_params(text)

    assert (refused.value.code, refused.value.message) == ("PARSE_ERROR", message)


@pytest.mark.parametrize(
    ("text", "captured"),
    [
        (answered(Ref(1), {"ok": True}), '{"id":1,"result":{"type":"data","data":{"ok":true}}}'),
        (answered(Ref(1), None), '{"id":1,"result":{"type":"data","data":null}}'),
        (answered(Ref(1), UNSET), '{"id":1,"result":{"type":"data"}}'),
        (answered(Ref(1), 2**60), '{"id":1,"result":{"type":"data","data":"1152921504606846976"}}'),
        (item(Ref(2), 5, None), '{"id":2,"result":{"type":"data","data":5}}'),
        (item(Ref(2), 5, "7"), '{"id":2,"result":{"type":"data","data":5,"id":"7"}}'),
        (item(Ref(2), UNSET, None), '{"id":2,"result":{"type":"data"}}'),
        (item(Ref(2), UNSET, "7"), '{"id":2,"result":{"type":"data","id":"7"}}'),
        (
            item(Ref(2), Tracked("1", {"tick": 1}), None),
            '{"id":2,"result":{"type":"data","data":{"id":"1","data":{"tick":1}},"id":"1"}}',
        ),
        (
            item(Ref(2), Tracked('"', None), "7"),
            '{"id":2,"result":{"type":"data","data":{"id":"\\"","data":null},"id":"\\""}}',
        ),
        (
            failed(Ref(1), RpcError("FORBIDDEN", "nope"), "fail"),
            '{"id":1,"error":{"message":"nope","code":-32003,'
            '"data":{"code":"FORBIDDEN","httpStatus":403,"path":"fail"}}}',
        ),
        (
            failed(NOTHING, RpcError("PARSE_ERROR")),
            '{"id":null,"error":{"message":"PARSE_ERROR","code":-32700,'
            '"data":{"code":"PARSE_ERROR","httpStatus":400}}}',
        ),
    ],
)
def test_answers_are_written_as_the_client_reads_them(text: str, captured: str) -> None:
    assert text == captured
