"""`make hostile`: 100,000 generated calls, in rounds of about 5,000 over a database of their own each.

A round is told by its seed. What was cut off is gone on with by `--seed`, which its last line names.
"""

import tempfile
from pathlib import Path

import click

from tests.cli.processes import Rolecall
from tests.hostile.traffic import round_of


@click.command()
@click.option("--cases", default=100_000, show_default=True, help="How many calls in all.")
@click.option("--seed", default=1, show_default=True, help="That of the first round.")
def main(cases: int, seed: int) -> None:
    """Play rounds until there were so many calls, and end with 1 when an answer was not as promised."""
    played, failures = 0, 0
    while played < cases:
        with tempfile.TemporaryDirectory() as directory:
            Path(directory).chmod(0o755)  # the embedded server's account, when that is not ours, has to enter
            found = round_of(Rolecall(Path(directory) / "data", {"ROLECALL_MODEL": "offline"}), seed=seed)
        played, failures = played + found.cases, failures + found.failures
        if found.failures:
            click.echo(found.said)
        click.echo(
            f"seed {seed}: {found.cases} calls, {played} so far, {failures} not as promised; next: --seed {seed + 1}"
        )
        seed += 1
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
