"""The canary: the same people by hash on every machine, scored twice, and read under the candidate once all is there."""

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from db_samples import MONDAY, a_model, a_recording, add_active_model, new_sqlite, score_all
from sqlalchemy import text

from db import activation, canary, changes, jobs, model_ends, model_readers, models, recordings
from db.errors import ModelInUse, ModelRetired
from db.model_readers import place_of, read_canary, read_reading
from db.reasons import Lane
from people import refresh
from scheduler.job_maker import JobMaker

PEOPLE = [("default", f"person-{n}") for n in (3, 4, 9, 7)]  # in the order of their places: .15, .37, .53, .80


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def candidate(engine):
    """Four people of one tenant and one of another, scored by the active model; gives a second model."""
    if engine.dialect.name == "sqlite":
        engine.dispose()
        Path(engine.url.database).write_bytes(filled_file())
        return models.resolve(engine, "2.0")
    return fill(engine)


@cache
def filled_file():
    """The bytes of a filled SQLite database: copying is faster than scoring for every test."""
    with TemporaryDirectory() as folder:
        engine = new_sqlite(Path(folder))
        fill(engine)
        with closing(sqlite3.connect(engine.url.database)) as connection:
            return connection.serialize()


def fill(engine):
    active = add_active_model(engine, "1.0")
    for n, (tenant, subject) in enumerate([*PEOPLE, ("clinic", "zoe")]):
        register(engine, f"{n}.wav", tenant, subject)
    recordings.register(engine, [a_recording("nobody.wav")])
    score(engine, active)
    return models.add_model(engine, a_model("2.0"))


def register(engine, key, tenant, subject):
    new = a_recording(key, subject=subject, tenant=tenant, recorded_at=MONDAY)
    recordings.register(engine, [new])


def score(engine, model):
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    score_all(engine)
    refresh(engine)


def work(engine):
    score_all(engine)
    refresh(engine)


def ask(engine, statement):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def versions_of(engine, people):
    reading = read_reading(engine)
    return {reading.key_of(*person).version for person in people}


def chosen(share):
    return [person for person in PEOPLE if place_of(*person) < share]


def test_places_are_the_same_in_every_release_and_spread_evenly():
    assert place_of("default", "ana") == pytest.approx(0.5855998460867042)
    assert 0 <= place_of("", "") < 1
    places = [place_of("default", f"{n}") for n in range(4_000)]
    for share in (0.05, 0.5):
        assert sum(place < share for place in places) / len(places) == pytest.approx(share, abs=0.02)


def test_people_of_two_tenants_are_two_people_however_their_names_are_cut():
    assert place_of("a", "bc") != place_of("ab", "c")


def test_readers_get_the_candidate_when_all_of_the_canarys_recordings_are_scored_and_nobody_else_does(
    engine, candidate
):
    inside = chosen(0.4)
    outside = [person for person in PEOPLE if person not in inside]
    assert inside
    assert outside

    first = canary.start(engine, candidate, share=0.4)
    assert (first.n_jobs, first.coverage.n_open) == (first.n_people, first.n_people)
    assert versions_of(engine, PEOPLE) == {"1.0"}
    work(engine)

    second = canary.start(engine, candidate, share=0.4)

    assert (second.n_jobs, second.coverage.n_missing) == (0, 0)
    assert versions_of(engine, inside) == {"2.0"}
    assert versions_of(engine, [*outside, ("default", None)]) == {"1.0"}
    assert {row[0] for row in ask(engine, "SELECT model_version FROM v1_note")} == {"1.0"}


def test_results_whose_days_are_still_to_be_made_keep_readers_with_the_active_model(engine, candidate):
    canary.start(engine, candidate, share=1.0)
    score_all(engine)

    waiting = canary.start(engine, candidate, share=1.0)

    assert (waiting.coverage.n_missing, waiting.coverage.n_people_waiting) == (0, len(PEOPLE) + 1)
    assert versions_of(engine, PEOPLE) == {"1.0"}


def test_a_larger_share_keeps_those_who_read_it_and_waits_for_the_others_only(engine, candidate):
    canary.start(engine, candidate, share=0.3)
    work(engine)
    canary.start(engine, candidate, share=0.3)

    larger = canary.start(engine, candidate, share=0.7)

    assert larger.n_jobs == larger.n_people - len(chosen(0.3)) - (place_of("clinic", "zoe") < 0.3)
    assert versions_of(engine, chosen(0.3)) == {"2.0"}
    further = [person for person in chosen(0.7) if person not in chosen(0.3)]
    assert versions_of(engine, further) == {"1.0"}
    work(engine)
    canary.start(engine, candidate, share=0.7)
    assert versions_of(engine, chosen(0.7)) == {"2.0"}
    canary.start(engine, candidate, share=0.3)
    assert versions_of(engine, further) == {"1.0"}


def test_a_tenant_is_in_with_all_its_people_and_with_those_nobody_names(engine, candidate):
    canary.start(engine, candidate, tenant="clinic")
    work(engine)
    canary.start(engine, candidate, tenant="clinic")

    assert versions_of(engine, [("clinic", "zoe"), ("clinic", None)]) == {"2.0"}
    assert versions_of(engine, PEOPLE) == {"1.0"}
    assert ask(engine, f"SELECT COUNT(*) FROM jobs WHERE model_id = {candidate.id}") == [(1,)]


def test_new_recordings_of_the_canarys_people_are_scored_by_both_models_the_next_night(engine, candidate):
    canary.start(engine, candidate, share=0.4, force=True)
    work(engine)
    inside, outside = chosen(0.4)[0], next(person for person in PEOPLE if place_of(*person) >= 0.4)
    register(engine, "new/in.wav", *inside)
    register(engine, "new/out.wav", *outside)

    maker = JobMaker(engine, models.active_model(engine).id)
    maker.make()
    maker.make()

    new = "SELECT r.key, j.model_id, j.lane FROM jobs j JOIN recordings r ON r.id = j.recording_id WHERE r.key LIKE 'new/%' ORDER BY 1, 2"
    assert ask(engine, new) == [
        ("new/in.wav", 1, "nightly"),
        ("new/in.wav", 2, "nightly"),
        ("new/out.wav", 1, "nightly"),
    ]
    assert maker.n_made == 2


def test_stopping_gives_everybody_the_active_model_again_and_tells_the_feed(engine, candidate):
    canary.start(engine, candidate, share=0.4)
    work(engine)
    canary.start(engine, candidate, share=0.4)
    while changes.number(engine):
        pass
    n_before = ask(engine, "SELECT COUNT(*) FROM v1_change")[0][0]

    assert canary.stop(engine).model_id == candidate.id
    assert canary.stop(engine) is None

    while changes.number(engine):
        pass
    told = ask(engine, "SELECT recording_id FROM v1_change ORDER BY position")[n_before:]
    subjects = {row[0]: row[1] for row in ask(engine, "SELECT id, subject FROM recordings")}
    assert {subjects[row[0]] for row in told} - {"zoe"} == {subject for _, subject in chosen(0.4)}
    assert versions_of(engine, PEOPLE) == {"1.0"}
    assert read_canary(engine) is None


def test_activating_the_candidate_ends_its_canary(engine, candidate):
    canary.start(engine, candidate, share=0.4, force=True)
    score(engine, candidate)

    activation.activate(engine, candidate.id)

    assert read_canary(engine) is None
    assert versions_of(engine, PEOPLE) == {"2.0"}


def test_what_cannot_be_a_canary_is_refused_and_changes_nothing(engine, candidate):
    third = models.add_model(engine, a_model("3.0"))
    model_ends.retire(engine, third)
    with pytest.raises(ModelInUse, match="is active: everybody reads it"):
        canary.start(engine, models.active_model(engine), share=0.4)
    with pytest.raises(ModelRetired):
        canary.start(engine, third, share=0.4)
    assert read_canary(engine) is None
    canary.start(engine, candidate, share=0.4)
    before = ask(engine, "SELECT * FROM model_readers")

    with pytest.raises(ModelInUse, match="stop that first"):
        canary.start(engine, candidate, tenant="clinic")
    work(engine)
    with pytest.raises(ModelInUse, match="is the canary and cannot be retired"):
        model_ends.retire(engine, candidate)
    assert ask(engine, "SELECT * FROM model_readers") == before


def test_without_an_active_model_nobody_reads_anything(engine):
    model = models.add_model(engine, a_model("1.0"))

    canary.start(engine, model, share=0.5)

    assert read_reading(engine).active is None
    assert model_readers.read_reading(engine).key_of("default", None) is None
