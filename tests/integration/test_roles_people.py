"""What each role of deploy/postgres/roles.sql may do with what is kept of people; on a real PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from people_samples import add_model, add_notes, make_scores, register
from roles import ask, new_roles, run

from db import erasures, people, people_writes, subject_keys
from db.erasures import Chosen
from db.errors import DatabaseError
from db.people_notes import read_person
from db.people_rows import read_baseline, read_baseline_by_id, read_days, read_relative, read_trends
from db.reasons import ErasureScope
from db.tenancy import asking
from people import refresh

NAMED = ("subject_baselines", "subject_days", "subject_trends", "subject_marks")


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server) as roles:
        yield roles


def fill(roles, subject="anna", n=12, **others):
    return add_notes(roles.admin, add_model(roles.migrator, **others), subject, make_scores(n))


def left_of(roles, subject):
    return [table for table in NAMED if ask(roles.admin, f"SELECT 1 FROM {table} WHERE subject = '{subject}'")]


def test_the_scheduler_refreshes_renames_and_merges(roles):
    ids = fill(roles)
    register(roles.scheduler, "ben", [read_person(roles.scheduler, "default", "anna").notes[0].at])

    assert refresh(roles.scheduler).n_failed == 0
    people.rename(roles.scheduler, "anna", "zoe")
    people.merge(roles.scheduler, ["ben"], "zoe")
    assert refresh(roles.scheduler).n_people == 1
    assert len(read_relative(roles.scheduler, ids)) == 12
    assert left_of(roles, "anna") == left_of(roles, "ben") == []


def test_the_http_api_reads_all_but_who_waits(roles):
    ids = fill(roles)
    refresh(roles.scheduler)

    with asking("clinic"):
        assert read_days(roles.http, "default", "anna") == []
        assert read_baseline(roles.http, "default", "anna", model_id=1) is None
        assert read_relative(roles.http, ids) == {}
    with asking("default"):
        baseline = read_baseline(roles.http, "default", "anna", model_id=1)
        assert read_baseline_by_id(roles.http, baseline.id) == baseline
        assert len(read_relative(roles.http, ids)) == 12
        assert len(read_days(roles.http, "default", "anna")) == 12
        assert len(read_trends(roles.http, "default", "anna")) == 4
    with pytest.raises(DatabaseError, match="permission denied"):
        ask(roles.http, "SELECT * FROM subject_marks")


def test_the_eraser_leaves_nothing_of_a_person_or_a_note(roles):
    ids = fill(roles)
    refresh(roles.scheduler)

    erasures.begin(roles.eraser, Chosen(recording_id=ids[0]), scope=ErasureScope.ALL)
    assert left_of(roles, "anna") == ["subject_days", "subject_marks"]
    refresh(roles.scheduler)
    erasures.begin(roles.eraser, Chosen(subject="anna"), scope=ErasureScope.ALL)

    assert left_of(roles, "anna") == []
    assert ask(roles.admin, "SELECT count(*) FROM relative_results") == [(0,)]
    assert ask(roles.admin, "SELECT count(*) FROM baseline_notes") == [(0,)]


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("scheduler", "UPDATE subject_baselines SET offset_values = '{}'"),
        ("scheduler", "UPDATE baseline_notes SET recording_id = 1"),
        ("worker", "INSERT INTO subject_marks (tenant, subject) VALUES ('default', 'anna')"),
        ("worker", "SELECT * FROM subject_days"),
        ("api", "SELECT * FROM subject_trends"),
        ("http", "DELETE FROM subject_days"),
        ("eraser", "UPDATE subject_trends SET state = 'stable'"),
    ],
)
def test_nobody_does_what_is_another_roles(roles, role, statement):
    with pytest.raises(DatabaseError, match="permission denied"):
        run(getattr(roles, role), statement)


def test_names_that_become_pseudonyms_by_the_migrator_do_so_here_too(roles):
    fill(roles)
    refresh(roles.scheduler)

    subject_keys.rehash(roles.migrator, "fingerprint", store=lambda name: f"hashed-{name}")

    assert left_of(roles, "anna") == []
    assert left_of(roles, "hashed-anna") == ["subject_baselines", "subject_days", "subject_trends"]


def test_a_refresh_that_has_read_a_person_writes_nothing_back_after_an_erasure(roles, monkeypatch):
    """Two connections: one erases between the other's reading and its writing."""
    fill(roles)

    def read_then_erase(engine, tenant, subject):
        rows = read_person(engine, tenant, subject)
        erasures.begin(roles.eraser, Chosen(subject=subject), scope=ErasureScope.ALL)
        return rows

    monkeypatch.setattr("people.refreshing.read_person", read_then_erase)
    refresh(roles.scheduler)

    assert left_of(roles, "anna") == []
    assert ask(roles.admin, "SELECT count(*) FROM relative_results") == [(0,)]


def test_an_erasure_that_begins_while_a_refresh_writes_waits_and_takes_all(roles, monkeypatch):
    fill(roles, section=None)  # days alone hold no key of a recording, which would make an erasure wait by itself
    began, erased = threading.Event(), threading.Event()

    def erase():
        began.wait(30)
        erasures.begin(roles.eraser, Chosen(subject="anna"), scope=ErasureScope.ALL)
        erased.set()

    write_days = people_writes._write_days

    def write_slowly(connection, change):
        began.set()
        assert not erased.wait(1.0)  # it waits for the lock of registrations
        write_days(connection, change)

    monkeypatch.setattr(people_writes, "_write_days", write_slowly)
    eraser = threading.Thread(target=erase)
    eraser.start()
    refresh(roles.scheduler)
    eraser.join(30)

    assert erased.is_set()
    assert left_of(roles, "anna") == []


def test_two_refreshers_at_once_do_what_one_does(roles):
    ids = fill(roles)
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(refresh, [roles.scheduler] * 3))

    assert sum(one.n_people for one in done) == 1
    assert ask(roles.admin, "SELECT n_notes FROM subject_baselines ORDER BY 1") == [(1,), (3,), (5,), (10,)]
    assert len(read_relative(roles.admin, ids)) == 12
    assert left_of(roles, "anna") == ["subject_baselines", "subject_days", "subject_trends"]
