"""Every example's file: it has no problems, and what its header and the table say about it is so."""

import re
from collections import Counter

import pytest

from services import bundles
from services.bundles import BundleRole
from services.caller import OPERATOR
from services.definitions import yaml12
from services.definitions.bound import max_step_runs
from services.definitions.catalog import Callee, Catalog
from services.definitions.language import file_schema
from services.definitions.read import read_document
from services.schema import problems_of_value
from tests.examples.example import ALL, EXAMPLES, Example

# The kinds that this server has no performer for are all that its check may complain about.
AHEAD_OF_THE_SERVER = {"patterns/approval-webhook.yaml": {"NO_PERFORMER"}}

each_example = pytest.mark.parametrize("example", ALL, ids=lambda example: example.path)


@pytest.mark.usefixtures("database_opened", "tools")
async def test_no_example_has_a_problem() -> None:
    found = {example.path: await bundles.check(OPERATOR, bundles.read(example.text)) for example in ALL}

    codes = {path: {problem.code for problem in problems} for path, problems in found.items() if problems}
    assert codes == AHEAD_OF_THE_SERVER
    assert len(ALL) == 26


@each_example
def test_the_header_says_the_bound_and_how_to_run_it(example: Example) -> None:
    callees: dict[str, Callee] = {}
    for each in example.bundle["orchestrations"]:
        document = read_document(each, Catalog()).document
        assert document is not None
        callees[document.name] = Callee(max_step_runs=max_step_runs(document, callees))

    assert callees[example.document["name"]].max_step_runs == example.bound
    assert problems_of_value(example.document["input"], example.input) == []
    if example.path not in AHEAD_OF_THE_SERVER:
        assert example.command.startswith(f"rolecall run examples/{example.path} --input ")


@each_example
def test_an_example_is_called_as_its_file_and_fits_the_schema_for_editors(example: Example) -> None:
    assert f"/{example.path}".endswith(f"/{example.document['name']}.yaml")
    assert problems_of_value(file_schema(BundleRole), yaml12.read(example.text)) == []


def test_no_example_takes_the_place_of_a_role_of_another() -> None:
    # Roles are kept by name, so loading one example must not change what another one says.
    names = Counter(role["name"] for example in ALL for role in example.bundle["roles"])

    assert [name for name, times in names.items() if times > 1] == []


def test_the_table_names_every_example_with_its_bound() -> None:
    rows = re.findall(r"^\| \[.*?\]\((.*?)\) .* (\d+) \|$", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE)

    assert dict(rows) == {example.path: str(example.bound) for example in ALL}
    assert len(rows) == len(ALL)
