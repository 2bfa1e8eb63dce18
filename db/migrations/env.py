"""Runs migrations on the connection that `db.migrate` hands over, inside its transaction; it never connects itself."""

from alembic import context

from db import api_schema, people_schema, webhook_schema  # noqa: F401 - their tables belong to the metadata
from db.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
