"""What an endpoint and its models can do, and how they want it said."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

Structured: TypeAlias = Literal["schema", "tool", "object", "words"]
"""How an answer is held to a JSON Schema, best first: by the provider, as the arguments of a tool that must be called,
as some JSON object whose schema is said in words, in words alone."""

Echo: TypeAlias = Literal["", "extra_content", "reasoning_content"]
"""The field beside a tool call that a chat completions endpoint wants told again as it came."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What can be asked of an endpoint. The second half is about endpoints of chat completions only.

    `parallel_tools` is whether a model may ask for several calls at once; without it, it is told not to.
    """

    tools: bool = True
    parallel_tools: bool = True
    structured: Structured = "schema"
    streaming: bool = True
    vision: bool = False
    embeddings: bool = False

    stream_usage: bool = True
    """Takes `stream_options.include_usage`; otherwise it counts tokens without being asked, or not at all."""
    max_completion_tokens: bool = False
    """Calls the output limit `max_completion_tokens`; otherwise `max_tokens`."""
    short_call_ids: bool = False
    """Takes only ids of tool calls that are nine letters and digits."""
    echo: Echo = ""

    def with_overrides(self, overrides: Mapping[str, Any]) -> "Capabilities":
        """These with what an operator knows better, in the names of the wire.

        >>> Capabilities().with_overrides({"structured": "object", "shortCallIds": True}).structured
        'object'

        Raises:
            msgspec.ValidationError: a name or value that is none; its message says where.
        """
        return msgspec.convert({**msgspec.to_builtins(self), **overrides}, Capabilities)
