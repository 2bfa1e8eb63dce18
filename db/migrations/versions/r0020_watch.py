"""Live workers, failed slots, alerts, nights to report and mail; webhooks tell of nights and alerts.

The previous release goes on beside this one: it writes none of the new tables and none of the new events.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True).with_variant(sa.dialects.postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)
KINDS = (
    "'note.scored', 'note.failed', 'note.deleted', 'day.updated', 'trend.changed', 'subject.erased', "
    "'model.activated', 'webhook.test', 'night.finished', 'alert.opened', 'alert.closed'"
)
TROUBLES = (
    "'broker', 'bundle', 'clock', 'deaths', 'model', 'people', 'queue', 'scheduler', 'schema', 'slot', 'storage', "
    "'worker'"
)


def upgrade() -> None:
    """Add the tables, an index over dead jobs, and the new kinds of events."""
    _workers()
    _alerts()
    _reports()
    is_dead = sa.text("state = 'DEAD'")
    op.create_index(
        "ix_jobs_dead_finished_at", "jobs", ["finished_at"], sqlite_where=is_dead, postgresql_where=is_dead
    )
    _allow_kinds()


def _workers() -> None:
    op.create_table(
        "worker_pulses",
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lanes", DOCUMENT, nullable=False),
        sa.Column("n_processes", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("model", sa.String()),
        sa.Column("bundle_sha256", sa.String()),
        sa.Column("bundle_error", sa.String()),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("seen_at_s", sa.Double(), nullable=False),
        sa.Column("host_at_s", sa.Double(), nullable=False),
        sa.Column("last_job_id", ID),
        sa.Column("last_job_at", MOMENT),
        sa.PrimaryKeyConstraint("host", "pid", name="pk_worker_pulses"),
    )
    op.create_table(
        "slot_failures",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slot", MOMENT, nullable=False),
        sa.Column("n_failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", MOMENT, nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", "slot", name="pk_slot_failures"),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.CheckConstraint(f"kind IN ({TROUBLES})", name=op.f("ck_alerts_kind")),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
    )
    is_open = sa.text("closed_at IS NULL")
    op.create_index(
        "uq_alerts_open", "alerts", ["kind", "about"], unique=True, sqlite_where=is_open, postgresql_where=is_open
    )


def _reports() -> None:
    op.create_table(
        "nights",
        sa.Column("slot", MOMENT, nullable=False),
        sa.Column("after_job_id", ID, nullable=False),
        sa.Column("upto_job_id", ID),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("scanned_at", MOMENT),
        sa.Column("reported_at", MOMENT),
        sa.Column("summary", DOCUMENT),
        sa.PrimaryKeyConstraint("slot", name="pk_nights"),
    )
    op.create_table(
        "mails",
        sa.Column("id", ID, nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("headline", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("n_attempts", sa.Integer(), nullable=False),
        sa.Column("next_at_s", sa.Double(), nullable=False),
        sa.Column("sent_at", MOMENT),
        sa.Column("error", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
        sa.UniqueConstraint("token", name="uq_mails_token"),
    )
    op.create_index("ix_mails_created_at", "mails", ["created_at"])


def _allow_kinds() -> None:
    """Let events and deliveries be of the new kinds too."""
    tables = ("webhook_events", "webhook_deliveries")
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        for table in tables:
            op.drop_constraint(f"ck_{table}_kind", table)
            op.create_check_constraint(op.f(f"ck_{table}_kind"), table, f"kind IN ({KINDS})")
        return
    # SQLite changes no check in place. Triggers that name these tables are taken away meanwhile: none may point to a table
    # that is not there while another one is renamed.
    listed = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%webhook!_%' ESCAPE '!'"
    triggers = bind.execute(sa.text(listed)).all()
    for trigger in triggers:
        bind.exec_driver_sql(f"DROP TRIGGER {trigger.name}")
    for table in tables:
        _rebuild(bind, table)
    for trigger in triggers:
        bind.exec_driver_sql(trigger.sql)


def _rebuild(bind: sa.Connection, table: str) -> None:
    of_table = sa.text("SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL")
    made = bind.execute(of_table, {"table": table}).all()
    bind.exec_driver_sql(f"ALTER TABLE {table} RENAME TO old_{table}")
    for row in made:
        if row.type == "index":
            bind.exec_driver_sql(f"DROP INDEX {row.name}")
    (create,) = [row.sql for row in made if row.type == "table"]
    bind.exec_driver_sql(re.sub(r"\bkind IN \([^)]*\)", f"kind IN ({KINDS})", create))
    bind.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM old_{table}")
    bind.exec_driver_sql(f"DROP TABLE old_{table}")
    for row in made:
        if row.type == "index":
            bind.exec_driver_sql(row.sql)
