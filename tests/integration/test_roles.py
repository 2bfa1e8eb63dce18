"""Each role of deploy/postgres/roles.sql does its own work on a real PostgreSQL, and is refused everybody else's."""

from datetime import UTC, datetime, timedelta

import pytest
from db_samples import PLENTY, a_recording, a_result, fill_old, old_recording, upgrade_to
from roles import VIEWS, Roles, add_work, ask, claim, new_roles, run
from sqlalchemy import text

from db import (
    backoff,
    erasures,
    fences,
    history,
    jobs,
    leases,
    ledger,
    migrate,
    pump,
    recordings,
    removals,
    slots,
    subject_keys,
    waiting,
)
from db.engine import make_engine
from db.erasures import Chosen
from db.errors import DatabaseError, SubjectKeyMismatch
from db.every_table import load_metadata
from db.reasons import ErasureScope, JobState, Lane, Reason
from scheduler.retention import run_due_retention
from storage.protocol import MemoryStore

TABLES = (*load_metadata().tables, "alembic_version")


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server) as roles:
        yield roles


@pytest.fixture(scope="module")
def granted(postgres_server):
    """One database for all the questions that change nothing."""
    with new_roles(postgres_server) as roles:
        yield roles


def test_a_job_goes_its_whole_way_with_each_step_done_by_its_own_role(roles):
    (job_id,) = add_work(roles)
    taken = claim(roles, job_id)

    assert waiting.look(roles.worker, lanes=list(Lane), workers=["w"], answer_s=0.0).is_working
    assert ledger.heartbeat(roles.worker, taken.token, job_id=job_id, lease_s=60)
    assert ledger.finish(roles.worker, taken, a_result(), wall_ms=1, peak_rss_kib=1)

    assert ask(roles.api, "SELECT subject, status FROM v1_note") == [("anna", "scored")]


def test_a_worker_can_end_a_job_in_every_other_way_too(roles):
    dead, failing, waits, back = add_work(roles, 4)

    assert ledger.fail_dead(roles.worker, claim(roles, dead), Reason.NOT_AUDIO, detail="x")
    for job_id, is_transient in ((failing, False), (waits, True)):
        end = backoff.retry_later(
            roles.worker, claim(roles, job_id), Reason.INTERNAL, detail="x", is_transient=is_transient
        )
        assert end.state is JobState.PENDING
    assert ledger.release(roles.worker, claim(roles, back))
    migrate.require_current(roles.worker)


def test_the_scheduler_can_do_a_whole_night_and_what_operators_ask_for(roles):
    lost, dead = add_work(roles, 2)
    claim(roles, lost, lease_s=-1.0)
    ledger.fail_dead(roles.worker, claim(roles, dead), Reason.NOT_AUDIO, detail="x")
    night = {"slot": datetime(2026, 3, 2, 2, tzinfo=UTC)}

    assert slots.claim_slot(roles.scheduler, "nightly", lease_s=60, **night)
    assert slots.extend_slot(roles.scheduler, "nightly", lease_s=60, **night)
    assert slots.finish_slot(roles.scheduler, "nightly", n_registered=0, n_jobs=0, **night)
    slots.pulse(roles.scheduler, "sweep")
    slots.pulse(roles.scheduler, "sweep")
    assert leases.expire_leases(roles.scheduler).n_requeued == 1
    assert [job.reason for job in history.dead_jobs(roles.scheduler)] == ["NOT_AUDIO"]
    assert jobs.retry(roles.scheduler, reason=Reason.NOT_AUDIO) == 1
    queued = pump.due_jobs(roles.scheduler, cap_outstanding=PLENTY, limit=PLENTY)
    assert pump.unqueue(roles.scheduler, [job_id for job_id, _ in queued]) == 2
    replaced = [a_recording(f"anna/{i}.wav", "v2", subject="anna") for i in range(2)]
    assert recordings.register(roles.scheduler, replaced).n_new == 2
    assert recordings.register(roles.scheduler, [a_recording("anna/0.wav", subject="anna")]).n_known == 1


@pytest.mark.parametrize("scope", list(ErasureScope))
def test_the_eraser_can_take_a_person_out_and_the_next_scan_goes_on(roles, scope):
    done, running = add_work(roles, 2)
    ledger.finish(roles.worker, claim(roles, done), a_result())
    claim(roles, running)
    anna = Chosen(subject="anna")

    assert erasures.measure(roles.eraser, anna, scope=scope).n_recordings == 2
    assert erasures.list_old(roles.eraser, Chosen(before=datetime.now(UTC)), scope=scope, limit=9)
    erasure_id = erasures.begin(roles.eraser, anna, scope=scope)
    removals.forget_objects(roles.eraser, removals.objects_to_remove(roles.eraser))
    removals.finish(roles.eraser)

    assert removals.read_erasure(roles.eraser, erasure_id).n_objects == 2
    assert len(ask(roles.api, "SELECT * FROM v1_note")) == (0 if scope is ErasureScope.ALL else 2)
    mark = fences.erasure_mark(roles.scheduler)
    recordings.register(roles.scheduler, [a_recording("anna/0.wav", subject="anna")], mark=mark)


def test_a_scheduler_that_erases_by_age_needs_the_erasers_rights_and_no_more(roles):
    (job_id,) = add_work(roles)
    ledger.finish(roles.worker, claim(roles, job_id), a_result())
    in_a_year = {"n_days": 30, "now": datetime.now(UTC) + timedelta(days=365), "lease_s": -1.0}
    store = MemoryStore("notes")

    with pytest.raises(DatabaseError, match="permission denied"):
        run_due_retention(roles.scheduler, lambda *_: store, **in_a_year)
    run(roles.admin, "GRANT tonalog_eraser TO tonalog_scheduler")
    try:
        assert run_due_retention(roles.scheduler, lambda *_: store, **in_a_year).n_gone == 1
    finally:
        run(roles.admin, "REVOKE tonalog_eraser FROM tonalog_scheduler")  # roles are of the whole server
    assert ask(roles.api, "SELECT * FROM v1_note") == []


def test_names_become_pseudonyms_by_the_migrator_and_are_checked_by_who_needs_to(roles):
    add_work(roles, 2)

    assert subject_keys.rehash(roles.migrator, "fingerprint", store=lambda name: f"hashed-{name}") == 1

    recordings.register(roles.scheduler, [a_recording("anna/9.wav", subject="hashed-anna")], subject_key="fingerprint")
    subject_keys.require(roles.eraser, "fingerprint")
    with pytest.raises(SubjectKeyMismatch):
        recordings.register(roles.scheduler, [a_recording("anna/8.wav", subject="anna")])
    assert ask(roles.api, "SELECT DISTINCT subject FROM v1_note") == [("hashed-anna",)]


def test_the_first_scan_under_a_key_notes_it_by_the_schedulers_role(roles):
    recordings.register(roles.scheduler, [a_recording("1.wav", subject="hashed-anna")], subject_key="fingerprint")

    subject_keys.require(roles.scheduler, "fingerprint")


def test_the_migrator_can_make_the_whole_schema_in_an_empty_database(postgres_url):
    roles = Roles(make_engine(postgres_url))

    migrate.upgrade(roles.migrator)
    roles.grant()

    (job_id,) = add_work(roles)
    assert ledger.finish(roles.worker, claim(roles, job_id), a_result())


def test_an_upgrade_gives_the_new_views_the_owner_and_the_rights_of_the_old_ones(postgres_url):
    admin = make_engine(postgres_url)
    upgrade_to(admin, "0005")
    fill_old(admin, [old_recording("anna/0.wav", subject="anna")])
    roles = Roles(admin)
    run(admin, "GRANT SELECT ON v1_subject_day TO tonalog_worker WITH GRANT OPTION")
    before = views(roles)

    migrate.upgrade(roles.migrator)

    assert views(roles) == before
    assert [name for name, owner, _ in before if owner != "tonalog_migrator"] == []
    for role in ("api", "scheduler"):
        assert ask(getattr(roles, role), "SELECT subject, scores ->> 'anger' FROM v1_note") == [("anna", "0.1")]


def test_after_an_upgrade_the_file_gives_every_role_what_the_new_release_needs(postgres_url):
    admin = make_engine(postgres_url)
    upgrade_to(admin, "0004")
    roles = Roles(admin)
    migrate.upgrade(roles.migrator)

    roles.grant()

    (job_id,) = add_work(roles)
    assert ledger.finish(roles.worker, claim(roles, job_id), a_result(dimensions={"arousal": 0.7, "valence": -0.7}))
    for view in VIEWS:
        run(roles.api, f"SELECT tenant FROM {view}")


def views(roles):
    """Name, owner and grants of each view, wherever in the catalogue they stand."""
    listed = (
        "SELECT relname, pg_get_userbyid(relowner), relacl::text FROM pg_class "
        "WHERE relkind = 'v' AND relname IN ('v1_note', 'v1_segment', 'v1_subject_day')"
    )
    found = ask(roles.admin, listed)
    return sorted((name, owner, sorted(rights.strip("{}").split(","))) for name, owner, rights in found)


@pytest.mark.parametrize("role", ["scheduler", "worker", "api", "http", "webhooks", "eraser", "scaler"])
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "ALTER TABLE jobs ADD COLUMN mine int",
        "ALTER TABLE results DISABLE TRIGGER ALL",
        "DROP TRIGGER results_are_immutable ON results",
        "CREATE OR REPLACE FUNCTION refuse_update() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
        "DROP VIEW v1_note",
        "DROP TABLE segments",
        "TRUNCATE segments",
        "UPDATE results SET label = 'anger'",
        "UPDATE models SET sha256 = 'mine'",
        "INSERT INTO models SELECT * FROM models",
        "SET ROLE tonalog_migrator",
    ],
)
def test_only_the_migrator_changes_the_schema_results_stay_and_models_are_its_own(granted, role, statement):
    with pytest.raises(DatabaseError, match=r"permission denied|must be owner"):
        run(getattr(granted, role), statement)


OF_WATCH = ("slot_failures", "alerts", "nights", "mails")
OF_PEOPLE = ("subject_baselines", "subject_days", "subject_trends", "subject_marks")
MAY_DELETE = {
    ("eraser", "results"),
    ("eraser", "segments"),
    ("eraser", "erasure_objects"),
    ("eraser", "removed_audio"),
    ("eraser", "identity_changes"),
    ("eraser", "subject_aliases"),
    ("scheduler", "removed_audio"),
    ("scheduler", "subject_aliases"),
    ("scheduler", "changes"),
    ("scheduler", "api_audit"),
    ("scheduler", "webhook_events"),
    ("http", "webhook_endpoints"),
    *(("webhooks", table) for table in ("webhook_secrets", "webhook_events", "webhook_deliveries")),
    ("scheduler", "uploads"),
    *((role, "object_hints") for role in ("scheduler", "eraser")),
    *((role, "idempotent_requests") for role in ("http", "scheduler", "eraser")),
    ("http", "exports"),
    ("eraser", "exports"),
    *((role, "worker_pulses") for role in ("worker", "scheduler")),
    *(("scheduler", table) for table in (*OF_WATCH, *OF_PEOPLE, "relative_results")),
    *(("eraser", table) for table in OF_PEOPLE),
}
MAY_INSERT = {
    ("worker", "attempts"),
    ("worker", "results"),
    ("worker", "segments"),
    *(("scheduler", table) for table in ("recordings", "jobs", "batches", "schedule_slots", "pulses")),
    *(("scheduler", table) for table in ("subject_keys", "identity_changes", "subject_aliases")),
    *(("eraser", table) for table in ("erasures", "erasure_objects", "removed_audio", "erasure_requests")),
    *(("http", table) for table in ("api_audit", "uploads", "object_hints", "idempotent_requests", "exports")),
    *(("http", table) for table in ("webhook_endpoints", "webhook_secrets", "webhook_deliveries")),
    *((role, "webhook_events") for role in ("scheduler", "eraser")),
    ("webhooks", "webhook_deliveries"),
    *(("scheduler", table) for table in (*OF_WATCH, *OF_PEOPLE, "relative_results", "baseline_notes", "drift_nights")),
    ("worker", "worker_pulses"),
}


@pytest.mark.parametrize("role", ["scheduler", "worker", "api", "http", "webhooks", "eraser", "scaler"])
def test_rows_are_added_and_deleted_by_nobody_else_than_the_list_says(granted, role):
    for right, allowed in (("DELETE", MAY_DELETE), ("INSERT", MAY_INSERT), ("TRUNCATE", set())):
        given = {table for table in (*TABLES, *VIEWS) if has_right(granted, role, table, right)}
        assert given == {table for whose, table in allowed if whose == role}, right


def test_an_app_backend_reads_the_views_and_no_table(granted):
    for view in VIEWS:
        run(granted.api, f"SELECT * FROM {view}")

    for table in TABLES:
        with pytest.raises(DatabaseError, match="permission denied"):
            run(granted.api, f"SELECT * FROM {table}")


@pytest.mark.parametrize("table", ["results", "segments"])
def test_a_worker_cannot_read_scores(granted, table):
    with pytest.raises(DatabaseError, match="permission denied"):
        run(granted.worker, f"SELECT anger FROM {table}")


@pytest.mark.parametrize("column", ["id", "recording_id", "model_id", "lane", "created_at"])
def test_a_worker_cannot_turn_a_job_into_another(granted, column):
    with pytest.raises(DatabaseError, match="permission denied"):
        run(granted.worker, f"UPDATE jobs SET {column} = {column}")


def test_nobody_can_pass_on_what_it_was_given(granted):
    before = rights(granted)
    run(granted.worker, "GRANT SELECT ON recordings TO PUBLIC")  # PostgreSQL warns, and grants nothing

    assert rights(granted) == before


def test_running_the_file_again_changes_nothing(granted):
    before = rights(granted)
    granted.grant()

    assert rights(granted) == before


def has_right(roles, role, table, right):
    with roles.admin.connect() as connection:
        asked = text("SELECT has_table_privilege(:role, :table, :right)")
        return connection.scalar(asked, {"role": f"tonalog_{role}", "table": table, "right": right})


def rights(roles):
    """All grants on tables and columns."""
    listed = "SELECT relname, relacl::text, relowner FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    columns = "SELECT attrelid::regclass::text, attname, attacl::text FROM pg_attribute WHERE attacl IS NOT NULL"
    with roles.admin.connect() as connection:
        return [sorted(map(str, connection.execute(text(statement)))) for statement in (listed, columns)]
