"""Who corrects, renames and erases people on a real PostgreSQL, and what an app backend can read of them."""

from datetime import UTC, date, datetime

import pytest
from db_samples import a_recording, a_result, dump
from kept_samples import keep_day, keep_trend
from roles import VIEWS, add_work, ask, claim, new_roles, run

from db import changes, erasures, fences, ledger, people, recordings, removals, subject_keys, trends
from db.erasures import Chosen
from db.errors import DatabaseError
from db.reasons import ErasureScope, Reason
from storage.pseudonyms import SubjectNaming


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server) as roles:
        yield roles


def test_the_scheduler_corrects_who_and_when_and_renames_and_merges_people(roles):
    (job_id, _) = add_work(roles, 2)
    ledger.finish(roles.worker, claim(roles, job_id), a_result())
    right = a_recording("anna/0.wav", subject="ana", recorded_at=datetime(2026, 3, 1, tzinfo=UTC), tenant="clinic")

    mark = fences.erasure_mark(roles.scheduler)
    assert recordings.correct(roles.scheduler, [right], cause="scan", mark=mark) == 1
    assert people.rename(roles.scheduler, "anna", "anne") == 1
    assert people.rename(roles.scheduler, "anne", "anna") == 1
    recordings.register(roles.scheduler, [a_recording("ben/0.wav", subject="ben")])
    assert people.merge(roles.scheduler, ["ben"], "anne") == 1
    assert [person.n_notes for person in people.list_people(roles.scheduler)] == [1, 2]

    (note,) = trends.subject_trend(roles.scheduler, "ana", tenant="clinic")
    assert (note.key, note.status) == ("anna/0.wav", "scored")
    assert min(ask(roles.scheduler, "SELECT tenant, subject, day FROM v1_note")) == ("clinic", "ana", date(2026, 3, 1))


def test_the_eraser_takes_former_names_and_audits_along(roles):
    add_work(roles, 2)
    recordings.correct(roles.scheduler, [a_recording("anna/0.wav", subject="ben")], cause="identify")
    people.rename(roles.scheduler, "anna", "anne")

    assert people.tenants_of(roles.eraser, people.find_present_name(roles.eraser, "default", "anna")) == {"default"}
    assert erasures.measure(roles.eraser, Chosen(subject="anna"), scope=ErasureScope.ALL).n_recordings == 1
    erasures.begin(roles.eraser, Chosen(subject="anna"), scope=ErasureScope.ALL)
    removals.forget_objects(roles.eraser, removals.objects_to_remove(roles.eraser))

    assert "anne" not in dump(roles.admin)
    assert ask(roles.admin, "SELECT count(*) FROM identity_changes WHERE field = 'subject'") == [(0,)]


def test_after_a_rehash_an_app_backend_finds_no_name_in_any_view(roles):
    done, _, silent = add_work(roles, 3)
    ledger.finish(roles.worker, claim(roles, done), a_result())
    ledger.fail_dead(roles.worker, claim(roles, silent), Reason.NOT_AUDIO, detail="anna")
    recordings.correct(
        roles.scheduler, [a_recording("anna/0.wav", subject="anna", recorded_at=datetime.now(UTC))], cause="scan"
    )
    people.rename(roles.scheduler, "anna", "anna-lena")
    keep_day(roles.admin, "anna-lena")
    keep_trend(roles.admin, "anna-lena")
    changes.number(roles.scheduler)
    naming = SubjectNaming("k" * 32)

    assert subject_keys.rehash(roles.migrator, naming.fingerprint, store=naming.store) == 1

    readable = ask(
        roles.api,
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'm') AND relnamespace = "
        "'public'::regnamespace AND has_table_privilege(oid, 'SELECT')",
    )
    assert {name for (name,) in readable} == set(VIEWS)
    for (view,) in readable:
        texts = ask(roles.api, f"SELECT v::text FROM {view} v")
        assert texts
        assert not [row for row in texts if "anna" in str(row)]
    assert ask(roles.api, "SELECT DISTINCT subject FROM v1_note") == [(naming.store("anna-lena"),)]
    assert "anna-lena" not in dump(roles.admin)


@pytest.mark.parametrize("column", ["key", "bucket", "store", "version_tag", "size_bytes", "registered_at", "id"])
def test_a_correction_never_turns_a_recording_into_another(roles, column):
    with pytest.raises(DatabaseError, match="permission denied"):
        run(roles.scheduler, f"UPDATE recordings SET {column} = {column}")
