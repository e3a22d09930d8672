"""What OpenAPI promises is kept: no error of ours, no answer that its schema does not know, nothing wrong let in."""

import pytest

from tests.cli.processes import Rolecall
from tests.conftest import NewDirectory
from tests.hostile.traffic import round_of

CASES = 5_000


@pytest.mark.timeout(300)
def test_five_thousand_generated_calls_are_answered_as_promised(new_directory: NewDirectory) -> None:
    with new_directory() as directory:
        found = round_of(Rolecall(directory / "data", {"ROLECALL_MODEL": "offline"}), seed=1)

    assert found.failures == 0, found.said
    assert found.cases >= CASES, "give each procedure more inputs"
