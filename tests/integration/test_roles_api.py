"""What `tonalog api` may do by its role of deploy/postgres/roles.sql; on a real PostgreSQL."""

from datetime import timedelta

import pytest
from db_samples import a_recording, a_result
from roles import add_work, ask, claim, new_roles, run

from db import (
    api_audit,
    api_keys,
    changes,
    erasures,
    idempotency,
    ledger,
    migrate,
    models,
    notes,
    people,
    people_rows,
    pump,
    removals,
    tenancy,
    upload_jobs,
    uploads,
)
from db.api_audit import Access
from db.changes import Place
from db.erasures import Chosen
from db.errors import DatabaseError
from db.notes import NoteFilter
from db.reasons import ErasureScope, Lane, Scope, UploadState
from db.uploads import NewUpload

ANNA = Chosen(subject="anna")


@pytest.fixture(autouse=True)
def request_of_the_tenant():
    """As `api.middleware` has it around a request."""
    with tenancy.asking("default"):
        yield


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server) as roles:
        yield roles


def a_key(roles):
    return api_keys.create(roles.migrator, "default", name="app", scopes=[Scope.READ, Scope.WRITE])


def test_it_reads_all_that_it_shows_and_writes_its_audit(roles):
    (job_id,) = add_work(roles)
    ledger.finish(roles.worker, claim(roles, job_id), a_result())
    made = a_key(roles)
    http = roles.http

    migrate.require_current(http)
    key, is_taken = api_keys.find(http, made.secret)
    assert is_taken
    person = people.find_present_name(http, "default", "anna")
    assert people.is_known(http, "default", person)
    assert len(notes.list_notes(http, "default", person, model_id=1, chosen=NoteFilter(), limit=9)) == 1
    assert len(notes.list_segments(http, 1, 1)) == 2
    assert people_rows.read_days(http, "default", person) == []
    assert people_rows.read_trends(http, "default", person) == []
    assert people_rows.is_due(http, "default", person)
    assert models.active_model(http).version == "1.0"
    assert changes.number(http) > 0
    assert changes.read(http, "default", place=Place(position=0, at=None), limit=9).changes
    assert removals.list_of_tenant(http, "default") == []
    api_audit.record(
        http, [Access(key_id=key.id, tenant="default", method="GET", route="/x", status=200, subject="anna")]
    )

    (row,) = api_audit.read(roles.migrator, tenant="default")
    assert row.subject == "anna"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT key FROM recordings",
        "SELECT bucket FROM recordings",
        "SELECT key FROM erasure_objects",
        "SELECT * FROM attempts",
        "SELECT * FROM api_audit",
        "DELETE FROM api_audit",
        "UPDATE api_audit SET subject = NULL",
        "INSERT INTO api_keys SELECT * FROM api_keys",
        "UPDATE api_keys SET tenant = 'clinic'",
        "INSERT INTO changes SELECT * FROM changes",
        "DELETE FROM results",
        "UPDATE recordings SET tenant = 'clinic'",
        "INSERT INTO jobs SELECT * FROM jobs",
        "UPDATE uploads SET recording_id = 1",
        "UPDATE uploads SET bucket = '/etc'",
        "DELETE FROM uploads",
    ],
)
def test_it_gives_itself_no_key_leaves_the_audit_as_it_is_and_knows_no_place_in_storage(roles, statement):
    with pytest.raises(DatabaseError, match="permission denied"):
        run(roles.http, statement)


def test_it_erases_with_the_erasers_rights_only(roles):
    add_work(roles)
    key = a_key(roles).key

    with pytest.raises(DatabaseError, match="permission denied"):
        erasures.begin(roles.http, ANNA, scope=ErasureScope.ALL, key_id=key.id)
    run(roles.admin, "GRANT tonalog_eraser TO tonalog_http")
    try:
        erasure_id = erasures.begin(roles.http, ANNA, scope=ErasureScope.ALL, key_id=key.id)
        assert removals.read_of_tenant(roles.http, "default", erasure_id).n_left == 1
    finally:
        run(roles.admin, "REVOKE tonalog_eraser FROM tonalog_http")  # roles are of the whole server


def test_it_writes_an_upload_down_and_the_scheduler_registers_it(roles):
    add_work(roles)
    key = a_key(roles).key
    new = {"id": "u1", "tenant": "default", "key_id": key.id, "subject": "ben", "store": "s3", "bucket": "notes"}
    new = NewUpload(**new, key="uploads/u1/note.ogg", binding="b")
    uploads.create(roles.http, new, lifetime=timedelta(minutes=15), max_open=9)
    assert people.is_known(roles.http, "default", "ben")
    assert uploads.receive(roles.http, "default", "u1").state is UploadState.RECEIVED

    (upload,) = uploads.list_received(roles.scheduler, limit=9)
    found = a_recording(upload.key, subject="ben", store="s3")
    recording_id = upload_jobs.register(roles.scheduler, "u1", found, model_id=1)
    assert uploads.find(roles.http, "default", "u1").recording_id == recording_id
    assert pump.due_jobs(roles.scheduler, cap_outstanding=9, limit=9)[0][1] is Lane.INTERACTIVE
    assert erasures.begin(roles.eraser, Chosen(subject="ben"), scope=ErasureScope.ALL) is not None
    assert uploads.find(roles.http, "default", "u1") is None
    assert removals.forget_objects(roles.eraser, removals.objects_to_remove(roles.eraser)) == 0
    assert uploads.expire(roles.scheduler) == 0


def test_it_keeps_answers_and_the_scheduler_forgets_them(roles):
    key = a_key(roles).key
    asked = idempotency.Request(key_id=key.id, tenant="default", key_sha256="k", request_sha256="r")
    begun = idempotency.begin(roles.http, asked)
    idempotency.finish(roles.http, begun, idempotency.Answer(status=201, resource="u1"), subject="ben")
    assert idempotency.begin(roles.http, asked) == idempotency.Answer(status=201, resource="u1")
    run(roles.admin, "UPDATE idempotent_requests SET created_at = '2026-01-01'")
    taken = idempotency.begin(roles.http, asked)
    idempotency.release(roles.http, taken)
    idempotency.begin(roles.http, asked)
    run(roles.admin, "UPDATE idempotent_requests SET created_at = '2026-01-01'")

    assert idempotency.expire(roles.scheduler) == 1


def test_the_scheduler_deletes_what_is_old(roles):
    add_work(roles)
    key = a_key(roles).key
    api_audit.record(roles.http, [Access(key_id=key.id, tenant="default", method="GET", route="/x", status=200)])

    assert changes.expire(roles.scheduler, keep=timedelta(seconds=-1)) > 0
    assert api_audit.expire(roles.scheduler, keep=timedelta(seconds=-1)) == 1
    assert ask(roles.admin, "SELECT count(*) FROM api_audit") == [(0,)]


@pytest.mark.parametrize("role", ["worker", "scheduler", "api", "http", "webhooks", "eraser", "scaler"])
def test_nobody_adds_a_change_by_hand(roles, role):
    with pytest.raises(DatabaseError, match="permission denied"):
        run(getattr(roles, role), "INSERT INTO changes (kind, at) VALUES ('note.upserted', now())")
