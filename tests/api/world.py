"""What the examples of the procedures speak of: a role, an orchestration, an execution that the call can be made of."""

from collections.abc import Callable
from itertools import count
from typing import Any

from tests.api.client import Api

# An execution has the id that it is given, so a real one takes the place of the one that examples name.
STAND_IN = "01938e5c-7a1f-7c3b-9d2e-4f5a6b7c8d9e"
NAMES = (
    "Critic",
    "Haiku Poet",
    "review",
    "echo",
    "tea-1",
    "deploy",
    "gateway",
    "Gateway key",
    "weather",
    "weather-here",
    "tickets",
)

_SETTLED = {"name": "Draft", "kind": "transform", "inputMapping": {"text": "<<input.topic | default('tea')>>"}}
_EXPECTING = {"name": "Draft", "kind": "wait", "event": "paid"}
_OPEN = {"name": "Draft", "kind": "wait", "forMs": 86_400_000}

# Listed by a server that is no longer there.
_WEATHER = """
WITH source AS (
  INSERT INTO mcp_source (name, transport, command, listed_at, created_by)
    VALUES ($1, 'stdio', 'weather', now(), 'anna') RETURNING id
) INSERT INTO mcp_tool (source_id, name, description, input_schema, digest)
  SELECT id, 'now', 'Says the weather.', '{"type": "object"}', 'sha256:' || repeat('a', 64) FROM source
"""

_OF_FINISHED = {"execution.restart", "execution.run", "execution.follow"}
_OF_EXPECTING = {"execution.signal"}
_OF_CANCELLED = {"execution.retry"}
_OF_TOKENS = {"token.revoke"}
_OF_PROVIDERS = {"provider.get", "provider.update", "provider.delete", "model.create", "model.update", "model.delete"}
_OF_MODELS = {"model.update", "model.delete"}
_OF_SECRETS = {"secret.delete", "secret.rotate"}
_OF_TOOL_SOURCES = {"toolSource.get", "toolSource.refresh", "toolSource.approve", "toolSource.delete"}
_OF_NEVER_RUN = {"orchestration.delete"}
_OF_DRAFTED = {"orchestration.discard", "orchestration.publish"}
_OF_PROPOSED = {"orchestration.reject"}
_OF_DRAFTED_ROLES = {"role.discard", "role.publish"}
_OF_PROPOSED_ROLES = {"role.reject"}
_OF_CHANGED = {
    "orchestration.activate", "orchestration.rollback", "orchestration.archive",
    "role.rollback", "role.diff", "role.archive",
}  # fmt: skip
_OF_WAITING = {"orchestration.canary"}

_numbers = count(1)


async def world_of(api: Api, procedure: str) -> Callable[[str], str]:
    """Makes a world of its own in which an example of the procedure works; puts its names in the place of the usual."""
    number = next(_numbers)
    role, orchestration = f"Critic-{number}", f"review-{number}"
    await _done(api, "role.create", {"name": role, "basePrompt": "You score drafts strictly."})
    if procedure in _OF_TOKENS:
        await _done(api, "token.create", {"name": f"deploy-{number}", "scopes": []})
    if procedure in _OF_PROVIDERS:
        url = "https://llm.example.com/v1"
        await _done(api, "provider.create", {"name": f"gateway-{number}", "preset": "compatible", "baseUrl": url})
    if procedure in _OF_MODELS:
        await _done(api, "model.create", {"model": f"gateway-{number}/large"})
    if procedure in _OF_SECRETS:
        await _done(api, "secret.set", {"name": f"Gateway key-{number}", "value": "sk", "hosts": []})
    if procedure in _OF_TOOL_SOURCES:
        await api.runtime.database.pool.execute(_WEATHER, f"weather-{number}")
    step = _SETTLED if procedure in _OF_FINISHED else _EXPECTING if procedure in _OF_EXPECTING else _OPEN
    await _done(api, "orchestration.create", {"document": {"name": orchestration, "steps": [step]}})
    other = {"orchestration": orchestration, "document": {"name": orchestration, "steps": [_SETTLED]}}
    if procedure in _OF_DRAFTED:
        await _done(api, "orchestration.draft", other)
    if procedure in _OF_PROPOSED:
        await _done(api, "orchestration.propose", other)
    if procedure in _OF_WAITING:
        await _done(api, "orchestration.draft", other)
        await _done(api, "orchestration.publish", {"orchestration": orchestration, "number": 2, "activate": False})
    other_role = {"role": role, "changes": {"description": "New."}}
    if procedure in _OF_DRAFTED_ROLES:
        await _done(api, "role.draft", other_role)
    if procedure in _OF_PROPOSED_ROLES:
        await _done(api, "role.propose", other_role)
    if procedure in _OF_CHANGED:
        await _done(api, "orchestration.update", {"orchestration": orchestration, "changes": {"description": "New."}})
        await _done(api, "role.update", other_role)
    execution = STAND_IN if procedure in _OF_NEVER_RUN else await _execution(api, procedure, orchestration)

    def meant(text: str) -> str:
        for name in NAMES:
            text = text.replace(f'"{name}"', f'"{name}-{number}"')
        text = text.replace('"gateway/', f'"gateway-{number}/')
        return text.replace(STAND_IN, execution)

    return meant


async def _execution(api: Api, procedure: str, orchestration: str) -> str:
    execution = (await _done(api, "execution.start", {"orchestration": orchestration}))["id"]
    if procedure in _OF_CANCELLED:
        await _done(api, "execution.cancel", {"execution": execution})
    if procedure in _OF_FINISHED | _OF_CANCELLED:
        await api.finished(execution)
    return execution


async def _done(api: Api, procedure: str, input: Any) -> Any:
    reply = await api.call(procedure, input)
    assert reply.status == 200, reply.body
    return reply.data
