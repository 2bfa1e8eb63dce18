"""Model versions, schedule slots and pulses; also run on PostgreSQL in tests/integration."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from db_samples import (
    MONDAY,
    a_model,
    a_recording,
    add_active_model,
    add_jobs,
    count,
    days_later,
    new_sqlite,
    score_all,
    set_job,
)
from sqlalchemy import text

from db import jobs, models, recordings, slots
from db.errors import ModelConflict, ModelIncomplete, RowNotFound
from db.reasons import Lane, SlotState


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def test_adding_a_model_twice_keeps_one_and_notes_where_it_lies_now(engine):
    first = models.add_model(engine, a_model())
    second = models.add_model(engine, replace(a_model(), folder="elsewhere"))

    assert second == replace(first, folder="elsewhere")
    assert models.list_models(engine) == [second]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "other"}, "another model.onnx .sha256 sha-1.0, not other"),
        ({"manifest": {"vad": 1}}, "another manifest.json .format, vad differ"),
        ({"bundle_sha256": "other"}, "another MODEL_CARD.md, licence text or spelling of manifest.json"),
    ],
)
def test_another_bundle_under_the_same_version_is_refused_by_the_file_that_differs(engine, change, said):
    models.add_model(engine, replace(a_model(), bundle_sha256="whole"))

    with pytest.raises(ModelConflict, match=said):
        models.add_model(engine, replace(a_model(), **change))


def test_a_model_from_before_bundles_had_a_hash_gets_it_once(engine):
    models.add_model(engine, a_model())

    filled = models.add_model(engine, replace(a_model(), bundle_sha256="whole"))

    assert filled.bundle_sha256 == "whole"
    assert models.add_model(engine, a_model()).bundle_sha256 == "whole"
    with pytest.raises(ModelConflict):
        models.add_model(engine, replace(a_model(), bundle_sha256="other"))


def test_eight_processes_that_add_the_same_model_at_once_all_get_it(engine):
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: models.add_model(engine, a_model()).id, range(8)))

    assert (len(set(added)), count(engine, "models")) == (1, 1)


def test_one_model_is_active_at_a_time(engine):
    assert models.active_model(engine) is None
    first = add_active_model(engine, "1.0")
    second = add_active_model(engine, "2.0")

    assert models.active_model(engine) == second
    assert [model.is_active for model in models.list_models(engine)] == [False, True]
    assert models.activate(engine, first.id).is_active
    assert models.active_model(engine).version == "1.0"


def test_activations_that_race_leave_one_active(engine):
    ids = [models.add_model(engine, a_model(f"{n}.0")).id for n in range(4)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: models.activate(engine, ids[n % 4]), range(24)))

    assert [model.is_active for model in models.list_models(engine)].count(True) == 1


def jobs_of(engine, model):
    with engine.connect() as connection:
        return list(connection.scalars(text(f"SELECT id FROM jobs WHERE model_id = {model.id} ORDER BY id")))


def test_a_model_is_not_activated_while_readers_would_lose_results_by_it(engine):
    first = add_active_model(engine, "1.0")
    add_jobs(engine, 4)
    score_all(engine)
    add_jobs(engine, 1)  # without a result under 1.0, so nobody loses anything
    second = models.add_model(engine, a_model("2.0"))

    with pytest.raises(
        ModelIncomplete,
        match=r"whisper3-1.0 has results for, it covers 0 of 4 recordings .* 4 have none .*4 without a job",
    ):
        models.activate(engine, second.id)
    assert models.active_model(engine) == first

    jobs.create_jobs(engine, second.id, lane=Lane.BULK)
    ids = jobs_of(engine, second)
    set_job(engine, ids[0], state="DEAD", reason="NOT_AUDIO", finished_at=days_later(0))
    set_job(engine, ids[1], state="DEAD", reason="MODEL_UNAVAILABLE", finished_at=days_later(0))
    with pytest.raises(ModelIncomplete, match=r"3 have none under it \(2 in work, 1 dead, .*--force"):
        models.activate(engine, second.id)

    assert models.activate(engine, second.id, force=True).is_active


def test_a_model_is_activated_once_each_result_has_its_like_and_the_old_one_may_come_back(engine):
    first = add_active_model(engine, "1.0")
    add_jobs(engine, 2)
    score_all(engine)
    second = models.add_model(engine, a_model("2.0"))
    jobs.create_jobs(engine, second.id, lane=Lane.BULK)
    score_all(engine)

    assert models.activate(engine, second.id).is_active
    assert models.activate(engine, second.id).is_active
    assert models.activate(engine, first.id).is_active

    models.activate(engine, second.id)
    add_jobs(engine, 1)
    score_all(engine)
    with pytest.raises(ModelIncomplete, match=r"whisper3-2.0 has .* 2 of 3 recordings .*; 1 have none"):
        models.activate(engine, first.id)


def test_replaced_recordings_do_not_keep_a_model_from_being_activated(engine):
    add_active_model(engine, "1.0")
    add_jobs(engine, 1)
    score_all(engine)
    recordings.register(engine, [a_recording("anna/0000.wav", "v2", subject="anna")])

    assert models.activate(engine, models.add_model(engine, a_model("2.0")).id).is_active


def test_activating_an_unknown_model_changes_nothing(engine):
    active = add_active_model(engine)

    with pytest.raises(RowNotFound, match="no model with id 99"):
        models.activate(engine, 99)

    assert models.active_model(engine) == active


@pytest.mark.parametrize(
    ("wanted", "name"), [("1.0", "whisper3"), ("whisper3-1.0", "whisper3"), ("other-2.0", "other")]
)
def test_a_model_is_found_by_version_or_by_name_and_version(engine, wanted, name):
    for new in (a_model("1.0"), a_model("2.0"), a_model("2.0", name="other")):
        models.add_model(engine, new)

    assert models.resolve(engine, wanted).name == name


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("3.0", "no model 3.0: registered are whisper3-2.0, other-2.0"),
        ("2.0", "say which one of whisper3-2.0, other-2.0"),
    ],
)
def test_an_unknown_or_unclear_model_is_answered_with_what_there_is(engine, wanted, said):
    for new in (a_model("2.0"), a_model("2.0", name="other")):
        models.add_model(engine, new)

    with pytest.raises(RowNotFound, match=said):
        models.resolve(engine, wanted)


def test_without_any_model_the_error_says_how_to_add_one(engine):
    with pytest.raises(RowNotFound, match="tonalog models add DIR"):
        models.resolve(engine, "1.0")


def test_of_eight_schedulers_one_gets_the_slot(engine):
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: slots.claim_slot(engine, "nightly", slot=MONDAY, lease_s=60), range(8)))

    assert sorted(got) == [False] * 7 + [True]


def test_a_slot_whose_scheduler_died_is_taken_over_by_one(engine):
    slots.claim_slot(engine, "nightly", slot=MONDAY, lease_s=-1)

    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda _: slots.claim_slot(engine, "nightly", slot=MONDAY, lease_s=60), range(4)))

    assert sorted(got) == [False] * 3 + [True]


def test_a_long_run_keeps_its_slot_by_making_the_lease_longer(engine):
    slots.claim_slot(engine, "nightly", slot=MONDAY, lease_s=-1)

    assert slots.extend_slot(engine, "nightly", slot=MONDAY, lease_s=60)

    assert not slots.claim_slot(engine, "nightly", slot=MONDAY, lease_s=60)
    assert not slots.extend_slot(engine, "other", slot=MONDAY, lease_s=60)


def test_a_finished_slot_is_never_taken_again(engine):
    slots.claim_slot(engine, "nightly", slot=MONDAY, lease_s=-1)

    assert slots.finish_slot(engine, "nightly", slot=MONDAY, n_registered=7, n_jobs=5)

    assert not slots.finish_slot(engine, "nightly", slot=MONDAY, n_registered=8, n_jobs=8)
    assert not slots.claim_slot(engine, "nightly", slot=MONDAY, lease_s=60)
    last = slots.last_slot(engine, "nightly")
    assert (last.slot, last.state, last.n_registered, last.n_jobs) == (MONDAY, SlotState.DONE, 7, 5)


def test_the_last_slot_is_the_latest_planned_one_of_its_schedule(engine):
    for slot in (days_later(2), days_later(1)):
        slots.claim_slot(engine, "nightly", slot=slot, lease_s=60)
    slots.claim_slot(engine, "weekly", slot=days_later(9), lease_s=60)

    assert slots.last_slot(engine, "nightly").slot == days_later(2)
    assert slots.last_slot(engine, "never") is None


def test_a_pulse_says_when_a_part_was_last_alive(engine):
    slots.pulse(engine, "sweep", detail="3 expired")
    slots.pulse(engine, "sweep", detail="0 expired")
    slots.pulse(engine, "scan")

    beats = slots.read_pulses(engine)

    assert set(beats) == {"sweep", "scan"}
    assert beats["sweep"].detail == "0 expired"
    assert 0 <= beats["sweep"].age_s < 30
