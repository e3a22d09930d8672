"""`make budgets`: a thousand random trees of executions that spend at once, over an embedded PostgreSQL of its own."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from db import embedded
from db.connection import Database
from db.migrate import migrate
from services import connections
from tests.budgets import household, trees


async def main(given: argparse.Namespace) -> bool:
    """Whether nothing was wrong."""
    with tempfile.TemporaryDirectory() as directory, embedded.start(Path(directory) / "data") as server:
        await migrate(server.url)
        async with await Database.open(server.url) as database:
            connections.use(database, None)
            await household.set_up()
            ledger, wrong = await trees.run(given.trees, given.seed)
            connections.use(None, None)
    print(f"{ledger}: {wrong or 'nothing wrong'}")
    return not wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--trees", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    sys.exit(not asyncio.run(main(parser.parse_args())))
