"""Uploads and kept answers in the database: what they hold, when they end, and that an erasure takes them along."""

from datetime import UTC, datetime, timedelta

import pytest
from db_samples import a_model, a_recording, add_active_model, count, new_sqlite
from sqlalchemy import select, update

from db import (
    api_keys,
    canary,
    erasures,
    fences,
    idempotency,
    jobs,
    models,
    people,
    recordings,
    removals,
    upload_jobs,
    uploads,
)
from db.erasures import Chosen
from db.idempotency import Answer, BeingAnswered, OtherRequest, Request
from db.model_readers import place_of
from db.reasons import ErasureScope, Lane, Scope, UploadState
from db.request_schema import idempotent_requests
from db.request_schema import uploads as uploads_table
from db.schema import jobs as jobs_table
from db.uploads import NewUpload, TooManyOpen
from scheduler.erasing import carry_out
from storage.protocol import MemoryStore

QUARTER = timedelta(minutes=15)


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def key_id(engine):
    return api_keys.create(engine, "default", name="app", scopes=(Scope.WRITE,)).key.id


def begin(engine, key_id, upload_id="u1", *, subject="anna", lifetime=QUARTER, max_open=100):
    new = NewUpload(
        id=upload_id,
        tenant="default",
        key_id=key_id,
        subject=subject,
        store="s3",
        bucket="notes",
        key=key_of(upload_id),
        binding="b",
    )
    return uploads.create(engine, new, lifetime=lifetime, max_open=max_open)


def key_of(upload_id):
    return f"uploads/{upload_id}/note.ogg"


def found_object(upload_id="u1", **others):
    return a_recording(key_of(upload_id), subject="anna", store="s3", bucket="notes", **others)


def end_urls(engine):
    end_uploads(engine, datetime(2000, 1, 1, tzinfo=UTC))


def end_uploads(engine, moment):
    with engine.begin() as connection:
        connection.execute(update(uploads_table).values(expires_at=moment))


def lanes_of(engine):
    with engine.connect() as connection:
        return list(connection.scalars(select(jobs_table.c.lane)))


def names_in(engine, table):
    with engine.connect() as connection:
        return list(connection.scalars(select(table.c.subject).where(table.c.subject.is_not(None))))


def test_an_upload_becomes_a_recording_with_an_interactive_job_and_holds_no_name_then(engine, key_id):
    model = add_active_model(engine)
    assert begin(engine, key_id).state is UploadState.OPEN
    assert uploads.list_received(engine, limit=9) == []
    assert uploads.receive(engine, "default", "u1").state is UploadState.RECEIVED
    assert [upload.id for upload in uploads.list_received(engine, limit=9)] == ["u1"]

    recording_id = upload_jobs.register(engine, "u1", found_object(), model_id=model.id)

    assert uploads.find(engine, "default", "u1").recording_id == recording_id
    assert recordings.get(engine, recording_id).subject == "anna"
    assert lanes_of(engine) == [Lane.INTERACTIVE]
    assert upload_jobs.register(engine, "u1", found_object(), model_id=model.id) is None
    assert names_in(engine, uploads_table) == []


def test_an_upload_of_the_canarys_people_is_scored_by_both_models_by_the_present_name(engine, key_id):
    active = add_active_model(engine)
    candidate = models.add_model(engine, a_model("2.0"))
    recordings.register(engine, [a_recording("old.ogg", subject="anna")])
    people.rename(engine, "anna", "person-8")
    assert place_of("default", "person-8") < 0.1 < place_of("default", "anna")
    canary.start(engine, candidate, share=0.1)
    begin(engine, key_id)
    uploads.receive(engine, "default", "u1")

    recording_id = upload_jobs.register(engine, "u1", found_object(), model_id=active.id)

    of_upload = select(jobs_table.c.model_id).where(jobs_table.c.recording_id == recording_id)
    with engine.connect() as connection:
        assert sorted(connection.scalars(of_upload)) == [active.id, candidate.id]


def test_what_a_scan_registered_first_is_registered_once_and_goes_to_the_interactive_lane(engine, key_id):
    model = add_active_model(engine)
    begin(engine, key_id)
    uploads.receive(engine, "default", "u1")
    recordings.register(engine, [found_object()])
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)

    upload_jobs.register(engine, "u1", found_object(), model_id=model.id)

    assert count(engine, "recordings") == 1
    assert lanes_of(engine) == [Lane.INTERACTIVE]


def test_another_tenant_sees_no_upload(engine, key_id):
    begin(engine, key_id)

    assert uploads.find(engine, "clinic", "u1") is None
    assert uploads.receive(engine, "clinic", "u1") is None
    assert uploads.find(engine, "default", "u1").state is UploadState.OPEN


def test_a_key_may_have_only_so_many_uploads_open(engine, key_id):
    begin(engine, key_id, "u1", max_open=2)
    begin(engine, key_id, "u2", max_open=2)

    with pytest.raises(TooManyOpen) as refused:
        begin(engine, key_id, "u3", max_open=2)
    assert 0 < refused.value.wait_s <= QUARTER.total_seconds()

    uploads.receive(engine, "default", "u1")
    begin(engine, key_id, "u3", max_open=2)


def test_bytes_are_put_once(engine, key_id):
    begin(engine, key_id)
    put = []
    uploads.receive(engine, "default", "u1", store_it=lambda: put.append(1))
    uploads.receive(engine, "default", "u1", store_it=lambda: put.append(2))

    assert put == [1]


def test_bytes_that_cannot_be_put_leave_the_upload_open(engine, key_id):
    begin(engine, key_id)

    with pytest.raises(ZeroDivisionError):
        uploads.receive(engine, "default", "u1", store_it=lambda: 1 / 0)

    assert uploads.find(engine, "default", "u1").state is UploadState.OPEN


def test_an_upload_that_a_scan_found_by_itself_gets_its_recording_and_others_end_without_a_name(engine, key_id):
    begin(engine, key_id, "u1")
    begin(engine, key_id, "u2")
    recordings.register(engine, [found_object("u1")])
    uploads.expire(engine)
    assert uploads.find(engine, "default", "u1").state is UploadState.OPEN
    end_uploads(engine, datetime.now(UTC) - timedelta(days=3))

    uploads.expire(engine)

    assert uploads.find(engine, "default", "u1").recording_id == 1
    assert uploads.find(engine, "default", "u2").state is UploadState.EXPIRED
    end_urls(engine)
    assert uploads.expire(engine) == 2


def test_erasing_a_person_ends_uploads_that_are_no_recordings_yet_also_under_a_former_name(engine, key_id):
    recordings.register(engine, [a_recording("x.ogg", subject="ann")])
    people.rename(engine, "ann", "anna")
    begin(engine, key_id, "u1")
    begin(engine, key_id, "u2", subject="ann")
    begin(engine, key_id, "u3", subject="ben")
    uploads.receive(engine, "default", "u2")

    erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.ALL)

    assert [uploads.find(engine, "default", name) is None for name in ("u1", "u2", "u3")] == [True, True, False]
    assert {item.key for item in removals.objects_to_remove(engine)} == {"x.ogg", key_of("u1"), key_of("u2")}
    assert upload_jobs.register(engine, "u2", found_object("u2"), model_id=None) is None
    assert names_in(engine, uploads_table) == ["ben"]


def test_somebody_of_whom_there_is_only_an_upload_can_be_erased(engine, key_id):
    assert not people.is_known(engine, "default", "anna")
    begin(engine, key_id)
    assert people.is_known(engine, "default", "anna")
    assert erasures.measure(engine, Chosen(subject="anna"), scope=ErasureScope.ALL).n_objects == 1

    assert erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.ALL) is not None
    assert not people.is_known(engine, "default", "anna")


def test_an_object_put_by_an_old_url_after_an_erasure_is_not_registered_and_is_removed_once_the_url_is_over(
    engine, key_id
):
    begin(engine, key_id)
    erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.ALL)

    assert removals.forget_objects(engine, removals.objects_to_remove(engine)) == 0
    removals.finish(engine)
    assert len(removals.unfinished(engine)) == 1
    recordings.register(engine, [found_object()], mark=fences.erasure_mark(engine))
    assert count(engine, "recordings") == 0

    carried = carry_out(engine, lambda *_: MemoryStore())
    assert (carried.n_gone, carried.n_left) == (0, 1)
    assert "signed" in carried.problem

    end_urls(engine)
    assert carry_out(engine, lambda *_: MemoryStore()).problem is None
    assert removals.unfinished(engine) == []
    recordings.register(engine, [found_object()])
    assert count(engine, "recordings") == 0


def test_an_upload_into_a_folder_keeps_no_erasure_waiting(engine, key_id):
    begin(engine, key_id)
    with engine.begin() as connection:
        connection.execute(update(uploads_table).values(store="local"))

    erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.ALL)

    assert removals.forget_objects(engine, removals.objects_to_remove(engine)) == 1


def ask(key_id, key="k", request="r"):
    return Request(key_id=key_id, tenant="default", key_sha256=key, request_sha256=request)


def test_a_request_is_begun_once_and_its_answer_given_again(engine, key_id):
    begun = idempotency.begin(engine, ask(key_id))
    with pytest.raises(BeingAnswered):
        idempotency.begin(engine, ask(key_id))
    answer = Answer(status=201, document={"body": {"id": 1}})

    idempotency.finish(engine, begun, answer)

    assert idempotency.begin(engine, ask(key_id)) == answer
    with pytest.raises(OtherRequest):
        idempotency.begin(engine, ask(key_id, request="other"))
    assert isinstance(idempotency.begin(engine, ask(key_id, key="other")), Request)


def test_a_request_that_came_to_nothing_may_be_sent_again_with_another_body(engine, key_id):
    idempotency.release(engine, idempotency.begin(engine, ask(key_id)))

    assert isinstance(idempotency.begin(engine, ask(key_id, request="other")), Request)


def test_an_answer_whose_process_died_is_taken_over_and_the_late_one_writes_nothing(engine, key_id):
    late = idempotency.begin(engine, ask(key_id))
    with engine.begin() as connection:
        connection.execute(update(idempotent_requests).values(created_at=datetime(2026, 1, 1, tzinfo=UTC)))
    begun = idempotency.begin(engine, ask(key_id))
    assert begun.token != late.token

    idempotency.finish(engine, late, Answer(status=500))
    idempotency.release(engine, late)

    with pytest.raises(BeingAnswered):
        idempotency.begin(engine, ask(key_id))


def test_answers_are_kept_for_a_day(engine, key_id):
    for key in ("old", "new"):
        idempotency.finish(engine, idempotency.begin(engine, ask(key_id, key=key)), Answer(status=201))
    old = update(idempotent_requests).where(idempotent_requests.c.key_sha256 == "old")
    with engine.begin() as connection:
        connection.execute(old.values(created_at=datetime(2026, 1, 1, tzinfo=UTC)))

    assert idempotency.expire(engine) == 1
    assert isinstance(idempotency.begin(engine, ask(key_id, key="old", request="other")), Request)
    assert isinstance(idempotency.begin(engine, ask(key_id, key="new")), Answer)


def test_an_erasure_takes_answers_about_the_person_along(engine, key_id):
    begin(engine, key_id)
    for key, subject in (("a", "anna"), ("b", "ben")):
        answer = Answer(status=201, document={"body": subject})
        idempotency.finish(engine, idempotency.begin(engine, ask(key_id, key=key)), answer, subject=subject)

    erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.ALL)

    assert names_in(engine, idempotent_requests) == ["ben"]
