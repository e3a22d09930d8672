"""A program, killed in the middle: `kill -9` of `rolecall up` between two of its calls, and `rolecall up` again."""

import json
import signal
import threading
from collections import Counter

from tests.cli.processes import Rolecall
from tests.models.peer import Asked, Peer, Reply, completion, peer_with

CODE = """
import asyncio
first = await web.read(url=input + "/a")
second, third = await asyncio.gather(web.read(url=input + "/b"), web.read(url=input + "/c"))
fourth = await web.read(url=input + "/d")
" ".join(page["text"] for page in (first, second, third, fourth))
"""


class World:
    """A model that answers with the program and says what came of it, and pages, of which one is kept waiting once."""

    def __init__(self, peer: Peer) -> None:
        self.asked: Counter[str] = Counter()
        self.is_holding = threading.Event()
        self._url = peer.url
        peer.next_reply = self._reply

    def _reply(self, asked: Asked) -> Reply:
        if asked.body is None:
            return self._page(asked.path)
        self.asked["model"] += 1
        last = asked.body["messages"][-1]
        if last["role"] == "tool":
            return completion(last["content"])
        (name,) = [it["function"]["name"] for it in asked.body["tools"] if it["function"]["name"].startswith("program")]
        return completion(calls=(("call_0", name, json.dumps({"code": CODE, "input": self._url})),))

    def _page(self, path: str) -> Reply:
        self.asked[path] += 1
        if path == "/d" and self.asked[path] == 1:
            self.is_holding.set()
            return Reply(never=True)
        return Reply(body=f"<html><body><p>{path}</p></body></html>".encode(), headers={"Content-Type": "text/html"})


def test_a_program_survives_the_death_of_its_worker_and_repeats_no_call_that_was_kept(rolecall: Rolecall) -> None:
    with peer_with(completion("never said")) as peer:
        world = World(peer)
        real = {
            "OPENAI_API_KEY": "k",
            "OPENAI_BASE_URL": f"{peer.url}/v1",
            "ROLECALL_MODEL": "openai/m",
            "ROLECALL_OUTBOUND_ALLOW": "127.0.0.1",
        }
        with rolecall.up(**real) as up:
            up.mutate("role.create", name="Reader", basePrompt="Read.", tools=["web.read", "program.run"])
            steps = [{"name": "Read", "kind": "agent", "roleName": "Reader"}]
            up.mutate("orchestration.create", document={"name": "reading", "steps": steps})
            execution = up.mutate("execution.start", orchestration="reading", input="all")["id"]
            assert world.is_holding.wait(30)
            up.end(signal.SIGKILL)
        with rolecall.up(**real) as up:
            finished = up.finished(execution)

    assert finished["status"] == "completed", finished
    assert json.loads(finished["output"]["Read"]) == {"value": "/a /b /c /d", "calls": 4}
    assert world.asked == {"model": 2, "/a": 1, "/b": 1, "/c": 1, "/d": 2}
