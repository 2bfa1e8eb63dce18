"""Runs migrations on the connection that `db.migrate` hands over, inside its transaction; it never connects itself."""

from alembic import context

from db.every_table import load_metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=load_metadata())
with context.begin_transaction():
    context.run_migrations()
