"""Over HTTP the canary's people are read under the candidate, whole and in every answer, and nobody else is."""

import pytest
from api_samples import Client, a_key, running, subject_path
from db_samples import MONDAY, a_model, a_recording, add_active_model, days_later, new_sqlite, score_all

from db import canary, jobs, models, recordings
from db.model_readers import place_of
from db.reasons import Lane
from people import refresh

INSIDE, OUTSIDE = sorted(("anna", "ben"), key=lambda name: place_of("default", name))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """Two people with two notes each, scored by two models; the first in order of places is in the canary."""
    engine = new_sqlite(tmp_path_factory.mktemp("api"))
    ids = [add_active_model(engine, "1.0").id, models.add_model(engine, a_model("2.0")).id]
    found = [
        a_recording(f"{name}/{n}.wav", subject=name, recorded_at=moment)
        for name in (INSIDE, OUTSIDE)
        for n, moment in enumerate((MONDAY, days_later(1)))
    ]
    recordings.register(engine, found)
    for model_id in ids:
        jobs.create_jobs(engine, model_id, lane=Lane.NIGHTLY)
    score_all(engine)
    refresh(engine)
    share = (place_of("default", INSIDE) + place_of("default", OUTSIDE)) / 2
    assert canary.start(engine, models.resolve(engine, "2.0"), share=share).canary.read_share == share
    return engine


@pytest.fixture(scope="module")
def app(engine):
    with running(engine) as port:
        yield Client(port, a_key(engine))


def versions_of(app, person, **asked):
    """Every version that any answer about a person names."""
    notes = app.get(subject_path(person, "/notes"), **asked).json["notes"]
    single = [app.get(f"/v1/notes/{note['id']}", **asked).json for note in notes]
    segments = [app.get(f"/v1/notes/{note['id']}/segments", **asked).json for note in notes]
    kept = [app.get(subject_path(person, part), **asked).json for part in ("/days", "/trend")]
    assert all(kept[0]["days"])
    return {answer["model"]["version"] for answer in [*notes, *single, *segments, *kept]}


def test_every_answer_about_a_person_is_under_one_version(app):
    assert versions_of(app, INSIDE) == {"2.0"}
    assert versions_of(app, OUTSIDE) == {"1.0"}


@pytest.mark.parametrize("person", [INSIDE, OUTSIDE])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_version_that_is_asked_for_is_given_to_everybody(app, person, version):
    assert versions_of(app, person, model=f"whisper3-{version}") == {version}


def test_the_feed_gives_each_note_under_the_version_that_its_person_is_read_under(app):
    told, cursor = app.follow()

    of_people = {(change["note"]["subject"], change["note"]["model"]["version"]) for change in told if "note" in change}
    assert of_people == {(INSIDE, "2.0"), (OUTSIDE, "1.0")}
    assert app.follow(cursor)[0] == []


@pytest.mark.parametrize(("person", "model"), [(INSIDE, "whisper3-2.0"), (OUTSIDE, "whisper3-1.0")])
def test_a_persons_page_names_the_version_that_it_is_read_under(app, person, model):
    assert model in app.get(subject_path(person, "/report")).body.decode()
    assert app.get(subject_path(person, "/report"), model="9").status == 404
