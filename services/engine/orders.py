"""What somebody asks for by a message in an inbox. Whatever an administrator has typed there, nothing of it fails."""

import msgspec

from services.engine.attempts import unstorable
from services.engine.claim import Message
from services.engine.core.events import (
    AnyEvent,
    CancelRequested,
    PauseRequested,
    ResumeRequested,
    SignalReceived,
    StepOverridden,
)
from services.engine.core.override import completed, skipped
from services.engine.core.plan import Plan
from services.engine.core.state import State
from services.json import Json

MAX_SIGNAL_BYTES = 256 * 1024
# As the inbox holds it: with blanks, and numbers with all their digits.
MAX_HELD_BYTES = 2 * MAX_SIGNAL_BYTES


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of `complete_step` and `skip_step`; only the former has an output."""

    path: str
    output: Json = None
    reason: str = ""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of `signal`: the name of an event that has come, and what is to be known of it."""

    event: str
    data: Json = None


def events_of(plan: Plan, state: State, message: Message) -> tuple[AnyEvent, ...]:
    """The events of a message to an execution that is at `state`; none of one that makes no sense."""
    match message.kind:
        case "cancel":
            return (CancelRequested(by=message.sender, reason=_reason(message)),)
        case "pause":
            return (PauseRequested(by=message.sender),)
        case "resume":
            return (ResumeRequested(by=message.sender),)
        case "complete_step" | "skip_step":
            return _overridden(plan, state, message)
        case "signal":
            return _signalled(plan, message)
        case _:
            return ()


def _overridden(plan: Plan, state: State, message: Message) -> tuple[AnyEvent, ...]:
    try:
        asked = msgspec.json.decode(message.payload, type=Override)
    except (msgspec.DecodeError, RecursionError):
        return ()
    override = StepOverridden(path=asked.path, by=message.sender, reason=asked.reason)
    if message.kind == "skip_step":
        return skipped(plan, state, override)
    return () if unstorable(asked.output) else completed(plan, state, override, asked.output)


def _signalled(plan: Plan, message: Message) -> tuple[AnyEvent, ...]:
    try:
        signal = msgspec.json.decode(message.payload, type=Signal)
    except (msgspec.DecodeError, RecursionError):
        return ()
    if signal.event not in plan.events or unstorable(signal.data, max_bytes=MAX_HELD_BYTES):
        return ()
    return (SignalReceived(id=message.id, name=signal.event, data=signal.data, by=message.sender),)


def _reason(message: Message) -> str:
    try:
        payload = msgspec.json.decode(message.payload, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return ""
    return str(payload.get("reason", ""))
