"""One hash of all files of a registered bundle; NULL for models from before, until they are registered again."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the previous release names the columns that it writes, so it goes on beside this one."""
    op.add_column("models", sa.Column("bundle_sha256", sa.String(), nullable=True))
