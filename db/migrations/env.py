"""Runs migrations on the connection that `db.migrate` hands over, inside its transaction; it never connects itself."""

from alembic import context

from db import (  # noqa: F401 - their tables belong to the metadata
    api_schema,
    batch_schema,
    compatibility_schema,
    drift_schema,
    export_schema,
    hint_schema,
    model_schema,
    people_schema,
    pulse_schema,
    readers_schema,
    request_schema,
    webhook_schema,
)
from db.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
