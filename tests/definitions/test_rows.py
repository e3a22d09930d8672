"""A document and its rows say the same."""

from typing import Any

import msgspec
from hypothesis import given

from services.definitions.check import check
from services.definitions.digest import digest
from services.definitions.document import Document, as_json
from services.definitions.rows import document_of, document_row, step_rows
from tests.definitions.documents import CATALOG, documents

_JSON = ("condition", "input_mapping", "output_mapping", "config")


def as_stored(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, **{name: None if row[name] is None else msgspec.json.decode(row[name]) for name in _JSON}}


@given(documents())
def test_rows_give_back_the_document_they_were_made_of(document: Document) -> None:
    rows = [as_stored(row) for row in step_rows(document, CATALOG.roles)]

    again = document_of(document_row(document), rows)

    assert again == document
    assert digest(again) == digest(document)


@given(documents())
def test_a_document_that_was_written_out_is_read_back_the_same(document: Document) -> None:
    checked = check(as_json(document), CATALOG)

    assert checked.problems == ()
    assert checked.document == document
