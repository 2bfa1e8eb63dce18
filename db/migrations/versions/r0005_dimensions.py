"""Arousal and valence beside the scores, NULL where a model says nothing of them, and as last columns of the views."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("results", "segments")
VIEWS = ("v1_subject_day", "v1_segment", "v1_note")  # each before the one it reads
DIMENSIONS = ("arousal", "valence")

NOTE = """
{create} v1_note AS
SELECT
    r.id AS recording_id,
    r.store AS store,
    r.bucket AS bucket,
    r.key AS key,
    r.subject AS subject,
    r.recorded_at AS recorded_at,
    r.recorded_at_precision AS recorded_at_precision,
    r.recorded_at_source AS recorded_at_source,
    r.uploaded_at AS uploaded_at,
    {day} AS day,
    {week} AS week,
    CASE
        WHEN s.status = 'SCORED' THEN 'scored'
        WHEN s.status = 'NO_SPEECH' THEN 'no_speech'
        WHEN j.state = 'DEAD' THEN 'failed'
        WHEN j.state = 'CANCELLED' THEN 'cancelled'
        ELSE 'pending'
    END AS status,
    CASE WHEN s.status IS NULL AND j.state IN ('DEAD', 'CANCELLED') THEN j.reason END AS reason,
    s.label AS label,
    s.confidence AS confidence,
    s.is_uncertain AS is_uncertain,
    s.anger AS anger,
    s.happiness AS happiness,
    s.neutral AS neutral,
    s.sadness AS sadness,
    s.speech_ms AS speech_ms,
    s.duration_ms AS duration_ms,
    s.anger_slope_per_min AS anger_slope_per_min,
    s.happiness_slope_per_min AS happiness_slope_per_min,
    s.neutral_slope_per_min AS neutral_slope_per_min,
    s.sadness_slope_per_min AS sadness_slope_per_min,
    m.name AS model_name,
    m.version AS model_version,
    s.created_at AS scored_at,
    s.arousal AS arousal,
    s.valence AS valence
FROM recordings r
LEFT JOIN models m ON m.is_active
LEFT JOIN jobs j ON j.recording_id = r.id AND j.model_id = m.id
LEFT JOIN results s ON s.recording_id = r.id AND s.model_id = m.id
WHERE r.state = 'LIVE'
"""

SEGMENT = """
{create} v1_segment AS
SELECT
    g.recording_id AS recording_id,
    r.key AS key,
    r.subject AS subject,
    r.recorded_at AS recorded_at,
    g.idx AS idx,
    g.start_ms AS start_ms,
    g.end_ms AS end_ms,
    g.speech_ms AS speech_ms,
    g.anger AS anger,
    g.happiness AS happiness,
    g.neutral AS neutral,
    g.sadness AS sadness,
    m.name AS model_name,
    m.version AS model_version,
    g.arousal AS arousal,
    g.valence AS valence
FROM segments g
JOIN models m ON m.id = g.model_id AND m.is_active
JOIN recordings r ON r.id = g.recording_id AND r.state = 'LIVE'
"""

SUBJECT_DAY = """
{create} v1_subject_day AS
SELECT
    subject,
    day,
    week,
    COUNT(*) AS n_notes,
    SUM(CASE WHEN is_uncertain THEN 1 ELSE 0 END) AS n_uncertain,
    CAST(SUM(speech_ms) AS BIGINT) AS speech_ms,
    SUM(anger * speech_ms) / SUM(speech_ms) AS anger,
    SUM(happiness * speech_ms) / SUM(speech_ms) AS happiness,
    SUM(neutral * speech_ms) / SUM(speech_ms) AS neutral,
    SUM(sadness * speech_ms) / SUM(speech_ms) AS sadness,
    SUM(arousal * speech_ms) / SUM(CASE WHEN arousal IS NOT NULL THEN speech_ms END) AS arousal,
    SUM(valence * speech_ms) / SUM(CASE WHEN valence IS NOT NULL THEN speech_ms END) AS valence
FROM v1_note
WHERE status = 'scored' AND speech_ms > 0 AND subject IS NOT NULL AND day IS NOT NULL
GROUP BY subject, day, week
"""

# Days are UTC days and weeks begin on Monday. SQLite's dates are text (YYYY-MM-DD), PostgreSQL's are dates.
SQLITE_TIMES = {"day": "date(r.recorded_at)", "week": "date(r.recorded_at, 'weekday 0', '-6 days')"}
POSTGRES_TIMES = {
    "day": "CAST(r.recorded_at AT TIME ZONE 'UTC' AS DATE)",
    "week": "CAST(date_trunc('week', r.recorded_at AT TIME ZONE 'UTC') AS DATE)",
}


def upgrade() -> None:
    """Add the columns; the previous release names the columns that it writes and reads, so it goes on beside them."""
    for table in TABLES:
        for name in DIMENSIONS:
            op.add_column(table, sa.Column(name, sa.Double(), nullable=True))
    is_postgres = op.get_bind().dialect.name == "postgresql"
    if not is_postgres:
        for view in VIEWS:
            op.execute(f"DROP VIEW {view}")
    # In place, a view keeps its owner and who may read it; SQLite has no roles and no such statement.
    create = "CREATE OR REPLACE VIEW" if is_postgres else "CREATE VIEW"
    times = POSTGRES_TIMES if is_postgres else SQLITE_TIMES
    op.execute(NOTE.format(create=create, **times))
    op.execute(SEGMENT.format(create=create))
    op.execute(SUBJECT_DAY.format(create=create))
