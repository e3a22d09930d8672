"""`rolecall prune` at a terminal."""

from tests.cli.processes import Rolecall


def test_what_has_finished_is_deleted_when_it_is_old_enough(rolecall: Rolecall, database_url: str) -> None:
    given = {"ROLECALL_DATABASE_URL": database_url}
    rolecall.run("run", "examples/research-brief.yaml", "--input", "@examples/research-brief.input.json", **given)

    kept = rolecall.run("prune", **given)
    deleted = rolecall.run("prune", "--older-than", "0m", "--batch", "1", **given)

    assert (kept.returncode, kept.stdout) == (0, "deleted 0 executions with their history\n")
    assert (deleted.returncode, deleted.stdout) == (0, "deleted 1 executions with their history\n")


def test_an_age_that_is_none_is_said_in_one_line(rolecall: Rolecall, database_url: str) -> None:
    done = rolecall.run("prune", "--older-than", "a month", ROLECALL_DATABASE_URL=database_url)

    wanted = "write a number and d, h, m or s for days, hours, minutes or seconds, such as 30d"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"rolecall: --older-than is 'a month'; {wanted}\n"
