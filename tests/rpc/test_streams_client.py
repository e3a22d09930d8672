"""The unmodified @trpc/client, the newest and an old one, against our streams, forms and bytes."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.node import run_script
from tests.rpc.conftest import Server
from tests.rpc.toy import decoded
from tests.rpc.toy_streams import MAX_UPLOAD_BYTES

NEWEST, OLD = "@trpc/client", "trpc-client-11-4"


@pytest.fixture(scope="module", params=[NEWEST, OLD])
def client(request: pytest.FixtureRequest) -> str:
    """The package whose client is used."""
    return request.param


@pytest.fixture(scope="module")
def seen(streaming: Server, client: str) -> dict[str, Any]:
    """What that client saw."""
    env = {"TRPC_URL": streaming.url.removesuffix("/trpc"), "CLIENT": client}
    return decoded(run_script(Path(__file__).parent / "streams.mjs", env=env, timeout=60))


def refusal(code: str, status: int, number: int, path: str, message: str) -> dict[str, Any]:
    return {"message": message, "code": number, "data": {"code": code, "httpStatus": status, "path": path}}


@pytest.mark.parametrize("how", ["header", "accept", "posted"])
def test_each_call_of_a_streamed_batch_is_answered_as_soon_as_it_can_be(
    seen: dict[str, Any], client: str, how: str
) -> None:
    if how == "accept" and client == OLD:
        assert how not in seen  # it knows the one header only
        return
    enough = refusal("CONFLICT", 409, -32009, "counting", "enough")
    method = "POST" if how == "posted" else "GET"

    assert seen[how] == {
        "health": {"ok": True},
        "failed": refusal("FORBIDDEN", 403, -32003, "fail", "nope"),
        "unknown": refusal("NOT_FOUND", 404, -32004, "nope", 'No procedure found on path "nope"'),
        "numbers": [1, 2, 3],
        "slow": True,
        "mutated": [1, 2, "undefined"],
        "thrown": [1, "undefined", {"thrown": enough}],
        "pong": "pong",
        # The one that waited was let go by an answer of the same batch.
        "order": ["ü", "gated"],
        "requests": [
            f"{method} /trpc/health,fail,nope,counted,gated,echo",
            "POST /trpc/counting",
            "POST /trpc/counting",
            "POST /trpc/ping",
        ],
    }


def test_a_streamed_batch_at_fault_is_refused_as_a_whole(seen: dict[str, Any], client: str) -> None:
    # Old clients take every answer of this link for lines; they fail, but cannot say why.
    message = "Not JSON-parsable query params" if client == NEWEST else "Stream closed"

    assert seen["requestLevel"]["message"] == message


def test_a_subscription_delivers_its_items_with_their_ids_where_they_have_one(seen: dict[str, Any]) -> None:
    subscribed = seen["subscribed"]

    ticks = [{"id": "1", "data": {"tick": 1}}, {"id": "2", "data": {"tick": 2}}]
    mixed = ["before", {"id": "é1", "data": "one"}, "between", {"id": "é2", "data": "two"}, "after"]
    assert subscribed["ticks"] == ["started", *ticks, "complete"]
    assert subscribed["mixed"] == ["started", *mixed, "complete"]
    assert subscribed["plain"] == ["started", "one", None, None, {"text": "two\nlines"}, "complete"]
    assert subscribed["guest"] == ["started", "Ada", "complete"]


def test_a_subscription_tells_errors_before_and_after_items(seen: dict[str, Any]) -> None:
    *items, after = seen["subscribed"]["refused"]
    _, before = seen["subscribed"]["invalid"]

    assert items == ["started", 0, 1]
    assert after["error"]["data"] == {"code": "FORBIDDEN", "httpStatus": 403, "path": "refused", "after": 2}
    assert before["error"]["message"] == "/count: Expected `integer`, got `string`"


def test_a_subscription_that_is_broken_off_goes_on_behind_what_the_client_has(seen: dict[str, Any]) -> None:
    cut = seen["subscribed"]["cut"]

    assert [item for item in cut if item not in ("started", "complete")] == [str(n) for n in range(1, 13)]
    assert cut.count("started") > 1


def test_a_subscription_that_crashed_is_made_again_by_itself(seen: dict[str, Any]) -> None:
    assert seen["subscribed"]["crashed"] == ["started", "started", "again", "complete"]
    assert seen["subscribed"]["states"] == ["connecting", "pending", "connecting", "connecting", "pending"]


def test_pings_keep_a_client_from_taking_silence_for_death(seen: dict[str, Any]) -> None:
    assert seen["subscribed"]["pinged"] == ["started", "first", "second", "complete"]


def test_split_retry_and_logger_links_work(seen: dict[str, Any]) -> None:
    assert seen["linked"] == {
        "attempts": 3,
        "failed": refusal("FORBIDDEN", 403, -32003, "fail", "nope"),
        "split": [{"ok": True}, [1, 2], ["started", {"id": "1", "data": {"tick": 1}}, "complete"], 4],
        "logged": 2,
    }


def test_what_is_aborted_is_cancelled(seen: dict[str, Any]) -> None:
    assert seen["aborted"] == {"httpLink": [True, "yes"], "lines": [True, "yes"], "events": "yes", "iterable": "yes"}


def test_forms_and_bytes_arrive_as_they_were_sent(seen: dict[str, Any]) -> None:
    sent = seen["sent"]

    photo = hashlib.md5(bytes([0, 255, 13, 10, 45, 45])).hexdigest()
    assert sent["form"] == {
        "texts": {"title": ['ä "quoted"\r\nline', "two"]},
        "files": {"photo": [["grün.png", "image/png", 6, photo]]},
    }
    assert sent["picky"] == 'ä "quoted"\r\nline'
    assert sent["octets"] == {"size": 100_000, "md5": hashlib.md5(bytes([7]) * 100_000).hexdigest()}
    assert sent["blob"] == sent["file"] == {"size": 3, "md5": hashlib.md5(b"abc").hexdigest()}
    assert sent["empty"]["size"] == 0


def test_what_is_wrong_with_a_form_or_bytes_is_said(seen: dict[str, Any]) -> None:
    sent = seen["sent"]

    assert sent["missing"]["data"]["problems"] == [
        {"code": "REQUIRED", "path": "", "message": "the file `photo` is missing", "allowed": ["photo"]}
    ]
    assert sent["tooLarge"]["data"] == {
        "code": "PAYLOAD_TOO_LARGE",
        "httpStatus": 413,
        "path": "octets",
        "maxBytes": MAX_UPLOAD_BYTES,
    }
    message = "the input is to be application/octet-stream, not application/json"
    assert sent["json"] == refusal("UNSUPPORTED_MEDIA_TYPE", 415, -32015, "octets", message)
    assert sent["guest"] == refusal("FORBIDDEN", 403, -32003, "form", "guests send nothing")


def test_links_that_split_their_batches_stay_within_the_limits(seen: dict[str, Any]) -> None:
    limited = seen["limited"]

    assert limited["requests"] == ["GET health,health", "GET health", "GET echo", "GET echo"]
    assert limited["over"] == "Input is too big for a single dispatch"
    assert limited["url"]["data"] == {"code": "PAYLOAD_TOO_LARGE", "httpStatus": 413, "maxUrlBytes": 200}
    assert {told["message"] for told in limited["batch"]} == {"Batch call exceeds maximum size"}
    message = 'Unsupported POST-request to query procedure at path "echo"'
    assert limited["strict"] == refusal("METHOD_NOT_SUPPORTED", 405, -32005, "echo", message)
