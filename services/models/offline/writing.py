"""Prose out of what was read: a title, a text, a revised draft, and what to say about a draft."""

from services.models.offline import sentences
from services.models.offline.reading import Reading, Source

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
    overview = sentences.summary_of(reading.text, 3, reading.topic)
    sections = [part for source in material for part in (f"## {source.name}", *_passage(source.text, 3))]
    return "\n\n".join(part for part in (f"# {title_of(reading)}", overview, *sections, _terms_line(reading)) if part)


def revised(reading: Reading) -> str:
    """The draft with the references' sentences that have key terms it lacks, each in its source's section.

    Without references the feedback itself is appended as open points.
    """
    added = lacking_sentences(reading)
    if added:
        draft, homeless = reading.draft, list[str]()
        for sentence, source in added:
            placed = _in_section(draft, source.name, sentence)
            draft, homeless = (draft, [*homeless, sentence]) if placed is None else (placed, homeless)
        return "\n\n".join([draft, *([" ".join(homeless)] if homeless else [])])
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


def lacking_sentences(reading: Reading) -> list[tuple[str, Source]]:
    """The references' sentences that bring most of the terms the draft lacks, and where each comes from."""
    lacking = lacking_terms(reading)
    candidates = {
        sentence: source
        for source in reading.references
        for sentence in sentences.sentences_of(source.text)
        if sentence not in reading.draft
    }
    if not lacking:
        return []
    index = sentences.Index(candidates, sentences.words_of)
    added: dict[str, Source] = {}
    while lacking and len(added) < _POINTS:
        found = index.best_match(" ".join(lacking), without=added)
        if found is None:
            break
        added[found] = candidates[found]
        lacking = sentences.missing(found, lacking)
    return list(added.items())


def lacking_terms(reading: Reading) -> list[str]:
    """The references' key terms the draft does not use, those the feedback names first."""
    lacking = sentences.missing(reading.draft or reading.text, _wanted_terms(reading))
    ignored = set(sentences.missing(reading.feedback, lacking))
    return sorted(lacking, key=lambda term: term in ignored)


def score_of(reading: Reading) -> float:
    """0 to 1: how well the draft, or all there is, covers the references' key terms; see `sentences.quality`."""
    return sentences.quality(reading.draft or reading.text, _wanted_terms(reading))


def _wanted_terms(reading: Reading) -> list[str]:
    """The terms the input lists; where it lists none, those that its references use most."""
    if reading.terms:
        return list(reading.terms)
    material = "\n\n".join(source.text for source in reading.references) or reading.text
    return sentences.key_terms(material, _TERMS)


def _in_section(draft: str, name: str, sentence: str) -> str | None:
    """The draft with `sentence` as the last bullet of the section with that name; None when it has no such section."""
    before, heading, after = draft.partition(f"## {name}\n")
    if not heading:
        return None
    blocks = after.split("\n\n")
    end = next((n for n, block in enumerate(blocks) if block.startswith(("## ", "Key terms: "))), len(blocks))
    last = max((n for n in range(end) if blocks[n].startswith("- ")), default=None)
    if last is None:
        blocks.insert(end, f"- {sentence}")
    else:
        blocks[last] = f"{blocks[last]}\n- {sentence}"
    return before + heading + "\n\n".join(blocks)


def _passage(text: str, points: int) -> list[str]:
    """A paragraph and, where the text has more to say, key sentences as a list."""
    summary = sentences.summary_of(text, 2)
    rest = [point for point in sentences.key_sentences(text, points + 2) if point not in summary][:points]
    return [part for part in (summary, _bullets(rest)) if part]


def _bullets(points: list[str]) -> str:
    return "\n".join(f"- {point}" for point in points)


def _terms_line(reading: Reading) -> str:
    return f"Key terms: {', '.join(sentences.key_terms(reading.text, 8)) or 'none'}."
