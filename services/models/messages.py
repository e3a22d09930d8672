"""What goes to a model and comes back, in words no provider owns.

Every struct survives a JSON round trip: agent turns are journaled as they are.
"""

import binascii
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

# `JsonObject` in a form msgspec can build a decoder for: it does not follow recursive aliases.
JsonMapping: TypeAlias = dict[str, Any]

CHARACTERS_PER_TOKEN = 4
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
# What providers count for one picture lies between some hundred and some thousand.
TOKENS_PER_IMAGE = 1_600


class ToolCall(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A model's wish to call the tool `name`; `id` ties the result to it.

    `echo` is what some models want told again together with the call, such as a signature of their thoughts: by the
    "provider/name" of the model that said it, as it came. Nobody else looks into it.
    """

    id: str
    name: str
    arguments: JsonMapping
    echo: dict[str, JsonMapping] = {}


class Image(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A picture for models with vision: its `data` in base64 and its `media_type`, or the `url` the provider loads."""

    media_type: str = ""
    data: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        """Refuse what no provider takes.

        Raises:
            ValueError: there is not exactly one of data and URL, or it is none; msgspec makes its own error of it.
        """
        if bool(self.data) == bool(self.url):
            raise ValueError("an image has either data or a url")
        if self.url and not self.url.startswith(("https://", "http://")):
            raise ValueError("the url of an image starts with https:// or http://")
        if self.data:
            if self.media_type not in IMAGE_TYPES:
                raise ValueError(f"mediaType is one of {', '.join(IMAGE_TYPES)}")
            # What it raises is a ValueError.
            binascii.a2b_base64(self.data, strict_mode=True)

    @property
    def source(self) -> str:
        """The image as one URL; one with data becomes a `data:` URL."""
        return self.url or f"data:{self.media_type};base64,{self.data}"


class UserMessage(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, tag_field="role", tag="user"):
    """What the step asks, with the pictures it is about."""

    text: str
    images: tuple[Image, ...] = ()


class AssistantMessage(msgspec.Struct, frozen=True, rename="camel", tag_field="role", tag="assistant"):
    """What the model said and which tools it wants called, in this order."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()


class ToolMessage(msgspec.Struct, frozen=True, rename="camel", tag_field="role", tag="tool"):
    """What the tool call `call_id` gave; with `is_error`, why it gave nothing."""

    call_id: str
    name: str
    text: str
    is_error: bool = False


Message: TypeAlias = UserMessage | AssistantMessage | ToolMessage


class ToolSpec(msgspec.Struct, frozen=True, rename="camel"):
    """A tool a model may call: its name on our side (dots allowed) and the JSON Schema of its arguments."""

    name: str
    description: str
    input_schema: JsonMapping


class Request(msgspec.Struct, frozen=True, rename="camel"):
    """One call of a model.

    `model` is the provider's own name for it; `Models.complete` fills it in from its choice. `timeout_seconds` bounds
    the whole call, connecting included.
    """

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    output_schema: JsonMapping | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    timeout_seconds: float = 60.0


class Usage(msgspec.Struct, frozen=True, rename="camel"):
    """Tokens spent, and their list price in USD; None where the price is not known.

    `cached_input_tokens` of the input were read from the provider's cache. What a model thinks is part of its output.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = None
    cached_input_tokens: int = 0


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """What a model answered.

    With an output schema, `text` is JSON. `model` is "provider/name"; `stop` says why it stopped: it was done, it waits
    for its tools, or it ran into the length limit.
    """

    text: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage
    model: str
    stop: Literal["end", "tools", "length"]


class Embeddings(msgspec.Struct, frozen=True, rename="camel"):
    """Vectors of texts, in their order and all of one length; `model` is "provider/name"."""

    vectors: list[list[float]]
    usage: Usage
    model: str


def about_tokens(text: str) -> int:
    """Roughly how many tokens `text` is: a quarter of its characters, rounded up.

    Used where nobody counts for us: the offline model, and endpoints that report no usage.

    >>> about_tokens("Four score and seven years ago")
    8
    """
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def about_request_tokens(request: Request) -> int:
    """Roughly how many input tokens `request` is; a picture counts as `TOKENS_PER_IMAGE`."""
    images = sum(len(said.images) for said in request.messages if isinstance(said, UserMessage))
    messages = [UserMessage(said.text) if isinstance(said, UserMessage) else said for said in request.messages]
    seen = (messages, request.tools, request.output_schema)
    words = about_tokens(request.system) + about_tokens(msgspec.json.encode(seen).decode())
    return words + images * TOKENS_PER_IMAGE
