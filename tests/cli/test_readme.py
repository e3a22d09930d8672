"""What the README tells a newcomer to type works as it stands."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.cli.processes import ROOT, Rolecall
from tests.node import compile_typescript

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_curl_calls_work_and_the_typescript_behind_them_compiles(rolecall: Rolecall, tmp_path: Path) -> None:
    (script,) = [block for block in blocks("sh") if "curl" in block]
    (generate,) = [block for block in blocks("sh") if "generate" in block]
    (program,) = blocks("ts")
    with rolecall.up() as up:
        typed = (script + generate).replace("http://127.0.0.1:8787", up.url)
        typed = typed.replace(".rolecall/admin-token", str(up.token_file))
        typed = typed.replace(".venv/bin/rolecall", f"{sys.executable} -m api.cli")
        place = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(ROOT)}}
        said = subprocess.run(
            ["bash", "-euc", typed], capture_output=True, text=True, check=True, timeout=30, **place
        ).stdout
        *answers, written = said.replace("}{", "}\n{").replace("}router", "}\nrouter").splitlines()
        answers = [json.loads(line) for line in answers]
        started = answers[-1]["result"]["data"]
        finished = up.finished(started["id"])
    (tmp_path / "readme.ts").write_text(
        f"declare const token: string;\n{program}\nexport {{ poem, started, steps }};\n"
    )

    assert [sorted(answer) for answer in answers] == [["result"]] * 4
    assert (started["orchestration"], finished["status"], written) == ("poem", "completed", "router.ts")
    assert compile_typescript(tmp_path) == []


def test_the_orchestration_checks_and_runs(rolecall: Rolecall, tmp_path: Path) -> None:
    (written,) = blocks("yaml")
    file = tmp_path / "flow.yaml"
    file.write_text(written)

    checked = rolecall.run("check", str(file))
    done = rolecall.run("run", str(file), "--input", '{"task": "Say why leases expire."}')

    assert (checked.returncode, checked.stderr) == (0, "")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 of 3 steps" in done.stdout
