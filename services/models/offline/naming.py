"""What a field of an output schema is meant for, judged by the words of its name and description."""

import re
from typing import Literal, TypeAlias

Meaning: TypeAlias = Literal[
    "title",
    "feedback",
    "text",
    "summary",
    "terms",
    "points",
    "score",
    "approval",
    "objection",
    "count",
    "year",
    "other",
]

_WORDS: tuple[tuple[Meaning, str], ...] = (
    ("score", "score rating confidence quality coverage completeness relevance"),
    ("approval", "approved approve accepted accept pass passed passes ok ready valid done good complete publishable"),
    ("objection", "rejected reject failed revise blocked incomplete needs objection"),
    ("title", "title heading headline"),
    ("feedback", "feedback comment comments critique suggestion suggestions remark remarks rationale reason missing"),
    ("terms", "terms term keywords keyword tags tag topics entities glossary"),
    ("points", "points point findings finding facts fact claims highlights insights takeaways quotes notes items"),
    ("summary", "summary abstract gist overview synopsis tldr conclusion"),
    ("text", "draft brief text body content report article markdown document essay memo answer letter output"),
    ("count", "count total words sentences length number"),
    ("year", "year"),
)
_MEANING: dict[str, Meaning] = {word: meaning for meaning, words in _WORDS for word in words.split()}
_SEAM = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z]+")


def meaning_of(name: str, description: str = "") -> Meaning:
    """The meaning of a field: its name decides, from its last word back; then its description.

    >>> meaning_of("keyPoints"), meaning_of("quality_score"), meaning_of("x", "A short summary."), meaning_of("path")
    ('points', 'score', 'summary', 'other')
    """
    for words in (reversed(words_in(name)), words_in(description)):
        for word in words:
            if word in _MEANING:
                return _MEANING[word]
    return "other"


def words_in(name: str) -> list[str]:
    """The words of a field name or a sentence, in lower case.

    >>> words_in("isApproved_byReviewer")
    ['is', 'approved', 'by', 'reviewer']
    """
    return [word.lower() for word in _SEAM.split(name) if word]
