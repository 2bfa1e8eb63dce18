"""The table that says which earlier releases go on beside the schema."""

from sqlalchemy import CheckConstraint, Column, Integer, String, Table

from db.schema import metadata

# One row. A release whose newest revision is `works_beside` or later may start and go on beside this schema.
schema_compatibility = Table(
    "schema_compatibility",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("works_beside", String, nullable=False),
    CheckConstraint("id = 1", name="one"),
)
