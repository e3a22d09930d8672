"""What was read, prepared once: the words a field of an output schema can say."""

from collections.abc import Iterator

from services.models.offline import sentences, writing
from services.models.offline.naming import Meaning, words_in
from services.models.offline.reading import Reading

_KEYS = 50
_TERMS = 200
_WORDS_TRIED = 5_000


class Wording:
    """Sentences, key sentences (best first), key terms and the score of one reading."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.sentences = sentences.sentences_of(reading.text)
        self.keys = sentences.key_sentences(reading.text, _KEYS)
        self.terms = sentences.key_terms(reading.text, _TERMS)
        self.lacking = [sentence for sentence, _ in writing.lacking_sentences(reading)]
        self.score = writing.score_of(reading)

    def single(self, meaning: Meaning, words: str) -> str:
        """The text for a field of its own; `words` (its name and description) decide where its meaning does not."""
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
                return sentences.summary_of(self.reading.text, 3)
            case _:
                plain = " ".join(words_in(words))
                return sentences.best_match(self.sentences, plain) or sentences.summary_of(self.reading.text, 1)

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
        yield from dict.fromkeys(self.reading.text.split()[:_WORDS_TRIED])
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
        return sentences.best_match(self.sentences, " ".join(words)) is not None
