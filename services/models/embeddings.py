"""Embeddings by the API that OpenAI's endpoint and the compatible ones share."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from services.models import provider as failures
from services.models.endpoint import Endpoint
from services.models.messages import Embeddings, Usage, about_tokens

# Gemini takes a hundred texts at once, others more.
_BATCH = 100


class _Vector(msgspec.Struct):
    index: int
    embedding: list[float]


class _Counted(msgspec.Struct):
    prompt_tokens: int = 0


class _Said(msgspec.Struct):
    data: list[_Vector]
    usage: _Counted | None = None


async def of(
    endpoint: Endpoint, full_name: str, model: str, texts: Sequence[str], timeout_seconds: float
) -> Embeddings:
    """A vector for each text, in their order, all of one length; `full_name` is "provider/name".

    A hundred texts go at a time, each within `timeout_seconds`.

    Raises:
        Failed: RATE_LIMITED, MODEL_ERROR or TIMEOUT.
    """
    vectors: list[list[float]] = []
    tokens = 0
    for start in range(0, len(texts), _BATCH):
        batch = list(texts[start : start + _BATCH])
        found, used = await _batch(endpoint, full_name, model, batch, timeout_seconds)
        vectors += found
        tokens += used
    if len({len(vector) for vector in vectors}) > 1:
        raise failures.not_understood(full_name, endpoint.variables, "its vectors differ in length")
    return Embeddings(vectors=vectors, usage=Usage(input_tokens=tokens), model=full_name)


async def _batch(
    endpoint: Endpoint, full_name: str, model: str, texts: list[str], timeout_seconds: float
) -> tuple[list[list[float]], int]:
    def opening(client: Any, within: Any) -> Any:
        # Unless told so the SDK asks for base64, which not every endpoint knows.
        return client.embeddings.with_streaming_response.create(
            model=model, input=texts, encoding_format="float", timeout=within
        )

    body = await endpoint.call(full_name, timeout_seconds, opening)
    with endpoint.reading(full_name):
        said = msgspec.json.decode(body or b"", type=_Said)
    in_order = sorted(said.data, key=lambda vector: vector.index)
    if [vector.index for vector in in_order] != list(range(len(texts))):
        cause = f"{len(said.data)} vectors for {len(texts)} texts"
        raise failures.not_understood(full_name, endpoint.variables, cause)
    if not all(vector.embedding and all(map(math.isfinite, vector.embedding)) for vector in in_order):
        raise failures.not_understood(full_name, endpoint.variables, "a vector is empty or not finite")
    counted = said.usage.prompt_tokens if said.usage else 0
    return [vector.embedding for vector in in_order], counted or sum(about_tokens(text) for text in texts)
