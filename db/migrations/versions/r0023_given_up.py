"""Jobs of a cancelled batch tell the feed of changes, and mark people, only where somebody reads their model version.

To cancel a batch of a million recordings, and to take it over by another one, wrote a row of the feed and a mark for each
job, although no reader sees a version that is neither active nor a canary: those are told when it is switched to.
Triggers are replaced, and no table is read or written anew. PostgreSQL locks `jobs` for that moment, so that the migration
waits for the transactions that are under way.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None
works_beside = "0016"

_ENDED = "('DEAD', 'CANCELLED')"
_HAS_ENDED_OR_COMES_BACK = f"(OLD.state IN {_ENDED}) <> (NEW.state IN {_ENDED})"
_IS_GIVEN_UP = " OR ".join(f"({row}.state = 'CANCELLED' AND {row}.reason = 'CANCELLED')" for row in ("OLD", "NEW"))
_OTHERS = f"({_HAS_ENDED_OR_COMES_BACK}) AND ({_IS_GIVEN_UP}) IS NOT TRUE"
_GIVEN_UP = f"({_HAS_ENDED_OR_COMES_BACK}) AND ({_IS_GIVEN_UP}) IS TRUE"
_IS_READ = """(
    EXISTS (SELECT 1 FROM {schema}models m WHERE m.id = NEW.model_id AND m.is_active)
    OR EXISTS (SELECT 1 FROM {schema}model_readers c WHERE c.model_id = NEW.model_id)
)"""
_TELL = """
    INSERT INTO {schema}changes (tenant, kind, recording_id, at)
    SELECT r.tenant, 'note.upserted', r.id, {now} FROM {schema}recordings r
    WHERE r.id = NEW.recording_id AND r.state = 'LIVE'"""
_MARK = """
    INSERT INTO {schema}subject_marks (tenant, subject)
    SELECT r.tenant, r.subject FROM {schema}recordings r
    WHERE r.id = NEW.recording_id AND r.state = 'LIVE' AND r.subject IS NOT NULL"""

_POSTGRES_FUNCTION = f"""
CREATE FUNCTION {{schema}}tell_given_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF {_IS_READ} THEN
        {_TELL};
        {_MARK};
    END IF;
    RETURN NULL;
END $$
"""
_POSTGRES_TRIGGERS = {
    "jobs_tell_ends": (_OTHERS, "add_result_change"),
    "jobs_mark_ends": (_OTHERS, "mark_ended_recording"),
    "jobs_tell_given_up": (_GIVEN_UP, "tell_given_up"),
}
_SQLITE_TRIGGERS = {
    "jobs_tell_ends": (_OTHERS, _TELL),
    "jobs_mark_ends": (_OTHERS, _MARK),
    "jobs_tell_given_up": (f"{_GIVEN_UP} AND {_IS_READ}", f"{_TELL}; {_MARK}"),
}


def upgrade() -> None:
    """Replace the triggers on ended jobs; the previous release writes and reads nothing else beside them."""
    if op.get_bind().dialect.name == "postgresql":
        _postgres()
        return
    now = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
    for name, (condition, body) in _SQLITE_TRIGGERS.items():
        op.execute(f"DROP TRIGGER IF EXISTS {name}")
        made = f"AFTER UPDATE OF state ON jobs WHEN {condition} BEGIN {body}; END"
        op.execute(f"CREATE TRIGGER {name} {made.format(schema='', now=now)}")


def _postgres() -> None:
    bind = op.get_bind()
    quote = bind.dialect.identifier_preparer.quote
    schema = quote(bind.scalar(sa.text("SELECT pg_catalog.current_schema()")))
    op.execute(_POSTGRES_FUNCTION.format(schema=f"{schema}.", now="clock_timestamp()"))
    op.execute(f"REVOKE ALL ON FUNCTION {schema}.tell_given_up() FROM PUBLIC")  # no table of anybody else's
    for name, (condition, function) in _POSTGRES_TRIGGERS.items():
        op.execute(f"DROP TRIGGER IF EXISTS {name} ON jobs")
        op.execute(
            f"CREATE TRIGGER {name} AFTER UPDATE OF state ON jobs FOR EACH ROW WHEN ({condition}) "
            f"EXECUTE FUNCTION {schema}.{function}()"
        )
