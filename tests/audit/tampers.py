"""Every way that we know of to tamper with the audit, or to pass it: what the owner of the database types, and what is
found then. Some leave a chain that is whole; only an anchor finds those.
"""

from __future__ import annotations

from dataclasses import dataclass

UNGUARDED = "ALTER TABLE audit DISABLE TRIGGER ALL; {}; ALTER TABLE audit ENABLE TRIGGER ALL"
UNSEEN = "SET LOCAL session_replication_role = replica; {}"
DESCRIBE = "UPDATE role SET description = 'unseen' WHERE name = 'Spare'"
# As audit_seal hashes: the whole chain anew from an entry on, which whoever owns the database can do.
REWRITE = """
DO $$ DECLARE entry audit; previous bytea := (SELECT hash FROM audit WHERE seq = {from_} - 1); BEGIN
  FOR entry IN SELECT * FROM audit WHERE seq >= {from_} ORDER BY seq LOOP
    entry.actor := CASE entry.seq WHEN {from_} THEN 'nobody' ELSE entry.actor END;
    previous := sha256(coalesce(previous, '') || convert_to(jsonb_build_array(
      entry.seq, (extract(epoch FROM entry.at) * 1000000)::bigint, entry.actor, entry.channel, entry.db_user,
      entry.action, entry.noun, entry.subject, entry.before, entry.after)::text, 'UTF8'));
    UPDATE audit SET actor = entry.actor, hash = previous WHERE seq = entry.seq;
  END LOOP;
END $$
"""
REPLACE = """
CREATE OR REPLACE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$ BEGIN {body} END $$
"""
NO_HASH = """
INSERT INTO audit SELECT coalesce(max(seq), 0) + 1, now(), 'nobody', 'sql', '', NEW.action, NEW.noun, NEW.subject,
  NEW.before, NEW.after, sha256('') FROM audit;
DELETE FROM audit_pending WHERE number = NEW.number; RETURN NULL;
"""


@dataclass(frozen=True, kw_only=True)
class Tamper:
    """What is done, and the codes of what is found; `anchored` are those that an anchor of the head adds."""

    what: str
    sql: str
    found: tuple[str, ...]
    anchored: tuple[str, ...] = ()


TAMPERS = (
    Tamper(
        what="an entry is edited",
        sql=UNGUARDED.format("UPDATE audit SET actor = 'nobody' WHERE seq = 3"),
        found=("CHANGED",),
    ),
    Tamper(
        what="the channel of an entry is edited",
        sql=UNGUARDED.format("UPDATE audit SET channel = 'sql' WHERE seq = 3"),
        found=("CHANGED",),
    ),
    Tamper(
        what="the time of an entry is edited",
        sql=UNGUARDED.format("UPDATE audit SET at = at - interval '1 microsecond' WHERE seq = 3"),
        found=("CHANGED",),
    ),
    Tamper(
        what="what an entry says of the row is edited",
        sql=UNGUARDED.format("UPDATE audit SET after = after || '{\"description\": \"x\"}' WHERE seq = 3"),
        found=("CHANGED", "UNRECORDED"),
    ),
    Tamper(
        what="the hash of an entry is edited",
        sql=UNGUARDED.format("UPDATE audit SET hash = sha256('') WHERE seq = 3"),
        found=("CHANGED",),
    ),
    Tamper(
        what="an entry is deleted",
        sql=UNGUARDED.format("DELETE FROM audit WHERE noun = 'orchestration' AND action = 'insert'"),
        found=("GAP",),
    ),
    Tamper(
        what="the first entries are deleted",
        sql=UNGUARDED.format("DELETE FROM audit WHERE seq <= 2"),
        found=("GAP", "UNRECORDED"),
    ),
    Tamper(
        what="an entry is deleted and the others move up",
        sql=UNGUARDED.format(
            "DELETE FROM audit WHERE seq = 1; UPDATE audit SET seq = -seq; UPDATE audit SET seq = -seq - 1"
        ),
        found=("CHANGED", "UNRECORDED"),
        anchored=("ANCHOR",),
    ),
    Tamper(
        what="two entries change places",
        sql=UNGUARDED.format(
            "UPDATE audit SET seq = -seq WHERE seq IN (2, 3); UPDATE audit SET seq = 5 + seq WHERE seq IN (-2, -3)"
        ),
        found=("CHANGED",),
    ),
    Tamper(
        what="an entry is put in between",
        sql=UNGUARDED.format(
            "UPDATE audit SET seq = -seq WHERE seq > 3; UPDATE audit SET seq = 1 - seq WHERE seq < 0;"
            "INSERT INTO audit SELECT 4, at, actor, channel, db_user, action, noun, subject, before, after, hash "
            "FROM audit WHERE seq = 3"
        ),
        found=("CHANGED",),
        anchored=("ANCHOR",),
    ),
    Tamper(
        what="everything is truncated",
        sql=UNGUARDED.format("TRUNCATE audit"),
        found=("UNRECORDED",),
        anchored=("ANCHOR",),
    ),
    Tamper(
        what="the tail is cut off, and what it says undone",
        sql="DELETE FROM token; SET CONSTRAINTS ALL IMMEDIATE;"
        + UNGUARDED.format("DELETE FROM audit WHERE noun = 'token'"),
        found=(),
        anchored=("ANCHOR",),
    ),
    Tamper(
        what="the tail is cut off",
        sql=UNGUARDED.format("DELETE FROM audit WHERE noun = 'token'"),
        found=("UNRECORDED",),
        anchored=("ANCHOR",),
    ),
    Tamper(
        what="the chain is written anew from an entry on",
        sql=UNGUARDED.format(REWRITE.format(from_=3)),
        found=(),
        anchored=("ANCHOR",),
    ),
    Tamper(
        what="the whole chain is written anew",
        sql=UNGUARDED.format(REWRITE.format(from_=1)),
        found=(),
        anchored=("ANCHOR",),
    ),
    Tamper(
        what="a row changes while its trigger is off",
        sql=f"ALTER TABLE role DISABLE TRIGGER role__is_audited; {DESCRIBE};"
        "ALTER TABLE role ENABLE TRIGGER role__is_audited",
        found=("UNRECORDED",),
    ),
    Tamper(
        what="a row changes while no trigger fires",
        sql=UNSEEN.format(DESCRIBE),
        found=("UNRECORDED",),
    ),
    Tamper(
        what="a row is added while no trigger fires",
        sql=UNSEEN.format(
            "INSERT INTO token (prefix, name, hash, kind) "
            "VALUES ('abcdefgh', 'unseen', decode(repeat('00', 32), 'hex'), 'human')"
        ),
        found=("UNRECORDED",),
    ),
    Tamper(
        what="a row vanishes while no trigger fires",
        sql=UNSEEN.format("DELETE FROM role WHERE name = 'Spare'"),
        found=("UNRECORDED",),
    ),
    Tamper(
        what="a table is truncated while its trigger is off",
        sql="ALTER TABLE token DISABLE TRIGGER USER; ALTER TABLE session DISABLE TRIGGER USER; TRUNCATE token CASCADE;"
        "ALTER TABLE token ENABLE TRIGGER USER; ALTER TABLE session ENABLE TRIGGER USER",
        found=("UNRECORDED",),
    ),
    Tamper(
        what="a trigger is left off",
        sql="ALTER TABLE token DISABLE TRIGGER token__is_audited",
        found=("TRIGGER_OFF",),
    ),
    Tamper(
        what="a trigger fires for replicas only",
        sql="ALTER TABLE token ENABLE REPLICA TRIGGER token__is_audited",
        found=("TRIGGER_OFF",),
    ),
    Tamper(
        what="a trigger is dropped",
        sql="DROP TRIGGER audit_pending__is_sealed ON audit_pending",
        found=("TRIGGER_OFF",),
    ),
    Tamper(
        what="a trigger leaves more out",
        sql="DROP TRIGGER token__is_audited ON token; CREATE CONSTRAINT TRIGGER token__is_audited "
        "AFTER INSERT OR UPDATE OR DELETE ON token DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "EXECUTE FUNCTION audit_change('hash', 'last_used_at', 'scopes')",
        found=("TRIGGER_OFF",),
    ),
    Tamper(
        what="a trigger looks away sometimes",
        sql="DROP TRIGGER role__is_audited ON role; CREATE CONSTRAINT TRIGGER role__is_audited "
        "AFTER INSERT OR UPDATE OR DELETE ON role DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "WHEN (session_user <> 'eve') EXECUTE FUNCTION audit_change()",
        found=("TRIGGER_OFF",),
    ),
    Tamper(
        what="what keeps the audit append-only is off",
        sql="ALTER TABLE audit DISABLE TRIGGER audit__is_append_only",
        found=("TRIGGER_OFF",),
    ),
    Tamper(
        what="what hashes is replaced, and a row changes",
        sql=REPLACE.format(name="audit_seal", body=NO_HASH) + ";" + DESCRIBE + "; SET CONSTRAINTS ALL IMMEDIATE",
        found=("CHANGED", "FUNCTION_REPLACED"),
    ),
    Tamper(
        what="what looks at changes is replaced, and a row changes",
        sql=REPLACE.format(name="audit_change", body="RETURN NULL;") + ";" + DESCRIBE,
        found=("UNRECORDED", "FUNCTION_REPLACED"),
    ),
    Tamper(
        what="what refuses is replaced",
        sql=REPLACE.format(name="audit_guard", body="RETURN NEW;"),
        found=("FUNCTION_REPLACED",),
    ),
)  # fmt: skip
