"""Switching the active model and back: what is covered, what readers see, what is told, and how a version ends."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from db_samples import MONDAY, a_model, a_recording, add_active_model, add_jobs, new_sqlite, score_all
from sqlalchemy import text

from db import activation, changes, jobs, model_ends, models, recordings, webhooks
from db.coverage import Coverage
from db.errors import ModelIncomplete, ModelInUse, ModelRetired, RowNotFound
from db.model_ends import ModelState
from db.reasons import EventKind, JobState, Lane
from people import refresh


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def add_scored(engine, n=4):
    """An active model with so many scored notes of one person, and its person's days; a second model without any."""
    first = add_active_model(engine, "1.0")
    recordings.register(engine, [a_recording(f"anna/{i}.wav", subject="anna", recorded_at=MONDAY) for i in range(n)])
    jobs.create_jobs(engine, first.id, lane=Lane.NIGHTLY)
    score_all(engine)
    refresh(engine)
    return first, models.add_model(engine, a_model("2.0"))


def score_again(engine, model):
    jobs.create_jobs(engine, model.id, lane=Lane.BULK)
    score_all(engine)
    refresh(engine)


def ask(engine, statement):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def read_versions(engine):
    """Versions that SQL readers see, with their number of days and of scored notes."""
    days = ask(engine, "SELECT model_version, COUNT(*) FROM v1_subject_day GROUP BY model_version")
    return days, ask(
        engine, "SELECT model_version, COUNT(*) FROM v1_note WHERE status = 'scored' GROUP BY model_version"
    )


def test_a_model_with_nothing_scored_is_refused_and_readers_keep_every_day(engine):
    first, second = add_scored(engine)

    with pytest.raises(ModelIncomplete, match=r"covers 0 of 4 recordings \(0 %\); 4 have none under it"):
        activation.activate(engine, second.id)

    assert models.active_model(engine) == first
    assert read_versions(engine) == ([("1.0", 1)], [("1.0", 4)])


def test_a_switch_and_the_way_back_show_whole_days_of_one_version_at_once(engine):
    _, second = add_scored(engine)
    score_again(engine, second)
    assert read_versions(engine) == ([("1.0", 1)], [("1.0", 4)])

    switched = activation.activate(engine, second.id)
    assert (switched.model.version, switched.previous.version) == ("2.0", "1.0")
    assert switched.coverage == Coverage(n_results=4, n_covered=4)
    assert read_versions(engine) == ([("2.0", 1)], [("2.0", 4)])

    assert activation.roll_back(engine).model.version == "1.0"
    assert read_versions(engine) == ([("1.0", 1)], [("1.0", 4)])
    assert activation.roll_back(engine).model.version == "2.0"


def test_results_whose_days_are_still_to_be_made_are_waited_for(engine):
    _, second = add_scored(engine)
    jobs.create_jobs(engine, second.id, lane=Lane.BULK)
    score_all(engine)

    with pytest.raises(ModelIncomplete, match="days and trends of 1 people are still to be made"):
        activation.activate(engine, second.id)

    refresh(engine)
    assert activation.activate(engine, second.id).model.is_active


@pytest.mark.parametrize(("least", "is_enough"), [(0.75, True), (0.76, False), (1.0, False)])
def test_a_share_may_be_enough_if_somebody_says_so(engine, least, is_enough):
    _, second = add_scored(engine)
    score_again(engine, second)
    with engine.begin() as connection:
        for table in ("relative_results", "segments", "results"):
            connection.execute(text(f"DELETE FROM {table} WHERE model_id = 2 AND recording_id = 4"))

    if is_enough:
        assert activation.activate(engine, second.id, min_coverage=least).coverage.share == 0.75
    else:
        with pytest.raises(ModelIncomplete, match=r"covers 3 of 4 recordings .75 %.*--min-coverage 0.75"):
            activation.activate(engine, second.id, min_coverage=least)


def test_every_switch_is_in_the_feed_told_to_webhooks_and_listed_the_way_back_too(engine):
    _, second = add_scored(engine)
    webhooks.create(engine, "default", url="https://app.example", description="", events=[EventKind.MODEL_ACTIVATED])
    score_again(engine, second)
    activation.activate(engine, second.id)
    activation.activate(engine, second.id)  # nothing to switch, nothing to tell
    activation.roll_back(engine)
    while changes.number(engine):
        pass

    told = ask(engine, "SELECT model_version FROM v1_change WHERE kind = 'model.activated' ORDER BY position")
    assert [row[0] for row in told] == ["1.0", "2.0", "1.0"]
    assert ask(engine, "SELECT COUNT(*) FROM webhook_events WHERE kind = 'model.activated'") == [(2,)]
    assert [(one.model, one.previous) for one in activation.list_activations(engine)] == [
        ("whisper3-1.0", "whisper3-2.0"),
        ("whisper3-2.0", "whisper3-1.0"),
        ("whisper3-1.0", None),
    ]


def test_a_way_back_is_not_held_up_by_what_only_the_newer_one_has_scored(engine):
    _, second = add_scored(engine)
    score_again(engine, second)
    activation.activate(engine, second.id)
    add_jobs(engine, 2)
    score_all(engine)

    back = activation.roll_back(engine)

    assert (back.model.version, back.coverage.n_missing, back.coverage.n_without_job) == ("1.0", 2, 2)
    assert activation.list_activations(engine)[0].is_forced


def test_without_an_earlier_model_there_is_no_way_back(engine):
    with pytest.raises(RowNotFound, match="no earlier model"):
        activation.roll_back(engine)
    add_active_model(engine, "1.0")

    with pytest.raises(RowNotFound, match="no earlier model"):
        activation.roll_back(engine)


def test_switches_that_race_leave_one_active_and_one_row_each(engine):
    ids = [models.add_model(engine, a_model(f"{n}.0")).id for n in range(3)]

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: activation.activate(engine, ids[n % 3], force=True), range(12)))

    switches = list(reversed(activation.list_activations(engine)))
    assert [model.is_active for model in models.list_models(engine)].count(True) == 1
    assert [one.previous for one in switches] == [None, *(one.model for one in switches[:-1])]


def test_a_version_is_a_candidate_then_active_and_retired_only_when_nobody_needs_it(engine):
    first, second = add_scored(engine)
    jobs.create_jobs(engine, second.id, lane=Lane.BULK)
    with pytest.raises(ModelInUse, match="is active and cannot be retired"):
        model_ends.retire(engine, first)
    with pytest.raises(ModelInUse, match="4 jobs that have not ended"):
        model_ends.retire(engine, second)
    score_again(engine, second)
    activation.activate(engine, second.id)
    assert model_ends.read_states(engine) == {first.id: ModelState.CANDIDATE, second.id: ModelState.ACTIVE}

    model_ends.retire(engine, first)
    model_ends.retire(engine, first)

    assert model_ends.read_states(engine)[first.id] is ModelState.RETIRED
    for switch in (lambda: activation.activate(engine, first.id, force=True), lambda: activation.roll_back(engine)):
        with pytest.raises(ModelRetired, match=r"whisper3-1.0 is retired: `tonalog models retire 1.0 --undo`"):
            switch()
    with pytest.raises(ModelRetired):
        jobs.create_jobs(engine, first.id, lane=Lane.BULK)

    model_ends.restore(engine, first)
    assert activation.roll_back(engine).model.id == first.id


def test_a_model_that_nobody_used_is_forgotten_when_it_is_removed(engine):
    model = models.add_model(engine, a_model("1.0"))

    model_ends.begin_removal(engine, model)
    assert model_ends.read_states(engine) == {model.id: ModelState.REMOVED}

    assert model_ends.forget(engine, model)
    assert models.list_models(engine) == []


def test_results_stay_when_the_bundle_of_a_retired_model_is_removed_and_adding_it_again_brings_it_back(engine):
    first, second = add_scored(engine)
    score_again(engine, second)
    activation.activate(engine, second.id)
    with pytest.raises(ModelInUse, match=r"has 4 results, which stay: run `tonalog models retire 1.0` first"):
        model_ends.begin_removal(engine, first)
    model_ends.retire(engine, first)

    model_ends.begin_removal(engine, first)

    assert not model_ends.forget(engine, first)
    assert ask(engine, f"SELECT COUNT(*) FROM results WHERE model_id = {first.id}") == [(4,)]
    with pytest.raises(ModelRetired, match="was removed: `tonalog models add DIR`"):
        model_ends.restore(engine, first)
    models.add_model(engine, a_model("1.0"))
    assert model_ends.read_states(engine)[first.id] is ModelState.RETIRED


def test_the_use_of_a_model_is_counted_by_results_and_by_jobs_in_each_state(engine):
    first, second = add_scored(engine)
    jobs.create_jobs(engine, second.id, lane=Lane.BULK)

    assert model_ends.read_use(engine, first.id).n_results == 4
    assert model_ends.read_use(engine, second.id).n_jobs == {JobState.PENDING: 4}
    assert activation.read_coverage(engine, first.id) is None
    assert activation.read_coverage(engine, second.id) == Coverage(n_results=4, n_covered=0, n_open=4)
