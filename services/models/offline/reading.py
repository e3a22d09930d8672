"""What a conversation holds to read: the step's input, the texts in it, and what tools brought."""

import json
import re
from collections.abc import Iterator

import msgspec

from services.json import Json
from services.models.messages import AssistantMessage, JsonMapping, Message, ToolMessage, UserMessage
from services.models.offline.naming import meaning_of
from services.models.offline.sentences import capped

# Ends the prose this model writes; not read again when one step's text is the next one's input.
SIGNATURE = "_Extracted by offline/extractive: sentences picked by word counts; no language model was involved._"

_MIN_TEXT_WORDS = 4
_NAMING_KEYS = ("name", "title", "path", "source", "role", "topic", "id")
# What the input is about, rather than material: never a source beside others.
_TOPIC_KEYS = ("question", "topic", "subject", "title", "headline")
_FEEDBACK_KEYS = ("feedback", "comment", "critique", "suggestion", "review", "remark")
# Those that name a result come before those that name its material.
_DRAFT_KEYS = ("draft", "brief", "summary", "answer", "report", "article", "text", "body", "content", "document")
# Keys that say what a text is, not whose: a section is not named after them.
_PLAIN_KEYS = frozenset({*_DRAFT_KEYS, "output", "result", "points", "findings", "notes", "note", "value"})
_KEY = re.compile(r"[a-z][A-Za-z0-9_-]*")
_KEY_SEAM = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_-]")


class Source(msgspec.Struct, frozen=True):
    """A text and what to call it; `path` is where it stood in the input."""

    name: str
    text: str
    path: tuple[str, ...] = ()


class Reading(msgspec.Struct, frozen=True):
    """What there is to read: the input (empty for plain text) and its texts, in their order.

    `draft` is the text at hand, when the input names one, `feedback` what was said about it, and `references` is
    everything else. `topic` is what all is about; `terms` are words that the input itself lists as such.
    """

    input: JsonMapping
    sources: tuple[Source, ...]
    references: tuple[Source, ...]
    draft: str = ""
    feedback: str = ""
    topic: str = ""
    terms: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All sources, the longest first."""
        return "\n\n".join(source.text for source in sorted(self.sources, key=lambda source: -len(source.text)))

    @property
    def is_revision(self) -> bool:
        """Whether a draft is to be mended, rather than a text to be written."""
        return bool(self.draft and self.feedback)


def read(messages: tuple[Message, ...]) -> Reading:
    """What there is to read. Once a tool has brought text, that is what is read; before, the input is."""
    given, words = _input_of(messages)
    sources = _capped(_brought(messages) or _in_input(given, messages) or _in_words(words))
    draft_key, feedback_key = _key_of(given, _DRAFT_KEYS), _key_of(given, _FEEDBACK_KEYS)
    return Reading(
        input=given,
        sources=sources,
        references=tuple(source for source in sources if source.path[:1] not in ((draft_key,), (feedback_key,))),
        draft=_under(given, draft_key),
        feedback=_under(given, feedback_key),
        topic=next((text for key in _TOPIC_KEYS if isinstance(text := given.get(key), str)), ""),
        terms=_terms_in(given),
    )


def unsigned(text: str) -> str:
    """`text` without this model's own closing line."""
    return text.replace(SIGNATURE, "").strip()


def object_in(text: str) -> tuple[JsonMapping, str]:
    """The JSON object in `text`, alone or among words, and the words; an empty object when there is none.

    >>> object_in('Review this: {"draft": "..."}')
    ({'draft': '...'}, 'Review this: ')
    """
    start = text.find("{")
    try:
        value, end = json.JSONDecoder().raw_decode(text, start) if start >= 0 else ({}, 0)
    except (ValueError, RecursionError):
        return {}, text
    return (value, text[:start] + text[end:]) if value else ({}, text)


def tools_called(messages: tuple[Message, ...]) -> list[str]:
    """The tools this conversation has called, once per call."""
    return [call.name for said in messages if isinstance(said, AssistantMessage) for call in said.tool_calls]


def _input_of(messages: tuple[Message, ...]) -> tuple[JsonMapping, str]:
    """The last object a user message holds, and all words around."""
    given: JsonMapping = {}
    words: list[str] = []
    for message in messages:
        if isinstance(message, UserMessage):
            value, rest = object_in(message.text)
            given = value or given
            words.append(rest)
    return given, "\n\n".join(part for part in words if part.strip())


def _brought(messages: tuple[Message, ...]) -> list[Source]:
    return [
        source for said in messages if isinstance(said, ToolMessage) and not said.is_error for source in _result(said)
    ]


def _result(said: ToolMessage) -> list[Source]:
    value = object_in(said.text)[0] if said.text.lstrip().startswith("{") else {}
    if value:
        return _merged(_leaves(value, (_own_name(value) or said.name,)))
    return [Source(said.name, unsigned(said.text), (said.name,))] if said.text.strip() else []


def _in_input(given: JsonMapping, messages: tuple[Message, ...]) -> list[Source]:
    """The texts of the input; where it has none, why the tools that should have brought some did not."""
    errors = [
        f"{said.name} failed: {said.text}" for said in messages if isinstance(said, ToolMessage) and said.is_error
    ]
    material = {key: value for key, value in given.items() if key not in _TOPIC_KEYS}
    found = _merged(_leaves(material, ())) or _merged(_leaves(given, ()))
    if errors and not any(_is_text(source.text) for source in found):
        return [Source("errors", "\n\n".join(errors), ("errors",))]
    return found


def _terms_in(given: JsonMapping) -> tuple[str, ...]:
    """The short strings of lists such as `terms` or `keywords`, wherever they stand, each once."""
    listed = (
        text
        for path, text in _leaves(given, ())
        if len(path) > 1 and path[-1].isdigit() and meaning_of(path[-2]) == "terms" and not _is_text(text)
    )
    return tuple(dict.fromkeys(listed))


def _in_words(words: str) -> list[Source]:
    return [Source("input", unsigned(words))] if unsigned(words) else []


def _capped(sources: list[Source]) -> tuple[Source, ...]:
    texts = capped(source.text for source in sources)
    return tuple(
        msgspec.structs.replace(source, text=text) for source, text in zip(sources, texts, strict=True) if text
    )


def _leaves(value: Json, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every string with where it stands; an object in a list stands under its own name when it has one."""
    # An explicit stack: an input may be nested deeper than Python calls.
    stack: list[tuple[tuple[str, ...], Json]] = [(path, value)]
    while stack:
        where, node = stack.pop()
        if isinstance(node, str):
            yield where, unsigned(node)
        elif isinstance(node, dict):
            stack.extend(((*where, key), inner) for key, inner in reversed(node.items()))
        elif isinstance(node, list):
            stack.extend(((*where, _own_name(inner) or str(n)), inner) for n, inner in reversed(list(enumerate(node))))


def _own_name(value: Json) -> str:
    if not isinstance(value, dict):
        return ""
    names = (value.get(key) for key in _NAMING_KEYS)
    return next((name[:80] for name in names if isinstance(name, str) and name), "")


def _merged(leaves: Iterator[tuple[tuple[str, ...], str]]) -> list[Source]:
    """The strings that are texts, those of one thing joined; where there is no text, whatever words there are."""
    found = [(path, text) for path, text in leaves if text]
    grouped: dict[tuple[str, ...], list[str]] = {}
    for path, text in [leaf for leaf in found if _is_text(leaf[1])] or found:
        grouped.setdefault(_thing(path), []).append(text)
    return [Source(_title(path), "\n\n".join(parts), path) for path, parts in grouped.items()]


def _is_text(text: str) -> bool:
    return len(text.split(maxsplit=_MIN_TEXT_WORDS)) >= _MIN_TEXT_WORDS


def _thing(path: tuple[str, ...]) -> tuple[str, ...]:
    """What a text belongs to: an item to its list, a text under a plain key to what has the key."""
    while len(path) > 1 and path[-1].isdigit():
        path = path[:-1]
    while len(path) > 1 and path[-1].lower() in _PLAIN_KEYS:
        path = path[:-1]
    return path


def _title(path: tuple[str, ...]) -> str:
    """A section's name: `readerNotes` becomes "Reader notes", a file's name stays as it is."""
    name = path[-1] if path else "input"
    if name.isdigit() and len(path) > 1:
        return f"{_title(path[:-1])} {int(name) + 1}"
    return _KEY_SEAM.sub(" ", name).capitalize() if _KEY.fullmatch(name) else name


def _key_of(given: JsonMapping, prefixes: tuple[str, ...]) -> str:
    """The key of the input that begins with the first possible of `prefixes`; empty when none does."""
    return next((key for prefix in prefixes for key in given if key.lower().startswith(prefix)), "")


def _under(given: JsonMapping, key: str) -> str:
    return capped(["\n\n".join(text for _, text in _leaves(given.get(key), ()) if text)])[0]
