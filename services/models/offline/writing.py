"""Prose out of what was read: a title, a text, a revised draft, and what to say about a draft."""

from services.models.offline import sentences
from services.models.offline.reading import Reading

_TERMS = 12
_POINTS = 5
_TITLE_WORDS = 12
_TOPIC_KEYS = ("title", "topic", "subject", "question", "headline")


def title_of(reading: Reading) -> str:
    """The input's own title or topic, else the first heading, else how the first key sentence begins."""
    for key in _TOPIC_KEYS:
        own = reading.input.get(key)
        if isinstance(own, str) and 0 < len(own.split()) <= _TITLE_WORDS:
            return own.strip()
    headings = sentences.headings_of(reading.text)
    if headings:
        return headings[0]
    return beginning(next(iter(sentences.key_sentences(reading.text, 1)), "")) or "Nothing to read"


def beginning(sentence: str) -> str:
    """The first words of a sentence, as a title."""
    words = sentence.split()
    return " ".join(words[:8]).rstrip(".,;:!?") + ("…" if len(words) > 8 else "")


def text_of(reading: Reading) -> str:
    """Markdown: the revised draft in a revision, else a summary with key points, one section per source."""
    if reading.is_revision:
        return revised(reading)
    material = reading.references or reading.sources
    if len(material) == 1:
        return "\n\n".join([f"# {title_of(reading)}", *_passage(material[0].text, _POINTS), _terms_line(reading)])
    overview = sentences.summary_of(reading.text, 3)
    sections = [part for source in material for part in (f"## {source.name}", *_passage(source.text, 3))]
    return "\n\n".join(part for part in (f"# {title_of(reading)}", overview, *sections, _terms_line(reading)) if part)


def revised(reading: Reading) -> str:
    """The draft, followed by the references' sentences with key terms it lacks.

    Without references the feedback itself is appended as open points.
    """
    lacking = lacking_terms(reading)
    candidates = [
        sentence
        for source in reading.references
        for sentence in sentences.sentences_of(source.text)
        if sentence not in reading.draft
    ]
    added: list[str] = []
    while lacking and len(added) < _POINTS:
        found = sentences.best_match(candidates, " ".join(lacking))
        if found is None:
            break
        added.append(found)
        candidates.remove(found)
        lacking = sentences.missing(found, lacking)
    if added:
        return f"{reading.draft}\n\n{' '.join(added)}"
    open_points = [point for point in sentences.sentences_of(reading.feedback) if point not in reading.draft]
    if reading.references or not open_points:
        return reading.draft
    return f"{reading.draft}\n\n## Open points\n\n{_bullets(open_points[:_POINTS])}"


def feedback_of(reading: Reading) -> str:
    """What the draft lacks, judged by the key terms of the references."""
    lacking = lacking_terms(reading)
    if lacking:
        return f"Not mentioned yet: {', '.join(lacking)}."
    return f"All key terms are covered: {', '.join(_wanted_terms(reading)[:_POINTS])}."


def lacking_terms(reading: Reading) -> list[str]:
    """The references' key terms the draft does not use, those the feedback names first."""
    lacking = sentences.missing(reading.draft or reading.text, _wanted_terms(reading))
    ignored = set(sentences.missing(reading.feedback, lacking))
    return sorted(lacking, key=lambda term: term in ignored)


def score_of(reading: Reading) -> float:
    """0 to 1: how well the draft, or all there is, covers the references' key terms; see `sentences.quality`."""
    return sentences.quality(reading.draft or reading.text, _wanted_terms(reading))


def _wanted_terms(reading: Reading) -> list[str]:
    material = "\n\n".join(source.text for source in reading.references) or reading.text
    return sentences.key_terms(material, _TERMS)


def _passage(text: str, points: int) -> list[str]:
    """A paragraph and, where the text has more to say, key sentences as a list."""
    summary = sentences.summary_of(text, 2)
    rest = [point for point in sentences.key_sentences(text, points + 2) if point not in summary][:points]
    return [part for part in (summary, _bullets(rest)) if part]


def _bullets(points: list[str]) -> str:
    return "\n".join(f"- {point}" for point in points)


def _terms_line(reading: Reading) -> str:
    return f"Key terms: {', '.join(sentences.key_terms(reading.text, 8)) or 'none'}."
