"""The example, killed in the middle: `kill -9` of `rolecall up`, and `rolecall up` again."""

import json
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from services.definitions import yaml12
from tests.cli.processes import ROOT, Rolecall, Up, until
from tests.models.peer import Asked, Peer, Reply, completion, peer_with

NOTES = json.dumps({"summary": "It says so.", "points": [f"Point {n}." for n in range(10)], "terms": ["lease"]})
REVIEW = json.dumps({"score": 0.1, "comments": "Say more.", "missing": ["lease"]})


class Cast:
    """A model that plays every role of the example, counts how often each is asked, and keeps one of them waiting."""

    def __init__(self, peer: Peer, held: str) -> None:
        self.asked: Counter[str] = Counter()
        self.is_holding = threading.Event()
        self._held = held
        self._is_over = peer.is_over
        peer.next_reply = self._reply

    def _reply(self, asked: Asked) -> Reply:
        messages = asked.body["messages"]
        role = _role_of(messages[0]["content"])
        if role == "Reader" and messages[-1]["role"] != "tool":
            path = json.loads(messages[1]["content"])["path"]
            self.asked[f"Reader of {path}"] += 1
            name = asked.body["tools"][0]["function"]["name"]
            return completion(calls=(("call_0", name, json.dumps({"path": path})),))
        self.asked[role] += 1
        if role == self._held and self.asked[role] == 1:
            self.is_holding.set()
            return Reply(never=True)
        return completion({"Reader": NOTES, "Synthesiser": "Draft.", "Reviewer": REVIEW, "Editor": "Final."}[role])


def _role_of(prompt: str) -> str:
    said = {"careful reader": "Reader", "write briefs": "Synthesiser", "review briefs": "Reviewer"}
    return next((role for words, role in said.items() if words in prompt), "Editor")


def test_the_example_survives_its_death_and_repeats_no_finished_step(rolecall: Rolecall) -> None:
    question = json.loads((ROOT / "examples/research-brief.input.json").read_text())
    with peer_with(completion("never said")) as peer:
        cast = Cast(peer, held="Reviewer")
        real = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{peer.url}/v1", "ROLECALL_MODEL": "openai/m"}
        with rolecall.up(**real) as up:
            _load(up, ROOT / "examples/research-brief.yaml")
            execution = up.mutate("execution.start", orchestration="research-brief", input=question)["id"]
            assert cast.is_holding.wait(30)
            before = until(lambda: up.statuses(execution), lambda seen: seen["Review"] == "running")
            up.end(signal.SIGKILL)
        with rolecall.up(**real) as up:
            finished = up.finished(execution)
            logs = up.query("execution.steps", execution=execution)

    done = {"Read first", "Read second", "Read third", "Synthesise"}
    assert {name for name, status in before.items() if status == "completed"} == done
    assert finished["output"] == {"brief": "Final.", "score": 0.1}
    assert {log["name"]: (log["status"], log["attempts"]) for log in logs} == dict.fromkeys(
        [*done, "Review", "Revise"], ("completed", 1)
    )
    paths = {f"Reader of {document['path']}": 1 for document in question["documents"]}
    assert cast.asked == {**paths, "Reader": 3, "Synthesiser": 1, "Reviewer": 2, "Editor": 1}


def _load(up: Up, file: Path) -> None:
    bundle: Any = yaml12.read(file.read_text())
    for role in bundle["roles"]:
        up.mutate("role.create", **role)
    for document in bundle["orchestrations"]:
        up.mutate("orchestration.create", document=document)
