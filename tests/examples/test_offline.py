"""Whoever has no model can run the examples all the same."""

import pytest
from msgspec.structs import replace

from services import bundles, executions
from services.caller import OPERATOR
from services.models.selection import ModelConstraints
from services.tools import files, registry
from tests.examples.example import ALL, DOCUMENTS
from tests.examples.test_files import AHEAD_OF_THE_SERVER
from tests.meta_tools.agents import working
from tests.models.peer import completion, peer_with


@pytest.mark.usefixtures("tools")
async def test_all_examples_run_beside_each_other_on_the_offline_model(database_url: str) -> None:
    offline = ModelConstraints(preferred=("offline",))
    runnable = [example for example in ALL if example.path not in AHEAD_OF_THE_SERVER]

    with peer_with(completion("never said")) as peer:
        async with working(database_url, peer) as ends:
            registry.register(*files.tools(str(DOCUMENTS)))
            for example in runnable:
                bundle = bundles.read(example.text)
                roles = {place: replace(role, model=offline) for place, role in bundle.roles.items()}
                await bundles.load(OPERATOR, replace(bundle, roles=roles))
            started = {
                example.path: await executions.start(
                    OPERATOR, orchestration=example.document["name"], input=example.input
                )
                for example in runnable
            }
            finished = {path: await ends.of(execution.id) for path, execution in started.items()}

    assert {path: (it.status, it.error) for path, it in finished.items()} == {
        example.path: ("completed", None) for example in runnable
    }
    assert peer.asked == []
