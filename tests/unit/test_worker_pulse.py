"""What a worker tells of itself: alive or not, its lanes, its bundle, and the job that it ended last."""

import shutil
import time

import pytest
from db_samples import new_sqlite

from config.settings import SHIPPED_MODELS, Settings
from db import models, pulses
from db.reasons import Lane
from tonalog.session import ensure_model
from worker.pulse import BundleWatch, Identity, LastJob, Pulse


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def settings(tmp_path):
    (shipped,) = SHIPPED_MODELS.glob("*/manifest.json")
    shutil.copytree(shipped.parent, tmp_path / "models" / shipped.parent.name)
    folder = tmp_path / "models" / shipped.parent.name
    return Settings(home=tmp_path, model_dir=folder, models_dir=tmp_path / "models")


def a_pulse(engine, settings, *, clock=time.time, last_job=None):
    identity = Identity.of_this_process(lanes=[Lane.NIGHTLY, Lane.BULK], n_processes=2)
    return Pulse(engine, BundleWatch(settings), identity, last_job=last_job or LastJob(), every_s=60.0, clock=clock)


def register_shipped(engine, settings):
    return ensure_model(engine, settings.model_copy(update={"model_dir": None, "models_dir": SHIPPED_MODELS}))


def pass_time(engine, seconds):
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE worker_pulses SET seen_at_s = seen_at_s - {seconds}")


def test_a_worker_says_who_it_is_and_which_job_it_ended_last(engine, settings):
    last_job = LastJob()
    pulse = a_pulse(engine, settings, last_job=last_job)
    pulse.step()
    last_job.write(17, at_s=1_000.0)

    pulse.step()

    (worker,) = pulses.list_workers(engine)
    assert (worker.lanes, worker.n_processes, worker.last_job_id) == ((Lane.NIGHTLY, Lane.BULK), 2, 17)
    assert worker.last_job_at.timestamp() == 1_000.0
    assert worker.age_s < 60
    assert abs(worker.skew_s) < 60
    assert worker.bundle.model is None


def test_a_worker_whose_clock_is_wrong_shows_by_how_much(engine, settings):
    a_pulse(engine, settings, clock=lambda: time.time() + 7_200).step()

    (worker,) = pulses.list_workers(engine)

    assert worker.skew_s == pytest.approx(7_200, abs=60)


def test_a_worker_finds_its_bundle_whole_then_changed_then_gone(engine, settings):
    model = register_shipped(engine, settings)
    with engine.begin() as connection:  # as where workers have another disk than whoever registered
        connection.exec_driver_sql("UPDATE models SET folder = '/elsewhere'")
    pulse = a_pulse(engine, settings)
    pulse.step()
    folder = settings.models_dir / f"{model.name}-{model.version}"
    (whole,) = pulses.list_workers(engine)

    (folder / "MODEL_CARD.md").write_text("another card")
    pulse.step()
    (changed,) = pulses.list_workers(engine)
    shutil.rmtree(folder)
    pulse.step()
    (gone,) = pulses.list_workers(engine)

    assert (whole.bundle.sha256, whole.bundle.error) == (model.bundle_sha256, None)
    assert whole.bundle.model == f"{model.name}-{model.version}"
    assert "holds another card" in changed.bundle.error
    assert "is not at" in gone.bundle.error


def test_files_of_a_bundle_are_read_again_only_when_they_change(engine, settings, monkeypatch):
    model = register_shipped(engine, settings)
    reads = []
    monkeypatch.setattr("worker.pulse.find_bundle", lambda *_: reads.append(1) or pytest.fail("read again"))
    watch = BundleWatch(settings)
    with pytest.raises(pytest.fail.Exception):
        watch.look(model)
    monkeypatch.undo()
    first = watch.look(models.active_model(engine))
    monkeypatch.setattr("worker.pulse.find_bundle", lambda *_: pytest.fail("read again"))

    assert watch.look(models.active_model(engine)) == first


def test_the_row_goes_when_a_worker_stops_and_a_day_after_one_was_killed(engine, settings):
    stopped = a_pulse(engine, settings)
    stopped.step()
    stopped.stop()
    stopped.step()  # one that was under way
    assert pulses.list_workers(engine) == []

    a_pulse(engine, settings).step()
    pass_time(engine, 86_000)
    assert pulses.forget_dead(engine) == 0
    pass_time(engine, 500)
    assert pulses.forget_dead(engine) == 1
