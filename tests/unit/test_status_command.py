"""`tonalog status` and `doctor`: what they say of the whole system, and the exit code that a monitor reads."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from db_samples import add_active_model, add_jobs, new_sqlite, set_job

from db import models, pulses, slots
from db.pulses import BundleLook, NewPulse
from db.reasons import Lane
from tonalog.commands.doctor import doctor_command
from tonalog.commands.status import status_command


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    return engine


def beat(engine):
    model = models.active_model(engine)
    look = BundleLook(model=f"{model.name}-{model.version}", sha256="0" * 64)
    said = {"n_processes": 2, "version": "1", "revision": "0001", "started_at": datetime.now(UTC)}
    pulses.beat(
        engine,
        NewPulse(host="east", pid=7, lanes=list(Lane), bundle=look, host_at_s=time.time(), last_job_id=None, **said),
    )


def ask(command, *words, code):
    done = CliRunner().invoke(command, words)
    assert done.exit_code == code, done.output
    return done.output


def test_status_shows_live_workers_and_exits_with_0_where_all_is_well(engine):
    beat(engine)

    (worker,) = json.loads(ask(status_command, "--json", code=0))["workers"]

    assert (worker["name"], worker["is_live"], worker["lanes"]) == ("east:7", True, [lane.value for lane in Lane])
    assert "east:7" in ask(status_command, code=0)


def test_status_exits_with_2_and_says_what_to_do_where_jobs_wait_for_nobody(engine):
    (job_id,) = add_jobs(engine, 1)
    set_job(engine, job_id, next_run_at_s=time.time() - 600)

    (trouble,) = json.loads(ask(status_command, "--json", code=2))["troubles"]

    assert trouble["kind"] == "worker"
    assert "TROUBLE  worker: jobs wait in nightly since 10 min" in ask(status_command, code=2)


def test_status_counts_the_people_who_are_not_up_to_date(engine):
    add_jobs(engine, 1)

    assert json.loads(ask(status_command, "--json", code=0))["n_people_to_refresh"] == 1
    assert "are to be made anew: 1" in ask(status_command, code=0)


def test_doctor_exits_with_2_for_a_night_that_failed_but_not_where_only_links_are_asked_for(engine):
    slot = datetime(2026, 3, 2, 2, tzinfo=UTC)
    slots.claim_slot(engine, "nightly", slot=slot, lease_s=60.0)
    slots.fail_slot(engine, "nightly", slot=slot, error="StorageUnavailable: it does not answer")

    printed = ask(doctor_command, "--quiet", code=2)

    assert printed.startswith("FAIL  slot: the nightly run of 2026-03-02 02:00 UTC failed once")
    assert printed.count("\n") == 1
    assert ask(doctor_command, "--quiet", "--links", code=0) == ""


def test_doctor_names_a_database_of_another_schema(engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("DELETE FROM schema_compatibility")

    assert "FAIL  database: the database is at revision 9999" in ask(doctor_command, "--quiet", code=2)


def test_doctor_has_imported_what_its_threads_need_before_it_starts_them(tmp_path):
    code = """
import sys, threading
from config.settings import Settings
from tonalog import doctor
late, loaded = [], doctor._load_clients
def load(settings):
    loaded(settings)
    sys.meta_path.insert(0, type("Late", (), {"find_spec": staticmethod(lambda name, *_: late.append(name) if is_ours(name) else None)}))
def is_ours(name):
    return threading.current_thread() is not threading.main_thread() and name.partition(".")[0] in ("config", "db", "storage", "tonalog")
doctor._load_clients = load
list(doctor.examine(Settings.read(), links_only=True))
print(*late)
"""
    variables = {**os.environ, "TONALOG_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", code], env=variables, check=True, capture_output=True, text=True)

    assert done.stdout.split() == []
