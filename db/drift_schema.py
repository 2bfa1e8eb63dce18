"""The table of how far scores have drifted, night by night."""

from sqlalchemy import BigInteger, Column, Date, ForeignKey, String, Table

from db.columns import Document, Id, UtcDateTime
from db.reasons import DriftState
from db.schema import metadata, one_of

# One row a night and model; it holds sums over everybody and is of nobody. Days are local ones, both ends included.
drift_nights = Table(
    "drift_nights",
    metadata,
    Column("night", Date, primary_key=True),
    Column("model_id", Id, ForeignKey("models.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("measured_at", UtcDateTime, nullable=False),
    Column("recent_since", Date, nullable=False),
    Column("recent_until", Date, nullable=False),
    Column("reference_since", Date, nullable=False),
    Column("reference_until", Date, nullable=False),
    Column("n_recent", BigInteger, nullable=False),
    Column("n_reference", BigInteger, nullable=False),
    Column("n_persons", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("measures", Document, nullable=False),  # the one that has moved most first; empty where there are too few
    one_of("state", DriftState),
)
