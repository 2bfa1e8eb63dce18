"""No database role that reads for one tenant sees a row of another's, whatever it asks; on a real PostgreSQL."""

import pytest
from db_samples import a_recording, a_result, add_active_model, days_later, new_postgres, score_all
from kept_samples import keep_day, keep_relative, keep_trend
from roles import PASSWORD, Roles, ask, run
from sqlalchemy import text

from db import changes, erasures, jobs, notes, recordings, tenancy
from db.changes import Place
from db.engine import make_engine
from db.erasures import Chosen
from db.errors import DatabaseError
from db.notes import NoteFilter
from db.reasons import ErasureScope, Lane

VIEWS = ("v1_note", "v1_segment", "v1_subject_day", "v1_subject_trend", "v1_change")
TENANTS = ("clinic", "default", "school")
# Costs next to nothing, so that a planner would ask it first, and tells what it sees.
LEAK = """
CREATE FUNCTION leak(seen text) RETURNS boolean LANGUAGE plpgsql STRICT COST 0.0000001 AS
$$ BEGIN RAISE NOTICE 'seen %', seen; RETURN true; END $$
"""
OF_RECORDING = "SELECT tenant FROM recordings WHERE id = t.recording_id"


@pytest.fixture(scope="module")
def roles(postgres_server):
    with new_postgres(postgres_server) as admin:
        add_active_model(admin)
        for tenant in TENANTS:
            found = a_recording(f"{tenant}.wav", subject=f"of-{tenant}", tenant=tenant, recorded_at=days_later(0))
            recordings.register(admin, [found])
        jobs.create_jobs(admin, 1, lane=Lane.NIGHTLY)
        score_all(admin)
        for number, tenant in enumerate(TENANTS, start=1):
            keep_day(admin, f"of-{tenant}", tenant=tenant)
            keep_trend(admin, f"of-{tenant}", tenant=tenant)
            keep_relative(admin, number, subject=f"of-{tenant}", tenant=tenant)
        changes.number(admin)
        roles = Roles(admin)
        run(admin, LEAK)
        yield roles


@pytest.fixture
def reader(roles):
    """Makes a role that reads the views, bound to a tenant, or to none."""
    made = []

    def make(name, *bindings):
        run(roles.admin, f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' IN ROLE tonalog_api")
        made.append(name)
        for tenant in bindings:
            value = "NULL" if tenant is None else f"'{tenant}'"
            run(roles.migrator, f"INSERT INTO reader_tenants (role, tenant) VALUES ('{name}', {value})")
        return make_engine(roles.admin.url.set(username=name, password=PASSWORD).render_as_string(hide_password=False))

    yield make
    for name in made:
        run(roles.admin, f"DELETE FROM reader_tenants WHERE role = '{name}'")
        run(roles.admin, f"DROP ROLE {name}")


def tenants(engine, view):
    return {tenant for (tenant,) in ask(engine, f"SELECT tenant FROM {view}") if tenant is not None}


def seen_by(engine, statement):
    """What a function of the reader's own is shown, whatever the query gives."""
    with engine.connect() as connection:
        told = []
        driver = connection.connection.driver_connection
        driver.add_notice_handler(lambda notice: told.append(notice.message_primary))
        connection.execute(text("SET enable_nestloop = off"))  # else no row is read but those that are joined
        connection.execute(text(statement))
        return told


@pytest.mark.parametrize("view", VIEWS)
def test_a_role_sees_the_tenant_that_it_is_bound_to_and_one_that_is_bound_to_nothing_sees_nothing(roles, reader, view):
    assert tenants(roles.admin, view) == set(TENANTS)
    assert tenants(roles.scheduler, view) == set(TENANTS)
    assert tenants(roles.api, view) == {"default"}
    assert tenants(reader("clinic_reader", "clinic"), view) == {"clinic"}
    assert tenants(reader("every_reader", None), view) == set(TENANTS)
    assert tenants(reader("new_reader"), view) == set()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("setting", ["tonalog.tenant = 'clinic'", "tonalog.every_tenant = 'on'"])
def test_no_setting_of_a_readers_own_shows_more(roles, view, setting):
    with roles.api.connect() as connection:
        connection.execute(text(f"SET {setting}"))
        found = connection.execute(text(f"SELECT DISTINCT tenant FROM {view} WHERE tenant IS NOT NULL"))

        assert found.scalars().all() == ["default"]


def test_a_reader_that_turns_the_policies_off_is_refused(roles):
    with pytest.raises(DatabaseError, match="row-level security"):
        ask(roles.api, "SET row_security = off; SELECT * FROM v1_note")


@pytest.mark.parametrize("view", VIEWS)
def test_a_function_of_a_readers_own_is_shown_no_row_of_another_tenant(roles, view):
    statement = f"SELECT count(*) FROM {view} v WHERE leak(CAST(v AS text))"

    told = seen_by(roles.api, statement)

    assert told
    assert "clinic" not in str(told)
    assert "school" not in str(told)
    assert "clinic" in str(seen_by(roles.admin, statement))  # so that the function would tell


@pytest.mark.parametrize("column", ["label", "sadness", "scored_at", "relative_label"])
def test_nor_a_value_of_a_column_that_comes_from_another_table(roles, column):
    statement = f"SELECT 1 FROM v1_note WHERE leak(CAST({column} AS text))"

    assert len(seen_by(roles.admin, statement)) == 3
    assert len(seen_by(roles.api, statement)) == 1


def test_a_reader_binds_itself_to_nothing(roles):
    for statement in (
        "SELECT * FROM reader_tenants",
        "UPDATE reader_tenants SET tenant = NULL",
        "INSERT INTO reader_tenants VALUES ('tonalog_http', NULL)",
        "SET ROLE tonalog_views",
    ):
        for role in ("api", "http", "worker"):
            with pytest.raises(DatabaseError, match="permission denied"):
                run(getattr(roles, role), statement)


def test_the_file_leaves_a_binding_as_it_is(roles):
    run(roles.migrator, "UPDATE reader_tenants SET tenant = 'clinic' WHERE role = 'tonalog_api'")

    roles.grant()

    assert tenants(roles.api, "v1_note") == {"clinic"}
    run(roles.migrator, "UPDATE reader_tenants SET tenant = 'default' WHERE role = 'tonalog_api'")


def readable(roles):
    """Every table that the role of the HTTP API may read rows of, with how to tell whose a row is."""
    listed = (
        "SELECT c.relname, bool_or(a.attname = 'tenant') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND a.attname IN ('tenant', 'recording_id') "
        "AND has_column_privilege('tonalog_http', c.oid, a.attnum, 'SELECT') GROUP BY c.relname ORDER BY c.relname"
    )
    return {name: "t.tenant" if has_tenant else f"({OF_RECORDING})" for name, has_tenant in ask(roles.admin, listed)}


def test_the_api_sees_the_tenant_of_its_request_alone_in_every_table_that_it_reads(roles):
    found = readable(roles)
    assert {"recordings", "results", "segments", "jobs", "changes", "api_keys", "subject_aliases"} <= set(found)
    n_told = 0
    for name, whose in found.items():
        count = f"SELECT count(*) FROM {name} t"
        ((n_own, n_rows),) = ask(
            roles.admin,
            f"SELECT count(*) FILTER (WHERE coalesce({whose}, 'clinic') = 'clinic'), count(*) FROM {name} t",
        )
        ((n_of_nobody,),) = ask(roles.admin, f"{count} WHERE {whose} IS NULL")
        with tenancy.asking("clinic"):
            assert ask(roles.http, count) == [(n_own,)], name
        with tenancy.asking():
            assert ask(roles.http, count) == [(n_of_nobody,)] == ask(roles.http, count), name
        with tenancy.every_tenant():
            assert ask(roles.http, count) == [(n_rows,)], name
        n_told += 0 < n_own < n_rows
    assert n_told >= 5


def test_what_a_statement_of_the_api_forgets_to_ask_for_it_does_not_see(roles):
    with tenancy.asking("clinic"):
        assert notes.list_notes(roles.http, "school", "of-school", model_id=1, chosen=NoteFilter(), limit=9) == []
        assert notes.get_note(roles.http, "clinic", 1, model_id=1).label == a_result().label
        assert notes.list_segments(roles.http, 3, 1) == ()
        assert len(notes.list_segments(roles.http, 1, 1)) == 2


def test_the_feed_goes_on_at_its_end_though_the_last_change_is_of_another_tenant(roles):
    with tenancy.asking("clinic"):
        changes.number(roles.http)
        page = changes.read(roles.http, "clinic", place=Place(position=0, at=None), limit=99)
        again = changes.read(roles.http, "clinic", place=page.next_place, limit=99)

    assert page.next_place == changes.last_place(roles.admin)
    assert page.next_place.at is not None
    assert {change.recording_id for change in page.changes} == {1, None}
    assert again.changes == ()


def test_the_api_erases_a_person_of_the_tenant_that_asks(roles):
    found = a_recording("gone.wav", subject="gone", tenant="clinic", recorded_at=days_later(0))
    recordings.register(roles.admin, [found])
    run(roles.admin, "GRANT tonalog_eraser TO tonalog_http")
    try:
        with tenancy.asking("clinic"):
            chosen = Chosen(subject="gone", tenant="clinic")
            assert erasures.begin(roles.http, chosen, scope=ErasureScope.ALL) is not None
    finally:
        run(roles.admin, "REVOKE tonalog_eraser FROM tonalog_http")  # roles are of the whole server

    assert ask(roles.admin, "SELECT state, tenant FROM recordings WHERE id = 4") == [("ERASED", "default")]


def test_the_migrator_makes_a_view_anew_and_gives_it_back_to_its_owner(postgres_server):
    with new_postgres(postgres_server) as admin:
        roles = Roles(admin)
        ((definition,),) = ask(roles.migrator, "SELECT pg_get_viewdef('v1_change'::regclass)")

        run(roles.migrator, "DROP VIEW v1_change")
        run(roles.migrator, f"CREATE VIEW v1_change AS {definition}")
        run(roles.migrator, "ALTER VIEW v1_change OWNER TO tonalog_views")

        owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'v1_change'"
        assert ask(admin, owner) == [("tonalog_views",)]
