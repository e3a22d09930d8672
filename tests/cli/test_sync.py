"""`rolecall export`, `import`, `sync` and `diff`: folders and files on one side, the database on the other."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.processes import Rolecall

ROLE = """\
# Who reads.
rolecall: 1
name: Reader
basePrompt: |
  You read.
  You say what it says.
"""
FLOW = """\
name: brief
steps:
  - {name: Read, kind: llm, roleName: Reader}
  - {name: Say, kind: transform, inputMapping: {said: "<<context.Read>>"}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A role and an orchestration, each in a file of its own, and something else."""
    made = tmp_path / "flows"
    for path, text in (("roles/Reader.yaml", ROLE), ("orchestrations/brief.yaml", FLOW), ("notes.txt", "[")):
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(text)
    (made / ".git").mkdir()
    (made / ".git" / "broken.yaml").write_text("[")
    return made


@pytest.fixture
def at(rolecall: Rolecall, database_url: str) -> Callable[..., tuple[int, str, str]]:
    """A command over a database of the test's own: its exit code and what it said."""

    def run(*arguments: object) -> tuple[int, str, str]:
        done = rolecall.run(*map(str, arguments), ROLECALL_DATABASE_URL=database_url)
        return done.returncode, done.stdout, done.stderr

    return run


At = Callable[..., tuple[int, str, str]]


def test_a_folder_is_brought_into_the_database_and_stays_equal(at: At, folder: Path) -> None:
    assert at("sync", folder, "--check") == (
        1, "+ role Reader: to be created\n+ orchestration brief: to be created\n2 to be created\n", ""
    )  # fmt: skip
    assert at("sync", folder) == (
        0, "+ role Reader: created, version 1\n+ orchestration brief: created, version 1\n2 created\n", ""
    )  # fmt: skip
    assert at("sync", folder, "--check") == (0, "2 unchanged\n", "")
    assert at("sync", folder, "--pull", "--check") == (0, "nothing to write\n", "")

    (folder / "roles/Reader.yaml").write_text(ROLE.replace("what it says", "why it says so"))
    (folder / "orchestrations/brief.yaml").write_text(FLOW.replace("name: Say", "name: Tell"))

    assert at("sync", folder, "--check") == (
        1,
        """\
~ role Reader: to be updated
    ~ basePrompt
          You read.
        - You say what it says.
        + You say why it says so.
~ orchestration brief: to be updated
    - step 'Say' (transform)
    + step 'Tell' (transform)
2 to be updated
""",
        "",
    )
    code, said, _ = at("sync", folder, "--check", "--json")
    assert (code, [(item["noun"], item["outcome"], item["version"]) for item in json.loads(said)]) == (
        1, [("role", "updated", 2), ("orchestration", "updated", 2)]
    )  # fmt: skip


def test_what_the_folder_lacks_is_switched_off_only_when_it_is_said(at: At, folder: Path) -> None:
    at("sync", folder)
    (folder / "orchestrations/brief.yaml").unlink()

    kept = at("sync", folder)
    told = at("sync", folder, "--check")
    (folder / "roles/Reader.yaml").rename(folder / "Reader.txt")
    empty = at("sync", folder, "--prune")
    (folder / "Reader.txt").rename(folder / "roles/Reader.yaml")
    pruned = at("sync", folder, "--prune")
    (folder / "orchestrations/brief.yaml").write_text(FLOW)
    back = at("sync", folder)

    absent = "? orchestration brief: only in the database\n1 unchanged, 1 only in the database\n"
    assert kept == (0, absent, "")
    assert told == (1, absent, "")
    assert empty[0] == 2
    assert "--prune would switch off everything" in empty[2]
    assert pruned[:2] == (0, "- orchestration brief: switched off\n1 unchanged, 1 switched off\n")
    assert back[:2] == (
        0,
        "~ orchestration brief: updated, version 1\n    ~ isActive false → true\n1 updated, 1 unchanged\n",
    )


def test_a_role_that_the_folder_needs_is_not_switched_off(at: At, folder: Path) -> None:
    at("sync", folder)
    (folder / "roles/Reader.yaml").unlink()

    code, said, error = at("sync", folder, "--prune")

    assert (code, said) == (2, "")
    assert error == (
        "rolecall: 'brief' needs the role 'Reader', which is not there and would be switched off; add it, or leave what"
        " is missing as it is\n"
    )
    assert at("sync", folder, "--check")[0] == 1


def test_pulling_writes_what_changed_and_nothing_else(at: At, folder: Path, tmp_path: Path) -> None:
    at("sync", folder)
    other = tmp_path / "other.yaml"
    other.write_text(
        "roles:\n  - {name: reader, basePrompt: Reads.}\n  - {name: Writer, basePrompt: Writes.}\norchestrations:\n"
        "  - name: brief\n    steps: [{name: Read, kind: llm, roleName: Writer}]\n"
    )
    assert at("import", other, "--breaking")[0] == 0

    code, said, _ = at("sync", folder, "--pull")

    written = ("roles/Writer.yaml", "roles/reader~3d094196.yaml", "orchestrations/brief.yaml")
    assert (code, sorted(said.splitlines())) == (0, sorted(f"{folder}/{path}: written" for path in written))
    assert (folder / "roles/Reader.yaml").read_text() == ROLE
    assert (folder / "roles/Writer.yaml").read_text() == "rolecall: 1\nname: Writer\nbasePrompt: Writes.\n"
    assert (folder / "orchestrations/brief.yaml").read_text() == (
        "rolecall: 1\nname: brief\nsteps:\n  - {name: Read, kind: llm, roleName: Writer}\n"
    )
    assert at("sync", folder, "--check")[0] == 0
    assert at("sync", folder, "--pull")[1] == "nothing to write\n"


def test_pulling_removes_files_only_when_it_is_said(at: At, folder: Path) -> None:
    at("sync", folder)
    (folder / "roles/More.yaml").write_text(
        "roles:\n  - {name: Writer, basePrompt: Writes.}\n  - {name: Editor, basePrompt: Edits.}\n"
    )
    (folder / "roles/Gone.yaml").write_text("{name: Gone, basePrompt: Goes.}")
    (folder / "roles/Editor.txt").write_text("{name: Editor, basePrompt: Edits well.}")
    at("import", folder / "roles/Editor.txt")

    assert at("sync", folder, "--pull", "--check", "--prune") == (
        1, f"{folder}/roles/Gone.yaml: to be removed\n{folder}/roles/More.yaml: to be written\n", ""
    )  # fmt: skip
    assert at("sync", folder, "--pull")[1] == f"{folder}/roles/More.yaml: written\n"
    assert "name: Writer" in (folder / "roles/More.yaml").read_text()
    assert at("sync", folder, "--pull", "--prune")[0] == 0
    assert sorted(path.name for path in (folder / "roles").glob("*.yaml")) == ["More.yaml", "Reader.yaml"]
    assert (folder / "roles/More.yaml").read_text() == (
        "rolecall: 1\nroles:\n  - {name: Editor, basePrompt: Edits well.}\n"
    )


def test_an_export_is_imported_elsewhere(at: At, folder: Path, tmp_path: Path) -> None:
    at("sync", folder)

    printed = at("export")
    written = at("export", "brief", "-o", tmp_path / "brief.yaml")
    by_folder = at("export", "--dir", tmp_path / "all")
    as_json = at("export", "--role", "Reader", "--format", "json")

    assert printed[1] == (tmp_path / "brief.yaml").read_text()
    assert written == (0, f"{tmp_path}/brief.yaml\n", "")
    assert by_folder[1].split() == [
        f"{tmp_path}/all/{path}" for path in ("roles/Reader.yaml", "orchestrations/brief.yaml")
    ]
    assert json.loads(as_json[1])["roles"][0]["name"] == "Reader"
    assert at("export", "--dir", tmp_path / "all")[0] == 1
    assert at("sync", tmp_path / "all", "--check") == (0, "2 unchanged\n", "")
    assert at("import", tmp_path / "brief.yaml", "--dry-run") == (0, "2 unchanged\n", "")
    assert at("check", tmp_path / "all")[0] == 0


def test_two_of_anything_are_compared(at: At, folder: Path) -> None:
    at("sync", folder)
    (folder / "orchestrations/brief.yaml").write_text(FLOW.replace("name: Say", "name: Tell"))
    at("sync", folder)

    changed = "~ orchestration brief: changed\n    - step 'Say' (transform)\n    + step 'Tell' (transform)\n"
    assert at("diff", "brief@1", "brief@2") == (1, changed, "")
    assert at("diff", "brief@1", folder) == (1, changed, "")
    assert at("diff", "brief", folder) == (0, "", "")
    assert json.loads(at("diff", "brief@1", "brief", "--json")[1])[0]["changes"][0]["what"] == "removed"
    assert at("diff", "brief", "brief@9") == (
        2, "", "rolecall: there is no version 9; `orchestration.versions` shows those there are\n"
    )  # fmt: skip
    assert at("diff", "brief", "brief@two")[0] == 2
