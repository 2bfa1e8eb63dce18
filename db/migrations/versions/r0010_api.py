"""Keys of the HTTP API, an audit of what they read, who asked for an erasure, and the feed of changes.

Triggers fill the feed, so that no writer of this or of the previous release can leave a change out, and none needs
rights on it. A row gets its place in the feed (`position`) only after its transaction has ended: numbers of a sequence
are drawn before, and a reader would pass by one that is committed late.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True).with_variant(sa.dialects.postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)

# What readers see of a recording; a change of anything else is none of theirs.
SHOWN = (
    "tenant",
    "subject",
    "recorded_at",
    "recorded_at_precision",
    "recorded_at_source",
    "utc_offset_min",
    "recorded_at_zone",
    "local_day",
    "uploaded_at",
)
OLD = ", ".join(f"OLD.{name}" for name in SHOWN)
NEW = ", ".join(f"NEW.{name}" for name in SHOWN)
ENDED = "('DEAD', 'CANCELLED')"
_LEAVES = "OLD.state = 'LIVE' AND (NEW.state <> 'LIVE' OR NEW.tenant <> OLD.tenant)"
_IS_ERASED = "NEW.state = 'ERASED' AND OLD.state <> 'ERASED'"
_WHY = "CASE NEW.state WHEN 'ERASED' THEN 'erased' WHEN 'SUPERSEDED' THEN 'replaced' ELSE 'moved' END"
_HAS_ENDED_OR_COMES_BACK = f"(OLD.state IN {ENDED}) <> (NEW.state IN {ENDED})"

POSTGRES = {
    "add_recording_change": f"""
        IF TG_OP = 'UPDATE' AND ({_LEAVES} OR {_IS_ERASED}) THEN
            INSERT INTO {{schema}}.changes (tenant, kind, recording_id, reason, at)
            VALUES (OLD.tenant, 'note.deleted', OLD.id, {_WHY}, clock_timestamp());
        END IF;
        IF NEW.state = 'LIVE' AND (
            TG_OP = 'INSERT' OR OLD.state <> 'LIVE' OR ({OLD}) IS DISTINCT FROM ({NEW})
        ) THEN
            INSERT INTO {{schema}}.changes (tenant, kind, recording_id, at)
            VALUES (NEW.tenant, 'note.upserted', NEW.id, clock_timestamp());
        END IF;
    """,
    # Of results and of jobs: both name their recording by the same column.
    "add_result_change": """
        INSERT INTO {schema}.changes (tenant, kind, recording_id, at)
        SELECT r.tenant, 'note.upserted', r.id, clock_timestamp() FROM {schema}.recordings r
        WHERE r.id = NEW.recording_id AND r.state = 'LIVE';
    """,
    "add_model_change": """
        INSERT INTO {schema}.changes (kind, model_id, at) VALUES ('model.activated', NEW.id, clock_timestamp());
    """,
}
# Waits for an erasure that is under way, which changes the key of the row: then there is nobody of this name any more.
POSTGRES_AUDIT = """
CREATE FUNCTION {schema}.check_new_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM {schema}.recordings r
    WHERE r.tenant = NEW.tenant AND r.subject = NEW.subject AND r.state <> 'ERASED' LIMIT 1 FOR KEY SHARE;
    IF NOT FOUND THEN
        NEW.subject := NULL;
    END IF;
    RETURN NEW;
END $$
"""
POSTGRES_FUNCTION = """
CREATE FUNCTION {schema}.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    {body}
    RETURN NULL;
END $$
"""
POSTGRES_TRIGGERS = {
    "recordings_tell_inserts": "AFTER INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION {schema}.add_recording_change()",
    "recordings_tell_updates": f"AFTER UPDATE OF state, {', '.join(SHOWN)} ON recordings "
    "FOR EACH ROW EXECUTE FUNCTION {schema}.add_recording_change()",
    "results_tell_inserts": "AFTER INSERT ON results FOR EACH ROW EXECUTE FUNCTION {schema}.add_result_change()",
    "jobs_tell_ends": f"AFTER UPDATE OF state ON jobs FOR EACH ROW WHEN ({_HAS_ENDED_OR_COMES_BACK}) "
    "EXECUTE FUNCTION {schema}.add_result_change()",
    "api_audit_names_who_is_there": "BEFORE INSERT ON api_audit FOR EACH ROW WHEN (NEW.subject IS NOT NULL) "
    "EXECUTE FUNCTION {schema}.check_new_audit()",
    "models_tell_activations": "AFTER UPDATE OF is_active ON models FOR EACH ROW WHEN (NEW.is_active AND NOT OLD.is_active) "
    "EXECUTE FUNCTION {schema}.add_model_change()",
}

_SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
_SQLITE_UPSERT = f"""
    INSERT INTO changes (tenant, kind, recording_id, at)
    SELECT r.tenant, 'note.upserted', r.id, {_SQLITE_NOW} FROM recordings r
    WHERE r.id = NEW.{{id}} AND r.state = 'LIVE';
"""
SQLITE_TRIGGERS = {
    "recordings_tell_inserts": "AFTER INSERT ON recordings BEGIN" + _SQLITE_UPSERT.format(id="id"),
    "recordings_tell_departures": f"AFTER UPDATE ON recordings WHEN {_LEAVES} OR {_IS_ERASED} BEGIN "
    "INSERT INTO changes (tenant, kind, recording_id, reason, at) "
    f"VALUES (OLD.tenant, 'note.deleted', OLD.id, {_WHY}, {_SQLITE_NOW});",
    "recordings_tell_updates": f"AFTER UPDATE ON recordings WHEN OLD.state <> 'LIVE' OR ({OLD}) IS NOT ({NEW}) BEGIN"
    + _SQLITE_UPSERT.format(id="id"),
    "results_tell_inserts": "AFTER INSERT ON results BEGIN" + _SQLITE_UPSERT.format(id="recording_id"),
    "jobs_tell_ends": f"AFTER UPDATE OF state ON jobs WHEN {_HAS_ENDED_OR_COMES_BACK} BEGIN"
    + _SQLITE_UPSERT.format(id="recording_id"),
    "models_tell_activations": "AFTER UPDATE OF is_active ON models WHEN NEW.is_active AND NOT OLD.is_active BEGIN "
    f"INSERT INTO changes (kind, model_id, at) VALUES ('model.activated', NEW.id, {_SQLITE_NOW});",
}


def upgrade() -> None:
    """Add tables, triggers and an index; no row that is there is touched, and the previous release goes on beside this one."""
    _keys()
    _audit()
    _erasure_requests()
    _feed()
    op.create_index("ix_recordings_tenant_id", "recordings", ["tenant", "id"])
    if op.get_bind().dialect.name == "postgresql":
        _postgres()
    else:
        for name, rest in SQLITE_TRIGGERS.items():
            op.execute(f"CREATE TRIGGER {name} {rest} END")


def _keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key_sha256", sa.String(), nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("rotated_from", ID, nullable=True),
        sa.ForeignKeyConstraint(["rotated_from"], ["api_keys.id"], name=op.f("fk_api_keys_rotated_from_api_keys")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_sha256", name=op.f("uq_api_keys_key_sha256")),
    )


def _audit() -> None:
    op.create_table(
        "api_audit",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("recording_id", ID, nullable=True),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_api_audit_key_id_api_keys")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_audit")),
    )
    op.create_index("ix_api_audit_at", "api_audit", ["at"])
    op.create_index("ix_api_audit_tenant_subject", "api_audit", ["tenant", "subject"])


def _erasure_requests() -> None:
    op.create_table(
        "erasure_requests",
        sa.Column("erasure_id", ID, autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasures.id"], name=op.f("fk_erasure_requests_erasure_id_erasures")),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_erasure_requests_key_id_api_keys")),
        sa.PrimaryKeyConstraint("erasure_id", name=op.f("pk_erasure_requests")),
    )
    op.create_index("ix_erasure_requests_tenant_erasure_id", "erasure_requests", ["tenant", "erasure_id"])


def _feed() -> None:
    op.create_table(
        "changes",
        sa.Column("id", ID, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("tenant", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recording_id", ID, nullable=True),
        sa.Column("model_id", ID, nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('note.upserted', 'note.deleted', 'model.activated')", name=op.f("ck_changes_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_index("uq_changes_position", "changes", ["position"], unique=True)
    op.create_index("ix_changes_tenant_position", "changes", ["tenant", "position"])
    is_new = sa.text("position IS NULL")
    op.create_index("ix_changes_new", "changes", ["id"], sqlite_where=is_new, postgresql_where=is_new)
    op.create_table(
        "change_feed",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("numbered_to", sa.BigInteger(), nullable=False),
        sa.Column("expired_to", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_change_feed_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_feed")),
    )
    op.execute("INSERT INTO change_feed (id, numbered_to, expired_to) VALUES (1, 0, 0)")


def _postgres() -> None:
    bind = op.get_bind()
    quote = bind.dialect.identifier_preparer.quote
    schema = quote(bind.scalar(sa.text("SELECT pg_catalog.current_schema()")))
    for name, body in POSTGRES.items():
        op.execute(POSTGRES_FUNCTION.format(schema=schema, name=name, body=body.format(schema=schema)))
        op.execute(f"REVOKE ALL ON FUNCTION {schema}.{name}() FROM PUBLIC")  # no table of anybody else's
    op.execute(POSTGRES_AUDIT.format(schema=schema))
    op.execute(f"REVOKE ALL ON FUNCTION {schema}.check_new_audit() FROM PUBLIC")
    for name, rest in POSTGRES_TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {rest.format(schema=schema)}")
    # An erasure empties this column, and statistics would keep the name (see 0009).
    op.execute("ALTER TABLE api_audit ALTER COLUMN subject SET STATISTICS 0")
