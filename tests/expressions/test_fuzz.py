"""The short form of `make fuzz`."""

from pytest import mark

from tests.expressions.fuzz import LANGUAGES, fuzz

CASES = 12_500
# 50 ms are judged by the long form, on a machine that one knows.
MAX_CPU_SECONDS = 0.5


@mark.parametrize("language", LANGUAGES)
def test_what_nobody_thought_of_is_refused_or_gives_json_soon_and_changes_nothing(language: str) -> None:
    tally = fuzz(language, "short", CASES, MAX_CPU_SECONDS)

    assert tally.findings == []
    assert tally.cases == CASES
    # Mutations that never get past the compiler would show nothing about what comes after it.
    assert tally.evaluated > CASES / 10
