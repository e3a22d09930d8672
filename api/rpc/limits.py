"""How much one request may ask for, and how long a stream is silent or lives."""

from dataclasses import dataclass

from api.rpc.text import MAX_DEPTH


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of an application. What is beyond one is refused with what it is.

    `max_body_bytes` and `max_depth` are of JSON, `max_upload_bytes` and `max_form_parts` of forms and octets.
    The body of JSON has to have come within `max_body_seconds`, whoever sends it; uploads may take their time.
    `max_url_bytes` is of path and query together, still encoded; servers themselves refuse 64 KiB, and not in JSON.
    """

    max_batch: int = 20
    max_body_bytes: int = 1024 * 1024
    max_body_seconds: float = 30.0
    max_depth: int = MAX_DEPTH
    max_url_bytes: int = 32 * 1024
    max_upload_bytes: int = 16 * 1024 * 1024
    max_form_parts: int = 100


@dataclass(frozen=True, slots=True)
class Pace:
    """When streams say that they are still there, and when they end so that clients connect anew.

    `ping_seconds` is how long a stream may be silent. Where `reconnect_after_seconds` is given, clients of
    subscriptions are told to connect anew after that much silence. After `max_seconds` a subscription is broken off;
    the client comes back, perhaps to another process. `retry_seconds` is how long it waits before, else it decides.

    Raises:
        ValueError: clients would leave before they could hear a ping.

    >>> Pace(ping_seconds=10, reconnect_after_seconds=5)
    Traceback (most recent call last):
    ...
    ValueError: clients reconnect after 5 s of silence, so the ping of every 10 s has to come sooner
    """

    ping_seconds: float = 10.0
    reconnect_after_seconds: float | None = 30.0
    max_seconds: float | None = None
    retry_seconds: float | None = 2.0

    def __post_init__(self) -> None:
        if self.reconnect_after_seconds is not None and self.ping_seconds >= self.reconnect_after_seconds:
            raise ValueError(
                f"clients reconnect after {self.reconnect_after_seconds:g} s of silence, so the ping of every "
                f"{self.ping_seconds:g} s has to come sooner"
            )
