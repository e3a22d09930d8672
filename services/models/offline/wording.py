"""What was read, prepared once: the words a field of an output schema can say."""

from collections.abc import Iterator
from functools import cached_property

from services.models.offline import sentences, writing
from services.models.offline.naming import Meaning, words_in
from services.models.offline.reading import Reading

_KEYS = 50
_TERMS = 200
_WORDS_TRIED = 5_000
_WEIGHED_SENTENCES = 1_000
# Meanings that are written about the whole text; for any other, a sentence is looked for.
_WRITTEN: frozenset[Meaning] = frozenset({"title", "feedback", "text", "terms", "points", "summary"})


class Wording:
    """Sentences, key sentences (best first), key terms and the score of one reading.

    A text may be long and a schema have many fields, so nothing here reads the text once for each field.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.text = reading.text
        self.sentences = sentences.sentences_of(self.text)
        self.keys = sentences.key_sentences(self.text, _KEYS)
        self.terms = sentences.key_terms(self.text, _TERMS)
        self.lacking = [sentence for sentence, _ in writing.lacking_sentences(reading)]
        self.score = writing.score_of(reading)
        self._written: dict[Meaning, str] = {}

    def single(self, meaning: Meaning, words: str) -> str:
        """The text for a field of its own; `words` (its name and description) decide where its meaning does not."""
        found = None if meaning in _WRITTEN else self._by_word.best_match(" ".join(words_in(words)))
        if found is not None:
            return found
        if meaning not in self._written:
            self._written[meaning] = self._write(meaning)
        return self._written[meaning]

    def choices(self, meaning: Meaning) -> list[str]:
        """What a list of that meaning is taken from, best first."""
        if meaning == "terms":
            return self.terms
        return self.lacking if meaning == "feedback" and self.reading.draft else self.keys

    def nth(self, meaning: Meaning, position: int, *, distinct: bool) -> str:
        """The text for a place in a list; with `distinct` never the same twice."""
        choices = self.choices(meaning)
        text = choices[position % len(choices)] if choices else ""
        text = writing.beginning(text) if meaning == "title" else text
        # The number stands first, so that a length limit cannot make two the same again.
        return f"{position + 1} {text}" if distinct and position >= len(choices) else text

    def everything(self) -> Iterator[str]:
        """Texts a pattern might accept: the input's strings, key sentences, single words."""
        yield from (text for text in self.reading.input.values() if isinstance(text, str))
        yield from self.keys
        yield from self._single_words
        yield from self.terms

    def sized(self, text: str, least: int, most: int | None) -> str | None:
        """`text` cut at a word or continued with further sentences; None when the bounds exclude each other."""
        if most is not None and most < least:
            return None
        if len(text) < least:
            more = " ".join([text, *(sentence for sentence in self.sentences if sentence not in text)]).strip()
            text = more if len(more) >= least else more.ljust(least, ".")
        if most is None or len(text) <= most:
            return text
        cut = f"{text[: most - 1].rsplit(' ', 1)[0]}…" if most > 1 else ""
        return cut if least <= len(cut) <= most else text[:most]

    def mentions(self, words: list[str]) -> bool:
        """Whether any sentence uses one of `words`."""
        return self._by_word.best_match(" ".join(words)) is not None

    def weight(self, words: list[str]) -> int:
        """How many of the first sentences use one of `words`, as they are written there."""
        return self._by_spelling.uses(words)

    @cached_property
    def word_count(self) -> int:
        """How many words the draft has or, without one, all there is."""
        return sentences.word_count(self.reading.draft or self.text)

    @cached_property
    def _by_word(self) -> sentences.Index:
        return sentences.Index(self.sentences, sentences.words_of)

    @cached_property
    def _by_spelling(self) -> sentences.Index:
        return sentences.Index(self.sentences[:_WEIGHED_SENTENCES], words_in)

    @cached_property
    def _single_words(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.text.split()[:_WORDS_TRIED]))

    def _write(self, meaning: Meaning) -> str:
        match meaning:
            case "title":
                return writing.title_of(self.reading)
            case "feedback":
                return writing.feedback_of(self.reading)
            case "text":
                return writing.text_of(self.reading)
            case "terms":
                return ", ".join(self.terms[:8])
            case "points":
                return "\n".join(f"- {point}" for point in self.keys[:5])
            case "summary":
                return sentences.summary_of(self.text, 3)
            case _:
                return sentences.summary_of(self.text, 1)
