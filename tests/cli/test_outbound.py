"""What tools may reach in a real process, as its environment says."""

import json

import pytest

from tests.cli.processes import Rolecall
from tests.models.peer import Reply, peer_with

LOOK = {"name": "Look", "kind": "tool", "tool": "http.get", "inputMapping": {"url": "<<input.url>>"}}
DOCUMENT = {"name": "look", "steps": [LOOK], "output": {"found": "<<context.Look.json>>"}}


def test_what_is_not_public_is_asked_where_the_operator_allows_it(rolecall: Rolecall) -> None:
    with peer_with(Reply(body={"price": 4})) as shop:
        with rolecall.up() as up:
            up.mutate("orchestration.create", document=DOCUMENT)
            refused = up.finished(up.mutate("execution.start", orchestration="look", input={"url": shop.url})["id"])
        asked_before = list(shop.asked)
        with rolecall.up(ROLECALL_OUTBOUND_ALLOW=shop.url.removeprefix("http://")) as up:
            allowed = up.finished(up.mutate("execution.start", orchestration="look", input={"url": shop.url})["id"])

    assert (refused["status"], refused["error"]["code"], refused["error"]["retryable"]) == (
        "failed",
        "TOOL_ERROR",
        False,
    )
    assert "leads to this machine and not to the public internet" in refused["error"]["message"]
    assert asked_before == []
    assert (allowed["status"], allowed["output"]) == ("completed", {"found": {"price": 4}})


@pytest.mark.parametrize("variable", ["ROLECALL_OUTBOUND_ALLOW", "ROLECALL_OUTBOUND_HOSTS"])
def test_a_place_that_is_none_is_said_at_the_start(rolecall: Rolecall, variable: str) -> None:
    done = rolecall.run("up", **{variable: "http://wiki.internal/"})

    assert done.returncode == 1
    assert f"{variable} has 'http://wiki.internal/': an entry is a host" in done.stderr
    assert json.dumps(done.stdout) == '""'
