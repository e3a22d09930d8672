"""The generated types, judged by the TypeScript compiler together with the real client."""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import Struct

from api.rpc import Router, mutation, query, typescript
from tests.node import compile_typescript
from tests.rpc.programs import NEGATIVE, POSITIVE, negative, negative_line
from tests.rpc.toy import Context, router

FINDING = re.compile(r"(?P<file>\w+)\.ts\((?P<line>\d+),")


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


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[int]]:
    """The lines the compiler objects to, by program; each program is a module of its own."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "router.ts").write_text(typescript(router))
    (folder / "positive.ts").write_text(POSITIVE)
    for name, statement in NEGATIVE.items():
        (folder / f"{name}.ts").write_text(negative(statement))
    lines: dict[str, list[int]] = defaultdict(list)
    for finding in compile_typescript(folder):
        match = FINDING.match(finding)
        assert match, finding
        lines[match["file"]].append(int(match["line"]))
    return lines


def test_the_types_and_a_program_that_uses_all_of_them_compile(findings: Mapping[str, list[int]]) -> None:
    assert (findings.get("router"), findings.get("positive")) == (None, None)


@pytest.mark.parametrize("name", NEGATIVE)
def test_a_wrong_program_is_refused_at_the_wrong_line(findings: Mapping[str, list[int]], name: str) -> None:
    assert set(findings.get(name, [])) == {negative_line()}


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
    assert typescript(router) == typescript(router)


def test_nothing_but_types_is_generated(tmp_path: Path) -> None:
    statements = [line for line in typescript(router).splitlines() if re.match(r"\w", line)]

    assert {" ".join(line.split()[:2]) for line in statements} == {"import type", "export type"}
