"""`tonalog erase` and `tonalog retention` on real PostgreSQL and S3: no row, no version and no log line is left."""

import logging

import pytest
from click.testing import CliRunner
from db_samples import a_result, add_active_model, count, dump, new_postgres, take
from servers import S3Access

from db import jobs, ledger, models, removals, trends
from db.reasons import Lane
from scheduler.scan import Naming, scan
from storage import s3_client
from storage.s3 import S3Store
from tonalog.commands.erase import erase_command, retention_command
from tonalog.errors import TonalogError

NAMING = Naming(pattern="{subject}/{recorded_at}...", time_zone="UTC")
CANARY_KEYS = ["canary-key/2024-03-01.ogg", "canary-key/2024-03-02.ogg"]
BEN_KEY = "ben/2026-11-01.ogg"


class Stack:
    """A bucket, a database that knows what is in it, and the commands on both."""

    def __init__(self, engine, s3: S3Access):
        self.engine, self.access = engine, s3
        access = {"endpoint_url": s3.endpoint_url, "access_key": s3.access_key, "secret_key": s3.secret_key}
        self.store = S3Store(s3.bucket, **access)
        add_active_model(engine)

    def keep_versions(self):
        enabled = {"Status": "Enabled"}
        self.access.client().put_bucket_versioning(Bucket=self.access.bucket, VersioningConfiguration=enabled)

    def put(self, *keys, content=b"sound", subject="canary-subject"):
        for key in keys:
            self.store.put(key, content, metadata={"subject-id": subject})

    def scan(self):
        seen = scan(self.engine, self.store, prefix="", naming=NAMING)
        jobs.create_jobs(self.engine, models.active_model(self.engine).id, lane=Lane.NIGHTLY)
        return seen

    def versions(self):
        """The key of every version and delete marker in the bucket."""
        answer = self.access.client().list_object_versions(Bucket=self.access.bucket)
        return sorted(item["Key"] for item in (*answer.get("Versions", []), *answer.get("DeleteMarkers", [])))

    def call(self, command, *arguments):
        result = CliRunner().invoke(command, arguments)
        if isinstance(result.exception, TonalogError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output


@pytest.fixture
def make_stack(postgres_server, tmp_path, monkeypatch):
    """Makes a stack on a bucket, and points the commands to it."""
    with new_postgres(postgres_server, n_pooled=None) as engine:

        def make(s3: S3Access):
            monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
            monkeypatch.setenv("TONALOG_DATABASE_URL", engine.url.render_as_string(hide_password=False))
            monkeypatch.setenv("TONALOG_S3_ENDPOINT_URL", s3.endpoint_url)
            monkeypatch.setenv("TONALOG_S3_ACCESS_KEY", s3.access_key)
            monkeypatch.setenv("TONALOG_S3_SECRET_KEY", s3.secret_key)
            return Stack(engine, s3)

        yield make


@pytest.mark.parametrize("is_versioned", [True, False], ids=["versioned", "plain"])
def test_a_person_is_erased_while_their_note_is_scored(make_stack, s3, caplog, is_versioned):
    caplog.set_level(logging.INFO)
    stack = make_stack(s3)
    if is_versioned:
        stack.keep_versions()
    stack.put(BEN_KEY, subject="ben")
    for content in (b"first", b"second"):
        stack.put(*CANARY_KEYS, content=content)
        stack.scan()
    stack.store.delete(CANARY_KEYS[1])
    # Jobs 1 to 3 are of what was there first; the two canaries of them were replaced before anybody scored them.
    assert ledger.finish(stack.engine, take(stack.engine, 4), a_result())
    in_flight = take(stack.engine, 5)
    assert in_flight.recording.subject == "canary-subject"

    said = stack.call(erase_command, "--subject", "canary-subject")

    assert not ledger.finish(stack.engine, in_flight, a_result())
    assert ledger.claim(stack.engine, 5, worker="late", lease_s=60) is None
    assert "Erasure 1: 4 recordings, 1 results and 2 objects are gone." in said
    assert stack.versions() == [BEN_KEY]
    assert stack.scan().n_new == 0
    assert count(stack.engine, "results") == 0
    assert "canary" not in dump(stack.engine) + said + caplog.text


def test_an_erasure_is_finished_once_the_store_is_back(make_stack, killable_s3, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(s3_client, "N_REQUEST_ATTEMPTS", 1)
    with killable_s3.fresh_bucket() as access:
        stack = make_stack(access)
        stack.put(*CANARY_KEYS)
        stack.scan()

        killable_s3.kill()
        with pytest.raises(TonalogError, match=r"2 objects could not be removed yet .*cannot be reached"):
            stack.call(erase_command, "--subject", "canary-subject")
        killable_s3.start()

        assert stack.scan().n_new == 0  # they are still there, and due for removal
        assert stack.versions() == CANARY_KEYS
        said = stack.call(erase_command, "--subject", "canary-subject")

        assert "Finished: 2 objects are gone." in said
        assert stack.versions() == []
        assert removals.unfinished(stack.engine) == []
        assert "canary" not in dump(stack.engine) + said + caplog.text


def test_retention_removes_old_audio_and_keeps_its_results(make_stack, s3):
    stack = make_stack(s3)
    stack.keep_versions()
    stack.put(*CANARY_KEYS, BEN_KEY)
    stack.scan()
    for job_id in (1, 2, 3):
        ledger.finish(stack.engine, take(stack.engine, job_id), a_result())
    arguments = ["--older-than", "365d", "--keep-results"]

    listed = stack.call(retention_command, *arguments)
    assert stack.versions() == [BEN_KEY, *CANARY_KEYS]
    stack.call(retention_command, *arguments, "--yes")

    assert "To erase: 2 recordings, 0 results, 2 objects" in listed
    assert stack.versions() == [BEN_KEY]
    assert [note.status for note in trends.list_notes(stack.engine)] == ["scored"] * 3
    assert "No recording is older" in stack.call(retention_command, *arguments, "--yes")
