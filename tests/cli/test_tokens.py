"""`rolecall token`: made, listed and revoked at a terminal; and the first one, which `rolecall up` leaves in a file."""

import re
from pathlib import Path

from tests.cli.processes import Rolecall

_WHEN = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC")
_PREFIX = re.compile(r"rc_\w{8}_…")


def said(text: str) -> list[str]:
    """The lines of a command, without what differs from run to run."""
    return _PREFIX.sub("<prefix>", _WHEN.sub("<time>", text)).splitlines()


def test_tokens_are_made_listed_and_revoked(rolecall: Rolecall, database_url: str) -> None:
    given = {"ROLECALL_DATABASE_URL": database_url}
    none = rolecall.run("token", "list", **given)
    made = rolecall.run("token", "create", "ci", "--scope", "executions.run", "--scope", "roles.read", **given)
    rolecall.run(
        *("token", "create", "visitor", "--scope", "roles.read", "--kind", "human", "--expires-in-days", "7"), **given
    )

    revoked = rolecall.run("token", "revoke", "ci", **given)
    listed = rolecall.run("token", "list", **given)

    assert (none.returncode, none.stdout, none.stderr) == (0, "", "there are no tokens\n")
    assert (revoked.returncode, said(revoked.stdout)) == (0, ["ci: revoked <time>"])
    assert said(listed.stdout) == [
        "ci       service  revoked <time>  never used  <prefix>  roles.read, executions.run",
        "visitor  human    until <time>    never used  <prefix>  roles.read",
    ]
    assert made.stdout.strip()[12:] not in listed.stdout


def test_a_token_that_is_not_there_is_said_in_one_line(rolecall: Rolecall, database_url: str) -> None:
    done = rolecall.run("token", "revoke", "nobody", ROLECALL_DATABASE_URL=database_url)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "rolecall: there is no token 'nobody'\n")


def test_a_first_token_that_cannot_be_kept_is_not_made(rolecall: Rolecall, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    given = {"ROLECALL_DATABASE_URL": database_url}

    refused = rolecall.run("up", ROLECALL_DATA_DIR=str(tmp_path / "file"), **given)
    with rolecall.up(**given) as up:
        who = up.query("system.whoami")
    (listed,) = rolecall.run("token", "list", **given).stdout.splitlines()

    said = f"cannot keep the first token in {tmp_path}/file/admin-token: File exists"
    wanted = "set ROLECALL_DATA_DIR to a directory that can be written"
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"rolecall: {said}; {wanted}\n"
    assert who["name"] == "admin"
    assert re.match(r"admin  human  until it is revoked  used \d{4}-", listed)
