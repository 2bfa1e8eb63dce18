"""The table of objects that a notification named and that nobody has looked up yet."""

from sqlalchemy import Column, Index, Integer, String, Table

from db.columns import Id, UtcDateTime
from db.schema import metadata

# A key may name a person, so a row lives for seconds where a scheduler runs, and every erasure empties the table: the
# nightly scan finds what a hint was about.
object_hints = Table(
    "object_hints",
    metadata,
    Column("id", Id, primary_key=True),
    Column("bucket", String, nullable=False),
    Column("key", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("n_looks", Integer, nullable=False),
    Index("ix_object_hints_due_at", "due_at"),
)
