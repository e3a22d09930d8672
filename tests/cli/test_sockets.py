"""`rolecall up` is told to end while sockets are open."""

import json
import signal
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.cli.processes import DEADLINE_SECONDS, Rolecall, Up

HEALTH = {"id": 1, "method": "query", "params": {"path": "system.health"}}


def test_clients_are_asked_to_go_elsewhere_and_served_until_they_have(rolecall: Rolecall) -> None:
    with rolecall.up() as up, _socket(up) as socket:
        up.process.send_signal(signal.SIGTERM)
        asked = _heard(socket)
        with pytest.raises(OSError), _socket(up):
            pass
        socket.send(json.dumps(HEALTH))
        answer = _heard(socket)
        socket.close()
        up.process.communicate(timeout=DEADLINE_SECONDS)

    assert asked == {"id": None, "method": "reconnect"}
    assert answer["result"]["data"]["version"]
    assert up.process.returncode == 0


def test_a_client_that_stays_is_sent_away(rolecall: Rolecall) -> None:
    with rolecall.up() as up, _socket(up) as socket:
        up.process.send_signal(signal.SIGINT)
        asked = _heard(socket)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=DEADLINE_SECONDS)
        up.process.communicate(timeout=DEADLINE_SECONDS)

    assert asked == {"id": None, "method": "reconnect"}
    assert socket.close_code == 1012
    assert up.process.returncode == 0


def _socket(up: Up) -> connect:
    return connect(f"{up.url.replace('http', 'ws')}/trpc", close_timeout=1)


def _heard(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=DEADLINE_SECONDS))
