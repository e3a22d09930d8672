"""Texts and values near the expression grammars: the vectors cut up, joined, repeated, nested, sprinkled with bytes."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from services.expressions import FILTERS, FUNCTIONS, OPERATORS, ROOTS

_VECTORS = Path(__file__).parent / "vectors"
_TOKEN = re.compile(r"\w+|<<|>>|\{\{|\}\}|\s+|.", re.DOTALL)

_HOSTILE: Sequence[Any] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1e-320,
        1e308,
        2**53,
        10**18,
        -(10**400),
        "",
        " ",
        "\x00",
        "\ud800",
        "$..*",
        "__class__",
    ),
    *([], {}, [[]], {"": {}}, {"$expr": "1"}, {"$path": "$"}, {"$literal": 1}, {"all": []}, {"any": []}, {"not": True}),
)
_COMMON = """
    context input output steps item a ones rows deep text numbers names a.b 'c d' "k" ['k'] [0] [-1] [99999999999999999]
    . .. , : ? | ( ) [ ] { } << >> {{ }} $ * ' " \\ \\u00e9 \\ud800 0 1 -1 0.5 1e9 1e999 0x1f 1_0 é ☺ _ __class__
    __import__ lambda True None null true false
"""
_BLANKS = (" ", " ", "\n", "\t", "\xa0", "\x00")
_OPERATORS = "and or not in is if else == != < <= > >= + - * / // % ** := @ & ^ ~"
_QUERIES = """
    $ $.context $.context.text $.input['a.b'] $..* $..k $.context.rows[*].k $.context.ones[::2] $.context.ones[-3:]
    $['context','input'] $.context[*][*][*] $.context.deep[0][0][0] $..[0,-1] $.context.rows[0,1,2]..k $[?@.a] $.a[::0]
    context.plan.tasks[0] context['SearchA'].results[0].url a.0 context.names.k1 input steps.first.output item?
"""


class Language(NamedTuple):
    """What is compiled: examples to start from, pieces that its grammar gives a meaning, the data of its vectors."""

    seeds: tuple[Any, ...]
    words: tuple[str, ...]
    data: dict[str, Any]


def languages() -> dict[str, Language]:
    """The four languages, by name."""
    expressions, conditions, templates = (
        json.loads((_VECTORS / f"{name}.json").read_text()) for name in ("expressions", "conditions", "templates")
    )
    texts = (*(case["expr"] for case in expressions["accept"]), *expressions["reject"])
    objects = tuple(case["condition"] for case in conditions["cases"])
    values = tuple(case[kind] for case in templates["cases"] for kind in ("template", "mapping") if kind in case)
    common = (*_COMMON.split(), *_BLANKS)
    operators = tuple(f" {operator} " for operator in _OPERATORS.split())
    calls = (*(f"{name}(" for name in FUNCTIONS), "contains(context.ones, ", "len(context.text)", "string(context")
    filters = (*(f" | {name}" for name in FILTERS), "| default(", "| join('", "| truncate(9999999)", "| json | length")
    return {
        "expressions": Language(texts, (*common, *operators, *calls), expressions["data"]),
        "templates": Language(values, (*common, *filters, "$expr", "<<context.", "{{"), templates["data"]),
        "conditions": Language((*objects, *texts), (*common, *operators, *OPERATORS), conditions["data"]),
        "paths": Language(tuple(_QUERIES.split()), (*common, *ROOTS, "[*]", "[?", "[::2]"), templates["data"]),
    }


class Mutator:
    """Makes values of a language; the same `random` makes the same ones."""

    def __init__(self, language: Language, random: Random) -> None:
        self._random = random
        self._words = language.words
        self._seeds = language.seeds
        self._make = self._text if all(isinstance(seed, str) for seed in language.seeds) else self._value
        self._tokens = [_TOKEN.findall(seed) for seed in language.seeds if isinstance(seed, str)]
        self._edits: Sequence[Callable[[list[str]], list[str]]] = (
            *(self._insert, self._insert, self._replace, self._replace, self._remove, self._splice, self._splice),
            *(
                self._exchange,
                self._exchange,
                self._exchange,
                self._swap,
                self._repeat,
                self._nest,
                self._join,
                self._sprinkle,
            ),
        )

    def next(self) -> Any:
        """A value nobody thought of."""
        if self._random.random() < 0.03:
            return self._bytes(self._random.choice((1, 8, 64, 600)))
        return self._make(self._random.choice(self._seeds))

    def _value(self, value: Any) -> Any:
        chance = self._random.random()
        if isinstance(value, str):
            return self._text(value) if chance < 0.97 else self._around(value)
        if chance < 0.08:
            return self._around(value)
        if isinstance(value, dict) and value and chance < 0.9:
            return self._object(value)
        if isinstance(value, list) and value and chance < 0.9:
            place = self._random.randrange(len(value))
            return [*value[:place], self._value(value[place]), *value[place + (chance < 0.8) :]]
        return self._random.choice(_HOSTILE if chance < 0.95 else self._seeds)

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        key = self._random.choice(list(value))
        chance = self._random.random()
        if chance < 0.8:
            return {**value, key: self._value(value[key])}
        rest = {other: member for other, member in value.items() if other != key}
        return rest if chance < 0.9 else {**rest, self._text(key): value[key]}

    def _around(self, value: Any) -> Any:
        make = self._random.choice(
            (
                lambda inner: {"all": [inner, inner]},
                lambda inner: {"any": [inner]},
                lambda inner: {"not": inner},
                lambda inner: [inner, inner],
                lambda inner: {"a": inner},
                lambda inner: {"$expr": inner},
                lambda inner: {"$path": inner},
                lambda inner: {"field": "context.ones", "operator": "contains", "value": inner},
            )
        )
        for _ in range(self._random.choice((1, 1, 1, 2, 8))):
            value = make(value)
        return value

    def _text(self, text: str) -> str:
        tokens = _TOKEN.findall(text)
        for _ in range(self._random.choice((0, 1, 1, 1, 2, 2, 3, 5))):
            tokens = self._random.choice(self._edits)(tokens)
        return "".join(tokens)

    def _place(self, tokens: list[str]) -> int:
        return int(self._random.random() * (len(tokens) + 1))

    def _word(self) -> str:
        return self._random.choice(self._words)

    def _insert(self, tokens: list[str]) -> list[str]:
        at = self._place(tokens)
        return [*tokens[:at], self._word(), *tokens[at:]]

    def _replace(self, tokens: list[str]) -> list[str]:
        at = self._place(tokens)
        return [*tokens[:at], self._word(), *tokens[at + 1 :]]

    def _exchange(self, tokens: list[str]) -> list[str]:
        """Another word where a word stands: what comes of it is most often still in the grammar."""
        places = [place for place, token in enumerate(tokens) if token.isalnum()]
        others = [token for token in self._random.choice(self._tokens) if token.isalnum()]
        if not places or not others:
            return tokens
        at = self._random.choice(places)
        return [*tokens[:at], self._random.choice(others), *tokens[at + 1 :]]

    def _remove(self, tokens: list[str]) -> list[str]:
        first, last = sorted((self._place(tokens), self._place(tokens)))
        return tokens[:first] + tokens[last:]

    def _splice(self, tokens: list[str]) -> list[str]:
        other = self._random.choice(self._tokens)
        return tokens[: self._place(tokens)] + other[self._place(other) :]

    def _swap(self, tokens: list[str]) -> list[str]:
        first, last = sorted((self._place(tokens), self._place(tokens)))
        middle = (first + last) // 2
        return tokens[:first] + tokens[middle:last] + tokens[first:middle] + tokens[last:]

    def _repeat(self, tokens: list[str]) -> list[str]:
        first, last = sorted((self._place(tokens), self._place(tokens)))
        piece = "".join(tokens[first:last]) or self._word()
        most = 2_500 // len(piece) + 2
        return [*tokens[:first], piece * self._random.choice((2, 3, 10, most)), *tokens[last:]]

    def _nest(self, tokens: list[str]) -> list[str]:
        opening, closing = self._random.choice(("()", "[]", "{}", ("<<", ">>"), ("not ", ""), ("len(", ")"), ("-", "")))
        depth = self._random.choice((1, 1, 2, 12, 30, 400))
        return [opening * depth, *tokens, closing * depth]

    def _join(self, tokens: list[str]) -> list[str]:
        """The same again, as often as it fits."""
        text, between = "".join(tokens) or "1", self._random.choice((" and ", " or ", " + ", " == ", ", ", "", " "))
        times = self._random.choice((2, 5, 2_000 // (len(text) + len(between)) or 1))
        return [between.join([text] * times)]

    def _sprinkle(self, tokens: list[str]) -> list[str]:
        at = self._place(tokens)
        return [*tokens[:at], self._bytes(3), *tokens[at:]]

    def _bytes(self, count: int) -> str:
        encoding = self._random.choice(("latin-1", "utf-16-le", "utf-8"))
        return self._random.randbytes(count * 2).decode(encoding, "replace")
