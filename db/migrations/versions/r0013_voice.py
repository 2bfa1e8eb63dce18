"""Measures of a voice that need no emotion model, beside the scores: NULL in results of earlier releases, and where nobody speaks."""

import sqlalchemy as sa
from alembic import op

from db.columns import Document
from db.migrations.versions.r0012_readers import NOTE, POSTGRES, SQLITE

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_LAST = "    s.created_at AS scored_at\nFROM"
_REFUSAL = "measures of a voice are finite numbers by name, of a result that is SCORED"

POSTGRES_VOICE = f"""
CREATE FUNCTION {{schema}}.check_new_voice() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.voice IS NOT NULL AND (
        NEW.status <> 'SCORED' OR jsonb_typeof(NEW.voice) <> 'object' OR length(NEW.voice::text) > 4000 OR EXISTS (
            SELECT FROM jsonb_each(CASE jsonb_typeof(NEW.voice) WHEN 'object' THEN NEW.voice ELSE '{{{{}}}}' END) e
            WHERE e.key !~ '^[a-z_]{{{{1,32}}}}$'
                OR CASE jsonb_typeof(e.value) WHEN 'number' THEN e.value::numeric NOT BETWEEN -1e6 AND 1e6 ELSE true END
        )
    ) THEN
        RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""

SQLITE_VOICE = f"""
CREATE TRIGGER results_voice BEFORE INSERT ON results WHEN NEW.voice IS NOT NULL BEGIN
    SELECT RAISE(ABORT, '{_REFUSAL}')
    WHERE NEW.status <> 'SCORED' OR json_type(NEW.voice) <> 'object' OR EXISTS (
        SELECT 1 FROM json_each(NEW.voice) e
        WHERE e.type NOT IN ('integer', 'real') OR e.value NOT BETWEEN -1e6 AND 1e6
            OR e.key GLOB '*[^a-z_]*' OR LENGTH(e.key) NOT BETWEEN 1 AND 32
    );
END
"""


def upgrade() -> None:
    """Add the column, and put it last in `v1_note`; the previous release names the columns that it writes and reads."""
    op.add_column("results", sa.Column("voice", Document, nullable=True))
    assert _LAST in NOTE
    note = NOTE.replace(_LAST, _LAST.replace("scored_at\n", "scored_at,\n    s.voice AS voice\n"))
    if op.get_bind().dialect.name != "postgresql":
        op.execute(SQLITE_VOICE)
        op.execute("DROP VIEW v1_note")
        op.execute(_fill(note, SQLITE))
        return
    bind = op.get_bind()
    schema = bind.dialect.identifier_preparer.quote(bind.scalar(sa.text("SELECT pg_catalog.current_schema()")))
    op.execute(POSTGRES_VOICE.format(schema=schema))
    op.execute(f"REVOKE ALL ON FUNCTION {schema}.check_new_voice() FROM PUBLIC")
    op.execute(
        f"CREATE TRIGGER results_voice BEFORE INSERT ON results FOR EACH ROW EXECUTE FUNCTION {schema}.check_new_voice()"
    )
    # In place, a view keeps its owner and who may read it.
    op.execute(_fill(note.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"), POSTGRES))


def _fill(note: str, words: dict[str, str]) -> str:
    return note.format(local=words["local"], week=words["week"], note_scores=words["scores"].format(t="s"))
