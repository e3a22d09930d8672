"""The generated types, judged by the TypeScript compiler together with the real client."""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import pytest
from msgspec import UNSET, Struct, UnsetType

from api.rpc import Described, Router, mutation, query, typescript
from tests.node import NODE_MODULES, OLDER_PACKAGES, TSC, TSC_5_9, compile_typescript
from tests.rpc import live, programs, toy
from tests.rpc.toy import Context

FINDING = re.compile(r"(?P<file>\w+)\.ts\((?P<line>\d+),\d+\): error (?P<code>TS\d+)")


class Plain(Struct):
    """Looks the same to both sides."""

    a: int


class Defaulted(Struct, rename="camel"):
    plain_one: Plain
    b: int = 1


class Sparse(Struct, omit_defaults=True):
    c: int = 1


@query
async def outputs(ctx: Context) -> tuple[Plain, Defaulted, Sparse]:
    """What it gives */ away."""
    raise NotImplementedError


@mutation
async def inputs(ctx: Context, *, plain: Plain, defaulted: list[Defaulted], sparse: Sparse | None = None) -> None:
    """What it takes."""


# Each with the newest and with an older one of the other.
COMBINATIONS = {
    "client 11.25, tsc 7.0": (NODE_MODULES, TSC),
    "client 11.25, tsc 5.9": (NODE_MODULES, TSC_5_9),
    "client 11.4, tsc 7.0": (OLDER_PACKAGES, TSC),
    "client 11.4, tsc 5.9": (OLDER_PACKAGES, TSC_5_9),
}


class Finding(NamedTuple):
    """What the compiler objects to, and on which line."""

    line: int
    code: str


Findings: TypeAlias = Mapping[str, set[Finding]]


@pytest.fixture(scope="module", params=COMBINATIONS)
def findings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """What the compiler objects to, by program; each program is a module of its own."""
    packages, compiler = COMBINATIONS[request.param]
    folder = tmp_path_factory.mktemp("programs")
    modules = {
        "router": typescript(toy.router),
        "live": typescript(live.router, live.described),
        "positive": programs.POSITIVE,
        "positive_live": programs.POSITIVE_LIVE,
        **{name: programs.negative(wrong.statement) for name, wrong in programs.NEGATIVE.items()},
        **{name: programs.negative_live(wrong.statement) for name, wrong in programs.NEGATIVE_LIVE.items()},
    }
    for name, text in modules.items():
        (folder / f"{name}.ts").write_text(text)
    found: dict[str, set[Finding]] = defaultdict(set)
    for line in compile_typescript(folder, compiler=compiler, packages=packages):
        match = FINDING.match(line)
        assert match, line
        found[match["file"]].add(Finding(int(match["line"]), match["code"]))
    return found


@pytest.mark.parametrize("name", ["router", "positive", "live", "positive_live"])
def test_the_types_and_programs_that_use_all_of_them_compile(findings: Findings, name: str) -> None:
    assert findings.get(name, set()) == set()


@pytest.mark.parametrize("name", programs.NEGATIVE)
def test_a_wrong_program_is_refused_for_what_is_wrong(findings: Findings, name: str) -> None:
    check(findings.get(name, set()), programs.negative_line(), programs.NEGATIVE[name])


@pytest.mark.parametrize("name", programs.NEGATIVE_LIVE)
def test_a_wrong_program_over_what_streams_is_refused_for_what_is_wrong(findings: Findings, name: str) -> None:
    check(findings.get(name, set()), programs.negative_live_line(), programs.NEGATIVE_LIVE[name])


def check(found: set[Finding], line: int, wrong: programs.Wrong) -> None:
    """That the compiler objects to this line, to no other, and for the right reason."""
    assert {finding.line for finding in found} == {line}
    assert {finding.code for finding in found} & set(wrong.code.split())


def test_a_struct_has_two_aliases_only_if_the_two_sides_see_it_differently() -> None:
    text = typescript(Router(outputs=outputs, inputs=inputs))

    aliases = text[text.index("/** Whatever JSON can hold. */") : text.index("/** What `error.data` holds")]
    assert (
        aliases.partition("\n\n")[2]
        == """\
export type Defaulted = {
  plainOne: Plain;
  b: number;
};

export type DefaultedInput = {
  plainOne: Plain;
  b?: number | undefined;
};

/** Looks the same to both sides. */
export type Plain = {
  a: number;
};

export type Sparse = {
  c?: number | undefined;
};

"""
    )


def test_the_router_is_a_tree_of_signatures() -> None:
    text = typescript(Router(deep=Router(outputs=outputs), inputs=inputs))

    assert (
        text[text.index("export type AppRouter") :]
        == """\
export type AppRouter = TRPCBuiltRouter<
  { ctx: object; meta: object; errorShape: TRPCErrorShape<ErrorData>; transformer: false },
  {
    deep: {
      /** What it gives *∕ away. */
      outputs: Query<void, [Plain, Defaulted, Sparse]>;
    };
    /** What it takes. */
    inputs: Mutation<{ plain: Plain; defaulted: DefaultedInput[]; sparse?: Sparse | null | undefined }, null>;
  }
>;
"""
    )


def test_two_types_of_one_name_carry_their_modules() -> None:
    theirs = type("Plain", (Struct,), {"__annotations__": {"b": int}, "__module__": "some.where_else"})

    async def other(ctx: Context) -> theirs:  # type: ignore[valid-type]
        """Another Plain."""
        raise NotImplementedError

    text = typescript(Router(outputs=outputs, other=query(other)))

    assert "other: Query<void, WhereElsePlain>;" in text
    assert "outputs: Query<void, [TestTypescriptPlain, Defaulted, Sparse]>;" in text


def test_the_text_is_the_same_each_time() -> None:
    assert typescript(toy.router) == typescript(toy.router)


def test_nothing_but_types_is_generated() -> None:
    statements = [line for line in typescript(toy.router).splitlines() if re.match(r"\w", line)]

    assert {" ".join(line.split()[:2]) for line in statements} == {"import type", "export type"}


def test_what_comes_item_by_item_and_what_schemas_describe_stand_in_the_tree() -> None:
    text = typescript(live.router, live.described)

    assert (
        text[text.index("export type AppRouter") :].partition("  {\n")[2]
        == """\
    live: {
      /** Ticks. */
      ticks: Subscription<{ count: number }, Tick>;
      /** Ticks that can be gone on behind. */
      tracked: Subscription<{ count: number; lastEventId?: string | null | undefined }, Tracked<Tick>>;
      /** Texts, to whoever asks for nothing. */
      news: Subscription<void, string>;
      /** Ticks, as one answer. */
      counted: Query<{ count: number }, Stream<Tick>>;
      /** Texts, as one answer. */
      told: Mutation<void, Stream<string>>;
      /** Ticks that can be gone on behind, and what goes on meanwhile. */
      mixed: Subscription<void, Tracked<Tick> | string | null>;
    };
    /** Takes a form. */
    form: Mutation<FormData, string>;
    /** Takes bytes. */
    octets: Mutation<Blob | Uint8Array<ArrayBuffer>, number>;
    run: {
      /** Takes anything. */
      anything: Mutation<Json | undefined, Json>;
      /** Renders. */
      render: Mutation<RunRenderInput, RunRenderOutput>;
    };
  }
>;
"""
    )


def test_an_alias_of_a_schema_makes_way_for_a_name_that_is_taken() -> None:
    taken = type("RunAInput", (Struct,), {"__annotations__": {"b": int}})

    async def other(ctx: Context) -> taken:  # type: ignore[valid-type]
        """Of the same name."""
        raise NotImplementedError

    described = [Described(name="run.a", kind="mutation", description="A.", input_schema={"type": "string"})]
    text = typescript(Router(other=query(other)), described)

    assert "a: Mutation<RunAInput2, Json>;" in text
    assert "export type RunAInput2 = string;" in text


def test_an_application_adds_to_what_its_errors_hold() -> None:
    class More(Struct):
        """What it adds."""

        plain: Plain | UnsetType = UNSET

    text = typescript(Router(inputs=inputs), error_data=More)

    assert "} & { plain?: Plain | undefined };" in text
    assert "export type Plain = {" in text
