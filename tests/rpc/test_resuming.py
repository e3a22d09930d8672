"""How an input says which item came last."""

import pytest

from api.rpc.inputs import resumed
from tests.rpc.sockets import numbers, ticks


@pytest.mark.parametrize(
    ("input", "merged"),
    [
        (None, b'{"lastEventId":"7"}'),
        (b" null ", b'{"lastEventId":"7"}'),
        (b"{}", b'{"lastEventId":"7"}'),
        (b'{"count":2,"deep":[{"a":1}]}', b'{"count":2,"deep":[{"a":1}],"lastEventId":"7"}'),
        (b'{"lastEventId":null,"count":2}', b'{"lastEventId":"7","count":2}'),
        (b"[1]", b"[1]"),
        (b'"text"', b'"text"'),
        (b"{bad", b"{bad"),
    ],
)
def test_the_last_event_id_is_merged_into_an_input_that_can_hold_it(input: bytes | None, merged: bytes) -> None:
    assert resumed(ticks, input, "7") == merged


def test_a_procedure_that_cannot_go_on_and_a_client_that_has_nothing_yet_change_nothing() -> None:
    assert resumed(numbers, b"{}", "7") == b"{}"
    assert resumed(ticks, b"{}", None) == b"{}"
    assert resumed(ticks, None, "") is None
