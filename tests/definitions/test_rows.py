"""A document and its rows say the same."""

from itertools import count
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given

from services.definitions.check import check
from services.definitions.digest import digest
from services.definitions.document import Document, Step, as_json
from services.definitions.rows import document_of, document_row, step_rows
from tests.definitions.documents import CATALOG, documents

_JSON = ("condition", "input_mapping", "output_mapping", "config")


def stored(document: Document) -> list[dict[str, Any]]:
    """The rows as the database gives them back: JSON decoded, and in no order."""
    numbers = count(1)
    rows = step_rows(document, CATALOG.roles, lambda: UUID(int=next(numbers)))
    decoded = [{name: None if row[name] is None else msgspec.json.decode(row[name]) for name in _JSON} for row in rows]
    return [{**row, **found} for row, found in zip(rows, decoded, strict=True)][::-1]


@given(documents())
def test_rows_give_back_the_document_they_were_made_of(document: Document) -> None:
    again = document_of(document_row(document), stored(document))

    assert again == document
    assert digest(again) == digest(document)
    assert stored(again) == stored(document)


@given(documents())
def test_a_document_that_was_written_out_is_read_back_the_same(document: Document) -> None:
    checked = check(as_json(document), CATALOG)

    assert checked.problems == ()
    assert checked.document == document


def test_a_row_names_its_slot_and_what_holds_it() -> None:
    inner = Step(name="Inner", kind="transform", input_mapping={})
    document = Document(
        name="flow", steps=(Step(name="Each", kind="map", items=[1], steps=(inner,)),), finally_=(Step(name="Last"),)
    )

    rows = {row["name"]: (row["id"], row["parent_id"], row["slot"], row["config"]) for row in stored(document)}

    assert rows == {
        "Each": (UUID(int=1), None, "main", {"items": [1]}),
        "Inner": (UUID(int=2), UUID(int=1), "body", {}),
        "Last": (UUID(int=3), None, "finally", {}),
    }


def test_a_row_that_stands_nowhere_is_not_lost_in_silence() -> None:
    (row,) = stored(Document(name="flow", steps=(Step(name="A"),)))
    stray = {**row, "id": UUID(int=2), "parent_id": UUID(int=1), "slot": "case:none", "name": "B"}

    with pytest.raises(ValueError, match="B"):
        document_of({"name": "flow"}, [row, stray])
