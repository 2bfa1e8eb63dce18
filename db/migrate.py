"""Brings a database to the schema of this release; it never goes backwards and never drops rows."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select, text

from db.engine import reading
from db.errors import DatabaseError, SchemaOutdated

_MIGRATE_LOCK = 7_420_003  # any number that no other advisory lock of this program uses
# Who but superusers has made a table, view, function, operator or type where the migrations look names up.
_LESSER_OWNERS = text("""
    SELECT DISTINCT r.rolname FROM pg_catalog.pg_roles r JOIN (
        SELECT relowner AS owner, relnamespace AS schema FROM pg_catalog.pg_class
        UNION ALL SELECT proowner, pronamespace FROM pg_catalog.pg_proc
        UNION ALL SELECT oprowner, oprnamespace FROM pg_catalog.pg_operator
        UNION ALL SELECT typowner, typnamespace FROM pg_catalog.pg_type
    ) made ON made.owner OPERATOR(pg_catalog.=) r.oid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) made.schema
    WHERE n.nspname OPERATOR(pg_catalog.=) ANY (pg_catalog.current_schemas(false)) AND NOT r.rolsuper ORDER BY 1
""")


def upgrade(engine: Engine) -> str:
    """Run the migrations that are missing, all in one transaction; again does nothing.

    Two processes may do so at once: the second waits for the first, then finds nothing to do.

    Returns:
        The revision that the database is at now.

    Raises:
        SchemaOutdated: a newer release made the database.
        DatabaseError: a superuser of PostgreSQL asks, and tables or functions belong to a role that is none. What that
            role has put on them, such as a trigger, would run with a superuser's rights.
    """
    config = make_config()
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            _refuse_lesser_owners(connection)
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATE_LOCK)))
        config.attributes["connection"] = connection
        found = _revision(connection)
        if found is not None and not _is_known(found):
            raise _newer(found)
        if found != head():
            command.upgrade(config, "head")
    return head()


def current(engine: Engine) -> str | None:
    """Read the revision that the database is at; None for a database without our tables."""
    with reading(engine) as connection:
        return _revision(connection)


def is_current(engine: Engine) -> bool:
    """Say whether the database has the schema of this release."""
    return current(engine) == head()


def require_current(engine: Engine) -> None:
    """Check the schema before work begins.

    Raises:
        SchemaOutdated: the database is at another revision; the message names the remedy.
    """
    found = current(engine)
    if found is None:
        raise SchemaOutdated("the database has no tables yet: run `tonalog db upgrade`")
    if not _is_known(found):
        raise _newer(found)
    if found != head():
        raise SchemaOutdated(
            f"the database is at revision {found}, this release needs {head()}: run `tonalog db upgrade`"
        )


def head() -> str:
    """Give the newest revision of this release."""
    revision = ScriptDirectory.from_config(make_config()).get_current_head()
    assert revision is not None  # a release ships at least one migration
    return revision


def make_config() -> Config:
    """Give alembic's settings; the scripts lie inside the package, so no ini file is needed."""
    config = Config()
    config.set_main_option("script_location", str(files("db") / "migrations").replace("%", "%%"))
    return config


def _refuse_lesser_owners(connection: Connection) -> None:
    if connection.scalar(text("SELECT pg_catalog.current_setting('is_superuser')")) != "on":
        return
    owners = connection.scalars(_LESSER_OWNERS).all()
    if owners:
        raise DatabaseError(
            f"tables or functions belong to {', '.join(owners)}, and you are a superuser with whose rights their code "
            f"would run: connect as {owners[0]}"
        )


def _is_known(revision: str) -> bool:
    scripts = ScriptDirectory.from_config(make_config()).walk_revisions()
    return revision in {script.revision for script in scripts}


def _newer(found: str) -> SchemaOutdated:
    said = f"the database is at revision {found}, this release needs {head()}"
    return SchemaOutdated(f"{said}: it was made by a newer release, so install that one")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
