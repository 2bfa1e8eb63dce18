"""Webhooks: endpoints and their secrets, what happened, and what is sent to whom.

Triggers write what happened to a note or model in the transaction of the change, as they fill the feed of changes, so
that no writer of this or of the previous release can leave it out. They write nothing for a tenant without an endpoint.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True).with_variant(sa.dialects.postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)
KINDS = (
    "'note.scored', 'note.failed', 'note.deleted', 'day.updated', 'trend.changed', 'subject.erased', "
    "'model.activated', 'webhook.test'"
)

_LEAVES = "OLD.state = 'LIVE' AND (NEW.state <> 'LIVE' OR NEW.tenant <> OLD.tenant)"
_IS_ERASED = "NEW.state = 'ERASED' AND OLD.state <> 'ERASED'"
_WHY = "CASE NEW.state WHEN 'ERASED' THEN 'erased' WHEN 'SUPERSEDED' THEN 'replaced' ELSE 'moved' END"
_STATUS = "CASE NEW.status WHEN 'SCORED' THEN 'scored' ELSE 'no_speech' END"
# {t}: the schema of the tables. Under another model than the active one a note is not scored for readers.
_OF_NOTE = """
    INSERT INTO {t}webhook_events (tenant, kind, recording_id, data, at)
    SELECT r.tenant, '{kind}', r.id, {data}, {now} FROM {t}recordings r, {t}models m
    WHERE r.id = NEW.recording_id AND r.state = 'LIVE' AND m.id = NEW.model_id AND m.is_active AND EXISTS (
        SELECT 1 FROM {t}webhook_endpoints e WHERE e.tenant = r.tenant AND e.disabled_at IS NULL
    );
"""
_OF_DEPARTURE = """
    INSERT INTO {t}webhook_events (tenant, kind, recording_id, data, at)
    SELECT OLD.tenant, 'note.deleted', OLD.id, {data}, {now} WHERE EXISTS (
        SELECT 1 FROM {t}webhook_endpoints e WHERE e.tenant = OLD.tenant AND e.disabled_at IS NULL
    );
"""
_OF_MODEL = """
    INSERT INTO {t}webhook_events (tenant, kind, data, at)
    SELECT DISTINCT e.tenant, 'model.activated', {data}, {now} FROM {t}webhook_endpoints e WHERE e.disabled_at IS NULL;
"""
_MODEL_DATA = "{object}('name', NEW.name, 'version', NEW.version)"
# Name of the trigger and function -> when, and what it writes.
TRIGGERS = {
    "results_tell_webhooks": (
        "AFTER INSERT ON results",
        "",
        _OF_NOTE,
        {"kind": "note.scored", "data": "{object}('status', " + _STATUS + ")"},
    ),
    "jobs_tell_webhooks": (
        "AFTER UPDATE OF state ON jobs",
        "NEW.state = 'DEAD' AND OLD.state <> 'DEAD'",
        _OF_NOTE,
        {"kind": "note.failed", "data": "{object}('status', 'failed')"},
    ),
    "recordings_tell_webhooks": (
        "AFTER UPDATE OF state, tenant ON recordings",
        f"({_LEAVES}) OR ({_IS_ERASED})",
        _OF_DEPARTURE,
        {"data": "{object}('reason', " + _WHY + ")"},
    ),
    "models_tell_webhooks": (
        "AFTER UPDATE OF is_active ON models",
        "NEW.is_active AND NOT OLD.is_active",
        _OF_MODEL,
        {"data": _MODEL_DATA},
    ),
}
POSTGRES_FUNCTION = """
CREATE FUNCTION {schema}.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    {body}
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Add tables and triggers; no row that is there is touched, and the previous release goes on beside this one."""
    _endpoints()
    _events()
    _deliveries()
    bind = op.get_bind()
    is_postgres = bind.dialect.name == "postgresql"
    schema = ""
    if is_postgres:
        schema = bind.dialect.identifier_preparer.quote(bind.scalar(sa.text("SELECT pg_catalog.current_schema()")))
    for name, (when, condition, statement, parts) in TRIGGERS.items():
        words = {
            "object": "pg_catalog.jsonb_build_object" if is_postgres else "json_object",
            "now": "pg_catalog.clock_timestamp()" if is_postgres else "strftime('%Y-%m-%d %H:%M:%f000', 'now')",
            "t": f"{schema}." if is_postgres else "",
        }
        filled = {key: part.format(**words) for key, part in parts.items()}
        body = statement.format(**words, **filled)
        if is_postgres:
            op.execute(POSTGRES_FUNCTION.format(schema=schema, name=name, body=body))
            op.execute(f"REVOKE ALL ON FUNCTION {schema}.{name}() FROM PUBLIC")
            only = f"WHEN ({condition})" if condition else ""
            op.execute(f"CREATE TRIGGER {name} {when} FOR EACH ROW {only} EXECUTE FUNCTION {schema}.{name}()")
        else:
            only = f"WHEN {condition}" if condition else ""
            op.execute(f"CREATE TRIGGER {name} {when} {only} BEGIN {body} END")


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("events", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("disabled_reason", sa.String(), nullable=True),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.CheckConstraint(
            "disabled_reason IN ('by_app', 'gone', 'failing')", name=op.f("ck_webhook_endpoints_disabled_reason")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index("ix_webhook_endpoints_tenant_id", "webhook_endpoints", ["tenant", "id"])
    op.create_table(
        "webhook_secrets",
        sa.Column("id", ID, nullable=False),
        sa.Column("endpoint_id", ID, nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        _of_endpoint("webhook_secrets"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secrets")),
    )
    op.create_index("ix_webhook_secrets_endpoint_id", "webhook_secrets", ["endpoint_id"])


def _events() -> None:
    op.create_table(
        "webhook_events",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recording_id", ID, nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("data", DOCUMENT, nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_webhook_events_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
    )


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("endpoint_id", ID, nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recording_id", ID, nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("data", DOCUMENT, nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("n_attempts", sa.Integer(), nullable=False),
        sa.Column("next_at_s", sa.Double(), nullable=False),
        sa.Column("lease_token", sa.String(), nullable=True),
        sa.Column("attempted_at", MOMENT, nullable=True),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("replay_of", ID, nullable=True),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_webhook_deliveries_kind")),
        sa.CheckConstraint(
            "state IN ('PENDING', 'DELIVERED', 'FAILED', 'CANCELLED')", name=op.f("ck_webhook_deliveries_state")
        ),
        _of_endpoint("webhook_deliveries"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index("ix_webhook_deliveries_endpoint_id_id", "webhook_deliveries", ["endpoint_id", "id"])
    op.create_index("ix_webhook_deliveries_created_at", "webhook_deliveries", ["created_at"])
    is_due = sa.text("state = 'PENDING'")
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["endpoint_id", "next_at_s"],
        sqlite_where=is_due,
        postgresql_where=is_due,
    )


def _of_endpoint(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["endpoint_id"],
        ["webhook_endpoints.id"],
        name=op.f(f"fk_{table}_endpoint_id_webhook_endpoints"),
        ondelete="CASCADE",
    )
