"""What the README tells a newcomer to type works as it stands."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from tests.cli.processes import ROOT, Rolecall
from tests.node import compile_typescript

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_curl_calls_work(rolecall: Rolecall) -> None:
    (script,) = [block for block in blocks("sh") if "curl" in block]
    with rolecall.up() as up:
        typed = script.replace("http://127.0.0.1:8787", up.url).replace(".rolecall/admin-token", str(up.token_file))
        said = subprocess.run(["bash", "-euc", typed], capture_output=True, text=True, check=True, timeout=30).stdout
        answers = [json.loads(line) for line in said.replace("}{", "}\n{").splitlines()]
        started = answers[-1]["result"]["data"]
        finished = up.finished(started["id"])

    assert [sorted(answer) for answer in answers] == [["result"]] * 4
    assert (started["orchestration"], finished["status"]) == ("poem", "completed")


def test_the_orchestration_checks_and_runs(rolecall: Rolecall, tmp_path: Path) -> None:
    (written,) = blocks("yaml")
    file = tmp_path / "flow.yaml"
    file.write_text(written)

    checked = rolecall.run("check", str(file))
    done = rolecall.run("run", str(file), "--input", '{"task": "Say why leases expire."}')

    assert (checked.returncode, checked.stderr) == (0, "")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 of 3 steps" in done.stdout


def test_the_typescript_compiles_in_strict_mode(tmp_path: Path) -> None:
    (written,) = blocks("ts")
    shutil.copy(ROOT / "openapi/router.ts", tmp_path / "router.ts")
    (tmp_path / "readme.ts").write_text(f"declare const token: string;\n{written}\nexport {{ started, steps }};\n")

    assert compile_typescript(tmp_path) == []
