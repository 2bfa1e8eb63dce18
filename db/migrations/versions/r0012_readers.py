"""What apps read by SQL: the views with relative scores, days, trends and the feed of changes; which tenant a role sees.

The views are made anew. Their owner and the rights on them stay. Which rows a role of PostgreSQL sees through them is
decided by deploy/postgres/roles.sql with the rows of `reader_tenants`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OLD_VIEWS = ("v1_subject_day", "v1_segment", "v1_note")  # each before the one it reads

NOTE = """
CREATE VIEW v1_note AS
SELECT
    r.id AS recording_id,
    r.tenant AS tenant,
    r.subject AS subject,
    r.recorded_at AS recorded_at,
    r.utc_offset_min AS utc_offset_min,
    r.recorded_at_zone AS recorded_at_zone,
    {local} AS recorded_at_local,
    r.recorded_at_precision AS recorded_at_precision,
    r.recorded_at_source AS recorded_at_source,
    r.uploaded_at AS uploaded_at,
    r.local_day AS day,
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
    CASE WHEN s.status = 'SCORED' THEN {note_scores} END AS scores,
    s.arousal AS arousal,
    s.valence AS valence,
    x.label AS relative_label,
    x.confidence AS relative_confidence,
    x.is_uncertain AS relative_is_uncertain,
    x.scores AS relative,
    CASE WHEN x.recording_id IS NOT NULL THEN COALESCE(b.state, 'insufficient') END AS baseline_state,
    CASE WHEN x.recording_id IS NOT NULL THEN COALESCE(b.n_notes, 0) END AS baseline_n_notes,
    CASE WHEN s.status = 'SCORED' THEN s.trend END AS trend,
    s.speech_ms AS speech_ms,
    s.duration_ms AS duration_ms,
    m.name AS model_name,
    m.version AS model_version,
    s.created_at AS scored_at
FROM recordings r
LEFT JOIN models m ON m.is_active
LEFT JOIN jobs j ON j.recording_id = r.id AND j.model_id = m.id
LEFT JOIN results s ON s.recording_id = r.id AND s.model_id = m.id
LEFT JOIN relative_results x ON x.recording_id = r.id AND x.model_id = m.id
LEFT JOIN subject_baselines b ON b.id = x.baseline_id
WHERE r.state = 'LIVE'
"""

SEGMENT = """
CREATE VIEW v1_segment AS
SELECT
    g.recording_id AS recording_id,
    r.tenant AS tenant,
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
    {segment_scores} AS scores,
    g.arousal AS arousal,
    g.valence AS valence,
    m.name AS model_name,
    m.version AS model_version
FROM segments g
JOIN models m ON m.id = g.model_id AND m.is_active
JOIN recordings r ON r.id = g.recording_id AND r.state = 'LIVE'
"""

SUBJECT_DAY = """
CREATE VIEW v1_subject_day AS
SELECT
    d.tenant AS tenant,
    d.subject AS subject,
    d.day AS day,
    d.week AS week,
    d.n_scored + d.n_no_speech + d.n_failed + d.n_pending AS n_notes,
    d.n_scored AS n_scored,
    d.n_uncertain AS n_uncertain,
    d.n_no_speech AS n_no_speech,
    d.n_failed AS n_failed,
    d.n_pending AS n_pending,
    d.speech_ms AS speech_ms,
    {anger} AS anger,
    {happiness} AS happiness,
    {neutral} AS neutral,
    {sadness} AS sadness,
    d.scores AS scores,
    d.arousal AS arousal,
    d.valence AS valence,
    d.relative AS relative,
    d.levels AS levels,
    m.name AS model_name,
    m.version AS model_version,
    d.refreshed_at AS refreshed_at
FROM subject_days d
JOIN models m ON m.id = d.model_id AND m.is_active
"""

SUBJECT_TREND = """
CREATE VIEW v1_subject_trend AS
SELECT
    t.tenant AS tenant,
    t.subject AS subject,
    t.measure AS measure,
    t.state AS state,
    t.reason AS reason,
    t.as_of AS as_of,
    t.since AS since,
    {difference} AS difference,
    {low} AS difference_low,
    {high} AS difference_high,
    {effect_size} AS effect_size,
    t.baseline AS baseline,
    t.trend AS trend,
    t.chart AS chart,
    m.name AS model_name,
    m.version AS model_version,
    t.refreshed_at AS refreshed_at
FROM subject_trends t
JOIN models m ON m.id = t.model_id AND m.is_active
"""

# Up to where places are given: what is committed late gets a later one, so that nobody who pages misses it.
CHANGE = """
CREATE VIEW v1_change AS
SELECT
    c.position AS position,
    c.tenant AS tenant,
    c.kind AS kind,
    c.recording_id AS recording_id,
    c.reason AS reason,
    m.name AS model_name,
    m.version AS model_version,
    c.at AS at
FROM changes c
LEFT JOIN models m ON m.id = c.model_id
WHERE c.position IS NOT NULL
"""

_FOUR = "'anger', {t}.anger, 'happiness', {t}.happiness, 'neutral', {t}.neutral, 'sadness', {t}.sadness"
_EMOTIONS = ("anger", "happiness", "neutral", "sadness")
_RECENT = ("difference", "low", "high", "effect_size")
# SQLite's dates and moments are text; its JSON is text too.
SQLITE = {
    "local": "strftime('%Y-%m-%d %H:%M:%f000', r.recorded_at, r.utc_offset_min || ' minutes')",
    "week": "date(r.local_day, 'weekday 0', '-6 days')",
    "scores": f"json_patch(json_object({_FOUR}), COALESCE({{t}}.extra_scores, '{{{{}}}}'))",
    **{name: f"json_extract(d.scores, '$.{name}')" for name in _EMOTIONS},
    **{name: f"json_extract(t.trend, '$.recent.{name}')" for name in _RECENT},
}
POSTGRES = {
    "local": "(r.recorded_at AT TIME ZONE 'UTC') + r.utc_offset_min * INTERVAL '1 minute'",
    "week": "CAST(date_trunc('week', CAST(r.local_day AS TIMESTAMP)) AS DATE)",
    "scores": f"jsonb_build_object({_FOUR}) || COALESCE({{t}}.extra_scores, '{{{{}}}}'::jsonb)",
    **{name: f"CAST(d.scores ->> '{name}' AS DOUBLE PRECISION)" for name in _EMOTIONS},
    **{name: f"CAST(t.trend #>> '{{recent,{name}}}' AS DOUBLE PRECISION)" for name in _RECENT},
}


def upgrade() -> None:
    """Make the views anew, and what their queries need: two indexes, and a table of whose rows a role sees.

    The previous release reads the tables and names the columns that it wants of the views, and those stay.
    """
    is_postgres = op.get_bind().dialect.name == "postgresql"
    op.create_index("ix_recordings_tenant_local_day", "recordings", ["tenant", "local_day"])
    op.create_index("ix_subject_days_tenant_day", "subject_days", ["tenant", "day"])
    op.create_index("ix_subject_trends_tenant_state", "subject_trends", ["tenant", "state"])
    op.create_table(
        "reader_tenants",
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("role", name=op.f("pk_reader_tenants")),
    )
    rights = _read_rights() if is_postgres else []
    for view in OLD_VIEWS:
        op.execute(f"DROP VIEW {view}")
    words = POSTGRES if is_postgres else SQLITE
    note_scores, segment_scores = (words["scores"].format(t=table) for table in ("s", "g"))
    op.execute(NOTE.format(local=words["local"], week=words["week"], note_scores=note_scores))
    op.execute(SEGMENT.format(segment_scores=segment_scores))
    op.execute(SUBJECT_DAY.format(**{name: words[name] for name in _EMOTIONS}))
    op.execute(SUBJECT_TREND.format(**{name: words[name] for name in _RECENT}))
    op.execute(CHANGE)
    for statement in rights:
        op.execute(statement)


def _read_rights() -> list[str]:
    """Write down who owns the views and what others may do with them, as the statements that give it back."""
    bind = op.get_bind()
    quote = bind.dialect.identifier_preparer.quote
    views: sa.BindParameter[tuple[str, ...]] = sa.bindparam("views", OLD_VIEWS, expanding=True)
    owned = sa.text(
        "SELECT relname, pg_get_userbyid(relowner) AS owner FROM pg_class WHERE pg_get_userbyid(relowner) <> current_user "
        "AND pg_table_is_visible(oid) AND relname IN :views"
    ).bindparams(views)
    statements = [f"ALTER VIEW {row.relname} OWNER TO {quote(row.owner)}" for row in bind.execute(owned)]
    given = sa.text(
        "SELECT c.relname, a.privilege_type, a.is_grantable, pg_get_userbyid(nullif(a.grantee, 0)) AS role "
        "FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee <> c.relowner "
        "AND pg_table_is_visible(c.oid) AND c.relname IN :views"
    ).bindparams(views)
    for row in bind.execute(given):
        role = "PUBLIC" if row.role is None else quote(row.role)
        option = " WITH GRANT OPTION" if row.is_grantable else ""
        statements.append(f"GRANT {row.privilege_type} ON {row.relname} TO {role}{option}")
    return statements
