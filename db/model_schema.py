"""The tables of a model version's life beside `models`: when it was switched to, when it ended, and who reads it first."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Double, ForeignKey, Index, Integer, String, Table

from db.columns import Id, UtcDateTime
from db.schema import metadata

# Every switch of the active model, the first one included; nothing is changed in it.
model_activations = Table(
    "model_activations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("model_id", Id, ForeignKey("models.id"), nullable=False),
    Column("previous_id", Id, ForeignKey("models.id")),  # NULL: none was active before
    Column("n_results", BigInteger, nullable=False),  # live recordings that the previous one had a result of
    Column("n_covered", BigInteger, nullable=False),  # of those
    Column("is_forced", Boolean, nullable=False),
    CheckConstraint("0 <= n_covered AND n_covered <= n_results", name="counts"),
    Index("ix_model_activations_at", "at"),
)

# A model version without a row is a candidate, or the active one.
model_ends = Table(
    "model_ends",
    metadata,
    Column("model_id", Id, ForeignKey("models.id"), primary_key=True, autoincrement=False),
    Column("retired_at", UtcDateTime),  # no new jobs from then on
    Column("removed_at", UtcDateTime),  # its bundle is not in the store any more
)

# The canary: whose recordings another model version scores too, and who reads it before everybody does. One row at most.
model_readers = Table(
    "model_readers",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("model_id", Id, ForeignKey("models.id"), nullable=False),
    Column("tenant", String),  # all people of this tenant
    Column("share", Double),  # or this share of all people, chosen by hash
    Column("read_share", Double),  # of them, who read it by now: NULL while their recordings are still to be scored
    Column("since", UtcDateTime, nullable=False),
    CheckConstraint("id = 1", name="one"),
    CheckConstraint("(tenant IS NULL) <> (share IS NULL)", name="who"),
    CheckConstraint("share IS NULL OR (share > 0 AND share <= 1)", name="share"),
    CheckConstraint("read_share IS NULL OR (read_share > 0 AND read_share <= 1)", name="read_share"),
)
