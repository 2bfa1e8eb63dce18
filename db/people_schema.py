"""The tables of what is kept of a person: own baselines, relative scores, days, trends, and who has to be looked at again.

All but `subject_marks` can be made anew from recordings and results; baselines and relative scores are kept because
history must not rewrite itself. An erasure deletes what is here of a person in its own transaction.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    text,
)

from db.columns import Document, Id, UtcDateTime
from db.reasons import BaselineState, TrendState
from db.schema import DIMENSIONS, metadata, one_of

# What is usual for a person under one model, made of the person's first notes and then kept. Not changed but for `retired_at`.
subject_baselines = Table(
    "subject_baselines",
    metadata,
    Column("id", Id, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("model_id", Id, ForeignKey("models.id"), nullable=False),
    Column("n_notes", Integer, nullable=False),  # of the person, behind it
    Column("n_effective", Double, nullable=False),  # fewer where old notes are forgotten
    Column("n_persons", Integer, nullable=False),  # others of the tenant, behind it
    Column("rule_version", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("offset_values", Document, nullable=False),  # label to what is taken from log scores
    Column("own_values", Document, nullable=False),  # label to what the person's notes say by themselves
    Column("first_at", UtcDateTime, nullable=False),  # of the notes behind it
    Column("last_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),  # when a note behind it had left the person or its place in time; NULL: good
    one_of("state", BaselineState),
    CheckConstraint("n_notes > 0 AND n_persons >= 0", name="counts"),
    Index("ix_subject_baselines_tenant_subject", "tenant", "subject"),
)
Index(
    "uq_subject_baselines_good",
    subject_baselines.c.tenant,
    subject_baselines.c.subject,
    subject_baselines.c.model_id,
    subject_baselines.c.n_notes,
    unique=True,
    sqlite_where=text("retired_at IS NULL"),
    postgresql_where=text("retired_at IS NULL"),
)

baseline_notes = Table(
    "baseline_notes",
    metadata,
    Column(
        "baseline_id",
        Id,
        ForeignKey("subject_baselines.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("recording_id", Id, ForeignKey("recordings.id"), primary_key=True, autoincrement=False),
    Index("ix_baseline_notes_recording_id", "recording_id"),
)

# Scores of a note relative to what was usual for the person before it. The scores are NULL as long as too little was
# known of the person: then words may call nothing unusual. `baseline_id` is NULL where nothing was known.
relative_results = Table(
    "relative_results",
    metadata,
    Column("recording_id", Id, primary_key=True, autoincrement=False),
    Column("model_id", Id, primary_key=True, autoincrement=False),
    Column("baseline_id", Id, ForeignKey("subject_baselines.id", ondelete="CASCADE")),
    Column("scores", Document),
    Column("label", String),
    Column("confidence", Double),
    Column("is_uncertain", Boolean),
    Column("related_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(
        ["recording_id", "model_id"], ["results.recording_id", "results.model_id"], ondelete="CASCADE"
    ),
    CheckConstraint(
        " AND ".join(
            f"(scores IS NOT NULL) = ({column} IS NOT NULL)" for column in ("label", "confidence", "is_uncertain")
        ),
        name="whole",
    ),
    CheckConstraint("scores IS NULL OR baseline_id IS NOT NULL", name="baseline"),
    Index("ix_relative_results_baseline_id", "baseline_id"),
)

# One local day of a person under one model, days with nothing but pending or failed notes too.
subject_days = Table(
    "subject_days",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("model_id", Id, ForeignKey("models.id"), primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("week", Date, nullable=False),  # its Monday
    Column("n_scored", Integer, nullable=False),
    Column("n_uncertain", Integer, nullable=False),  # of those
    Column("n_no_speech", Integer, nullable=False),
    Column("n_failed", Integer, nullable=False),
    Column("n_pending", Integer, nullable=False),
    Column("speech_ms", BigInteger, nullable=False),
    Column("scores", Document),  # label to the mean of the scored notes; NULL: none is scored
    Column("relative", Document),  # the same of the relative scores, of those notes that have some; NULL: none has
    Column(
        "levels", Document
    ),  # label to {"level", "error"}, log odds, and the same of measures of the voice; NULL: none is known
    *(Column(name, Double) for name in DIMENSIONS),
    Column("refreshed_at", UtcDateTime, nullable=False),
)

# Where a person's recent days are against the person's own frozen baseline, in one measure.
subject_trends = Table(
    "subject_trends",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("model_id", Id, ForeignKey("models.id"), primary_key=True, autoincrement=False),
    Column("measure", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("since", Date),  # when the shift most likely began; NULL: none
    Column("baseline", Document),  # the frozen one, as `trends.DayBaseline.as_dict`; NULL: too few days yet
    Column("trend", Document, nullable=False),  # as `trends.PersonTrend.as_dict`, without its chart
    Column("chart", Document, nullable=False),  # a list, empty where the state is insufficient
    Column("refreshed_at", UtcDateTime, nullable=False),
    one_of("state", TrendState),
)
# Those that may grow old without a new note.
Index(
    "ix_subject_trends_as_of",
    subject_trends.c.as_of,
    sqlite_where=text("state <> 'insufficient'"),
    postgresql_where=text("state <> 'insufficient'"),
)

# Whose rows have to be made again; triggers write here in the transaction of each change (migration 0011), and the refresh
# deletes what it has read. With a recording: that note's person, time or presence was corrected.
subject_marks = Table(
    "subject_marks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("recording_id", Id),
    Column("left_day", Date),  # which the note has left
    Index("ix_subject_marks_tenant_subject", "tenant", "subject"),
)
