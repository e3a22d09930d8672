"""The wire as raw HTTP: requests and replies byte by byte."""

import socket
from urllib.parse import quote

import pytest

from tests.rpc.conftest import Reply, Server
from tests.rpc.toy import RENDEZVOUS, decoded


def shape(reply: Reply) -> tuple[int, str, str]:
    """Status, code and message of a refusal."""
    error = decoded(reply.body)["error"]
    return reply.status, error["data"]["code"], error["message"]


@pytest.mark.parametrize(
    ("target", "status", "body"),
    [
        ("health", 200, b'{"result":{"data":{"ok":true}}}'),
        ("health/", 200, b'{"result":{"data":{"ok":true}}}'),
        ("health?input={bad", 200, b'{"result":{"data":{"ok":true}}}'),
        ("health?x=1", 200, b'{"result":{"data":{"ok":true}}}'),
        ("echo?input=%7B%22text%22%3A%22hi%22%7D", 200, b'{"result":{"data":{"text":"hi"}}}'),
        ("echo?input={%22text%22:%22a+b%22}", 200, b'{"result":{"data":{"text":"a b"}}}'),
        ("echo?input={%22text%22:%22first%22}&input={bad", 200, b'{"result":{"data":{"text":"first"}}}'),
        ("%65cho?input={%22text%22:%22x%22}", 200, b'{"result":{"data":{"text":"x"}}}'),
        ("undefined", 200, b'{"result":{}}'),
        ("nothing", 200, b'{"result":{"data":null}}'),
        ("greet", 200, b'{"result":{"data":"hello nobody from us"}}'),
        ("greet?input=", 200, b'{"result":{"data":"hello nobody from us"}}'),
        ("greet?input={%22from%22:%22me%22,%22loudVoice%22:true}", 200, b'{"result":{"data":"HELLO NOBODY FROM ME"}}'),
        ("box.page", 200, b'{"result":{"data":{"items":[]}}}'),
        ("points?input={%22scale%22:2}", 200, b'{"result":{"data":[[0.0,2.0],null,[2.0,0.5]]}}'),
        (
            "huge",
            200,
            b'{"result":{"data":{"large":"1152921504606846976","small":1,"not":null,"text":"[1152921504606846976]"}}}',
        ),
        (
            "fail",
            403,
            b'{"error":{"message":"nope","code":-32003,"data":{"code":"FORBIDDEN","httpStatus":403,"path":"fail"}}}',
        ),
        (
            "lost",
            404,
            b'{"error":{"message":"there is no the book","code":-32004,'
            b'"data":{"code":"NOT_FOUND","httpStatus":404,"path":"lost"}}}',
        ),
        (
            "nope",
            404,
            b'{"error":{"message":"No procedure found on path \\"nope\\"","code":-32004,'
            b'"data":{"code":"NOT_FOUND","httpStatus":404,"path":"nope"}}}',
        ),
        (
            "box.pick",
            404,
            b'{"error":{"message":"No procedure found on path \\"box.pick\\"","code":-32004,'
            b'"data":{"code":"NOT_FOUND","httpStatus":404,"path":"box.pick","suggestion":"box.pack"}}}',
        ),
    ],
)
def test_a_get_is_answered_with_one_envelope(server: Server, target: str, status: int, body: bytes) -> None:
    reply = server.get(target)

    assert (reply.status, reply.body) == (status, body)


@pytest.mark.parametrize(
    ("target", "sent", "status", "body"),
    [
        ("ping", b"", 200, b'{"result":{"data":"pong"}}'),
        ("ping", b"{bad", 200, b'{"result":{"data":"pong"}}'),
        ("echoMut", b'{"text":"x"}', 200, b'{"result":{"data":{"text":"x"}}}'),
        ("echo", b'{"text":"by POST"}', 200, b'{"result":{"data":{"text":"by POST"}}}'),
        ("echo?input={%22text%22:%22query%22}", b'{"text":"body"}', 200, b'{"result":{"data":{"text":"body"}}}'),
        (
            "ping,echoMut?batch=1",
            b'{"1":{"text":"x"}}',
            200,
            b'[{"result":{"data":"pong"}},{"result":{"data":{"text":"x"}}}]',
        ),
        ("ping?batch=1", b"{}", 200, b'[{"result":{"data":"pong"}}]'),
        ("ping?batch=1", b"", 200, b'[{"result":{"data":"pong"}}]'),
    ],
)
def test_a_post_carries_its_input_as_the_body(
    server: Server, target: str, sent: bytes, status: int, body: bytes
) -> None:
    reply = server.post(target, sent)

    assert (reply.status, reply.body) == (status, body)


@pytest.mark.parametrize(
    ("target", "status", "body"),
    [
        (
            "health,echo?batch=1&input=%7B%221%22%3A%7B%22text%22%3A%22x%22%7D%7D",
            200,
            b'[{"result":{"data":{"ok":true}}},{"result":{"data":{"text":"x"}}}]',
        ),
        (
            "health,fail?batch=1",
            207,
            b'[{"result":{"data":{"ok":true}}},{"error":{"message":"nope","code":-32003,'
            b'"data":{"code":"FORBIDDEN","httpStatus":403,"path":"fail"}}}]',
        ),
        ("health?batch=1", 200, b'[{"result":{"data":{"ok":true}}}]'),
        ("health%2Chealth?batch=1", 200, b'[{"result":{"data":{"ok":true}}},{"result":{"data":{"ok":true}}}]'),
    ],
)
def test_a_batch_is_answered_with_an_array(server: Server, target: str, status: int, body: bytes) -> None:
    reply = server.get(target)

    assert (reply.status, reply.body) == (status, body)


def test_equal_statuses_of_a_batch_become_its_own(server: Server) -> None:
    reply = server.get("fail,fail?batch=1")

    assert reply.status == 403
    assert len(decoded(reply.body)) == 2


def test_without_the_batch_flag_a_comma_is_part_of_the_name(server: Server) -> None:
    reply = server.get("health,health?batch=true")

    assert shape(reply) == (404, "NOT_FOUND", 'No procedure found on path "health,health"')


def test_the_headers_say_what_comes_and_what_it_varies_by(server: Server) -> None:
    reply = server.get("health")

    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["vary"] == "trpc-accept, accept, origin"
    assert reply.headers["content-length"] == str(len(reply.body))


@pytest.mark.parametrize(
    "name", ["", "__proto__", "constructor", "toString", "_def", "box", "box.", "box/pack", "a.b.c"]
)
def test_only_procedures_have_names(server: Server, name: str) -> None:
    reply = server.get(name)

    assert shape(reply) == (404, "NOT_FOUND", f'No procedure found on path "{name}"'.replace('/"', '"'))


@pytest.mark.parametrize("target", ["/trpc", "/trpc/"])
def test_the_bare_prefix_is_an_unknown_procedure(server: Server, target: str) -> None:
    reply = server.ask("GET", target)

    assert shape(reply) == (404, "NOT_FOUND", 'No procedure found on path ""')


@pytest.mark.parametrize("target", ["/trpc/health", "/trpc/nope", "/trpc/%E0%A4%A"])
def test_a_head_request_only_warms_up(server: Server, target: str) -> None:
    reply = server.ask("HEAD", target)

    assert (reply.status, reply.body) == (204, b"")


@pytest.mark.parametrize(
    ("method", "target", "headers", "status", "code", "message"),
    [
        ("GET", "%E0%A4%A", {}, 400, "BAD_REQUEST", 'Invalid URL-encoding in path "%E0%A4%A"'),
        ("GET", "%FF", {}, 400, "BAD_REQUEST", 'Invalid URL-encoding in path "%FF"'),
        ("POST", "ping", {}, 415, "UNSUPPORTED_MEDIA_TYPE", "Missing content-type header"),
        (
            "POST",
            "ping",
            {"content_type": "text/plain"},
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            'Unsupported content-type "text/plain',
        ),
        (
            "POST",
            "ping",
            {"content_type": "application/jsonx"},
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            'Unsupported content-type "application/jsonx',
        ),
        (
            "POST",
            "ping",
            {"content_type": "application/json-patch+json"},
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            'Unsupported content-type "application/json-patch+json',
        ),
        (
            "POST",
            "ping",
            {"content_encoding": "gzip", "content_type": "application/json"},
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            'Unsupported content-encoding "gzip"; send the body as it is',
        ),
        ("DELETE", "ping", {}, 415, "UNSUPPORTED_MEDIA_TYPE", "Missing content-type header"),
        (
            "GET",
            "health",
            {"content_type": "multipart/form-data; boundary=x"},
            405,
            "METHOD_NOT_SUPPORTED",
            "Only POST requests are supported for multipart/form-data requests",
        ),
        (
            "GET",
            "health,echoMut?batch=1",
            {},
            400,
            "BAD_REQUEST",
            "Cannot mix procedure types in call: query, mutation",
        ),
        (
            "GET",
            "nope,echoMut,health?batch=1",
            {},
            400,
            "BAD_REQUEST",
            "Cannot mix procedure types in call: mutation, query",
        ),
        ("GET", ",".join(["health"] * 21) + "?batch=1", {}, 400, "BAD_REQUEST", "Batch call exceeds maximum size"),
        ("GET", "health?connectionParams={", {}, 400, "PARSE_ERROR", "Not JSON-parsable query params"),
        ("GET", "health?connectionParams=", {}, 400, "PARSE_ERROR", "Not JSON-parsable query params"),
        (
            "GET",
            "health?connectionParams={%22a%22:%22%5Cu0000%22}",
            {},
            400,
            "PARSE_ERROR",
            "Invalid connection params shape",
        ),
        ("GET", "health?connectionParams=[]", {}, 400, "PARSE_ERROR", "Invalid connection params shape"),
        ("GET", "health?connectionParams={%22a%22:1}", {}, 400, "PARSE_ERROR", "Invalid connection params shape"),
    ],
)
def test_a_request_at_fault_gets_one_envelope_without_a_path(
    server: Server, method: str, target: str, headers: dict[str, str], status: int, code: str, message: str
) -> None:
    reply = server.ask(method, f"/trpc/{target}", **headers)

    assert shape(reply) == (status, code, message)
    assert decoded(reply.body)["error"]["data"] == {"code": code, "httpStatus": status}


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", " application/json ;x"]
)
def test_the_media_type_is_compared_without_its_parameters(server: Server, content_type: str) -> None:
    reply = server.post("ping", content_type=content_type)

    assert reply.status == 200


@pytest.mark.parametrize(
    ("method", "target", "message", "allow"),
    [
        ("GET", "echoMut", 'Unsupported GET-request to mutation procedure at path "echoMut"', "POST"),
        ("PUT", "echoMut", 'Unsupported PUT-request to mutation procedure at path "echoMut"', "POST"),
        ("PUT", "echo", 'Unsupported PUT-request to query procedure at path "echo"', "GET, POST"),
    ],
)
def test_the_wrong_method_is_refused_and_the_right_one_named(
    server: Server, method: str, target: str, message: str, allow: str
) -> None:
    reply = server.ask(method, f"/trpc/{target}", content_type="application/json")

    assert shape(reply) == (405, "METHOD_NOT_SUPPORTED", message)
    assert reply.headers["allow"] == allow


def test_an_optional_input_accepts_nothing_but_not_null(server: Server) -> None:
    nothing, null = server.get("greet"), server.get("greet?input=null")

    assert nothing.status == 200
    assert shape(null) == (400, "BAD_REQUEST", "input: Expected `object`, got `null`")


def test_a_broken_body_fails_only_the_calls_that_read_it(server: Server) -> None:
    reply = server.post("ping,echoMut?batch=1", b"{bad")

    assert reply.status == 207
    assert [list(envelope) for envelope in decoded(reply.body)] == [["result"], ["error"]]


def test_a_batch_input_has_to_be_an_object(server: Server) -> None:
    reply = server.post("echoMut?batch=1", b'[{"text":"x"}]')

    (envelope,) = decoded(reply.body)
    assert envelope["error"]["message"] == '"input" needs to be an object when doing a batch call'


def test_a_refusal_carries_its_own_data_and_headers(server: Server) -> None:
    reply = server.get("limited")

    assert reply.headers["retry-after"] == "3"
    assert decoded(reply.body)["error"] == {
        "message": "slow down",
        "code": -32029,
        "data": {"code": "TOO_MANY_REQUESTS", "httpStatus": 429, "path": "limited", "limit": 10},
    }


def test_an_input_is_refused_with_what_would_have_been_accepted(server: Server) -> None:
    reply = server.post("box.pack", b'{"box":{"nmae":"b"},"size":"xl"}')

    assert decoded(reply.body)["error"] == {
        "message": "/box/nmae: there is no field `nmae` here (did you mean `name`? accepted: name, colour, holds, "
        "inside, labels); /box: `name` is missing",
        "code": -32600,
        "data": {
            "code": "BAD_REQUEST",
            "httpStatus": 400,
            "path": "box.pack",
            "problems": [
                {
                    "code": "UNKNOWN_FIELD",
                    "path": "/box/nmae",
                    "message": "there is no field `nmae` here",
                    "allowed": ["name", "colour", "holds", "inside", "labels"],
                    "suggestion": "name",
                },
                {"code": "REQUIRED", "path": "/box", "message": "`name` is missing", "allowed": ["name"]},
            ],
        },
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[" * 2_000 + b"]" * 2_000, "the input is nested more than 64 levels deep"),
        (b'{"text":"\xff"}', "the input is not UTF-8: byte 9 is not part of a character"),
        (b'{"text":"a\\u0000b"}', "/text: text cannot hold the NUL character"),
        (b'{"text":"\\ud800"}', "the input is not JSON: "),
        (b'{"text":"x","__proto__":{}}', "/__proto__: there is no field `__proto__` here (accepted: text)"),
        (b"nan", "the input is not JSON: "),
        (b"", "input: `text` is missing"),
    ],
)
def test_a_hostile_body_is_a_bad_request(server: Server, body: bytes, message: str) -> None:
    reply = server.post("echoMut", body)

    status, code, told = shape(reply)
    assert (status, code, told[: len(message)]) == (400, "BAD_REQUEST", message)


def test_an_escaped_backslash_before_u0000_is_no_nul(server: Server) -> None:
    reply = server.post("echoMut", rb'{"text":"\\u0000"}')

    assert decoded(reply.body) == {"result": {"data": {"text": r"\u0000"}}}


def test_integers_that_javascript_would_round_are_refused_where_they_stand(server: Server) -> None:
    reply = server.get("anything?input=" + quote('{"value":{"a":[1,9007199254740993]}}'))

    assert shape(reply) == (
        400,
        "BAD_REQUEST",
        "/value/a/1: integers beyond ±9007199254740991 lose digits in JavaScript; send it as a string",
    )


def test_a_body_over_the_limit_fails_the_calls_that_read_it(server: Server) -> None:
    body = b'{"0":{"text":"' + b"x" * 2 * 1024 * 1024 + b'"}}'

    reply = server.post("echoMut,ping?batch=1", body)

    first, second = decoded(reply.body)
    assert reply.status == 207
    assert (first["error"]["message"], first["error"]["data"]["path"]) == ("PAYLOAD_TOO_LARGE", "echoMut")
    assert second == {"result": {"data": "pong"}}


def test_a_body_of_unknown_length_is_read_no_further_than_the_limit(server: Server) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            b"POST /trpc/echoMut HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"transfer-encoding: chunked\r\n\r\n" + chunk * 17
        )

        # The body never ends, and the answer comes all the same.
        status_line = connection.makefile("rb").readline()

    assert status_line.split()[1] == b"413"


def test_a_failing_context_is_the_error_of_each_call(server: Server) -> None:
    reply = server.get("health,greet?batch=1", authorization="Bearer expired")

    assert reply.status == 401
    assert [envelope["error"]["data"]["path"] for envelope in decoded(reply.body)] == ["health", "greet"]
    assert {envelope["error"]["message"] for envelope in decoded(reply.body)} == {"the token has expired"}


def test_the_context_sees_headers_and_connection_params(server: Server) -> None:
    by_header = server.get("greet", authorization="Bearer Ada")
    by_params = server.get("greet?connectionParams={%22user%22:%22Grace%22}", authorization="Bearer Ada")

    assert by_header.body == b'{"result":{"data":"hello Ada from us"}}'
    assert by_params.body == b'{"result":{"data":"hello Grace from us"}}'


def test_nobody_is_looked_up_for_a_call_that_cannot_be_made(server: Server) -> None:
    reply = server.get("nope", authorization="Bearer expired")

    assert reply.status == 404


def test_the_guard_speaks_before_the_input_is_read(server: Server) -> None:
    reply = server.post("box.pack", b"{bad", authorization="Bearer guest")

    assert shape(reply) == (403, "FORBIDDEN", "guests do not pack")


@pytest.mark.parametrize(
    ("target", "headers", "logged"),
    [
        ("crash", {}, "the secret is 42"),
        ("health", {"authorization": "Bearer broken"}, "the token store is gone"),
        ("unwritable", {}, "unsupported"),
        ("stray", {}, "was cancelled"),
    ],
)
def test_an_unexpected_error_is_told_to_the_log_only(
    server: Server, caplog: pytest.LogCaptureFixture, target: str, headers: dict[str, str], logged: str
) -> None:
    reply = server.get(target, **headers)

    error = decoded(reply.body)["error"]
    request_id = error["data"].pop("requestId")
    assert error == {
        "message": "something went wrong on our side; the request id finds it in our log",
        "code": -32603,
        "data": {"code": "INTERNAL_SERVER_ERROR", "httpStatus": 500, "path": target},
    }
    assert request_id in caplog.text
    assert logged in caplog.text


def test_calls_of_a_batch_run_at_the_same_time(server: Server) -> None:
    reply = server.get("meet,meet?batch=1")

    assert reply.body == b'[{"result":{"data":"met"}},{"result":{"data":"met"}}]'


def test_a_client_that_leaves_cancels_its_calls(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /trpc/wait HTTP/1.1\r\nhost: x\r\n\r\n")
        assert RENDEZVOUS.started.wait(timeout=10)

    assert RENDEZVOUS.cancelled.wait(timeout=10)


def test_an_allowed_origin_is_let_in_and_another_is_not(server: Server) -> None:
    allowed = server.ask("OPTIONS", "/trpc/echo", origin="https://app.example")
    refused = server.ask("OPTIONS", "/trpc/echo", origin="https://evil.example")
    answered = server.get("fail", origin="https://app.example")

    assert (allowed.status, refused.status, answered.status) == (204, 204, 403)
    assert (
        allowed.headers["access-control-allow-headers"]
        == "content-type,trpc-accept,authorization,last-event-id,x-request-id"
    )
    assert "access-control-allow-origin" not in refused.headers
    assert answered.headers["access-control-allow-origin"] == "https://app.example"
