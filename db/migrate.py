"""Brings a database to the schema of this release, and says whether this release may work beside the schema it finds."""

from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, func, insert, inspect, select, text, update

from db.compatibility_schema import schema_compatibility
from db.engine import reading
from db.errors import DatabaseError, SchemaOutdated
from db.revisions import head, list_revisions, read_revision

if TYPE_CHECKING:  # a tenth of a worker's start, and only an upgrade runs migrations
    from alembic.config import Config

__all__ = ["current", "head", "is_current", "make_config", "require_current", "upgrade", "works_beside"]

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

    Two processes may do so at once: the second waits for the first, then finds nothing to do. A newer schema that this
    release may work beside stays as it is.

    Returns:
        The revision that the database is at now.

    Raises:
        SchemaOutdated: a newer release made the database, and this one may not work beside it.
        DatabaseError: a superuser of PostgreSQL asks, and tables or functions belong to a role that is none. What that
            role has put on them, such as a trigger, would run with a superuser's rights.
    """
    from alembic import command  # noqa: PLC0415 - see above

    config = make_config()
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            _refuse_lesser_owners(connection)
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATE_LOCK)))
        config.attributes["connection"] = connection
        found = read_revision(connection)
        if found is not None and found not in list_revisions():
            _require_compatible(connection, found)
            return found
        if found != head():
            command.upgrade(config, "head")
            _tell_works_beside(connection)
    return head()


def current(engine: Engine) -> str | None:
    """Read the revision that the database is at; None for a database without our tables."""
    with reading(engine) as connection:
        return read_revision(connection)


def is_current(engine: Engine) -> bool:
    """Say whether the database has the schema of this release."""
    return current(engine) == head()


def require_current(engine: Engine) -> None:
    """Check before work begins that the schema is of this release, or a newer one that this release may work beside.

    Raises:
        SchemaOutdated: the database is at an earlier revision, or at one that this release may not work beside; the
            message says what to do.
    """
    with reading(engine) as connection:
        found = read_revision(connection)
        if found is None:
            raise SchemaOutdated("the database has no tables yet: run `tonalog db upgrade`")
        if found not in list_revisions():
            _require_compatible(connection, found)
        elif found != head():
            raise _older(found)


def works_beside() -> str:
    """Give the oldest revision whose release may work beside the schema of this one, as the migrations say."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    scripts = ScriptDirectory.from_config(make_config()).walk_revisions()
    return max(getattr(script.module, "works_beside", "0001") for script in scripts)


def make_config() -> "Config":
    """Give alembic's settings; the scripts lie inside the package, so no ini file is needed."""
    from alembic.config import Config  # noqa: PLC0415 - see above

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


def _tell_works_beside(connection: Connection) -> None:
    row = {"id": 1, "works_beside": works_beside()}
    if connection.execute(update(schema_compatibility).values(row)).rowcount == 0:
        connection.execute(insert(schema_compatibility).values(row))


def _require_compatible(connection: Connection, found: str) -> None:
    """Look whether a newer schema says that this release may work beside it."""
    since = None
    if inspect(connection).has_table(schema_compatibility.name):
        since = connection.scalar(select(schema_compatibility.c.works_beside))
    if since is None or head() < since:
        needed = "" if since is None else f", and works with releases from revision {since} on"
        raise SchemaOutdated(
            f"the database is at revision {found}{needed}; this release needs {head()}: it was made by a newer release, "
            "so install that one"
        )


def _older(found: str) -> SchemaOutdated:
    return SchemaOutdated(f"the database is at revision {found}, this release needs {head()}: run `tonalog db upgrade`")
