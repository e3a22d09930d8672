"""The command line: `rolecall run`, `restart`, `retry`, `follow`, `up`, `serve`, `work`, `migrate`, `cancel`, `signal`,
`prune`, `check`, `export`, `import`, `sync`, `diff`, `token`, `audit`, `generate`.

The commands stand here; what each needs is imported when it is called, so that none waits for the imports of another.
"""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from api.cli.filters import filtered

if TYPE_CHECKING:
    from services.bundles import Format
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
@click.argument("file", metavar="FILE|DIR|-")
def check(file: str) -> None:
    """List everything that is wrong with a bundle or a document; nothing is saved."""
    from api.cli import running

    sys.exit(running.check(file))


@root.command()
@click.argument("names", nargs=-1)
@click.option("--tag", "tags", multiple=True, help="Orchestrations with this tag; several mean all of them.")
@click.option("--role", "roles", multiple=True, help="A role; may be repeated.")
@click.option("--version", type=click.IntRange(1), help="This version of the one that is named.")
@click.option("--without-roles", is_flag=True, help="Orchestrations only.")
@click.option("--format", type=click.Choice(("yaml", "json")), default="yaml", show_default=True)
@click.option("-o", "--out", type=click.Path(dir_okay=False), default="-", help="A file; printed when left out.")
@click.option("--dir", "folder", metavar="DIR", help="All of it into a new folder, a file each.")
def export(
    names: tuple[str, ...],
    tags: tuple[str, ...],
    roles: tuple[str, ...],
    version: int | None,
    without_roles: bool,
    format: Format,
    out: str,
    folder: str | None,
) -> None:
    """Write orchestrations, with what they call and their roles, as a bundle; all that is active when none is named.

    The same definitions give the same text, which `rolecall import` reads.
    """
    from api.cli import exchanging

    if folder is None:
        sys.exit(exchanging.export(names, tags, roles, version, format, out, with_roles=not without_roles))
    if names or tags or roles or version or without_roles or out != "-" or format != "yaml":
        raise click.UsageError("--dir writes all that is active, as YAML; give it alone")
    sys.exit(exchanging.export_folder(folder))


@root.command("import")
@click.argument("source", metavar="FILE|DIR|-")
@click.option("--breaking", is_flag=True, help="It may break those who rely on what it takes the place of.")
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
def import_(source: str, breaking: bool, dry_run: bool) -> None:
    """Create or update the roles and orchestrations of a bundle by name, all of them or none."""
    from api.cli import exchanging

    sys.exit(exchanging.import_(source, breaking=breaking, dry_run=dry_run))


@root.command()
@click.argument("folder", metavar="DIR")
@click.option("--check", "is_dry", is_flag=True, help="Change nothing; end with 1 when something differs.")
@click.option("--pull", "is_pull", is_flag=True, help="The other way: write the folder.")
@click.option("--prune", is_flag=True, help="Switch off what the folder has not; with --pull, remove its files.")
@click.option("--breaking", is_flag=True, help="It may break those who rely on what it takes the place of.")
@click.option("--json", "as_json", is_flag=True, help="What is done, or would be, as JSON.")
def sync(folder: str, is_dry: bool, is_pull: bool, prune: bool, breaking: bool, as_json: bool) -> None:
    """Make the database hold what a folder of YAML and JSON files does, all of it or nothing.

    Ends with 2 when it cannot be done.
    """
    from api.cli import syncing

    if not is_pull:
        work = partial(syncing.push, folder, is_dry=is_dry, prune=prune, breaking=breaking, as_json=as_json)
        sys.exit(syncing.told(work))
    if breaking or as_json:
        raise click.UsageError("--breaking and --json are about the database; leave them out with --pull")
    sys.exit(syncing.told(partial(syncing.pull, folder, is_dry=is_dry, prune=prune)))


@root.command()
@click.argument("a")
@click.argument("b")
@click.option("--json", "as_json", is_flag=True, help="With all values before and after.")
def diff(a: str, b: str, as_json: bool) -> None:
    """Show what makes B of A, by step and field: each a file, a folder, an orchestration or NAME@NUMBER, a version.

    Ends with 0 when they mean the same, with 1 when they differ and with 2 when one cannot be read.
    """
    from api.cli import syncing

    sys.exit(syncing.told(partial(syncing.diff, a, b, as_json=as_json)))


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


@root.group("secrets")
def secret() -> None:
    """Secrets, such as the keys of providers: kept encrypted, and never shown."""


@secret.command("key")
def secrets_key() -> None:
    """Make a key for ROLECALL_SECRETS_KEY and print it. To rotate, put it before the one that is there."""
    from api.cli import secrets

    sys.exit(secrets.key())


@secret.command("set")
@click.argument("name")
@click.option("--host", "hosts", multiple=True, help="Where it may be sent, such as api.openai.com; may be repeated.")
@click.option("--description", help="What it opens, for people.")
def set_secret(name: str, hosts: tuple[str, ...], description: str | None) -> None:
    """Set a secret to what is typed, or comes through a pipe: never as an argument, which others can see."""
    from api.cli import secrets

    sys.exit(secrets.set_(name, hosts, description))


@secret.command("list")
def list_secrets() -> None:
    """List every secret without its value."""
    from api.cli import secrets

    sys.exit(secrets.list_())


@secret.command("delete")
@click.argument("name")
def delete_secret(name: str) -> None:
    """Delete a secret that nothing uses."""
    from api.cli import secrets

    sys.exit(secrets.delete(name))


@secret.command("rotate")
def rotate_secrets() -> None:
    """Encrypt anew, with the first of the keys, what others have encrypted; these are then of no more use."""
    from api.cli import secrets

    sys.exit(secrets.rotate())


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


@root.group()
def audit() -> None:
    """The audit: who has changed definitions, roles, tokens and sessions; and whether that is what was written."""


@audit.command("list")
@click.option("--noun", help="The table, such as role.")
@click.option("--subject", type=click.UUID, help="The row with this id.")
@click.option("--actor", help="Whoever made the change.")
@click.option("--channel", help="By which way: rpc, meta, cli, admin or sql.")
@click.option("--action", type=click.Choice(("insert", "update", "delete")))
@click.option("--since", metavar="INSTANT", help="Such as 2026-01-31T12:00:00Z.")
@click.option("--until", metavar="INSTANT")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Each as JSON, with the row as it was and as it is.")
def list_audit(limit: int, since: str | None, until: str | None, as_json: bool, **asked: Any) -> None:
    """List changes, the newest first: those to which all that is given applies."""
    from api.cli import auditing

    sys.exit(auditing.list_(limit, since, until, as_json=as_json, **asked))


@audit.command("verify")
@click.option("--after", type=click.IntRange(0), default=0, help="Only the entries behind this one.")
@click.option("--anchors", metavar="FILE", help="The anchors that were kept, a line each.")
@click.option("--key", metavar="FILE", help="The public half of the key that has signed them.")
def verify_audit(after: int, anchors: str | None, key: str | None) -> None:
    """Say what was tampered with; 0 when nothing was, else 1."""
    from api.cli import auditing

    sys.exit(auditing.verify(after, anchors, key))


@audit.command("head")
def audit_head() -> None:
    """Print the last entry's number, hash and time: to be kept elsewhere."""
    from api.cli import auditing

    sys.exit(auditing.head())


@audit.command("key")
@click.argument("file")
def audit_key(file: str) -> None:
    """Make a key that anchors are signed with: FILE, and FILE.pub for whoever verifies."""
    from api.cli import auditing

    sys.exit(auditing.key(file))


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
