"""The command line: `rolecall run`, `restart`, `retry`, `follow`, `up`, `serve`, `work`, `migrate`, `cancel`, `signal`,
`prune`, `check`, `token`, `generate`.

The commands stand here; what each needs is imported when it is called, so that none waits for the imports of another.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from api.cli.filters import filtered

if TYPE_CHECKING:
    from services.principal import Kind


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="rolecall")
def root() -> None:
    """AI roles and multi-step orchestrations as rows in Postgres, run durably.

    Without ROLECALL_DATABASE_URL a PostgreSQL of our own is started, or joined, in ROLECALL_DATA_DIR (.rolecall).
    """


@root.command()
@click.argument("what", metavar="FILE|NAME")
@click.option("--input", "given", metavar="JSON|@FILE", help="What the orchestration takes; {} when left out.")
@click.option("--priority", type=click.IntRange(-100, 100), default=0, help="Of what is due, the higher goes first.")
@click.option("--delay", metavar="TIME", help="Leave it to the workers of then: in 30s, 10m, 12h or 2d.")
@click.option("--sticky-key", metavar="KEY", help="With a canary, the same key gets the same version.")
@click.option("--breaking", is_flag=True, help="The file may break those who rely on what it takes the place of.")
def run(what: str, given: str | None, priority: int, delay: str | None, sticky_key: str | None, breaking: bool) -> None:
    """Run an orchestration here and show its progress.

    A file is loaded first: its roles and orchestrations are created or updated, and its last orchestration is run. A
    name runs an orchestration that the database has already.
    """
    from api.cli import running

    sys.exit(running.run(what, given, priority, delay, sticky_key, breaking=breaking))


@root.command()
@click.argument("execution", type=click.UUID)
@click.option("--after", type=click.IntRange(0), default=0, help="Go on behind the event with this number.")
@click.option("--json", "as_json", is_flag=True, help="Each item as JSON, with all that the event holds.")
def follow(execution: UUID, after: int, as_json: bool) -> None:
    """Print what happens in an execution, a line each, until it ends; 0 when it completed, else 1.

    Events have a number. What goes on between them, attempts that start and pieces of answers, has none.
    """
    from api.cli import following

    sys.exit(following.follow(execution, after, as_json=as_json))


@root.command()
@click.argument("execution", type=click.UUID)
@click.option("--from", "from_", metavar="PATH", help="The step to begin with, such as Duel[2]/Critic.")
@click.option("--input", "given", metavar="JSON|@FILE", help="Another input.")
@click.option("--context", metavar="JSON|@FILE", help="With --from: other values for keys of the context.")
def restart(execution: UUID, from_: str | None, given: str | None, context: str | None) -> None:
    """Run a finished execution again and show its progress: all of it, or what follows from a step on.

    A new execution begins with what had happened before that step; the old one stays as it is.
    """
    from api.cli import running

    sys.exit(running.restart(execution, from_, given, context))


@root.command()
@filtered("failed", "timed_out", "cancelled")
@click.option("--again", is_flag=True, help="Also what has been restarted already.")
@click.option("--dry-run", is_flag=True, help="Only list them.")
def retry(again: bool, dry_run: bool, **meant: Any) -> None:
    """Restart executions from the step that failed, or that was stopped: those to which all that is given applies.

    One that is named by its id alone is run here, and its progress shown. Any others are left to the workers that run;
    what has been restarted already is skipped then, and so are children, which their parents start anew.
    """
    from api.cli import running, steering

    ids = meant["ids"]
    is_one = len(ids) == 1 and not again and not dry_run and not any(meant[name] for name in meant if name != "ids")
    sys.exit(running.retry(ids[0]) if is_one else steering.retry(again=again, is_dry=dry_run, **meant))


@root.command()
@click.argument("file")
def check(file: str) -> None:
    """List everything that is wrong with a bundle or a document; nothing is saved."""
    from api.cli import running

    sys.exit(running.check(file))


@root.command()
def up() -> None:
    """Serve the API and work on executions, in one process."""
    from api.cli import serving

    sys.exit(serving.serve(with_worker=True))


@root.command()
def serve() -> None:
    """Serve the API only."""
    from api.cli import serving

    sys.exit(serving.serve(with_worker=False))


@root.command()
def work() -> None:
    """Work on executions only; as many processes as you like, on as many machines."""
    from api.cli import serving

    sys.exit(serving.work())


@root.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from api.cli import process

    sys.exit(process.migrate())


@root.command()
@filtered("queued", "running", "waiting", "paused", "cancelling")
@click.option("--reason", default="", help="Kept in their journals.")
@click.option("--dry-run", is_flag=True, help="Only list them.")
def cancel(reason: str, dry_run: bool, **meant: Any) -> None:
    """Cancel executions that have not finished: those to which all that is given applies.

    Nothing of them begins any more, but what stands in `finally`; a worker that runs ends them.
    """
    from api.cli import steering

    sys.exit(steering.cancel(reason, is_dry=dry_run, **meant))


@root.command("signal")
@click.argument("execution", type=click.UUID)
@click.argument("event")
@click.option("--data", metavar="JSON|@FILE", help="What is to be known of it; null when left out.")
@click.option("--key", help="An idempotency key: sent again with the same one, nothing happens.")
def send_signal(execution: UUID, event: str, data: str | None, key: str | None) -> None:
    """Tell an execution that an EVENT has come which one of its steps waits for, or will.

    A worker that runs goes on with it.
    """
    from api.cli import signalling

    sys.exit(signalling.send(execution, event, data, key))


@root.command()
@click.option("--older-than", metavar="AGE", help="Such as 30d or 12h; ROLECALL_RETENTION_DAYS when left out.")
@click.option("--batch", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="At once.")
def prune(older_than: str | None, batch: int) -> None:
    """Delete executions that finished long ago, with their history. Nothing else ever does."""
    from api.cli import retention

    sys.exit(retention.prune(older_than, batch))


@root.group()
def token() -> None:
    """Tokens: who may call the API."""


@token.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="A right the token holds; may be repeated.")
@click.option("--kind", type=click.Choice(("human", "agent", "service")), default="service", show_default=True)
@click.option("--expires-in-days", type=click.IntRange(1, 3650), help="Never, when left out.")
def create_token(name: str, scopes: tuple[str, ...], kind: Kind, expires_in_days: int | None) -> None:
    """Make a token and print its secret, which is shown this once."""
    from api.cli import tokens

    sys.exit(tokens.create(name, scopes, kind, expires_in_days))


@token.command("list")
def list_tokens() -> None:
    """List every token, revoked and expired ones too; secrets are not kept, so none is shown."""
    from api.cli import tokens

    sys.exit(tokens.list_())


@token.command("revoke")
@click.argument("token", metavar="NAME|ID")
def revoke_token(token: str) -> None:
    """Make a token useless from now on. Its name stays taken."""
    from api.cli import tokens

    sys.exit(tokens.revoke(token))


@root.command()
@click.option(
    "--from-server", "server", metavar="URL", help="The types of a server that runs, with its orchestrations."
)
@click.option("--token", envvar="ROLECALL_TOKEN", help="For --from-server; may stand in ROLECALL_TOKEN instead.")
@click.option("--from-database", is_flag=True, help="The same types, from the database at hand.")
@click.option("--out", type=click.Path(dir_okay=False), default="router.ts", show_default=True, help="- prints them.")
def generate(server: str | None, token: str | None, from_database: bool, out: str) -> None:
    """Write a router.ts for TypeScript clients, with a typed procedure run.* for each active orchestration.

    With neither a server nor the database, write openapi/ anew from the procedure registry.
    """
    from api.cli import generating

    sys.exit(generating.generate(server, token, out, from_database=from_database))


def main() -> None:
    """Run the command line. What the user can mend is said in a few lines and ends with 1, without a traceback."""
    # Until a command listens to it, SIGTERM ends everything in order, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        root.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except Exception as error:
        from api.cli.mendable import lines_about

        lines = lines_about(error)
        if not lines:
            raise
        for line in lines:
            click.echo(line, err=True)
        sys.exit(1)
