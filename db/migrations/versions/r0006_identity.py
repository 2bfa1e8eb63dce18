"""Tenants, the recorder's own calendar, corrections of who and when; views without storage keys and with all scores."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
VIEWS = ("v1_subject_day", "v1_segment", "v1_note")  # each before the one it reads

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
    m.name AS model_name,
    m.version AS model_version,
    g.arousal AS arousal,
    g.valence AS valence
FROM segments g
JOIN models m ON m.id = g.model_id AND m.is_active
JOIN recordings r ON r.id = g.recording_id AND r.state = 'LIVE'
"""

# A day's `scores` are looked up label by label only where there are more labels than columns: that costs as much again.
SUBJECT_DAY = """
CREATE VIEW v1_subject_day AS
SELECT
    d.tenant AS tenant,
    d.subject AS subject,
    d.day AS day,
    d.week AS week,
    d.n_notes AS n_notes,
    d.n_uncertain AS n_uncertain,
    d.speech_ms AS speech_ms,
    d.anger AS anger,
    d.happiness AS happiness,
    d.neutral AS neutral,
    d.sadness AS sadness,
    CASE WHEN d.n_with_more = 0 THEN {day_scores} ELSE (
        SELECT {object_of}(e.label, e.score)
        FROM (
            SELECT s.key AS label, SUM({number} * n.speech_ms) / SUM(n.speech_ms) AS score
            FROM v1_note n, {each}(n.scores) s
            WHERE n.tenant = d.tenant AND n.subject = d.subject AND n.day = d.day
                AND n.status = 'scored' AND n.speech_ms > 0
            GROUP BY s.key
        ) AS e
    ) END AS scores,
    d.arousal AS arousal,
    d.valence AS valence
FROM (
    SELECT
        tenant,
        subject,
        day,
        week,
        COUNT(*) AS n_notes,
        SUM(CASE WHEN is_uncertain THEN 1 ELSE 0 END) AS n_uncertain,
        SUM(CASE WHEN {more} THEN 1 ELSE 0 END) AS n_with_more,
        CAST(SUM(speech_ms) AS BIGINT) AS speech_ms,
        SUM(anger * speech_ms) / SUM(speech_ms) AS anger,
        SUM(happiness * speech_ms) / SUM(speech_ms) AS happiness,
        SUM(neutral * speech_ms) / SUM(speech_ms) AS neutral,
        SUM(sadness * speech_ms) / SUM(speech_ms) AS sadness,
        SUM(arousal * speech_ms) / SUM(CASE WHEN arousal IS NOT NULL THEN speech_ms END) AS arousal,
        SUM(valence * speech_ms) / SUM(CASE WHEN valence IS NOT NULL THEN speech_ms END) AS valence
    FROM v1_note
    WHERE status = 'scored' AND speech_ms > 0 AND subject IS NOT NULL AND day IS NOT NULL
    GROUP BY tenant, subject, day, week
) AS d
"""

_FOUR = "'anger', {t}.anger, 'happiness', {t}.happiness, 'neutral', {t}.neutral, 'sadness', {t}.sadness"
# SQLite's dates and moments are text; its JSON is text too.
SQLITE = {
    "local": "strftime('%Y-%m-%d %H:%M:%f000', r.recorded_at, r.utc_offset_min || ' minutes')",
    "week": "date(r.local_day, 'weekday 0', '-6 days')",
    "four": f"json_object({_FOUR})",
    "scores": f"json_patch(json_object({_FOUR}), COALESCE({{t}}.extra_scores, '{{{{}}}}'))",
    "more": "json_remove(scores, '$.anger', '$.happiness', '$.neutral', '$.sadness') <> '{}'",
    "object_of": "json_group_object",
    "each": "json_each",
    "number": "s.value",
}
POSTGRES = {
    "local": "(r.recorded_at AT TIME ZONE 'UTC') + r.utc_offset_min * INTERVAL '1 minute'",
    "week": "CAST(date_trunc('week', CAST(r.local_day AS TIMESTAMP)) AS DATE)",
    "four": f"jsonb_build_object({_FOUR})",
    "scores": f"jsonb_build_object({_FOUR}) || COALESCE({{t}}.extra_scores, '{{{{}}}}'::jsonb)",
    "more": "scores - ARRAY['anger', 'happiness', 'neutral', 'sadness'] <> '{}'",
    "object_of": "jsonb_object_agg",
    "each": "jsonb_each",
    "number": "CAST(s.value AS DOUBLE PRECISION)",
}

# Until now `recorded_at` alone was kept, in UTC. Of a bare date that is local midnight, so that its time of day gives
# the offset away, unless it is one at which both a day that begins in the west (UTC-12 to UTC-10) and one that begins
# in the east (UTC+12 to UTC+14) may begin.
SQLITE_MINUTE = "(CAST(strftime('%H', recorded_at) AS INTEGER) * 60 + CAST(strftime('%M', recorded_at) AS INTEGER))"
POSTGRES_MINUTE = (
    "CAST(extract(hour FROM recorded_at AT TIME ZONE 'UTC') * 60 "
    "+ extract(minute FROM recorded_at AT TIME ZONE 'UTC') AS INTEGER)"
)
OFFSETS = """
UPDATE recordings
SET utc_offset_min = CASE WHEN {minute} < 600 THEN -{minute} ELSE 1440 - {minute} END
WHERE recorded_at_precision = 'day' AND ({minute} < 600 OR {minute} > 720)
"""
SQLITE_DAYS = "UPDATE recordings SET local_day = date(recorded_at, COALESCE(utc_offset_min, 0) || ' minutes')"
POSTGRES_DAYS = (
    "UPDATE recordings SET local_day = "
    "CAST((recorded_at AT TIME ZONE 'UTC') + COALESCE(utc_offset_min, 0) * INTERVAL '1 minute' AS DATE)"
)


def upgrade() -> None:
    """Add columns and tables, read the local days as far as rows tell them, and make the views again.

    The previous release names the columns that it writes, so its workers and scheduler go on beside this one.
    """
    is_postgres = op.get_bind().dialect.name == "postgresql"
    _recordings()
    _identity_changes()
    _subject_aliases()
    op.execute(OFFSETS.format(minute=POSTGRES_MINUTE if is_postgres else SQLITE_MINUTE))
    op.execute((POSTGRES_DAYS if is_postgres else SQLITE_DAYS) + " WHERE recorded_at IS NOT NULL")
    rights = _read_rights() if is_postgres else []
    for view in VIEWS:
        op.execute(f"DROP VIEW {view}")
    words = POSTGRES if is_postgres else SQLITE
    note_scores, segment_scores = (words["scores"].format(t=table) for table in ("s", "g"))
    op.execute(NOTE.format(local=words["local"], week=words["week"], note_scores=note_scores))
    op.execute(SEGMENT.format(segment_scores=segment_scores))
    of_days = {name: words[name] for name in ("object_of", "each", "number", "more")}
    op.execute(SUBJECT_DAY.format(day_scores=words["four"].format(t="d"), **of_days))
    for statement in rights:
        op.execute(statement)


def _recordings() -> None:
    for column in (
        sa.Column("tenant", sa.String(), server_default=sa.text("'default'"), nullable=False),
        sa.Column("tenant_source", sa.String(), server_default=sa.text("'default'"), nullable=False),
        sa.Column("utc_offset_min", sa.Integer(), nullable=True),
        sa.Column("recorded_at_zone", sa.String(), nullable=True),
        sa.Column("local_day", sa.Date(), nullable=True),
        sa.Column("identity_tag", sa.String(), nullable=True),
    ):
        op.add_column("recordings", column)
    op.drop_index("ix_recordings_subject_recorded_at", "recordings")
    for last in ("recorded_at", "local_day"):
        op.create_index(f"ix_recordings_tenant_subject_{last}", "recordings", ["tenant", "subject", last])


def _identity_changes() -> None:
    op.create_table(
        "identity_changes",
        sa.Column("id", ID, nullable=False),
        sa.Column("recording_id", ID, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("old_value", sa.String(), nullable=True),
        sa.Column("new_value", sa.String(), nullable=True),
        sa.CheckConstraint(
            "cause IN ('scan', 'identify', 'rename', 'merge')", name=op.f("ck_identity_changes_cause")
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_identity_changes_recording_id_recordings")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_changes")),
    )
    op.create_index("ix_identity_changes_recording_id", "identity_changes", ["recording_id"])


def _subject_aliases() -> None:
    op.create_table(
        "subject_aliases",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "alias", name=op.f("pk_subject_aliases")),
    )
    op.create_index("ix_subject_aliases_tenant_subject", "subject_aliases", ["tenant", "subject"])


def _read_rights() -> list[str]:
    """Write down who owns the views and what others may do with them, as the statements that give it back."""
    bind = op.get_bind()
    quote = bind.dialect.identifier_preparer.quote
    views: sa.BindParameter[tuple[str, ...]] = sa.bindparam("views", VIEWS, expanding=True)
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
