"""Results and segments come only together, with the end of their job, and hold no number that is no score.

PostgreSQL compares transactions, so that nothing is ever added to what is there. SQLite cannot, but has no roles either: who
may write the file may do anything with it. What both hold: a result needs a job that is DONE by the same attempt, its
segments have the numbers 0 to n_windows - 1, and labels are those of the model.
"""

import logging
import re

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

EMOTIONS = ("anger", "happiness", "neutral", "sadness")
DIMENSIONS = ("arousal", "valence")
_SCORES = " AND ".join(f"{name} BETWEEN 0 AND 1" for name in EMOTIONS)
_DIMENSIONS = " AND ".join(f"{name} BETWEEN -1e6 AND 1e6" for name in DIMENSIONS)
_SLOPES = " AND ".join(f"{name}_slope_per_min BETWEEN -1e6 AND 1e6" for name in EMOTIONS)
# 1e10 ms are 115 days: a person's day of them is far from what a BIGINT holds.
_TIMES = " AND ".join(f"{name}_ms BETWEEN 0 AND 10000000000" for name in ("speech", "rejected", "duration"))
# A comparison with NULL is neither true nor false, and refuses nothing. To PostgreSQL NaN is more than any number.
CHECKS = {
    "results": {
        "scores": f"{_SCORES} AND confidence BETWEEN 0 AND 1",
        "dimensions": _DIMENSIONS,
        "slopes": _SLOPES,
        "counts": f"n_windows >= 0 AND (status = 'SCORED') = (n_windows > 0) AND {_TIMES}",
        "texts": "LENGTH(token) <= 64 AND LENGTH(audio_sha256) = 64",
    },
    "segments": {
        "scores": _SCORES,
        "dimensions": _DIMENSIONS,
        "counts": "idx >= 0 AND speech_ms BETWEEN 0 AND 10000000000 AND end_ms <= 10000000000",
    },
}

POSTGRES_RESULT = """
CREATE FUNCTION {schema}.check_new_result() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    labels jsonb;
BEGIN
    PERFORM FROM {schema}.jobs j
    WHERE j.recording_id = NEW.recording_id AND j.model_id = NEW.model_id AND j.state = 'DONE'
        AND j.lease_token = NEW.token AND j.xmin = pg_current_xact_id()::xid;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a result comes in the transaction that ends its job as DONE'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM FROM {schema}.recordings r WHERE r.id = NEW.recording_id AND r.state <> 'ERASED';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the recording was erased' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- Readers cannot even take in a time after the year 9999. A day, since a server's clock may be set.
    IF NEW.created_at NOT BETWEEN now() - interval '1 day' AND now() + interval '1 day' THEN
        RAISE EXCEPTION 'a result is of now' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.audio_sha256 !~ '^[0-9a-f]*$' THEN
        RAISE EXCEPTION 'audio_sha256 is not hexadecimal' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT m.labels INTO labels FROM {schema}.models m WHERE m.id = NEW.model_id;
    IF NEW.label IS NOT NULL AND NOT labels ? NEW.label THEN
        RAISE EXCEPTION 'the label is none of its model' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF jsonb_typeof(NEW.trend) <> 'object' OR length(NEW.trend::text) > 100000 OR EXISTS (
        SELECT FROM jsonb_each(CASE jsonb_typeof(NEW.trend) WHEN 'object' THEN NEW.trend ELSE '{{}}' END) e
        WHERE NOT labels ? e.key AND e.key NOT IN ('arousal', 'valence') OR jsonb_typeof(e.value) <> 'object' OR EXISTS (
            SELECT FROM jsonb_each(CASE jsonb_typeof(e.value) WHEN 'object' THEN e.value ELSE '{{}}' END) n
            WHERE n.key !~ '^[a-z_]{{1,32}}$'
                OR CASE jsonb_typeof(n.value) WHEN 'number' THEN n.value::numeric NOT BETWEEN -1e9 AND 1e9 ELSE true END
        )
    ) THEN
        RAISE EXCEPTION 'a trend is numbers by name for each label or dimension of the model'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.extra_scores IS NOT NULL THEN
        PERFORM {schema}.check_extra_scores(labels, NEW.extra_scores);
    END IF;
    RETURN NEW;
END $$
"""

POSTGRES_SEGMENT = """
CREATE FUNCTION {schema}.check_new_segment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    labels jsonb;
BEGIN
    PERFORM FROM {schema}.results r
    WHERE r.recording_id = NEW.recording_id AND r.model_id = NEW.model_id AND r.status = 'SCORED'
        AND NEW.idx < r.n_windows AND r.xmin = pg_current_xact_id()::xid;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a segment comes in the transaction of its result, as one of its windows'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.extra_scores IS NOT NULL THEN
        SELECT m.labels INTO labels FROM {schema}.models m WHERE m.id = NEW.model_id;
        PERFORM {schema}.check_extra_scores(labels, NEW.extra_scores);
    END IF;
    RETURN NEW;
END $$
"""

POSTGRES_LABELS = """
CREATE FUNCTION {schema}.check_extra_scores(labels jsonb, extra_scores jsonb) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (jsonb_typeof(extra_scores) <> 'object' OR EXISTS (
        SELECT FROM jsonb_each(CASE jsonb_typeof(extra_scores) WHEN 'object' THEN extra_scores ELSE '{{}}' END) e
        WHERE NOT labels ? e.key OR e.key IN ('anger', 'happiness', 'neutral', 'sadness')
            OR CASE jsonb_typeof(e.value) WHEN 'number' THEN e.value::numeric NOT BETWEEN 0 AND 1 ELSE true END
    )) THEN
        RAISE EXCEPTION 'extra scores are one number from 0 to 1 for each further label of the model'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
END $$
"""

# At the end of the transaction, when all of it is there.
POSTGRES_WHOLE = """
CREATE FUNCTION {schema}.check_whole_result() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM {schema}.results r WHERE r.recording_id = NEW.recording_id AND r.model_id = NEW.model_id;
    IF FOUND AND NEW.n_windows <> (
        SELECT count(*) FROM {schema}.segments g
        WHERE g.recording_id = NEW.recording_id AND g.model_id = NEW.model_id
    ) THEN
        RAISE EXCEPTION 'a result has one segment for each of its windows'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$
"""

_SQLITE_LABELS = """
    SELECT RAISE(ABORT, 'extra scores are one number from 0 to 1 for each further label of the model')
    WHERE NEW.extra_scores IS NOT NULL AND (json_type(NEW.extra_scores) <> 'object' OR EXISTS (
        SELECT 1 FROM json_each(NEW.extra_scores) e
        WHERE e.type NOT IN ('integer', 'real') OR e.value NOT BETWEEN 0 AND 1
            OR e.key IN ('anger', 'happiness', 'neutral', 'sadness')
            OR NOT EXISTS (SELECT 1 FROM models m, json_each(m.labels) l WHERE m.id = NEW.model_id AND l.value = e.key)
    ));
"""

SQLITE_RESULT = """
CREATE TRIGGER results_are_whole BEFORE INSERT ON results BEGIN
    SELECT RAISE(ABORT, 'a result comes in the transaction that ends its job as DONE') WHERE NOT EXISTS (
        SELECT 1 FROM jobs j WHERE j.recording_id = NEW.recording_id AND j.model_id = NEW.model_id
            AND j.state = 'DONE' AND j.lease_token = NEW.token
    );
    SELECT RAISE(ABORT, 'the label is none of its model') WHERE NEW.label IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM models m, json_each(m.labels) l WHERE m.id = NEW.model_id AND l.value = NEW.label
    );
    {labels}
    {checks}
END
"""

SQLITE_SEGMENT = """
CREATE TRIGGER segments_are_whole BEFORE INSERT ON segments BEGIN
    SELECT RAISE(ABORT, 'a segment comes in the transaction of its result, as one of its windows') WHERE NOT EXISTS (
        SELECT 1 FROM results r WHERE r.recording_id = NEW.recording_id AND r.model_id = NEW.model_id
            AND r.status = 'SCORED' AND NEW.idx < r.n_windows
    );
    {labels}
    {checks}
END
"""


def upgrade() -> None:
    """Add checks and triggers; no row is changed, and one that breaks a check stays and is counted in the log."""
    if op.get_bind().dialect.name == "postgresql":
        _postgres()
    else:
        op.execute(SQLITE_RESULT.format(labels=_SQLITE_LABELS, checks=_sqlite_checks("results")))
        op.execute(SQLITE_SEGMENT.format(labels=_SQLITE_LABELS, checks=_sqlite_checks("segments")))


def _postgres() -> None:
    bind = op.get_bind()
    quote = bind.dialect.identifier_preparer.quote
    schema = quote(bind.scalar(sa.text("SELECT pg_catalog.current_schema()")))
    for table, checks in CHECKS.items():
        for name, condition in checks.items():
            _add_check(table, f"ck_{table}_{name}", condition)
    for function in (POSTGRES_LABELS, POSTGRES_RESULT, POSTGRES_SEGMENT, POSTGRES_WHOLE):
        op.execute(function.format(schema=schema))
    for name in ("check_new_result()", "check_new_segment()", "check_whole_result()"):
        op.execute(f"REVOKE ALL ON FUNCTION {schema}.{name} FROM PUBLIC")  # no table of anybody else's
    op.execute(
        "CREATE TRIGGER results_are_finished BEFORE INSERT ON results "
        f"FOR EACH ROW EXECUTE FUNCTION {schema}.check_new_result()"
    )
    op.execute(
        "CREATE TRIGGER segments_are_finished BEFORE INSERT ON segments "
        f"FOR EACH ROW EXECUTE FUNCTION {schema}.check_new_segment()"
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER results_are_whole AFTER INSERT ON results DEFERRABLE INITIALLY DEFERRED "
        f"FOR EACH ROW EXECUTE FUNCTION {schema}.check_whole_result()"
    )
    op.execute(f"ALTER FUNCTION {schema}.refuse_update() SET search_path = pg_catalog, pg_temp")


def _add_check(table: str, name: str, condition: str) -> None:
    """Hold new rows to a condition, and the old ones where they all keep it."""
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID")
    n_broken = op.get_bind().scalar(sa.text(f"SELECT count(*) FROM {table} WHERE NOT ({condition})"))
    if n_broken:
        logging.getLogger(__name__).warning("%s rows of %s break %s and stay: %s", n_broken, table, name, condition)
    else:
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def _sqlite_checks(table: str) -> str:
    # A CHECK of the table itself would need a copy of the whole table. All small letters are names of columns.
    of_new = {name: re.sub(r"[a-z][a-z_]+", r"NEW.\g<0>", condition) for name, condition in CHECKS[table].items()}
    return "\n    ".join(
        f"SELECT RAISE(ABORT, 'CHECK constraint failed: ck_{table}_{name}') WHERE NOT ({condition});"
        for name, condition in of_new.items()
    )
