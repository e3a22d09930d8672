"""Every procedure through the real `@trpc/client`, link by link."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from api.root import router
from services import bundles, executions, orchestrations, roles
from services.caller import OPERATOR
from services.health import VERSION
from tests.api.client import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")


def as_json(value: Any) -> Any:
    """What a client sees of a value."""
    return msgspec.json.decode(msgspec.json.encode(value))


@pytest.mark.parametrize(("link", "requests"), [("httpLink", 3), ("httpBatchLink", 1)])
async def test_the_client_calls_every_procedure(api: Api, link: str, requests: int) -> None:
    lines = await api.node("every_procedure.mjs", LINK=link)

    told = {line["call"]: line.get("data") for line in lines}
    refused = {line["call"]: line["error"] for line in lines if "error" in line}
    assert {name for name, _ in router} <= told.keys() - refused.keys()
    await check_system(told)
    await check_roles(told, f"Reader {link}")
    await check_orchestrations(told, f"Reading {link}")
    await check_executions(told, f"Reading {link}", link)
    check_tools(told)
    check_tokens(told, f"visitor {link}")
    check_tool_sources(told, f"weather-{link.lower()}")
    check_audit(told, f"visitor {link}")
    check_models(told, f"gateway-{link.lower()}", f"Gateway key {link}")
    assert refused == {
        "no such model": {
            "message": "there is no model 'offline/extractiv'; did you mean 'offline/extractive'?",
            "code": "NOT_FOUND",
            "httpStatus": 404,
            "path": "model.switch",
        },
        "secret in use": {
            "message": (
                message := f'secret "Gateway key {link}" is the key of gateway-{link.lower()} (Give these'
                " providers another key first, or none: UPDATE provider SET secret = ….)"
            ),
            "code": "CONFLICT",
            "httpStatus": 409,
            "path": "secret.delete",
            "problems": [{"code": "secret__is_not_in_use", "path": "", "message": message}],
        },
        "role in use": {
            "message": f"role 'Reader {link}' is used by steps of orchestrations; this needs no version to use it;"
            " switch it off with isActive: false",
            "code": "CONFLICT",
            "httpStatus": 409,
            "path": "role.delete",
        },
        "no such event": {
            "message": "the execution cannot be sent this signal; /event: no step waits for the event 'paiment'",
            "code": "BAD_REQUEST",
            "httpStatus": 400,
            "path": "execution.signal",
            "problems": [
                {
                    "code": "UNKNOWN_EVENT",
                    "path": "/event",
                    "message": "no step waits for the event 'paiment'",
                    "allowed": ["payment"],
                    "suggestion": "payment",
                }
            ],
        },
        "another payment": {
            "message": "idempotency key 'payment-1' was used for another signal to this execution;"
            " this needs a new key",
            "code": "CONFLICT",
            "httpStatus": 409,
            "path": "execution.signal",
        },
        "breaking": {
            "message": f"this would break those who rely on version 1 of 'Reading {link}'; if it may, say `breaking`,"
            " and it is published as major 2; /input/required: `tone` may be missing; an input that was taken would"
            " be refused",
            "code": "BAD_REQUEST",
            "httpStatus": 400,
            "path": "orchestration.update",
            "problems": [
                {
                    "code": "BREAKING_CHANGE",
                    "path": "/input/required",
                    "message": "`tone` may be missing; an input that was taken would be refused",
                }
            ],
        },
        "wrong import": {
            "message": "the bundle has problems; /rolls: there is no field `rolls` here",
            "code": "BAD_REQUEST",
            "httpStatus": 400,
            "path": "orchestration.import",
            "problems": [
                {
                    "code": "UNKNOWN_FIELD",
                    "path": "/rolls",
                    "message": "there is no field `rolls` here",
                    "allowed": ["rolecall", "roles", "orchestrations"],
                    "suggestion": "roles",
                    "patch": [{"op": "move", "from": "/rolls", "path": "/roles"}],
                }
            ],
        },
        "together: nobody": {
            "message": "there is no role 'Nobody'; `role.list` shows those there are",
            "code": "NOT_FOUND",
            "httpStatus": 404,
            "path": "role.get",
        },
        "together: mistake": {
            "message": "/limit: Expected `integer` >= 1",
            "code": "BAD_REQUEST",
            "httpStatus": 400,
            "path": "role.list",
            "problems": [
                {
                    "code": "WRONG_VALUE",
                    "path": "/limit",
                    "message": "Expected `integer` >= 1",
                    "allowed": ["integer >= 1"],
                }
            ],
        },
    }
    assert told["requests"] == requests


async def check_system(told: dict[str, Any]) -> None:
    assert told["system.health"] == {
        "status": "ok",
        "version": VERSION,
        "database": "up",
        "pool": "ok",
        "hints": "ok",
        "worker": "live",
        "workers": 1,
        "unanswered": 0,
        "problems": [],
        "defaultModel": "offline/extractive",
    }
    assert told["system.whoami"] == told["together: whoami"]
    assert (told["system.whoami"]["kind"], told["system.whoami"]["name"]) == ("human", "tester")


async def check_roles(told: dict[str, Any], name: str) -> None:
    changed = {"basePrompt": "You read closely.", "description": "Reads.", "version": 2}
    updated, stored = told["role.update"], as_json(await roles.get(OPERATOR, role=name))
    assert told["role.get"] == updated
    assert {**told["role.create"], **changed, "updatedAt": updated["updatedAt"]} == updated
    assert [(it["number"], it["description"]) for it in told["role.versions"]["items"]] == [(2, "Reads."), (1, "")]
    assert told["role.rollback"] == told["role.rollback again"]
    assert {**told["role.create"], "version": 3, "updatedAt": told["role.rollback"]["updatedAt"]} == told[
        "role.rollback"
    ]
    assert stored == told["role.promote"]
    check_role_versions(told)
    assert told["pages"][0] == name
    assert len(told["pages"]) == len(set(told["pages"])) == len(told["role.list"]["items"])
    assert updated in told["role.list"]["items"]
    assert told["role.delete"]["name"] == name.replace("Reader", "Spare")


def check_role_versions(told: dict[str, Any]) -> None:
    assert told["role.draft"] == told["role.discard"]
    assert (told["role.draft"]["status"], told["role.draft"]["message"]) == ("draft", "so far")
    assert told["role.diff"] == [
        {
            "field": "basePrompt",
            "before": "You read.",
            "after": "You read.\nTwice.",
            "lines": ["  You read.", "+ Twice."],
        }
    ]
    published = told["role.publish"]
    assert (published["number"], published["isPresent"], published["decidedBy"]) == (4, True, "tester")
    assert {**told["role.propose"], **{field: published[field] for field in ("status", "isPresent", "decidedBy")},
            "publishedAt": published["publishedAt"]} == published  # fmt: skip
    assert (told["role.reject"]["rejection"], told["role.archive"]["number"]) == ("twice", 3)
    assert (told["role.promote"]["version"], told["role.promote"]["expiresAt"]) == (4, None)
    assert [(it["number"], it["status"]) for it in told["all versions"]["items"]] == [
        (5, "rejected"), (4, "published"), (3, "archived"), (2, "published"), (1, "published"),
    ]  # fmt: skip


async def check_orchestrations(told: dict[str, Any], name: str) -> None:
    stored = as_json(await orchestrations.get(OPERATOR, orchestration=name))
    told_at = told["orchestration.get"]["updatedAt"]
    assert told["orchestration.get"] == told["orchestration.update"] == {**stored, "updatedAt": told_at}
    assert (stored["version"], stored["tags"]) == (2, ["brief"])
    assert told["orchestration.validate"] == {
        "problems": [],
        "digest": told["orchestration.create"]["digest"],
        "maxStepRuns": 2,
    }
    assert told["orchestration.diff"] == [
        {"what": "changed", "step": None, "field": "tags", "before": [], "after": ["brief"]}
    ]
    assert told["orchestration.schema"] == bundles.schema(OPERATOR)
    listed = told["orchestration.list"]["items"]
    assert [found for found in listed if found["name"] == name] == [
        {field: told["orchestration.get"][field] for field in listed[0]}
    ]
    check_bundles(told, name)
    check_versions(told)
    assert told["orchestration.delete"]["name"] == name.replace("Reading", "Unused")


def check_bundles(told: dict[str, Any], name: str) -> None:
    exported, role = told["orchestration.export"], name.replace("Reading", "Reader")
    assert (exported["orchestrations"], exported["roles"], exported["missing"]) == ([name], [role], [])
    assert f"- name: {name}\n    tags: [brief]\n" in exported["text"]
    assert told["as JSON"]["text"].startswith('{"rolecall":1,"roles":[{"basePrompt":')
    role_tried, tried = told["import tried"]["items"]
    of_role, of_tags = ("You read.\nTwice.", "You skim.\nTwice."), (["brief"], ["brief", "long"])
    assert told["import tried"]["dryRun"] is True
    assert (role_tried["outcome"], role_tried["changes"]) == ("updated", [change_of("basePrompt", *of_role)])
    assert (tried["outcome"], tried["changes"]) == ("updated", [change_of("tags", *of_tags)])
    assert {item["outcome"] for item in told["orchestration.import"]["items"]} == {"unchanged"}


def change_of(field: str, before: Any, after: Any) -> dict[str, Any]:
    return {"what": "changed", "step": None, "field": field, "before": before, "after": after}


def check_versions(told: dict[str, Any]) -> None:
    assert (told["orchestration.draft"]["status"], told["orchestration.draft"]["message"]) == ("draft", "so far")
    assert told["orchestration.discard"]["number"] == told["orchestration.propose"]["number"] == 3
    assert told["orchestration.version"] == told["orchestration.propose"]
    published = told["orchestration.publish"]
    assert (published["isActive"], published["major"], published["decidedBy"]) == (True, 1, "tester")
    assert published["document"]["description"] == "Proposed."
    assert (told["orchestration.rollback"]["version"], told["orchestration.activate"]["version"]) == (2, 1)
    assert told["orchestration.archive"]["status"] == "archived"
    assert told["orchestration.canary"]["canary"] == {"version": 2, "percent": 100}
    assert (told["orchestration.promote"]["canaryPercent"], told["in the canary"]["version"]) == (100, 2)
    rejected = told["orchestration.reject"]
    assert (rejected["status"], rejected["rejection"], rejected["decidedBy"]) == ("rejected", "as before", "tester")
    assert [(it["number"], it["status"], it["isActive"]) for it in told["orchestration.versions"]["items"]] == [
        (4, "rejected", False), (3, "archived", False), (2, "published", False), (1, "published", True),
    ]  # fmt: skip
    assert told["between versions"] == [
        {"what": "changed", "step": None, "field": "tags", "before": ["brief"], "after": []}
    ]


async def check_executions(told: dict[str, Any], name: str, key: str) -> None:
    started, finished = told["execution.start"], told["execution.get"]
    assert (started["orchestration"], started["version"], started["idempotencyKey"]) == (name, 2, key)
    found = await executions.get(OPERATOR, execution=msgspec.convert(started["id"], type=UUID))
    assert finished == as_json(found)
    assert finished["output"] == {"brief": finished["context"]["Read"]}
    assert finished["context"]["Quote"] == {"said": finished["input"]["topic"]}
    steps = [(step["name"], step["kind"], step["status"], step["output"]) for step in told["execution.steps"]]
    assert steps == [
        ("Quote", "transform", "completed", finished["context"]["Quote"]),
        ("Read", "llm", "completed", finished["context"]["Read"]),
    ]
    assert [execution["id"] for execution in told["execution.list"]["items"]] == [started["id"]]
    assert told["execution.pause"]["id"] == told["execution.resume"]["id"] == told["execution.cancel"]["id"]
    cancelled = told["cancelled"]
    assert (cancelled["id"], cancelled["status"]) == (told["execution.cancel"]["id"], "cancelled")
    signalled = told["signalled again"]
    assert (signalled["id"], signalled["status"]) == (told["execution.signal"]["id"], "completed")
    assert signalled["output"]["Paid"] == {"amount": 35}
    (another,) = told["execution.cancelMany"]["firstIds"]
    counts = {"dryRun": False, "matched": 1, "asked": 1, "finishedMeanwhile": 0, "firstIds": [another]}
    assert told["execution.pauseMany"] == told["execution.cancelMany"] == counts
    assert told["execution.resumeMany"] == {**counts, "dryRun": True, "asked": 0}
    assert (await executions.get(OPERATOR, execution=UUID(another))).status == "cancelled"
    # The one that was cancelled first has been retried since.
    assert told["execution.retryMany"] == {
        "dryRun": False,
        "matched": 2,
        "skipped": 1,
        "restarted": 1,
        "refused": 0,
        "firstIds": [another],
        "firstRefused": [],
    }
    check_restarts(told)
    check_followed(told)


def check_followed(told: dict[str, Any]) -> None:
    started = told["execution.start"]["id"]
    recorded = [item for item in told["execution.follow"] if "id" in item]
    kinds = ["execution_started", "step_completed", "step_completed", "execution_completed"]
    assert [(item["id"], item["data"]["seq"], item["data"]["kind"]) for item in recorded] == [
        (str(seq), seq, kind) for seq, kind in enumerate(kinds, 1)
    ]
    assert recorded[0]["data"]["event"]["execution"] == started
    assert told["followed on"] == recorded[3:]
    ran = [item for item in told["execution.run"] if item["type"] == "recorded"]
    assert [item["kind"] for item in ran] == kinds
    assert ran[0]["event"]["execution"] != started
    assert told["run again"] == ran


def check_tools(told: dict[str, Any]) -> None:
    (listed,) = told["tool.list"]["items"]
    assert (listed["name"], listed["effect"], listed["security"], listed["source"]) == (
        "files.read", "read", "low", "built-in"
    )  # fmt: skip
    assert told["tool.get"] == {**listed, "inputSchema": told["tool.get"]["inputSchema"]}
    assert told["tool.get"]["inputSchema"]["required"] == ["path"]


def check_tokens(told: dict[str, Any], name: str) -> None:
    made = told["token.create"]
    shown = {field: value for field, value in made.items() if field != "token"}
    assert (made["name"], made["kind"], made["scopes"]) == (name, "service", ["roles.read"])
    assert made["token"].startswith(f"rc_{made['prefix']}_")
    assert shown in told["token.list"]
    assert told["token.revoke"] == {**shown, "revokedAt": told["token.revoke"]["revokedAt"]}
    assert told["token.revoke"]["revokedAt"] is not None


def check_tool_sources(told: dict[str, Any], name: str) -> None:
    made, listed = told["toolSource.create"], told["toolSource.refresh"]
    assert (made["name"], made["transport"], made["command"], made["tools"]) == (name, "stdio", "weather", [])
    assert listed["problem"] == "ROLECALL_MCP_COMMANDS of this server has no 'weather'; it has none"
    assert listed["listedAt"] is not None
    for call in ("toolSource.get", "toolSource.approve", "toolSource.delete"):
        assert {**told[call], "listedAt": None} == {**listed, "listedAt": None}
    assert [source["name"] for source in told["toolSource.list"]] == [name]


def check_models(told: dict[str, Any], gateway: str, key: str) -> None:
    kept = told["secret.set"]
    assert (kept["name"], kept["hosts"], "sk-1" in str(told)) == (key, ["llm.example.com"], False)
    assert told["secret.list"] == [kept] == [told["secret.delete"]]
    assert told["secret.rotate"] == {"keyId": kept["keyId"], "rotated": 0, "unreadable": []}
    (problem,) = told["no model so far"]["problems"]
    assert (problem["code"], problem["path"]) == ("NO_MODELS", f"/provider/{gateway}")
    assert (told["provider.get"]["secret"], told["provider.get"]["maxConcurrent"]) == (key, 5)
    assert told["provider.list"] == [told["provider.get"]] == [told["provider.update"]]
    assert told["provider.delete"] == {**told["provider.get"], "problems": [problem]}
    assert told["provider.create"] == {**told["no model so far"], "problems": told["provider.create"]["problems"]}
    assert (told["model.create"]["name"], told["model.create"]["contextTokens"]) == (f"{gateway}/large", 128_000)
    assert (told["model.update"]["onlyByName"], told["model.delete"]) == (True, told["model.update"])
    price = told["model.setPrice"]
    assert told["model.get"]["price"]["version"] == f"row:{price['number']}"
    assert told["model.get"] in told["model.list"]["items"]
    assert told["model.switch"]["isDefault"]
    assert told["model.explain"]["chosen"]["model"] == "extractive"
    assert told["model.check"]["isAvailable"] and told["provider.test"]["model"] == "offline/extractive"


def check_audit(told: dict[str, Any], name: str) -> None:
    revoked, made = told["audit.list"]["items"]
    assert [(it["action"], it["actor"], it["channel"], it["after"]["name"]) for it in (revoked, made)] == [
        ("update", "tester", "rpc", name), ("insert", "tester", "rpc", name),
    ]  # fmt: skip
    head = {field: revoked[field] for field in ("seq", "hash", "at")}
    assert told["audit.head"] == told["audit.verify"]["last"] == head
    assert (told["audit.verify"]["entries"], told["audit.verify"]["findings"]) == (head["seq"], [])


def check_restarts(told: dict[str, Any]) -> None:
    origin, restarted = told["execution.get"], told["restarted"]
    assert (restarted["restartOf"], restarted["input"], restarted["status"]) == (
        origin["id"],
        {"topic": "Ink is wet."},
        "completed",
    )
    assert restarted["context"]["Quote"] == origin["context"]["Quote"]  # it was taken over
    assert [execution["id"] for execution in told["restarts"]["items"]] == [restarted["id"]]
    assert told["execution.retry"]["restartOf"] == told["cancelled"]["id"]
    for call, status, output in (("completeStep", "completed", "by hand"), ("skipStep", "skipped", None)):
        assert told[f"after execution.{call}"]["context"]["Fetch"] == output
        (step,) = told[f"steps after execution.{call}"]
        assert (step["status"], step["overriddenBy"]) == (status, "tester")
