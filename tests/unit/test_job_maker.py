"""Jobs are made while a scan goes on: a folder that takes long keeps no recording waiting that was seen before it."""

from functools import partial

import pytest
from db_samples import a_recording, add_active_model, new_sqlite
from sqlalchemy import delete, func, select

from config.settings import Settings
from db import recordings
from db.schema import jobs
from scheduler.job_maker import JobMaker
from scheduler.scan import Scanned
from scheduler.service import Service
from storage import local
from storage.local import LocalStore


@pytest.mark.parametrize(("every_s", "n_before_the_last"), [(0.0, 3), (3_600.0, 0)])
def test_what_was_seen_has_its_jobs_before_the_listing_ends(tmp_path, monkeypatch, every_s, n_before_the_last):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    notes = tmp_path / "notes"
    notes.mkdir()
    for name in "abcde":
        (notes / f"{name}.wav").write_bytes(b"sound")
    monkeypatch.setattr(local, "PAGE_BYTES", 1)  # each file is a page
    monkeypatch.setattr("scheduler.service.JobMaker", partial(JobMaker, every_s=every_s))
    describe, n_jobs = LocalStore._describe, []

    def look_and_describe(self, file, key):
        with engine.connect() as connection:
            n_jobs.append(connection.scalar(select(func.count()).select_from(jobs)))
        return describe(self, file, key)

    monkeypatch.setattr(LocalStore, "_describe", look_and_describe)

    night = Service(Settings(home=tmp_path, database_url=str(engine.url)), None).scan_and_queue(str(notes))

    # The names that begin like the last one of a page are held back: a sidecar of it may follow. And a page is listed while
    # the one before is registered.
    assert n_before_the_last - 1 <= n_jobs[-1] <= n_before_the_last
    assert (night.n_new, night.n_jobs) == (5, 5)


def test_between_its_first_look_and_its_last_it_looks_at_new_recordings_alone(tmp_path):
    engine = new_sqlite(tmp_path)
    maker = JobMaker(engine, add_active_model(engine).id, every_s=0.0)
    recordings.register(engine, [a_recording(f"{name}.wav") for name in "abc"])
    maker.on_page(Scanned())
    with engine.begin() as connection:
        connection.execute(delete(jobs).where(jobs.c.recording_id == 1))
    recordings.register(engine, [a_recording("d.wav")])

    maker.on_page(Scanned())
    assert maker.n_made == 4
    maker.make()
    assert maker.n_made == 5
