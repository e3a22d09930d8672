"""One round of mutated rows: a server under load, an administrator who types nonsense into the database beside it.

After each edit that the database takes, everything that shows such rows is asked for. Whatever was typed, no answer is
an error of ours, what cannot be used says in `problems` what is wrong with it, and what is healthy goes on as before.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from random import Random
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import msgspec

from db.connection import connect
from services.models.selection import ModelConstraints
from services.roles import Parameters
from tests.cli.processes import Rolecall, Up
from tests.hostile.row_values import inside, value_for

_TABLES = ("role", "role_version", "orchestration", "orchestration_version", "orchestration_step")
_WEIGHTS = (25, 3, 12, 20, 40)
_COLUMNS = """
SELECT relname, attname, typname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
JOIN pg_type ON pg_type.oid = atttypid
WHERE relname = ANY($1) AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped ORDER BY 1, attnum
"""
# Whose name begins so is nobody's victim.
_STEADY = {
    "role": "SELECT id FROM role WHERE name LIKE 'Steady%'",
    "role_version": "SELECT id FROM role_version WHERE role_id IN (SELECT id FROM role WHERE name LIKE 'Steady%')",
    "orchestration": "SELECT id FROM orchestration WHERE name LIKE 'Steady%'",
}
_STEADY["orchestration_version"] = (
    f"SELECT id FROM orchestration_version WHERE orchestration_id IN ({_STEADY['orchestration']})"
)
_STEADY["orchestration_step"] = (
    f"SELECT id FROM orchestration_step WHERE version_id IN ({_STEADY['orchestration_version']})"
)
_DRAFTS = {
    "orchestration_version": "status = 'draft'",
    "orchestration_step": "version_id IN (SELECT id FROM orchestration_version WHERE status = 'draft')",
}
_PUBLISH = (
    "UPDATE orchestration_version SET status = 'published', digest = 'sha256:' || repeat('0', 64), max_step_runs = 1, "
    "published_at = now() WHERE id = $1"
)
_ACTIVATE = (
    "UPDATE orchestration SET active_version_id = $1 "
    "WHERE id = (SELECT orchestration_id FROM orchestration_version WHERE id = $1)"
)
_MARK = "SELECT set_config('rolecall.publishing', pg_current_xact_id()::text, true)"
# What is no nonsense, and says in one sentence what is against it.
_SAID_WELL = ("is called", "has expired")
_EVERY_READ = 5
_EVERY_WORLD = 60
_MAX_VERSIONS = 4


@dataclass
class Round:
    """What came of it: mutations taken and refused, by the rule's name or the code, answers by status, and findings."""

    taken: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    answers: Counter[int] = field(default_factory=Counter[int])
    named: int = 0
    healthy: int = 0
    findings: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        return (
            f"{self.taken} taken, {self.refused.total()} refused by {len(self.refused)} rules; "
            f"{self.answers.total()} answers {dict(self.answers)}; "
            f"{self.named} times problems were named; {self.healthy} healthy executions; {len(self.findings)} findings"
        )


async def round_of(rolecall: Rolecall, url: str, *, seed: int, mutations: int) -> Round:
    """What came of so many mutations of the rows at `url`, with that seed, while a server worked on them."""
    with rolecall.up(ROLECALL_DATABASE_URL=url) as up:
        administrator: asyncpg.Connection = await connect(url)
        try:
            return await _Game(up, administrator, Random(seed)).played(mutations)
        finally:
            await administrator.close()


class _Game:
    def __init__(self, up: Up, administrator: asyncpg.Connection, random: Random) -> None:
        self._client = _Client(up)
        self._administrator = administrator
        self._random = random
        self._columns: dict[str, list[tuple[str, str]]] = {}
        self._worlds = 0
        self.round = Round()

    async def played(self, mutations: int) -> Round:
        for table, name, type_ in await self._administrator.fetch(_COLUMNS, _TABLES):
            self._columns.setdefault(table, []).append((name, type_))
        await self._make_steady()
        async with self._load():
            for number in range(mutations):
                if number % _EVERY_WORLD == 0:
                    await self._make_victims()
                await self._mutate(number)
                if number % _EVERY_READ == 0:
                    await self._check_steady(number)
        return self.round

    async def _make_steady(self) -> None:
        await self._done("role.create", name="Steady", basePrompt="You sum up.", outputSchema=None)
        steps = [
            {"name": "Quote", "kind": "transform", "inputMapping": {"said": "<<input.topic>>"}},
            {"name": "Sum up", "kind": "llm", "roleName": "Steady", "inputMapping": {"text": "<<context.Quote.said>>"}},
        ]
        output = {"said": "<<context.Quote.said>>"}
        await self._done("orchestration.create", document={"name": "Steady", "steps": steps, "output": output})

    async def _make_victims(self) -> None:
        """Three more roles, and an orchestration with a version in each status; of the older ones some are deleted."""
        self._worlds += 1
        world = self._worlds
        schema = {"type": "object", "properties": {"said": {"type": "string"}}}
        for number in range(3):
            given = {
                "basePrompt": "You write.",
                "model": {"preferred": ["offline"]},
                "outputSchema": schema if number else None,
            }
            await self._done("role.create", name=f"Role {world}.{number}", tools=["files.*"], **given)
        document = _document(f"Victim {world}", f"Role {world}.")
        await self._done("orchestration.create", document=document)
        await self._done("orchestration.update", orchestration=f"Victim {world}", changes={"description": "New."})
        await self._done(
            "orchestration.draft", orchestration=f"Victim {world}", document={**document, "description": "Draft."}
        )
        await self._done(
            "orchestration.draft", orchestration=f"Victim {world}", document={**document, "description": "Second."}
        )
        await self._done(
            "orchestration.propose", orchestration=f"Victim {world}", document={**document, "description": "Proposed."}
        )
        caller = [{"name": "Call", "kind": "orchestration", "orchestration": f"Victim {world}"}]
        await self._done("orchestration.create", document={"name": f"Caller {world}", "steps": caller})

    async def _mutate(self, number: int) -> None:
        statements = [
            statement for _ in range(self._random.choice((1, 1, 1, 2))) if (statement := await self._statement())
        ]
        try:
            async with self._administrator.transaction():
                # So the administrator can also do what only a server should.
                await self._administrator.execute(_MARK)
                for statement, values in statements:
                    await self._administrator.execute(statement, *values)
        except asyncpg.PostgresError as error:
            self.round.refused[getattr(error, "constraint_name", None) or type(error).__name__] += 1
            return
        self.round.taken += 1
        await self._look([statement for statement, _ in statements], number)

    async def _statement(self) -> tuple[str, Sequence[Any]] | None:
        """An edit of a random row that is not steady."""
        table = self._random.choices(_TABLES, _WEIGHTS)[0]
        # Published versions take no edit, which is soon told.
        ids = await self._victims(table, only_drafts=self._random.random() < 0.9)
        if not ids:
            return None
        id = self._random.choice(ids)
        columns = self._random.sample(self._columns[table], self._random.choice((1, 1, 1, 2)))
        match self._random.choices(
            ("set", "inside", "copy", "swap", "delete", "publish", "activate"), (50, 25, 8, 5, 4, 6, 4)
        )[0]:
            case "set":
                changes = ", ".join(f'"{name}" = {value_for(type_, self._random)}' for name, type_ in columns)
                return f"UPDATE {table} SET {changes} WHERE id = $1", [id]
            case "inside":
                name = self._random.choice([name for name, type_ in self._columns[table] if type_ == "jsonb"] or ["id"])
                changed = name if name == "id" else inside(f"coalesce({name}, '{{}}')", self._random)
                return f"UPDATE {table} SET {name} = {changed} WHERE id = $1", [id]
            case "copy":
                own = {name: f'"{name}"' for name, _ in self._columns[table]} | {"id": "gen_random_uuid()"}
                own |= {"version": "1"} if table == "role" else {}
                own |= {"name": "name || ' ' || floor(random() * 1000)"} if "name" in own else {}
                own |= {"number": "number + 100"} if "number" in own else {}
                own |= {name: value_for(type_, self._random) for name, type_ in columns if name != "id"}
                names = ", ".join(f'"{name}"' for name in own)
                return f"INSERT INTO {table} ({names}) SELECT {', '.join(own.values())} FROM {table} WHERE id = $1", [
                    id
                ]
            case "swap":
                name = columns[0][0]
                other = self._random.choice(ids)
                return (
                    f'UPDATE {table} AS one SET "{name}" = other."{name}" FROM {table} AS other '
                    "WHERE (one.id, other.id) IN (($1, $2), ($2, $1))"
                ), [id, other]
            case "delete":
                return f"DELETE FROM {table} WHERE id = $1", [id]
            case "publish":
                return _PUBLISH, [self._random.choice(await self._victims("orchestration_version"))]
            case _:
                return _ACTIVATE, [self._random.choice(await self._victims("orchestration_version"))]

    async def _victims(self, table: str, *, only_drafts: bool = False) -> list[Any]:
        among = _DRAFTS.get(table, "true") if only_drafts else "true"
        query = f"SELECT id FROM {table} WHERE id NOT IN ({_STEADY[table]}) AND {among} ORDER BY id"
        return [row["id"] for row in await self._administrator.fetch(query)]

    async def _look(self, statements: list[str], number: int) -> None:
        """Ask for all that there is to be seen, and try to start what can be started."""
        asked = [question async for question in self._questions(number)]
        for start in range(0, len(asked), 20):
            batch = asked[start : start + 20]
            for (procedure, input), answer in zip(batch, await self._client.batch(batch), strict=True):
                await self._judge(statements, procedure, input, answer)
        await self._start(statements)

    async def _questions(self, number: int) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        roles = await self._administrator.fetch(
            "SELECT id, name FROM role WHERE name NOT LIKE 'Steady%' ORDER BY updated_at DESC, id LIMIT 3"
        )
        flows = await self._administrator.fetch(
            "SELECT id, name FROM orchestration WHERE name NOT LIKE 'Steady%' ORDER BY updated_at DESC, id LIMIT 3"
        )
        for row in roles:
            yield "role.get", {"role": str(row["id"])}
            yield "role.versions", {"role": str(row["id"])}
        for row in flows:
            flow = str(row["id"])
            yield "orchestration.get", {"orchestration": flow}
            yield "orchestration.versions", {"orchestration": flow}
            yield "execution.list", {"orchestration": flow}
            numbers = await self._administrator.fetch(
                "SELECT number FROM orchestration_version WHERE orchestration_id = $1 ORDER BY number DESC LIMIT $2",
                row["id"],
                _MAX_VERSIONS,
            )
            for (version,) in numbers:
                yield "orchestration.version", {"orchestration": flow, "number": version}
                if number % _EVERY_READ == 0:
                    yield "orchestration.diff", {"orchestration": flow, "to": version}
        yield "role.list", {"limit": 500}
        yield "orchestration.list", {"limit": 500}
        yield "execution.list", {"limit": 50}
        if number % _EVERY_READ == 0:
            yield "execution.list", {"tool": "files.read"}
            yield "orchestration.validate", {"document": _document("Victim X", "Role 1.")}
            yield "system.health", {}

    async def _judge(self, statements: list[str], procedure: str, input: dict[str, Any], answer: Any) -> None:
        status = 200 if "result" in answer else answer["error"]["data"]["httpStatus"]
        self.round.answers[status] += 1
        said = "" if status == 200 else answer["error"]["message"]
        if status >= 500:
            self._found(statements, f"{procedure} {input}: {status} {said}")
        elif procedure == "role.get" and status == 200:
            await self._judge_role(statements, answer["result"]["data"])
        elif procedure in ("orchestration.version", "orchestration.get") and status == 409:
            if "problems" in answer["error"]["data"]:
                self.round.named += 1
            elif "has no active version" not in said:
                self._found(statements, f"{procedure} {input} does not name what is wrong: {said}")
        elif procedure in ("role.list", "orchestration.list") and status == 200:
            count = await self._administrator.fetchval(f"SELECT count(*) FROM {procedure.partition('.')[0]}")
            if len(answer["result"]["data"]["items"]) != count:
                self._found(statements, f"{procedure} hides some of {count} rows")
        elif status not in (200, 404, 409):
            self._found(statements, f"{procedure} {input}: {status} {said}")

    async def _judge_role(self, statements: list[str], role: dict[str, Any]) -> None:
        """What the row of a role holds is either readable, or told in `problems`."""
        row = await self._administrator.fetchrow(
            "SELECT model::text, parameters::text FROM role WHERE id = $1", role["id"]
        )
        is_readable = row is not None and _fits(row["model"], ModelConstraints) and _fits(row["parameters"], Parameters)
        if role["problems"]:
            self.round.named += 1
        elif row is not None and not is_readable:
            self._found(statements, f"role.get says nothing of what is wrong with {dict(row)}")

    async def _start(self, statements: list[str]) -> None:
        """What can be started is; what cannot says why, and names what is wrong where that is in the rows."""
        flows = await self._administrator.fetch(
            "SELECT id, active_version_id IS NOT NULL AND is_active AS is_active FROM orchestration "
            "WHERE name NOT LIKE 'Steady%' ORDER BY updated_at DESC, id LIMIT 2"
        )
        for row in flows:
            answer = await self._client.mutate(
                "execution.start", {"orchestration": str(row["id"]), "input": {"topic": "tea"}}
            )
            status = 200 if "result" in answer else answer["error"]["data"]["httpStatus"]
            self.round.answers[status] += 1
            if status >= 500:
                self._found(statements, f"execution.start: {answer['error']['message']}")
            elif status == 409 and row["is_active"]:
                if answer["error"]["data"].get("problems"):
                    self.round.named += 1
                elif not any(said in answer["error"]["message"] for said in _SAID_WELL):
                    self._found(
                        statements, f"execution.start does not name what is wrong: {answer['error']['message']}"
                    )
            elif status == 200:
                await self._judge_execution(statements, answer["result"]["data"]["id"])

    async def _judge_execution(self, statements: list[str], execution: str) -> None:
        for procedure in ("execution.get", "execution.steps"):
            (answer,) = await self._client.batch([(procedure, {"execution": execution})])
            if "error" in answer:
                self._found(statements, f"{procedure}: {answer['error']['message']}")

    async def _check_steady(self, number: int) -> None:
        answer = await self._client.mutate("run.steady", {"topic": f"tea {number}"})
        if answer.get("result", {}).get("data") == {"said": f"tea {number}"}:
            self.round.healthy += 1
        else:
            self._found(["(something before this)"], f"run.steady: {answer}")
        for target in ("/router.ts", "/openapi.json", "/health"):
            status = await self._client.status(target)
            self.round.answers[status] += 1
            if status >= 500:
                self._found(["(something before this)"], f"{target}: {status}")

    @asynccontextmanager
    async def _load(self) -> AsyncIterator[None]:
        """Others who use the server meanwhile, and notice nothing."""
        is_over = asyncio.Event()

        async def use() -> None:
            while not is_over.is_set():
                answer = await self._client.mutate("run.steady", {"topic": "load"})
                if answer.get("result", {}).get("data") != {"said": "load"}:
                    self._found(["(whatever was done at that time)"], f"under load run.steady: {answer}")
                self.round.healthy += 1

        async with asyncio.TaskGroup() as group:
            group.create_task(use())
            try:
                yield
            finally:
                is_over.set()

    async def _done(self, procedure: str, **input: Any) -> Any:
        answer = await self._client.mutate(procedure, input)
        assert "result" in answer, f"{procedure}: {answer}"
        return answer["result"]["data"]

    def _found(self, statements: list[str], what: str) -> None:
        self.round.findings.append(f"{'; '.join(statements)}\n    {what[:2000]}")


class _Client:
    """Calls over HTTP, each on a connection of its own."""

    def __init__(self, up: Up) -> None:
        self._address = urlsplit(up.url).netloc
        self._token = up.token_file.read_text().strip()

    async def batch(self, asked: Sequence[tuple[str, dict[str, Any]]]) -> list[Any]:
        """The answers to queries, in their order."""
        names = ",".join(procedure for procedure, _ in asked)
        inputs = json.dumps({str(place): input for place, (_, input) in enumerate(asked)})
        _, body = await self._ask("GET", f"/trpc/{names}?batch=1&input={quote(inputs)}")
        answers = json.loads(body)
        return answers if isinstance(answers, list) else [answers] * len(asked)

    async def mutate(self, procedure: str, input: Any) -> Any:
        """The answer to a mutation."""
        _, body = await self._ask("POST", f"/trpc/{procedure}", json.dumps(input).encode())
        return json.loads(body)

    async def status(self, target: str) -> int:
        """The status of a page."""
        status, _ = await self._ask("GET", target)
        return status

    async def _ask(self, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
        return await asyncio.to_thread(self._asked, method, target, body)

    def _asked(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        connection = HTTPConnection(self._address, timeout=60)
        try:
            headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _fits(text: str, type_: type[msgspec.Struct]) -> bool:
    try:
        msgspec.json.decode(text, type=type_)
    except (ValueError, RecursionError):
        return False
    return True


def _document(name: str, role: str) -> dict[str, Any]:
    """One of every kind of step that this server runs, in every slot."""
    return {
        "name": name,
        "input": {"type": "object", "properties": {"topic": {"type": "string"}}},
        "groups": {"g": {"join": "all_settled"}},
        "steps": list(_steps(role)),
        "onFailure": [{"name": "Tell", "kind": "transform", "inputMapping": {"why": "<<error.message>>"}}],
        "finally": [{"name": "Clean", "kind": "transform", "inputMapping": {}}],
        "output": {"said": "<<context.Quote.said>>"},
    }


def _steps(role: str) -> Iterator[dict[str, Any]]:
    quote_ = {"kind": "transform", "inputMapping": {"said": "<<input.topic | default('tea')>>"}}
    yield {"name": "Quote", **quote_}
    yield {"name": "One", "parallelGroup": "g", "kind": "llm", "roleName": f"{role}0"}
    yield {"name": "Two", "parallelGroup": "g", "kind": "agent", "roleName": f"{role}1", "tools": ["files.read"]}
    yield {
        "name": "Route", "kind": "branch",
        "cases": [{"name": "A", "when": "context.Quote.said == 'tea'", "steps": [{"name": "In A", **quote_}]}],
        "else": [{"name": "In else", **quote_}],
    }  # fmt: skip
    yield {
        "name": "Again", "kind": "loop", "maxIterations": 2, "until": "loop.iteration >= 2",
        "steps": [{"name": "Round", **quote_}],
    }  # fmt: skip
    yield {"name": "Each", "kind": "map", "items": [1, 2], "maxItems": 2, "steps": [{"name": "Item", **quote_}]}
    yield {
        "name": "Read", "kind": "tool", "tool": "files.read", "inputMapping": {"path": "nothing.txt"},
        "onError": {"catch": [{"steps": [{"name": "Mend", **quote_}]}]}, "compensate": [{"name": "Undo", **quote_}],
    }  # fmt: skip
