"""The peer that stands for providers answers as it is taught, and tells what it heard."""

import httpx2

from tests.models.aimock import Aimock

QUESTION = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}


def test_what_is_taught_is_answered_and_what_is_asked_is_heard(aimock: Aimock) -> None:
    aimock.teach({"content": "Hi."}, match={"userMessage": "Hello"})

    answered = httpx2.post(
        f"{aimock.openai_url}/chat/completions", json=QUESTION, headers={"authorization": "Bearer k"}
    )

    assert answered.json()["choices"][0]["message"]["content"] == "Hi."
    [heard] = aimock.heard()
    assert (heard.path, heard.body["model"]) == ("/v1/chat/completions", "small")
    # Keys are not kept.
    assert heard.headers["authorization"] == "[REDACTED]"


def test_what_was_taught_and_disturbed_is_forgotten(aimock: Aimock) -> None:
    aimock.teach({"content": "Hi."})
    aimock.disturb(dropRate=1)

    aimock.forget()

    assert httpx2.post(f"{aimock.openai_url}/chat/completions", json=QUESTION).status_code == 404
    assert [heard.path for heard in aimock.heard()] == ["/v1/chat/completions"]
