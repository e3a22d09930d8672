"""What a model sees of a conversation that is longer than its context: the oldest goes first.

A call and its result are left out together, and the opening stays: what is left is a conversation.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from services.models.messages import Message, ToolMessage, UserMessage
from services.steps.agents.notes import Narrowed
from services.steps.agents.transcript import Turn

# Results that are shorter are no longer than what would be said in their place.
_SHORT = 200
_CUTS = (65_536, 16_384, 4_096, 1_024, _SHORT)


def seen(opening: UserMessage, turns: Sequence[Turn], narrowed: Narrowed) -> tuple[Message, ...]:
    """The messages that are left; two of a user in a row are made one, as some models want it."""
    messages: list[Message] = [opening]
    if narrowed.turns:
        messages.append(UserMessage(_left_out(narrowed)))
    for place, turn in enumerate(turns):
        if place >= narrowed.turns:
            messages += [_cut(message, _longest(place, narrowed)) for message in turn]
    return tuple(_joined(messages))


def trimmed(
    opening: UserMessage,
    turns: Sequence[Turn],
    before: Narrowed,
    fits: Callable[[tuple[Message, ...]], bool],
) -> Narrowed | None:
    """What has to go, beside what has gone `before`, for the rest to fit; None when it never would.

    First go results, then whole turns, the oldest first; the last turn stays, its results are cut at worst.
    """
    steps = list(_steps(len(turns), before))
    low, high = 0, len(steps)  # what is behind leaves less than what comes before
    while low < high:
        middle = (low + high) // 2
        if fits(seen(opening, turns, steps[middle])):
            high = middle
        else:
            low = middle + 1
    return steps[low] if low < len(steps) else None


def _steps(turns: int, before: Narrowed) -> Iterator[Narrowed]:
    step = before
    for results in range(before.results + 1, turns):
        step = replace(step, results=results, max_characters=None)
        yield step
    for gone in range(before.turns + 1, turns):
        step = replace(step, turns=gone)
        yield step
    for cut in _CUTS:
        if step.max_characters is None or cut < step.max_characters:
            yield replace(step, max_characters=cut)


def _longest(place: int, narrowed: Narrowed) -> int | None:
    """How many characters of a result are left in the turn at `place`; None for all of them."""
    if place < narrowed.results:
        return 0
    return narrowed.max_characters if place == narrowed.results else None


def _left_out(narrowed: Narrowed) -> str:
    if narrowed.summary:
        return f"What happened so far, in short:\n\n{narrowed.summary}"
    count = "turn is" if narrowed.turns == 1 else f"{narrowed.turns} turns are"
    return f"(The first {count} left out of this conversation, for want of room.)"


def _cut(message: Message, longest: int | None) -> Message:
    """The message, if it is a result, with at most so many characters of it, or a few words more."""
    if not isinstance(message, ToolMessage) or longest is None or len(message.text) <= max(longest, _SHORT):
        return message
    length = f"{len(message.text):,} characters"
    said = f"… (cut off: it has {length})" if longest else f"(left out for want of room: {length})"
    return replace(message, text=message.text[:longest] + said)


def _joined(messages: Sequence[Message]) -> Iterator[Message]:
    last: Message | None = None
    for message in messages:
        if isinstance(last, UserMessage) and isinstance(message, UserMessage):
            last = replace(last, text=f"{last.text}\n\n{message.text}")
            continue
        if last is not None:
            yield last
        last = message
    if last is not None:
        yield last
