"""Claim: the offline model reads a large text once, not once for each field of a schema.

Measures milliseconds for an answer to 400,000 characters, with one field of a kind and with 100: the best of 3. Expect
the two columns to be alike; ten times as much in the second means that some field reads the text anew.
"""

import json
import random
import time
from typing import Any

from services.models.messages import Request, UserMessage
from services.models.offline.provider import answer
from services.models.offline.sentences import MAX_CHARACTERS

FIELDS = (1, 100)
ROUNDS = 3

KINDS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "summary": {"type": "string", "description": "A summary."},
    "boolean": {"type": "boolean"},
    "enum": {"enum": ["leases", "epochs", "timers", "journals"]},
    "number": {"type": "number"},
    "count": {"type": "integer", "description": "How many words?"},
    "list": {"type": "array", "items": {"type": "string"}},
}


def text_of(characters: int) -> str:
    """Sentences of made-up words, the same every time."""
    chance = random.Random(1)
    words = ["".join(chance.choices("aeioulnrst", k=chance.randint(3, 9))) for _ in range(4_000)]
    sentences = (" ".join(chance.choices(words, k=12)).capitalize() + "." for _ in range(characters // 60))
    return "\n\n".join(sentences)[:characters]


def milliseconds(text: str, kind: dict[str, Any], fields: int) -> float:
    """Milliseconds for an answer with so many fields of one kind."""
    members = {f"member{number}": kind for number in range(fields)}
    request = Request(
        model="extractive",
        system="",
        messages=(UserMessage(json.dumps({"material": text})),),
        output_schema={"type": "object", "properties": members, "required": list(members)},
    )
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer(request)
        best = min(best, time.perf_counter() - began)
    return best * 1_000


def main() -> None:
    """Print a line for each kind of field."""
    text = text_of(MAX_CHARACTERS)
    print(f"{'':10}" + "".join(f"{fields:8}" for fields in FIELDS) + "  fields, ms")
    for name, kind in KINDS.items():
        print(f"{name:10}" + "".join(f"{milliseconds(text, kind, fields):8.0f}" for fields in FIELDS), flush=True)


if __name__ == "__main__":
    main()
