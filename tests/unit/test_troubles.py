"""What counts as a trouble of the whole system, and what does not."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from db_samples import a_recording, add_active_model, add_jobs, new_sqlite, take

from config.settings import Settings
from db import jobs, ledger, models, pulses, pump, recordings, slots
from db.health import read_health
from db.pulses import BundleLook, NewPulse
from db.reasons import Lane, Reason, TroubleKind
from scheduler.app import make_app
from scheduler.nightly import NIGHTLY, run_due_night
from scheduler.service import Service
from scheduler.troubles import STOPPED, Limits, judge
from storage.errors import StorageUnavailable

LIMITS = Limits(worker_s=60.0, scheduler_s=60.0, queue_s=3_600.0, needs_scheduler=False)
SERVERS = Limits(worker_s=60.0, scheduler_s=60.0, queue_s=3_600.0, needs_scheduler=True)
ALL_LANES = tuple(Lane)


@pytest.fixture
def engine(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    return engine


def kinds(engine, limits=LIMITS):
    return [(trouble.kind, trouble.about) for trouble in judge(read_health(engine), limits)]


def text_of(engine, limits=LIMITS):
    (trouble,) = judge(read_health(engine), limits)
    assert trouble.fix
    return trouble.sentence


def make_old(engine, table, column, seconds):
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {table} SET {column} = {column} - {seconds}")


def beat(engine, *, lanes=ALL_LANES, host="east", skew_s=0.0, bundle=None, revision="0001"):
    model = models.active_model(engine)
    look = bundle or BundleLook(model=f"{model.name}-{model.version}", sha256=model.bundle_sha256)
    said = {"n_processes": 1, "version": "1", "revision": revision, "started_at": datetime.now(UTC)}
    pulses.beat(engine, NewPulse(host=host, pid=7, lanes=lanes, bundle=look, host_at_s=time.time() + skew_s, **said))


def wait_in(engine, lane, *, n=1, seconds=0):
    recordings.register(engine, [a_recording(f"{lane.value}/{i}.wav", subject="anna") for i in range(n)])
    jobs.create_jobs(engine, models.active_model(engine).id, lane=lane)
    make_old(engine, "jobs", "next_run_at_s", seconds)


def test_nothing_is_wrong_where_nothing_waits_and_no_scheduler_is_needed(engine):
    assert kinds(engine) == []


def test_no_active_model_is_a_trouble_but_where_the_first_run_makes_one_active(tmp_path):
    empty = new_sqlite(tmp_path)
    slots.pulse(empty, "sweep")

    assert kinds(empty, SERVERS) == [(TroubleKind.MODEL, "")]
    assert kinds(empty) == []


def test_jobs_that_wait_without_a_live_worker_are_a_trouble_after_a_while(engine):
    wait_in(engine, Lane.NIGHTLY)
    assert kinds(engine) == []

    make_old(engine, "jobs", "next_run_at_s", 600)
    assert "nightly since 10 min, and no live worker takes them (none was seen" in text_of(engine)

    beat(engine, lanes=[Lane.INTERACTIVE])
    assert kinds(engine) == [(TroubleKind.WORKER, "")]
    beat(engine)
    assert kinds(engine) == []
    make_old(engine, "worker_pulses", "seen_at_s", 100)
    make_old(engine, "worker_pulses", "host_at_s", 100)
    assert "one was last seen 100 s ago" in text_of(engine)


def test_a_worker_of_the_previous_release_shows_by_the_job_that_it_holds(engine):
    held, _ = add_jobs(engine, 2)
    take(engine, held)
    make_old(engine, "jobs", "next_run_at_s", 600)

    assert kinds(engine) == []


def test_bulk_jobs_wait_for_a_worker_only_once_they_were_sent(engine):
    wait_in(engine, Lane.BULK, seconds=100_000)
    assert kinds(engine) == []

    pump.due_jobs(engine, cap_outstanding=10, limit=10)
    assert kinds(engine) == [(TroubleKind.WORKER, "")]
    beat(engine)
    assert kinds(engine) == []  # a reprocess may take days


def test_a_queue_that_is_older_than_allowed_is_a_trouble(engine):
    beat(engine)
    wait_in(engine, Lane.NIGHTLY, seconds=3_000)
    assert kinds(engine) == []

    make_old(engine, "jobs", "next_run_at_s", 5_000)

    assert text_of(engine).startswith("jobs wait in nightly since 2 h; 60 min are allowed: ")


def test_a_scheduler_is_missed_where_one_is_needed_or_was_not_told_to_end(engine):
    assert kinds(engine, SERVERS) == [(TroubleKind.SCHEDULER, "")]
    slots.pulse(engine, "sweep")
    assert kinds(engine) == kinds(engine, SERVERS) == []

    make_old(engine, "pulses", "at_s", 90)
    assert kinds(engine) == kinds(engine, SERVERS) == [(TroubleKind.SCHEDULER, "")]

    slots.pulse(engine, "sweep", detail=STOPPED)
    assert kinds(engine) == []
    assert kinds(engine, SERVERS) == [(TroubleKind.SCHEDULER, "")]


def test_a_scheduler_that_is_told_to_end_says_so(engine, tmp_path):
    settings = Settings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'tonalog.db'}")
    service = Service(settings, make_app(settings))
    service.tick()
    assert kinds(engine, SERVERS) == []

    service.end()

    assert kinds(engine) == []
    assert "the scheduler was told to end 0 s ago" in text_of(engine, SERVERS)


def test_a_manual_scan_is_no_pulse_of_a_scheduler(engine):
    slots.pulse(engine, "scan", detail="1 listed")

    assert kinds(engine, SERVERS) == [(TroubleKind.SCHEDULER, "")]


def fail_night(engine, error, *, now):
    def raising():
        raise error

    with pytest.raises(type(error)):
        run_due_night(engine, raising, crontab_line="0 2 * * *", now=now, lease_s=-1.0, retry_s=-1.0)


def test_a_night_that_failed_says_why_until_it_is_done(engine):
    now = datetime.now(UTC)
    slots.pulse(engine, "scheduler first start")
    make_old(engine, "pulses", "at_s", 3 * 86_400)
    slots.pulse(engine, "sweep")
    slots.pulse(engine, "people")
    fail_night(engine, StorageUnavailable("http://s3 does not answer"), now=now)
    fail_night(engine, StorageUnavailable("http://s3 does not answer"), now=now)
    assert kinds(engine) == [(TroubleKind.SLOT, NIGHTLY)]
    assert "failed 2 times" in text_of(engine)
    assert "by StorageUnavailable (http://s3 does not answer)" in text_of(engine)

    fail_night(engine, ValueError("anna.wav is odd"), now=now)
    assert "anna" not in text_of(engine)
    slot = slots.list_failed(engine)[0].slot
    assert slots.finish_slot(engine, NIGHTLY, slot=slot, n_registered=0, n_jobs=0)

    assert kinds(engine) == []
    assert slots.forget_failures(engine, keep=timedelta(seconds=-1)) == 1


@pytest.mark.parametrize(
    ("look", "is_trouble"),
    [
        (BundleLook(model="whisper3-0.9", error="not here"), False),  # it looked before the switch
        (BundleLook(model="{}", sha256="other"), True),
        (BundleLook(model="{}", error="model is not at /models"), True),
    ],
)
def test_a_worker_without_the_active_bundle_is_a_trouble_while_it_lives(engine, look, is_trouble):
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE models SET bundle_sha256 = 'registered'")
    model = models.active_model(engine)
    named = BundleLook(model=look.model.format(f"{model.name}-{model.version}"), sha256=look.sha256, error=look.error)
    beat(engine, bundle=named)

    assert kinds(engine) == ([(TroubleKind.BUNDLE, "")] if is_trouble else [])
    make_old(engine, "worker_pulses", "seen_at_s", 100)
    assert kinds(engine) == []


def test_a_worker_whose_clock_is_off_is_a_trouble(engine):
    beat(engine, skew_s=5)
    beat(engine, host="west", skew_s=-900)

    assert "west:7 by 15 min behind" in text_of(engine)
    assert "east" not in text_of(engine)


def test_a_worker_that_needs_a_newer_schema_is_a_trouble(engine):
    beat(engine)
    assert kinds(engine) == []

    beat(engine, host="west", revision="9999")

    assert "live workers (1) need schema 9999, the database has 00" in text_of(engine)
    assert "west:7" in text_of(engine)


def die(engine, n, *, days_ago, reason=Reason.NOT_AUDIO):
    recordings.register(engine, [a_recording(f"{days_ago}/{reason}/{i}.wav") for i in range(n)])
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)
    for job_id, _ in pump.due_jobs(engine, cap_outstanding=10_000, limit=10_000):
        ledger.fail_dead(engine, take(engine, job_id), reason, detail="x")
    moved = f"'-{days_ago * 24 + 1} hours'"
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE jobs SET finished_at = strftime('%Y-%m-%d %H:%M:%f000', 'now', {moved}), "
            f"created_at = strftime('%Y-%m-%d %H:%M:%f000', 'now', {moved}) "
            f"WHERE recording_id IN (SELECT id FROM recordings WHERE key LIKE '{days_ago}/%')"
        )


def test_deaths_are_a_trouble_when_they_are_twice_the_worst_day_of_the_week_before(engine):
    die(engine, 4, days_ago=3)
    die(engine, 5, days_ago=2)
    die(engine, 10, days_ago=0)
    assert kinds(engine) == []

    die(engine, 1, days_ago=0, reason=Reason.TOO_LONG)
    assert kinds(engine) == []
    die(engine, 11, days_ago=0, reason=Reason.TRUNCATED)

    assert kinds(engine) == [(TroubleKind.DEATHS, "TRUNCATED")]
    assert "11 jobs died of TRUNCATED in the last 24 hours; the worst of the seven days before had 0" in text_of(engine)


def test_the_first_import_of_a_ledger_is_compared_with_nothing(engine):
    die(engine, 30, days_ago=0)

    assert kinds(engine) == []


def test_people_who_are_marked_for_long_are_a_trouble(engine):
    slots.pulse(engine, "scheduler first start")
    beat(engine)
    wait_in(engine, Lane.NIGHTLY)  # marks anna
    assert read_health(engine).n_marked == 1
    assert kinds(engine) == []

    make_old(engine, "pulses", "at_s", 7_200)
    slots.pulse(engine, "sweep")

    assert "days and trends of people (1) are" in text_of(engine)
    slots.pulse(engine, "people")
    assert kinds(engine) == []


def test_limits_follow_the_settings():
    settings = Settings(heartbeat_s=20, sweep_s=30, queue_age_s=50, broker_url="redis://127.0.0.1/0")
    limits = Limits.of(settings)

    assert (limits.worker_s, limits.scheduler_s, limits.queue_s) == (80, 120, 50)
    assert limits.needs_scheduler
    assert not Limits.of(Settings()).needs_scheduler
