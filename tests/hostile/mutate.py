"""`make mutations`: 5,000 random edits of rows, in rounds of 500 over a database and a server of their own each.

A round is told by its seed. What was cut off is gone on with by `--seed`, which its last line names.
"""

import asyncio
import tempfile
from pathlib import Path

import click

from db import embedded
from db.migrate import migrate
from tests.cli.processes import Rolecall
from tests.hostile.rows import Round, round_of

_IN_A_ROUND = 500


@click.command()
@click.option("--mutations", default=5_000, show_default=True, help="How many edits in all.")
@click.option("--seed", default=1, show_default=True, help="That of the first round.")
def main(mutations: int, seed: int) -> None:
    """Play rounds until there were so many edits, and end with 1 when one has disabled more than its own row."""
    findings = 0
    for played in range(0, mutations, _IN_A_ROUND):
        with tempfile.TemporaryDirectory() as directory:
            Path(directory).chmod(0o755)  # the embedded server's account, when that is not ours, has to enter
            found = asyncio.run(_round(Path(directory), seed, min(_IN_A_ROUND, mutations - played)))
        findings += len(found.findings)
        for finding in found.findings:
            click.echo(finding)
        click.echo(f"seed {seed}: {found}; next: --seed {seed + 1}")
        seed += 1
    raise SystemExit(1 if findings else 0)


async def _round(place: Path, seed: int, mutations: int) -> Round:
    with embedded.start(place / "postgres") as server:
        await migrate(server.url)
        settings = {"ROLECALL_MODEL": "offline", "ROLECALL_FILES_DIR": "examples/documents"}
        return await round_of(Rolecall(place / "data", settings), server.url, seed=seed, mutations=mutations)


if __name__ == "__main__":
    main()
