"""`make fuzz`: a million expressions, templates, conditions and paths each that nobody thought of.

Every one is compiled and run over the data of its vectors or over a context as large as one may be. It must refuse with
`ExpressionError` or `EvaluationError` or give JSON, within 50 ms of CPU, and leave its data as it was. The same seed
makes the same cases.
"""

import argparse
import faulthandler
import gc
import hashlib
import json
import math
import multiprocessing
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Any

from services.expressions import (
    MISSING,
    EvaluationError,
    ExpressionError,
    JsonPath,
    compile_condition,
    compile_expression,
    compile_jsonpath,
    compile_template,
    parse_path,
)
from tests.expressions.mutations import Mutator, languages

MAX_CPU_SECONDS = 0.050
CHUNK = 10_000
# A hundred times what a chunk takes.
HANGS_AFTER_SECONDS = 300
MAX_MEMORY_BYTES = 2 * 1024**3
_SHOWN = 400


@dataclass
class Tally:
    """What became of some cases. `accepted` ones compiled; `evaluated` ones gave a value."""

    cases: int = 0
    accepted: int = 0
    evaluated: int = 0
    slowest_seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Count the cases of `other` too."""
        self.cases += other.cases
        self.accepted += other.accepted
        self.evaluated += other.evaluated
        self.slowest_seconds = max(self.slowest_seconds, other.slowest_seconds)
        self.findings += other.findings


def fuzz(language: str, seed: str, cases: int, max_cpu_seconds: float = MAX_CPU_SECONDS) -> Tally:
    """Try `cases` values of a language and say what was wrong with them. A slow one is tried again before it counts."""
    known = languages()[language]
    random = Random(f"{seed}/{language}")
    mutator = Mutator(known, random)
    scopes = (known.data, large_scope())
    before = [digest(scope) for scope in scopes]
    containers = {id(value) for scope in scopes for value in _containers(scope)}
    tally = Tally()
    for number in range(cases):
        value, scope = mutator.next(), scopes[random.random() < 0.25]
        finding, spent = _try(language, value, scope, tally, containers)
        if spent > max_cpu_seconds:
            spent = min(_seconds_alone(language, value, scope) for _ in range(3))
        tally.slowest_seconds = max(tally.slowest_seconds, spent)
        if spent > max_cpu_seconds:
            finding = finding or f"{spent * 1000:.0f} ms"
        if finding is not None:
            tally.findings.append(f"{language} {seed} #{number}: {finding}\n  {_shown(value)}")
    if [digest(scope) for scope in scopes] != before:
        tally.findings.append(f"{language} {seed}: a scope was changed by one of these {cases} cases")
    return tally


def large_scope() -> dict[str, Any]:
    """A context of a mebibyte, made of what is slow to look through, and data that was not meant well."""
    deep: Any = "end"
    for _ in range(60):
        deep = [deep, deep] if deep == "end" else [deep]
    context = {
        "ones": [1] * 250_000,
        "rows": [{"k": n, "é": [n]} for n in range(8_000)],
        "text": "Aé<<context.a>> {{a}} \\ " * 8_000,
        "numbers": [0, -0.0, 1e308, 5e-324, 10**30, 10**400, 2**53 + 1],
        "names": {f"k{n}": n for n in range(5_000)},
        "deep": deep,
        "a": "<<context.text>>",
        "": 1,
        " ": 2,
        "0": 3,
        "a.b": 4,
        "__class__": 5,
        "it's": 6,
        "keys": 7,
        "c d": [None, True, False],
    }
    return {"context": context, "input": {"a": "\x00", "n": 3}, "output": context["rows"], "item": [], "steps": {}}


def digest(scope: Any) -> str:
    """What tells whether a scope is as it was, the order of its keys included."""
    return hashlib.sha256(json.dumps(scope).encode()).hexdigest()


def _path(text: str) -> Callable[[dict[str, Any]], Any]:
    path = compile_jsonpath(text) if text.startswith("$") else parse_path(text)
    find = path.find if isinstance(path, JsonPath) else path.resolve

    def find_or_explain(scope: dict[str, Any]) -> Any:
        found = find(scope)
        return path.missing(scope) if found is MISSING else found

    return find_or_explain


_COMPILE: dict[str, Callable[[Any], Callable[[dict[str, Any]], Any]]] = {
    "expressions": lambda value: compile_expression(value).evaluate,
    "templates": lambda value: compile_template(value, jsonpath=True).render,
    "conditions": lambda value: compile_condition(value).test,
    "paths": _path,
}
LANGUAGES = tuple(_COMPILE)


def _try(language: str, value: Any, scope: dict[str, Any], tally: Tally, known: set[int]) -> tuple[str | None, float]:
    """Compile and run one value; what was wrong with that, if anything, and how many CPU seconds it took."""
    tally.cases += 1
    began = time.thread_time()
    try:
        run = _COMPILE[language](value)
        tally.accepted += 1
        result = run(scope)
        tally.evaluated += 1
    except (ExpressionError, EvaluationError) as error:
        spent = time.thread_time() - began
        finding = None if str(error) else "an error that says nothing"
    except Exception:
        spent = time.thread_time() - began
        finding = traceback.format_exc(limit=-3)
    else:
        spent = time.thread_time() - began
        finding = None if _is_json(result, known) else f"no JSON: {_shown(result)}"
    return finding, spent


def _seconds_alone(language: str, value: Any, scope: dict[str, Any]) -> float:
    """CPU seconds without the garbage collector, whose turn it may have been."""
    gc.collect()
    gc.disable()
    began = time.thread_time()
    with suppress(ExpressionError, EvaluationError):
        _COMPILE[language](value)(scope)
    spent = time.thread_time() - began
    gc.enable()
    return spent


def _is_json(value: Any, known: set[int]) -> bool:
    """Whether every part is of JSON's types, exactly. What belongs to a scope is `known` to be."""
    pending = [value]
    while pending:
        each = pending.pop()
        if id(each) in known or each is None or type(each) in (bool, int, str):
            continue
        if type(each) is dict and all(type(key) is str for key in each):
            pending.extend(each.values())
        elif type(each) is list:
            pending.extend(each)
        elif type(each) is not float or not math.isfinite(each):
            return False
    return True


def _containers(value: Any) -> Iterator[Any]:
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, (list, dict)):
            yield each
            pending.extend(each if isinstance(each, list) else each.values())


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def _prepare_worker() -> None:
    warnings.simplefilter("error")
    # What takes all memory fails here instead of taking the machine along.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))


def _fuzz_or_die(language: str, seed: str, cases: int) -> Tally:
    faulthandler.dump_traceback_later(HANGS_AFTER_SECONDS, exit=True)
    tally = fuzz(language, seed, cases)
    faulthandler.cancel_dump_traceback_later()
    return tally


def main() -> int:
    """Fuzz all languages; 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description="Fuzz the expression languages.")
    parser.add_argument("--cases", type=int, default=1_000_000, help="of each language")
    parser.add_argument("--seed", default=f"{SystemRandom().randrange(10**9)}")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=30, help="stop after so long, which counts as a failure")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    totals = {language: Tally() for language in _COMPILE}
    is_whole = _fuzz_all(options.seed, options.cases, options.processes, options.minutes * 60, totals)
    print(f"{'':12}{'cases':>12}{'compiled':>10}{'evaluated':>11}{'slowest':>11}")
    for language, tally in totals.items():
        shares = f"{tally.accepted / tally.cases:>10.0%}{tally.evaluated / tally.cases:>11.0%}" if tally.cases else ""
        print(f"{language:12}{tally.cases:>12,}{shares}{tally.slowest_seconds * 1000:>8.1f} ms")
    findings = [finding for tally in totals.values() for finding in tally.findings]
    print(*findings[:20], f"{len(findings)} findings{'' if is_whole else ', and not all cases were tried'}", sep="\n")
    return int(bool(findings) or not is_whole)


def _fuzz_all(seed: str, cases: int, processes: int, seconds: float, totals: dict[str, Tally]) -> bool:
    """Whether every case was tried."""
    began = time.monotonic()
    is_watched = sys.stderr.isatty()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_prepare_worker) as pool:
        chunks = [
            (language, f"{seed}.{number}", min(CHUNK, cases - number * CHUNK))
            for number in range(-(-cases // CHUNK))
            for language in totals
        ]
        futures = {pool.submit(_fuzz_or_die, *chunk): chunk for chunk in chunks}
        try:
            for done, future in enumerate(as_completed(futures, timeout=seconds), start=1):
                totals[futures[future][0]].add(future.result())
                found = sum(len(tally.findings) for tally in totals.values())
                line = f"{done}/{len(chunks)} chunks, {found} findings, {time.monotonic() - began:.0f} s"
                if is_watched or done % 20 == 0:
                    print(line, end="\r" if is_watched else "\n", file=sys.stderr, flush=True)
        except (TimeoutError, BrokenProcessPool) as error:
            undone = [chunk for future, chunk in futures.items() if not future.done() or future.cancelled()]
            pool.shutdown(wait=False, cancel_futures=True)
            print(f"\n{type(error).__name__} {error} within {undone[: 2 * processes]}", file=sys.stderr)
            return False
    print(file=sys.stderr)
    return True


if __name__ == "__main__":
    sys.exit(main())
