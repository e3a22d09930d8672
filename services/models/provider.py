"""What every provider of models can do, and how its refusals become failures."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeAlias

import msgspec

from services.failure import Failed, Failure, failed
from services.models.capabilities import Capabilities
from services.models.messages import Answer, Embeddings, Request, UserMessage

_SHOWN_DETAIL = 400
# No document can put a retry off for longer either.
_LONGEST_WAIT_SECONDS = 86_400.0
_RETRYABLE_STATUSES = frozenset({408, 409, 425})
# The key, the quota, the address or the moment is wrong, whatever was asked.
_NOT_OURS = frozenset({401, 402, 403, 404, 405, 429}) | _RETRYABLE_STATUSES
_TOO_BUSY = frozenset({503, 529})
# How OpenAI, Anthropic and those who speak as they do say, with status 400, that a conversation is too large.
_SAYS_TOO_LARGE = ("context_length_exceeded", "maximum context length", "prompt is too long")
_TOO_LARGE = "the conversation is too large for this model"
# What they call errors that come inside an answer.
STATUS_OF_ERROR = {
    "authentication_error": 401,
    "context_length_exceeded": 400,
    "insufficient_quota": 429,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "overloaded_error": 529,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "timeout_error": 504,
}


# Takes the text of an answer piece by piece, as it comes.
Emit: TypeAlias = Callable[[str], None]


def unheard(_piece: str) -> None:
    """Where nobody listens while a model answers."""


class Unreached(Failed):
    """Nothing was sent: the provider did no work, and nothing is owed."""


class Refused(Failed):
    """The provider would not, or is known not to be able to: it did no work, and nothing is owed.

    With `is_ours` the fault lies in what was asked, so that others would hardly take it either.
    """

    def __init__(self, failure: Failure, *, is_ours: bool) -> None:
        super().__init__(failure)
        self.is_ours = is_ours


class Provider(Protocol):
    """Somebody who runs models, and what they can do."""

    name: str
    capabilities: Capabilities

    async def complete(self, request: Request, emit: Emit = unheard) -> Answer:
        """The model's answer; its price is left open. `emit` gets its text, in one piece or in many.

        Raises:
            Failed: RATE_LIMITED, MODEL_ERROR, TIMEOUT or OUTPUT_INVALID.
        """
        ...

    async def embed(self, model: str, texts: Sequence[str], *, timeout_seconds: float = 60.0) -> Embeddings:
        """A vector for each text by `model`, the provider's own name for it; the price is left open.

        Raises:
            Failed: RATE_LIMITED, MODEL_ERROR or TIMEOUT; MODEL_ERROR for good where there are no embeddings.
        """
        ...

    async def close(self) -> None:
        """Give back connections; closing twice is fine."""
        ...


class Variables(msgspec.Struct, frozen=True):
    """What an endpoint was set with, so that a failure can name what to look at: variables, or parts of a row."""

    key: str
    url: str
    model: str


def failure_of_status(
    status: int,
    detail: str,
    headers: Mapping[str, str],
    *,
    model: str,
    variables: Variables,
    now: datetime | None = None,
) -> Failed:
    """The failure that an HTTP error status means: `Refused` where the provider has surely not worked.

    `model` is "provider/name". Out-of-quota answers come as 429, but waiting does not help: they are not retried.
    """
    meant = _meant_by(status, detail, headers, model=model, variables=variables, now=now)
    # A gateway that fails may have had somebody work behind it.
    if 400 <= status < 500 or status in _TOO_BUSY:
        return Refused(meant.failure, is_ours=status < 500 and status not in _NOT_OURS)
    return meant


def failure_of_error(kind: object, detail: str, *, model: str, variables: Variables) -> Failed:
    """The failure that an error inside an answer means, whose HTTP status was 200 because it came too late.

    `kind` is the error's type or code, as a name or as a status; an unknown one is the provider's own trouble.
    """
    status = kind if isinstance(kind, int) else STATUS_OF_ERROR.get(str(kind), 500)
    said = detail if kind in (None, "", status) else f"{detail} ({kind})"
    status = status if 400 <= status <= 599 else 500
    return _meant_by(status, said, {}, model=model, variables=variables, now=None)


def unreachable(model: str, variables: Variables, cause: str) -> Unreached:
    """The failure of a connection that could not be made."""
    message = f"{model} could not be reached ({cause}); look at {variables.url}"
    return Unreached(failed("MODEL_ERROR", message, retryable=True).failure)


def not_allowed(model: str, variables: Variables, why: str) -> Unreached:
    """The failure of a connection that this server does not make."""
    message = f"{model} is not asked: {why}; look at {variables.url}, and at ROLECALL_OUTBOUND_ALLOW"
    return Unreached(failed("MODEL_ERROR", message, retryable=False).failure)


def broken_off(model: str, variables: Variables, cause: str) -> Failed:
    """The failure of a connection that broke, or of an answer that ended before it was whole."""
    return failed("MODEL_ERROR", f"{model} broke off ({cause}); look at {variables.url}", retryable=True)


def too_large(model: str) -> Failed:
    """The failure of an answer that is longer than any may be; asking again would hardly help."""
    message = f"{model} answered with more than can be kept; lower the role's parameters.maxOutputTokens"
    return failed("OUTPUT_INVALID", message, retryable=False)


def timed_out(model: str, timeout_seconds: float) -> Failed:
    """The failure of a call that took longer than it may."""
    return failed("TIMEOUT", f"{model} did not answer within {timeout_seconds:g} s")


def fell_silent(model: str, idle_seconds: float) -> Failed:
    """The failure of an answer that began and did not go on."""
    return failed("TIMEOUT", f"{model} began to answer and was then silent for {idle_seconds:g} s")


def no_embeddings(model: str) -> Refused:
    """The failure of asking a model for embeddings that has none."""
    return _beyond(f"{model} has no embeddings; use a model of a provider that has: openai, gemini, mistral or ollama")


def check_request(request: Request, capabilities: Capabilities, model: str) -> None:
    """Send nothing that the model cannot do; `model` is "provider/name".

    Raises:
        Refused: MODEL_ERROR, saying what would be right; another model may be able to.
    """
    if request.tools and not capabilities.tools:
        raise _beyond(f"{model} calls no tools; choose a model with the capability 'tools'")
    images = any(isinstance(said, UserMessage) and said.images for said in request.messages)
    if images and not capabilities.vision:
        raise _beyond(f"{model} sees no images; choose a model with the capability 'vision', or leave them out")


def not_understood(model: str, variables: Variables, cause: object) -> Failed:
    """The failure of a 200 whose body is not what this endpoint should send."""
    return failed(
        "MODEL_ERROR",
        f"{model} answered with a body that is no completion ({cause}); look at {variables.url}",
        retryable=True,
    )


def empty_answer(model: str, *, at_limit: bool) -> Failed:
    """The failure of an answer with neither text nor tool calls."""
    why = "it ran into the output limit first; raise maxOutputTokens" if at_limit else "neither text nor a tool call"
    return failed("OUTPUT_INVALID", f"{model} gave an empty answer: {why}")


def refused(model: str, explanation: str) -> Failed:
    """The failure of a model that declines to answer; asking the same again would not help."""
    return failed("MODEL_ERROR", f"{model} declined to answer: {explanation or 'no reason given'}", retryable=False)


def shown(detail: str, *, secret: str) -> str:
    """`detail` fit for a message: short, on one line, without `secret`.

    >>> shown("bad key  sk-123\\n", secret="sk-123")
    'bad key ***'
    """
    clean = " ".join((detail.replace(secret, "***") if secret else detail).split())
    return clean if len(clean) <= _SHOWN_DETAIL else clean[: _SHOWN_DETAIL - 1] + "…"


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until the other side wants to hear from us again, a day at most; None when it did not say.

    >>> then = datetime(2026, 1, 1, tzinfo=UTC)
    >>> retry_after_seconds({"retry-after": "1.5"}, then)
    1.5
    >>> retry_after_seconds({"retry-after": "Thu, 01 Jan 2026 00:00:07 GMT"}, then)
    7.0
    >>> retry_after_seconds({"retry-after-ms": "250", "retry-after": "1"}, then)
    0.25
    >>> retry_after_seconds({"retry-after": "1e300"}, then)
    86400.0
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        seconds = _number(text)
        if seconds is not None:
            return _bounded(seconds * unit)
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            continue
        return _bounded((at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
    return None


def _meant_by(
    status: int,
    detail: str,
    headers: Mapping[str, str],
    *,
    model: str,
    variables: Variables,
    now: datetime | None,
) -> Failed:
    said = f"{model} answered {status}: {detail or 'nothing'}"
    wait = retry_after_seconds(headers, now or datetime.now(UTC))
    if status == 429 and "insufficient_quota" not in detail:
        return failed("RATE_LIMITED", said, retry_after_seconds=wait)
    if status >= 500 or status in _RETRYABLE_STATUSES:
        return failed("MODEL_ERROR", said, retryable=True, retry_after_seconds=wait)
    if status < 400:
        return failed("MODEL_ERROR", f"{said}; look at {variables.url}, which is to answer itself", retryable=False)
    hint = (
        _TOO_LARGE
        if _is_too_large(status, detail)
        else {
            401: f"look at {variables.key}",
            402: f"look at the billing of the account behind {variables.key}",
            403: f"look at {variables.key} and what it is allowed",
            404: f"look at {variables.model} and {variables.url}",
            405: f"look at {variables.url}",
            429: f"look at the quota of the account behind {variables.key}",
        }.get(status, "the request itself is not accepted by this model; look at the role's parameters and schemas")
    )
    return failed("MODEL_ERROR", f"{said}; {hint}", retryable=False)


def _beyond(message: str) -> Refused:
    return Refused(failed("MODEL_ERROR", message, retryable=False).failure, is_ours=False)


def _is_too_large(status: int, detail: str) -> bool:
    return status == 413 or (status == 400 and any(words in detail for words in _SAYS_TOO_LARGE))


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), _LONGEST_WAIT_SECONDS)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
