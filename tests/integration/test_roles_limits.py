"""No role of deploy/postgres/roles.sql can become another, or keep the others from their work; on a real PostgreSQL."""

import psycopg
import pytest
from db_samples import a_result
from roles import ROLES, add_work, ask, claim, new_roles, run

from db import ledger, migrate
from db.errors import DatabaseError

REFUSED = r"permission denied|must be (owner|superuser)|cannot run inside a transaction"
LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "temp_file_limit")
LESSER = [role for role in ROLES if role != "migrator"]
BECOME_SUPERUSER = "EXECUTE 'ALTER ROLE tonalog_migrator SUPERUSER'"
# Each is called by a file or a migration that names it without its schema, and fits better than PostgreSQL's own.
TRAPS = (
    "CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE plpgsql AS $$BEGIN {}; RETURN pg_catalog.format($1, $2); END$$",
    "CREATE FUNCTION public.format(text, name) RETURNS text LANGUAGE plpgsql AS $$BEGIN {}; RETURN pg_catalog.format($1, $2); END$$",
    "CREATE FUNCTION public.format(text, text, name) RETURNS text LANGUAGE plpgsql AS $$BEGIN {}; RETURN 'SELECT 1'; END$$",
    "CREATE FUNCTION public.to_regclass(name) RETURNS regclass LANGUAGE plpgsql AS $$BEGIN {}; RETURN NULL; END$$",
    "CREATE FUNCTION public.same(name, text) RETURNS bool LANGUAGE plpgsql AS $$BEGIN {}; RETURN true; END$$",
    "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.same)",
    "CREATE FUNCTION public.trap() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {}; RETURN NEW; END$$",
    "CREATE TRIGGER trap BEFORE INSERT OR UPDATE OR DELETE ON public.alembic_version FOR EACH ROW EXECUTE FUNCTION public.trap()",
)


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server, n_pooled=None) as roles:
        yield roles
    with postgres_server.connect() as connection:
        connection.execute("ALTER ROLE tonalog_migrator NOSUPERUSER")  # roles are of the whole server


@pytest.fixture(scope="module")
def granted(postgres_server):
    """One database for all the questions that change nothing."""
    with new_roles(postgres_server, n_pooled=None) as roles:
        yield roles


def set_traps(roles):
    for trap in TRAPS:
        run(roles.migrator, trap.replace("{}", BECOME_SUPERUSER))


def is_superuser(roles, role="migrator"):
    return ask(
        roles.admin, f"SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) 'tonalog_{role}'"
    ) == [(True,)]


def test_what_the_migrator_leaves_in_its_schema_does_not_run_when_a_superuser_runs_the_file(roles):
    set_traps(roles)

    roles.grant()

    assert not is_superuser(roles)


def test_a_superuser_upgrades_nothing_that_a_lesser_role_owns(roles):
    set_traps(roles)
    run(roles.migrator, "ALTER TABLE alembic_version DISABLE TRIGGER trap")
    run(roles.migrator, "UPDATE alembic_version SET version_num = '0005'")
    run(roles.migrator, "ALTER TABLE alembic_version ENABLE TRIGGER trap")

    with pytest.raises(DatabaseError, match=r"belong to tonalog_migrator.*connect as tonalog_migrator"):
        migrate.upgrade(roles.admin)

    assert not is_superuser(roles)


@pytest.mark.parametrize("role", LESSER)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_advisory_lock(7420001)",
        "SELECT pg_advisory_lock(0, 7420001)",
        "SELECT pg_try_advisory_lock(7420001)",
        "SELECT pg_advisory_lock_shared(7420002)",
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000))",
        "SELECT pg_export_snapshot()",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/x'",
        "CREATE EXTENSION dblink",
        "CREATE TEMPORARY TABLE mine (id int)",
        "SET temp_file_limit = -1",
        "SET session_replication_role = 'replica'",
        "SELECT pg_create_physical_replication_slot('mine')",
        "LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE v1_note IN ACCESS EXCLUSIVE MODE",
        "ALTER ROLE tonalog_api CONNECTION LIMIT -1",
        "ALTER DATABASE postgres CONNECTION LIMIT 0",
        "VACUUM FULL jobs",
    ],
)
def test_no_role_reaches_beyond_its_own_rows(granted, role, statement):
    with pytest.raises(DatabaseError, match=REFUSED):
        run(getattr(granted, role), statement)


@pytest.mark.parametrize("role", ["worker", "api"])
def test_who_needs_no_advisory_lock_can_take_none(granted, role):
    callable_ones = ask(
        getattr(granted, role),
        "SELECT oid::regprocedure::text FROM pg_proc WHERE proname LIKE '%advisory%' AND has_function_privilege(oid, 'EXECUTE')",
    )

    assert callable_ones == []


@pytest.mark.parametrize("role", ROLES)
def test_no_role_can_take_every_connection(granted, role):
    ((limit,),) = ask(granted.admin, f"SELECT rolconnlimit FROM pg_roles WHERE rolname = 'tonalog_{role}'")
    url = getattr(granted, role).url.set(drivername="postgresql").render_as_string(hide_password=False)
    held = []
    try:
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            held.extend(psycopg.connect(url) for _ in range(limit + 1))
        others = [other for other in ROLES if other != role]
        assert [ask(getattr(granted, other), "SELECT 1") for other in others] == [[(1,)]] * len(others)
    finally:
        for connection in held:
            connection.close()


def test_all_roles_together_leave_connections_to_the_owner(granted):
    (((n_limited),),) = ask(granted.admin, "SELECT sum(rolconnlimit) FROM pg_roles WHERE rolname LIKE 'tonalog\\_%'")

    assert 0 < n_limited <= 95


def test_a_limit_that_the_owner_has_set_stays(roles):
    run(roles.admin, "ALTER ROLE tonalog_api CONNECTION LIMIT 30")
    try:
        roles.grant()
        assert ask(roles.admin, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'tonalog_api'") == [(30,)]
    finally:
        run(roles.admin, "ALTER ROLE tonalog_api CONNECTION LIMIT 10")


@pytest.mark.parametrize(
    ("role", "settings"),  # in the order of LIMITS
    [
        ("api", ["30s", "5s", "30s", "1GB"]),
        ("http", ["30s", "5s", "30s", "1GB"]),
        ("webhooks", ["1min", "30s", "30s", "1GB"]),
        ("worker", ["1min", "30s", "1min", "1GB"]),
        ("scheduler", ["1h", "30s", "1min", "8GB"]),
        ("eraser", ["1h", "30s", "1min", "8GB"]),
        ("migrator", ["0", "30s", "1min", "-1"]),
    ],
)
def test_a_session_that_asks_for_nothing_has_its_roles_limits(granted, role, settings):
    url = getattr(granted, role).url.set(drivername="postgresql").render_as_string(hide_password=False)

    with psycopg.connect(url) as connection:
        assert [connection.execute(f"SHOW {name}").fetchone()[0] for name in LIMITS] == settings


def test_a_query_of_an_app_backend_that_fills_the_disk_is_ended(granted):
    run(granted.admin, f"ALTER ROLE tonalog_api IN DATABASE {granted.admin.url.database} SET temp_file_limit = '10MB'")
    try:
        with pytest.raises(DatabaseError, match="temporary file size exceeds"):
            run(granted.api, "SELECT i, repeat(i::text, 30) FROM generate_series(1, 1000000) i ORDER BY 2")
    finally:
        granted.grant()


def test_a_job_ends_while_an_app_backend_holds_all_that_it_can_get(roles):
    (job_id,) = add_work(roles)
    url = roles.api.url.set(drivername="postgresql").render_as_string(hide_password=False)
    held = [psycopg.connect(url) for _ in range(10)]
    try:
        for connection in held:
            connection.execute("SET idle_in_transaction_session_timeout = 0")
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute("LOCK TABLE v1_note IN ACCESS SHARE MODE")
            connection.execute("SELECT * FROM v1_note")

        assert ledger.finish(roles.worker, claim(roles, job_id), a_result())
    finally:
        for connection in held:
            connection.close()


def test_an_upgrade_gives_up_where_a_session_holds_a_table_and_says_so(roles):
    url = roles.api.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as holder:
        holder.execute("SELECT * FROM v1_note")
        with pytest.raises(DatabaseError, match="lock timeout"):
            run(roles.migrator, "SET LOCAL lock_timeout = '200ms'; DROP VIEW v1_note")


@pytest.mark.parametrize("role", ROLES)
def test_no_row_and_no_parameter_is_in_the_servers_log_however_much_it_logs(granted, role):
    url = getattr(granted, role).url.set(drivername="postgresql").render_as_string(hide_password=False)
    quiet = ("log_parameter_max_length", "log_parameter_max_length_on_error", "log_error_verbosity")

    with psycopg.connect(url) as connection:
        assert [connection.execute(f"SHOW {name}").fetchone()[0] for name in quiet] == ["0", "0", "terse"]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET log_error_verbosity = 'verbose'")
