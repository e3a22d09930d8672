"""Answers as the three APIs speak them: whole, and in the events of a stream."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec


class Spoken(msgspec.Struct, frozen=True):
    """An answer: text, calls as (id, name, arguments in JSON), how it ended and what was counted."""

    text: str = ""
    calls: tuple[tuple[str, str, str], ...] = ()
    at_limit: bool = False
    input_tokens: int = 100
    output_tokens: int = 20
    cached_tokens: int = 0


def whole(api: str, said: Spoken) -> dict[str, Any]:
    """The body of an answer that comes at once."""
    return {"chat": _completion, "responses": _response, "messages": _message}[api](said)


def in_events(api: str, said: Spoken, size: int = 4) -> list[Any]:
    """The same answer as the data of a stream's events; texts grow by `size` characters."""
    return list({"chat": _chunks, "responses": _response_events, "messages": _message_events}[api](said, size))


def pieces(text: str, size: int) -> list[str]:
    """`text` in pieces of `size` characters."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def _finish(said: Spoken) -> str:
    return "length" if said.at_limit else "tool_calls" if said.calls else "stop"


def _counted_chat(said: Spoken) -> dict[str, Any]:
    return {
        "prompt_tokens": said.input_tokens,
        "completion_tokens": said.output_tokens,
        "total_tokens": said.input_tokens + said.output_tokens,
        "prompt_tokens_details": {"cached_tokens": said.cached_tokens},
    }


def _completion(said: Spoken) -> dict[str, Any]:
    calls = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id, name, arguments in said.calls
    ]
    message = {"role": "assistant", "content": said.text or None, **({"tool_calls": calls} if calls else {})}
    choice = {"index": 0, "message": message, "finish_reason": _finish(said)}
    return {"id": "c", "object": "chat.completion", "choices": [choice], "usage": _counted_chat(said)}


def _chunks(said: Spoken, size: int) -> Iterator[Any]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c", "object": "chat.completion.chunk", "choices": [choice], "usage": None}

    yield chunk({"role": "assistant", "content": "" if said.text else None})
    for piece in pieces(said.text, size):
        yield chunk({"content": piece})
    for index, (id, name, arguments) in enumerate(said.calls):
        function = {"name": name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]})
        for piece in pieces(arguments, size):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _finish(said))
    yield {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": _counted_chat(said)}
    yield "[DONE]"


def _response(said: Spoken) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "status": "incomplete" if said.at_limit else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if said.at_limit else None,
        "error": None,
        "output": _items(said),
        "usage": {
            "input_tokens": said.input_tokens,
            "input_tokens_details": {"cached_tokens": said.cached_tokens},
            "output_tokens": said.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 3},
        },
    }


def _items(said: Spoken) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = [{"type": "reasoning", "id": "rs_1", "summary": []}]
    if said.text:
        content = [{"type": "output_text", "text": said.text, "annotations": []}]
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content})
    for id, name, arguments in said.calls:
        items.append({"type": "function_call", "id": f"fc_{id}", "call_id": id, "name": name, "arguments": arguments})
    return items


def _response_events(said: Spoken, size: int) -> Iterator[Any]:
    yield {"type": "response.created", "response": {**_response(said), "status": "in_progress", "output": []}}
    for index, item in enumerate(_items(said)):
        place = {"output_index": index}
        yield {"type": "response.output_item.added", **place, "item": {**item, "content": [], "arguments": ""}}
        if item["type"] == "message":
            for piece in pieces(said.text, size):
                yield {"type": "response.output_text.delta", **place, "content_index": 0, "delta": piece}
        if item["type"] == "function_call":
            for piece in pieces(item["arguments"], size):
                yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        yield {"type": "response.output_item.done", **place, "item": item}
    kind = "incomplete" if said.at_limit else "completed"
    yield {"type": f"response.{kind}", "response": _response(said)}


def _message(said: Spoken) -> dict[str, Any]:
    text = [{"type": "text", "text": said.text}] if said.text else []
    uses = [
        {"type": "tool_use", "id": id, "name": name, "input": json.loads(arguments)}
        for id, name, arguments in said.calls
    ]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [*text, *uses],
        "stop_reason": _stop_reason(said),
        "usage": _counted_message(said),
    }


def _stop_reason(said: Spoken) -> str:
    return "max_tokens" if said.at_limit else "tool_use" if said.calls else "end_turn"


def _counted_message(said: Spoken) -> dict[str, int]:
    return {
        "input_tokens": said.input_tokens - said.cached_tokens,
        "cache_read_input_tokens": said.cached_tokens,
        "output_tokens": said.output_tokens,
    }


def _message_events(said: Spoken, size: int) -> Iterator[Any]:
    counted = {**_counted_message(said), "output_tokens": 1}
    opening = {**_message(said), "content": [], "stop_reason": None, "usage": counted}
    yield {"type": "message_start", "message": opening}
    yield {"type": "ping"}
    for index, block in enumerate(_message(said)["content"]):
        is_text = block["type"] == "text"
        empty = {"type": "text", "text": ""} if is_text else {**block, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        grown = block["text"] if is_text else json.dumps(block["input"])
        for piece in pieces(grown, size):
            delta = {"type": "text_delta", "text": piece} if is_text else _input_delta(piece)
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": _stop_reason(said), "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": said.output_tokens}}
    yield {"type": "message_stop"}


def _input_delta(piece: str) -> dict[str, str]:
    return {"type": "input_json_delta", "partial_json": piece}
