"""No statistics of names in tables that an erasure may empty: PostgreSQL keeps those of an empty table as they are."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NAMES = {
    "identity_changes": ("old_value", "new_value"),
    "subject_aliases": ("alias", "subject"),
    "erasure_objects": ("bucket", "key"),
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in NAMES.items():
        for column in columns:
            # To the type that it has: nothing is rewritten, and statistics of the column are dropped.
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE VARCHAR")
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")
