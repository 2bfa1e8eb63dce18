"""What is kept of a person: own baselines, relative scores, days and trends, and marks of who has to be looked at again.

Triggers write the marks in the transaction of each change, so that no writer of this or of the previous release can leave
one out, and none needs rights on them. Everybody who is there is marked once.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True).with_variant(sa.dialects.postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)
NAMED = ("subject_baselines", "subject_days", "subject_trends", "subject_marks")

ENDED = "('DEAD', 'CANCELLED')"
_HAS_ENDED_OR_COMES_BACK = f"(OLD.state IN {ENDED}) <> (NEW.state IN {ENDED})"
# What decides whose note it is, whether it is there, and its place in time: of the upload only where nothing better is known.
PLACE = ("state", "tenant", "subject", "recorded_at", "local_day", "uploaded_at")
_AT = "COALESCE({row}.recorded_at, {row}.uploaded_at)"
_IS_DIFFERENT = " OR ".join(
    [
        *(f"OLD.{name} {{differs}} NEW.{name}" for name in PLACE[:-1]),
        f"{_AT.format(row='OLD')} {{differs}} {_AT.format(row='NEW')}",
    ]
)
_WAS_THERE = "OLD.state = 'LIVE' AND OLD.subject IS NOT NULL"
_IS_THERE = "NEW.state = 'LIVE' AND NEW.subject IS NOT NULL"
_MARK_OLD = "VALUES (OLD.tenant, OLD.subject, OLD.id, OLD.local_day);"
_MARK_NEW = "VALUES (NEW.tenant, NEW.subject, NEW.id, NULL);"
_INSERT = "INSERT INTO {schema}subject_marks (tenant, subject, recording_id, left_day)"
_OF_RECORDING = """
    INSERT INTO {schema}subject_marks (tenant, subject)
    SELECT r.tenant, r.subject FROM {schema}recordings r
    WHERE r.id = NEW.{id} AND r.state = 'LIVE' AND r.subject IS NOT NULL;
"""

_TELL = """
    INSERT INTO {schema}changes (tenant, kind, recording_id, at)
    SELECT r.tenant, 'note.upserted', r.id, {now} FROM {schema}recordings r
    WHERE r.id = {row}.recording_id AND r.state = 'LIVE'
"""
# Relative scores that go with the result that they are of are told by whatever took that away.
_HAS_RESULT = """
    AND EXISTS (
        SELECT 1 FROM {schema}results s WHERE s.recording_id = OLD.recording_id AND s.model_id = OLD.model_id
    );
"""

POSTGRES = {
    "mark_new_recording": _OF_RECORDING.replace("{id}", "id"),
    "mark_changed_recording": f"""
        IF {_WAS_THERE} THEN {_INSERT} {_MARK_OLD} END IF;
        IF {_IS_THERE} THEN {_INSERT} {_MARK_NEW} END IF;
    """,
    # Locked, so that a result that is written while its note goes to somebody else marks that person.
    "mark_scored_recording": _OF_RECORDING.replace("{id}", "recording_id").replace("NULL;", "NULL FOR SHARE;"),
    "mark_ended_recording": _OF_RECORDING.replace("{id}", "recording_id"),
    "add_lost_relative_change": _TELL.format(schema="{schema}", row="OLD", now="clock_timestamp()") + _HAS_RESULT,
}
POSTGRES_FUNCTION = """
CREATE FUNCTION {schema}.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    {body}
    RETURN NULL;
END $$
"""
POSTGRES_TRIGGERS = {
    "recordings_mark_inserts": "AFTER INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION {schema}.mark_new_recording()",
    "recordings_mark_updates": f"AFTER UPDATE OF {', '.join(PLACE)} ON recordings FOR EACH ROW "
    f"WHEN ({_IS_DIFFERENT.format(differs='IS DISTINCT FROM')}) "
    "EXECUTE FUNCTION {schema}.mark_changed_recording()",
    "results_mark_inserts": "AFTER INSERT ON results FOR EACH ROW EXECUTE FUNCTION {schema}.mark_scored_recording()",
    "jobs_mark_ends": f"AFTER UPDATE OF state ON jobs FOR EACH ROW WHEN ({_HAS_ENDED_OR_COMES_BACK}) "
    "EXECUTE FUNCTION {schema}.mark_ended_recording()",
    # The feed of changes tells a note again when its relative scores are there, or are made anew.
    "relative_results_tell_changes": "AFTER INSERT OR UPDATE ON relative_results FOR EACH ROW "
    "EXECUTE FUNCTION {schema}.add_result_change()",
    "relative_results_tell_losses": "AFTER DELETE ON relative_results FOR EACH ROW "
    "EXECUTE FUNCTION {schema}.add_lost_relative_change()",
}
_SQLITE_DIFFERENT = _IS_DIFFERENT.format(differs="IS NOT")
_SQLITE_TELL = _TELL.format(schema="", row="{row}", now="strftime('%Y-%m-%d %H:%M:%f000', 'now')")
SQLITE_TRIGGERS = {
    "recordings_mark_inserts": "AFTER INSERT ON recordings BEGIN" + _OF_RECORDING.format(schema="", id="id"),
    "recordings_mark_departures": f"AFTER UPDATE ON recordings WHEN ({_WAS_THERE}) AND ({_SQLITE_DIFFERENT}) BEGIN "
    + f"{_INSERT} {_MARK_OLD}".format(schema=""),
    "recordings_mark_arrivals": f"AFTER UPDATE ON recordings WHEN ({_IS_THERE}) AND ({_SQLITE_DIFFERENT}) BEGIN "
    + f"{_INSERT} {_MARK_NEW}".format(schema=""),
    "results_mark_inserts": "AFTER INSERT ON results BEGIN" + _OF_RECORDING.format(schema="", id="recording_id"),
    "jobs_mark_ends": f"AFTER UPDATE OF state ON jobs WHEN {_HAS_ENDED_OR_COMES_BACK} BEGIN"
    + _OF_RECORDING.format(schema="", id="recording_id"),
    "relative_results_tell_inserts": f"AFTER INSERT ON relative_results BEGIN {_SQLITE_TELL.format(row='NEW')};",
    "relative_results_tell_updates": f"AFTER UPDATE ON relative_results BEGIN {_SQLITE_TELL.format(row='NEW')};",
    "relative_results_tell_losses": "AFTER DELETE ON relative_results BEGIN "
    + _SQLITE_TELL.format(row="OLD")
    + _HAS_RESULT.format(schema=""),
}


def upgrade() -> None:
    """Add tables and triggers; no row that is there is touched, and the previous release goes on beside this one."""
    _baselines()
    _relative_results()
    _days()
    _trends()
    _marks()
    if op.get_bind().dialect.name == "postgresql":
        _postgres()
    else:
        for name, rest in SQLITE_TRIGGERS.items():
            op.execute(f"CREATE TRIGGER {name} {rest} END")
    op.execute(
        "INSERT INTO subject_marks (tenant, subject) SELECT DISTINCT tenant, subject FROM recordings "
        "WHERE state = 'LIVE' AND subject IS NOT NULL"
    )


def _baselines() -> None:
    op.create_table(
        "subject_baselines",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("model_id", ID, nullable=False),
        sa.Column("n_notes", sa.Integer(), nullable=False),
        sa.Column("n_effective", sa.Double(), nullable=False),
        sa.Column("n_persons", sa.Integer(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("offset_values", DOCUMENT, nullable=False),
        sa.Column("own_values", DOCUMENT, nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.CheckConstraint("state IN ('insufficient', 'personal')", name=op.f("ck_subject_baselines_state")),
        sa.CheckConstraint("n_notes > 0 AND n_persons >= 0", name=op.f("ck_subject_baselines_counts")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_subject_baselines_model_id_models")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_baselines")),
    )
    op.create_index("ix_subject_baselines_tenant_subject", "subject_baselines", ["tenant", "subject"])
    is_good = sa.text("retired_at IS NULL")
    op.create_index(
        "uq_subject_baselines_good",
        "subject_baselines",
        ["tenant", "subject", "model_id", "n_notes"],
        unique=True,
        sqlite_where=is_good,
        postgresql_where=is_good,
    )
    op.create_table(
        "baseline_notes",
        sa.Column("baseline_id", ID, autoincrement=False, nullable=False),
        sa.Column("recording_id", ID, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["baseline_id"],
            ["subject_baselines.id"],
            name=op.f("fk_baseline_notes_baseline_id_subject_baselines"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_baseline_notes_recording_id_recordings")
        ),
        sa.PrimaryKeyConstraint("baseline_id", "recording_id", name=op.f("pk_baseline_notes")),
    )
    op.create_index("ix_baseline_notes_recording_id", "baseline_notes", ["recording_id"])


def _relative_results() -> None:
    whole = ("label", "confidence", "is_uncertain")
    op.create_table(
        "relative_results",
        sa.Column("recording_id", ID, autoincrement=False, nullable=False),
        sa.Column("model_id", ID, autoincrement=False, nullable=False),
        sa.Column("baseline_id", ID, nullable=True),
        sa.Column("scores", DOCUMENT, nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("is_uncertain", sa.Boolean(), nullable=True),
        sa.Column("related_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            " AND ".join(f"(scores IS NOT NULL) = ({name} IS NOT NULL)" for name in whole),
            name=op.f("ck_relative_results_whole"),
        ),
        sa.CheckConstraint(
            "scores IS NULL OR baseline_id IS NOT NULL", name=op.f("ck_relative_results_baseline")
        ),
        sa.ForeignKeyConstraint(
            ["baseline_id"],
            ["subject_baselines.id"],
            name=op.f("fk_relative_results_baseline_id_subject_baselines"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["recording_id", "model_id"],
            ["results.recording_id", "results.model_id"],
            name=op.f("fk_relative_results_recording_id_results"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recording_id", "model_id", name=op.f("pk_relative_results")),
    )
    op.create_index("ix_relative_results_baseline_id", "relative_results", ["baseline_id"])


def _days() -> None:
    counts = ("n_scored", "n_uncertain", "n_no_speech", "n_failed", "n_pending")
    op.create_table(
        "subject_days",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("model_id", ID, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in counts),
        sa.Column("speech_ms", sa.BigInteger(), nullable=False),
        sa.Column("scores", DOCUMENT, nullable=True),
        sa.Column("relative", DOCUMENT, nullable=True),
        sa.Column("levels", DOCUMENT, nullable=True),
        sa.Column("arousal", sa.Double(), nullable=True),
        sa.Column("valence", sa.Double(), nullable=True),
        sa.Column("refreshed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_subject_days_model_id_models")),
        sa.PrimaryKeyConstraint("tenant", "subject", "model_id", "day", name=op.f("pk_subject_days")),
    )


def _trends() -> None:
    states = "'stable', 'shifted_up', 'shifted_down', 'insufficient'"
    op.create_table(
        "subject_trends",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("model_id", ID, autoincrement=False, nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("baseline", DOCUMENT, nullable=True),
        sa.Column("trend", DOCUMENT, nullable=False),
        sa.Column("chart", DOCUMENT, nullable=False),
        sa.Column("refreshed_at", MOMENT, nullable=False),
        sa.CheckConstraint(f"state IN ({states})", name=op.f("ck_subject_trends_state")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_subject_trends_model_id_models")),
        sa.PrimaryKeyConstraint("tenant", "subject", "model_id", "measure", name=op.f("pk_subject_trends")),
    )
    says_more = sa.text("state <> 'insufficient'")
    op.create_index(
        "ix_subject_trends_as_of", "subject_trends", ["as_of"], sqlite_where=says_more, postgresql_where=says_more
    )


def _marks() -> None:
    op.create_table(
        "subject_marks",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("recording_id", ID, nullable=True),
        sa.Column("left_day", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_marks")),
    )
    op.create_index("ix_subject_marks_tenant_subject", "subject_marks", ["tenant", "subject"])


def _postgres() -> None:
    bind = op.get_bind()
    quote = bind.dialect.identifier_preparer.quote
    schema = quote(bind.scalar(sa.text("SELECT pg_catalog.current_schema()")))
    for name, body in POSTGRES.items():
        op.execute(POSTGRES_FUNCTION.format(schema=schema, name=name, body=body.format(schema=f"{schema}.")))
        op.execute(f"REVOKE ALL ON FUNCTION {schema}.{name}() FROM PUBLIC")  # no table of anybody else's
    for name, rest in POSTGRES_TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {rest.format(schema=schema)}")
    # An erasure may empty these tables, and statistics would keep the names (see 0009).
    for table in NAMED:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN subject SET STATISTICS 0")
