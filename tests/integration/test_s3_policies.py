"""What scheduler and worker ask of a real S3 is exactly what their policies allow."""

import pytest
from db_samples import new_sqlite
from s3_policies import allowed, record_calls

from config.settings import Settings
from scheduler.scan import Naming, scan
from storage.errors import ObjectMissing
from storage.s3 import S3Store
from storage.s3_signed import make_signing_client, sign_put
from worker.bundle_store import BundleStore


@pytest.fixture
def store(s3):
    made = S3Store(s3.bucket, endpoint_url=s3.endpoint_url, access_key=s3.access_key, secret_key=s3.secret_key)
    made.put("anna/2026-03-02T08-15-00Z.ogg", b"sound")
    return made


def test_a_scan_needs_just_what_the_schedulers_policy_allows(store, tmp_path):
    needed = record_calls(store._client)

    assert scan(new_sqlite(tmp_path), store, prefix="", naming=Naming("{subject}/{recorded_at}...", "UTC")).n_new == 1

    assert needed == allowed("scheduler")


def test_a_job_needs_just_what_the_workers_policy_allows(store):
    known = store.head("anna/2026-03-02T08-15-00Z.ogg")
    needed = record_calls(store._client)

    with store.open(known.key, version_tag=known.version_tag, size_bytes=known.size_bytes) as opened:
        assert opened.file.read() == b"sound"
    with pytest.raises(ObjectMissing):
        store.open("gone.ogg", version_tag="x", size_bytes=1)

    assert needed == allowed("worker")


def test_an_upload_needs_just_what_the_policy_of_the_api_allows(store, s3):
    settings = Settings(s3_endpoint_url=s3.endpoint_url, s3_access_key=s3.access_key, s3_secret_key=s3.secret_key)
    signing = make_signing_client(settings, s3.bucket)
    needed = record_calls(store._client), record_calls(signing)
    sign_put(signing, s3.bucket, "uploads/1/note.ogg", metadata={}, content_type="audio/ogg", lifetime_s=60)

    with pytest.raises(ObjectMissing):
        store.head("uploads/1/note.ogg")

    assert needed[0] | needed[1] == allowed("api")


def test_a_health_check_needs_no_more_than_either_may(store):
    needed = record_calls(store._client)

    store.verify()

    assert needed <= allowed("worker") & allowed("scheduler")


def test_erasing_every_version_needs_just_what_the_erasers_policy_allows(store, s3):
    uploader = s3.client()
    uploader.put_bucket_versioning(Bucket=s3.bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"old", b"new"):
        uploader.put_object(Bucket=s3.bucket, Key="anna/2026-03-02T08-15-00Z.ogg", Body=body)
    uploader.create_multipart_upload(Bucket=s3.bucket, Key="anna/2026-03-02T08-15-00Z.ogg")
    needed = record_calls(store._client)

    store.erase("anna/2026-03-02T08-15-00Z.ogg")

    # Only a server that lists no versions is asked to delete without naming one.
    assert needed | {"s3:DeleteObject"} == allowed("eraser")


def test_storing_and_removing_a_bundle_needs_just_what_the_operators_policy_allows(store):
    bundles, needed = BundleStore(store, prefix="", place="s3"), record_calls(store._client)
    files = {"model.onnx": b"graph", "manifest.json": b"{}", "MODEL_CARD.md": b"card"}

    sha256 = bundles.put(files)
    bundles.remove(sha256)

    assert needed == allowed("operator")


def test_fetching_a_bundle_needs_just_what_the_workers_policy_allows(store):
    bundles = BundleStore(store, prefix="", place="s3")
    files = {"model.onnx": b"graph", "manifest.json": b"{}", "MODEL_CARD.md": b"card"}
    sha256 = bundles.put(files)
    needed = record_calls(store._client)

    assert bundles.fetch(sha256) == files

    assert needed == allowed("worker")
