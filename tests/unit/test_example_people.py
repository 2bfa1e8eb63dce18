"""The example of `make demo`: real notes, made-up people; stored rows stay as they are."""

from datetime import date

import numpy as np
import pytest
from click.testing import CliRunner
from db_samples import dump, new_sqlite
from people_samples import add_model, add_notes, draw_scores

from db.notes import NoteStatus
from tonalog.commands.report import report_command
from tonalog.errors import TonalogError
from tonalog.example_people import PERSONAS, TENANT, make_people, read_pool
from trends import TrendSettings, TrendState

TODAY = date(2026, 5, 20)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return new_sqlite(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def model(engine):
    return add_model(engine)


@pytest.fixture(scope="module")
def pool(engine, model):
    rng = np.random.default_rng(0)
    add_notes(engine, model, "ana", [draw_scores(rng) for _ in range(14)])
    return read_pool(engine, model, store="local", bucket="notes")


def test_each_made_up_person_shows_another_state(engine, model, pool):
    before = dump(engine)

    people = make_people(engine, model, pool, today=TODAY, settings=TrendSettings())

    assert [page.subject for page in people] == [persona.name for persona in PERSONAS]
    states = {page.subject: {measure.name: measure.trend.state for measure in page.measures} for page in people}
    assert states["Mira"]["happiness"] is TrendState.SHIFTED_UP
    assert set(states["Jonas"].values()) == {TrendState.STABLE}
    assert set(states["Tess"].values()) == {TrendState.INSUFFICIENT}
    assert all(page.tenant == TENANT and page.as_of == TODAY for page in people)
    assert people[0].mix.relative is not None
    assert dump(engine) == before


def test_the_same_day_gives_the_same_people(engine, model, pool):
    first, second = (make_people(engine, model, pool, today=TODAY, settings=TrendSettings()) for _ in range(2))

    assert first == second


def test_every_score_is_that_of_a_real_note(pool):
    assert len(pool) == 14
    assert all(one.status is NoteStatus.SCORED and "level" in one.movement["sadness"] for one in pool)


def test_a_place_without_scored_notes_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "notes").mkdir()
    add_model(new_sqlite(tmp_path / "home"))

    arguments = ["--example", str(tmp_path / "notes"), "--out", str(tmp_path / "x.html")]

    with pytest.raises(TonalogError, match=r"run `tonalog run .*` first"):
        CliRunner().invoke(report_command, arguments, catch_exceptions=False)
