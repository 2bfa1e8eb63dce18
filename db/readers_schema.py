"""The table of who reads by SQL: which tenant's rows a role of PostgreSQL sees in the views (deploy/postgres/roles.sql)."""

from sqlalchemy import Column, Index, String, Table

from db.people_schema import subject_days, subject_trends
from db.schema import metadata, recordings

# A role without a row sees nothing. Not used on SQLite, which has no roles.
reader_tenants = Table(
    "reader_tenants",
    metadata,
    Column("role", String, primary_key=True),
    Column("tenant", String),  # NULL: every tenant
)
# For what is asked of everybody of a tenant: a day's notes, a day's people, whose trend has shifted.
Index("ix_recordings_tenant_local_day", recordings.c.tenant, recordings.c.local_day)
Index("ix_subject_days_tenant_day", subject_days.c.tenant, subject_days.c.day)
Index("ix_subject_trends_tenant_state", subject_trends.c.tenant, subject_trends.c.state)
