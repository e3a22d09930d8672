"""Sentences, terms and a score, from word counts alone: pure functions, work bounded by `MAX_CHARACTERS`."""

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

MAX_CHARACTERS = 400_000

_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*$")
_MARKER = re.compile(r"^(?:[-*+•]|\d{1,3}[.)])\s+")
_SENTENCE_END = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’)\]]))\s+(?=[\"'“‘(\[]?[A-Z0-9À-Þ])")
_ABBREVIATION = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|vs|etc|cf|Fig|No|approx|e\.g|i\.e)|\b[A-Z])\.$")
_CLOSING = (".", "!", "?", "…", ":", ";", ".”", '."')
_MIN_WORDS, _MAX_WORDS, _TITLE_WORDS = 5, 45, 12
_STOP_WORD_LIST = """
a about above after again against all also am an and any are as at be because been before being below between both
but by can cannot could did do does doing down during each even every few for from further get had has have having
he her here hers him his how however i if in into is it its itself just like made make many may me might more most
much must my new no nor not now of off often on once one only or other our out over own per same she should since so
some still such than that the their them then there these they this those through to too two under until up upon us
use used uses using very was we well were what when where which while who whom why will with within without would
yet you your
"""
_STOP_WORDS = frozenset(_STOP_WORD_LIST.split())


class Index:
    """Sentences by the words they use: read once, then asked for every field.

    >>> index = Index(["A worker leases tasks.", "Leases lapse."], words_of)
    >>> index.best_match("task leases"), index.best_match("epochs"), index.uses(["lease"])
    ('A worker leases tasks.', None, 2)
    """

    def __init__(self, sentences: Iterable[str], words: Callable[[str], Iterable[str]]) -> None:
        self._sentences = tuple(sentences)
        self._places: dict[str, list[int]] = {}
        for place, sentence in enumerate(self._sentences):
            for word in set(words(sentence)):
                self._places.setdefault(word, []).append(place)

    def best_match(self, terms: str, *, without: Collection[str] = ()) -> str | None:
        """The first of the sentences with most of the words in `terms`; None when no sentence has any."""
        shared = Counter(
            place
            for word in set(words_of(terms))
            for place in self._places.get(word, ())
            if self._sentences[place] not in without
        )
        best = max(shared, key=lambda place: (shared[place], -place), default=None)
        return None if best is None else self._sentences[best]

    def uses(self, words: Iterable[str]) -> int:
        """How many sentences use any of `words`."""
        return len({place for word in words for place in self._places.get(word, ())})


def words_of(text: str) -> list[str]:
    """The words that carry meaning, in lower case and roughly singular, in order.

    >>> words_of("The workers lease tasks; a task is leased once.")
    ['worker', 'lease', 'task', 'task', 'leased']
    """
    return [_singular(word) for word in _meaningful(text)]


def headings_of(text: str) -> list[str]:
    """The Markdown headings, without their marks."""
    found = (_HEADING.match(line.strip()) for line in text.splitlines())
    return [match[1] for match in found if match]


def sentences_of(text: str) -> list[str]:
    """The sentences in order, each once; headings and fenced code are left out, a list item is a sentence.

    A short line that stands alone and ends without a full stop is a heading too, where there is anything else to read.

    >>> sentences_of("Queues\\n\\nThey wait.")
    ['They wait.']
    >>> sentences_of("# Queues\\n\\nThey wait, e.g. in line. It holds.\\n\\n- one item\\n")
    ['They wait, e.g. in line.', 'It holds.', 'one item']
    """
    paragraphs = list(_paragraphs(text))
    found: dict[str, None] = {}
    for paragraph in [it for it in paragraphs if it.is_item or not _is_title(it.text)] or paragraphs:
        found.update(dict.fromkeys(_split(paragraph.text)))
    return list(found)


def key_terms(text: str, limit: int) -> list[str]:
    """The most frequent meaningful words, as they first appear; of equals, the one that comes first.

    >>> key_terms("Processes die. A process that dies leaves its lease; leases lapse.", 2)
    ['processes', 'die']
    """
    shown: dict[str, str] = {}
    counted = Counter[str]()
    for word in _meaningful(text):
        counted[_singular(word)] += 1
        shown.setdefault(_singular(word), word)
    # A Counter keeps the order of first appearance, and sorting is stable.
    ranked = sorted(counted.items(), key=lambda item: -item[1])
    return [shown[word] for word, _ in ranked[:limit]]


def key_sentences(text: str, limit: int) -> list[str]:
    """Up to `limit` sentences that say most, best first, none nearly repeating a better one."""
    ranked = _ranked(sentences_of(text), Counter(words_of(text)))
    chosen: list[str] = []
    seen: list[set[str]] = []
    for sentence in ranked:
        if len(chosen) >= limit:
            break
        terms = set(words_of(sentence))
        if not any(_overlap(terms, other) > 0.6 for other in seen):
            chosen.append(sentence)
            seen.append(terms)
    return chosen


def summary_of(text: str, limit: int, topic: str = "") -> str:
    """The `limit` key sentences in the order of the text, as one paragraph; with a topic those nearest to it."""
    keys = key_sentences(text, 10 * limit if topic else limit)
    near = set(words_of(topic))
    # Sorting is stable, so of sentences equally near the one that says most comes first.
    chosen = set(sorted(keys, key=lambda sentence: -len(near & set(words_of(sentence))))[:limit])
    return " ".join(_closed(sentence) for sentence in sentences_of(text) if sentence in chosen)


def missing(text: str, terms: Iterable[str]) -> list[str]:
    """Those of `terms` that `text` does not use."""
    present = set(words_of(text))
    return [term for term in terms if not present.issuperset(words_of(term))]


def quality(text: str, terms: Sequence[str], *, enough_words: int = 120) -> float:
    """0 to 1: seven tenths for covering `terms`, three for length up to `enough_words`. Nothing is understood.

    >>> quality("Workers lease tasks.", ["worker", "epoch"], enough_words=3)
    0.65
    """
    covered = 1.0 - len(missing(text, terms)) / len(terms) if terms else 1.0
    length = min(1.0, word_count(text) / enough_words)
    return round(0.7 * covered + 0.3 * length, 4)


def word_count(text: str) -> int:
    """How many words `text` has, meaningful or not."""
    return len(_WORD.findall(text))


def capped(texts: Iterable[str]) -> list[str]:
    """The texts, cut so that together they hold at most `MAX_CHARACTERS`."""
    left, kept = MAX_CHARACTERS, list[str]()
    for text in texts:
        kept.append(text[:left])
        left -= len(kept[-1])
    return kept


class _Paragraph(NamedTuple):
    text: str
    is_item: bool


def _is_title(paragraph: str) -> bool:
    return not paragraph.endswith(_CLOSING) and word_count(paragraph) <= _TITLE_WORDS


def _paragraphs(text: str) -> Iterable[_Paragraph]:
    lines, fenced, is_item = list[str](), False, False
    for line in [*text.splitlines(), ""]:
        bare = line.strip().lstrip(">").strip()
        if bare.startswith("```"):
            fenced = not fenced
            continue
        starts_anew = not bare or _HEADING.match(bare) or _MARKER.match(bare) or bare.startswith("|")
        if (starts_anew or fenced) and lines:
            yield _Paragraph(" ".join(lines), is_item)
            lines = []
        if not lines:
            is_item = bool(_MARKER.match(bare))
        if bare and not fenced and not _HEADING.match(bare) and not bare.startswith(("|", "---", "===")):
            lines.append(_MARKER.sub("", bare, count=1))
    if lines:
        yield _Paragraph(" ".join(lines), is_item)


def _split(paragraph: str) -> list[str]:
    sentences: list[str] = []
    for piece in _SENTENCE_END.split(paragraph):
        if sentences and _ABBREVIATION.search(sentences[-1]):
            sentences[-1] = f"{sentences[-1]} {piece}"
        else:
            sentences.append(piece)
    return [sentence.strip() for sentence in sentences if _WORD.search(sentence)]


def _ranked(sentences: list[str], counts: Counter[str]) -> list[str]:
    peak = max(counts.values(), default=1)

    def worth(position: int, sentence: str) -> float:
        words = words_of(sentence)
        length = word_count(sentence)
        weight = sum(counts[word] / peak for word in set(words)) / math.sqrt(len(words) + 1)
        bonus = 0.3 if position == 0 else 0.15 / (position + 1)
        return (weight + bonus) * (0.5 if length < _MIN_WORDS or length > _MAX_WORDS else 1.0)

    order = sorted(enumerate(sentences), key=lambda pair: (-round(worth(*pair), 9), pair[0]))
    return [sentence for _, sentence in order]


def _overlap(some: set[str], others: set[str]) -> float:
    return len(some & others) / max(1, min(len(some), len(others)))


def _closed(sentence: str) -> str:
    return sentence if sentence.endswith(_CLOSING) else f"{sentence}."


def _meaningful(text: str) -> Iterable[str]:
    for found in _WORD.findall(text):
        word = found.lower().rstrip("'’-")
        if len(word) > 2 and word not in _STOP_WORDS:
            yield word


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
