"""S3 for real: the store's promises on a server, and what happens when the server breaks them."""

import os
from hashlib import sha256
from pathlib import Path

import pytest
from servers import S3Access, S3Server
from storage_contract import StoreContract, WritableStore, list_keys

from storage import objects, s3_client
from storage.protocol import (
    StorageDenied,
    StorageUnavailable,
)
from storage.s3 import S3Store


def store_of(access: S3Access, **changes: str) -> S3Store:
    args = {
        "endpoint_url": access.endpoint_url,
        "access_key": access.access_key,
        "secret_key": access.secret_key,
        **changes,
    }
    return S3Store(args.pop("bucket", access.bucket), **args)  # type: ignore[arg-type]


class TestS3Store(StoreContract):
    sorts_by_bytes = False  # SeaweedFS lists folder by folder; AWS S3 sorts whole keys

    @pytest.fixture
    def store(self, s3: S3Access) -> WritableStore:
        return store_of(s3)


def test_more_keys_than_a_page_are_listed_once_each(s3: S3Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PAGE_SIZE", 7)
    store = store_of(s3)
    keys = [f"{person}/2026-03-{day:02}.wav" for person in ("anna", "ben b", "zoë") for day in range(1, 11)]
    for key in keys:
        store.put(key, b"sound")

    sizes = [len(page) for page in store.list_objects()]

    assert sum(sizes) == 30
    assert max(sizes) <= 7
    assert sorted(list_keys(store)) == sorted(keys)
    assert sorted(list_keys(store, start_after="ben b/2026-03-05.wav")) == sorted(keys[15:])


def test_erasing_in_a_versioned_bucket_leaves_no_version_and_no_delete_marker(s3: S3Access) -> None:
    client = s3.client()
    client.put_bucket_versioning(Bucket=s3.bucket, VersioningConfiguration={"Status": "Enabled"})
    store = store_of(s3)
    for content in (b"first", b"second", b"third"):
        store.put("anna/a.wav", content)
    store.delete("anna/a.wav")  # hides it behind a marker
    store.put("anna/a.wav", b"fourth")
    store.delete("anna/a.wav")
    store.put("anna/a.wav2", b"other")

    def versions() -> list[str]:
        answer = client.list_object_versions(Bucket=s3.bucket, Prefix="anna/")
        return [item["Key"] for item in (*answer.get("Versions", []), *answer.get("DeleteMarkers", []))]

    assert versions().count("anna/a.wav") == 6
    store.erase("anna/a.wav")

    assert versions() == ["anna/a.wav2"]


def test_erasing_gives_up_uploads_that_were_never_finished_and_no_other_keys(s3: S3Access) -> None:
    client = s3.client()
    for key in ("anna/a.wav", "anna/a.wav", "anna/a.wav2"):
        upload = client.create_multipart_upload(Bucket=s3.bucket, Key=key)["UploadId"]
        client.upload_part(Bucket=s3.bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"half a note")

    def uploads() -> list[str]:
        return [item["Key"] for item in client.list_multipart_uploads(Bucket=s3.bucket).get("Uploads", [])]

    assert uploads().count("anna/a.wav") == 2
    store_of(s3).erase("anna/a.wav")

    assert uploads() == ["anna/a.wav2"]


def test_etag_of_a_multipart_upload_is_a_version_tag_like_any_other(s3: S3Access) -> None:
    client = s3.client()
    content = b"x" * (5 * 1024 * 1024 + 100)
    upload = client.create_multipart_upload(Bucket=s3.bucket, Key="a.wav")["UploadId"]
    place = {"Bucket": s3.bucket, "Key": "a.wav", "UploadId": upload}
    cut = 5 * 1024 * 1024
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(PartNumber=number, Body=body, **place)["ETag"]}
        for number, body in enumerate((content[:cut], content[cut:]), start=1)
    ]
    client.complete_multipart_upload(MultipartUpload={"Parts": parts}, **place)
    store = store_of(s3)

    stored = store.head("a.wav")
    with store.open("a.wav", version_tag=stored.version_tag, size_bytes=stored.size_bytes) as opened:
        assert opened.sha256 == sha256(content).hexdigest()

    assert stored.version_tag.endswith("-2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"secret_key": "wrong"}, "correct TONALOG_S3_ACCESS_KEY"),
        ({"access_key": "nobody"}, "correct TONALOG_S3_ACCESS_KEY"),
        ({"bucket": "no-such-bucket"}, "'no-such-bucket': make it, or correct the s3:// URL"),
        ({"bucket": "Not A Bucket"}, "check bucket name"),
        ({"endpoint_url": "127.0.0.1:9"}, "correct TONALOG_S3_ENDPOINT_URL"),
        ({"region": "mars north"}, "check bucket name, endpoint and region"),
    ],
)
def test_wrong_setting_is_denied_with_the_remedy(s3: S3Access, changes: dict[str, str], message: str) -> None:
    store = store_of(s3, **changes)

    with pytest.raises(StorageDenied, match=message) as caught:
        store.verify()

    assert s3.secret_key not in str(caught.value)


def test_missing_credentials_are_denied(s3: S3Access, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(StorageDenied, match="no S3 credentials"):
        S3Store(s3.bucket, endpoint_url=s3.endpoint_url).verify()


def test_credentials_come_from_the_environment_when_none_are_given(
    s3: S3Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)

    S3Store(s3.bucket, endpoint_url=s3.endpoint_url).verify()


def test_verify_lists_and_reads_for_real(s3: S3Access) -> None:
    store = store_of(s3)
    store.put("anna/a.wav", b"sound")
    store.put("anna/empty.wav", b"")

    store.verify()
    store.verify("anna/empty")


def test_server_that_dies_is_unavailable_and_comes_back(killable_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "N_REQUEST_ATTEMPTS", 1)
    with killable_s3.fresh_bucket() as access:
        store = store_of(access)
        stored = store.put("a.wav", b"sound")

        killable_s3.kill()
        for call in (store.verify, lambda: list_keys(store), lambda: store.head("a.wav")):
            with pytest.raises(StorageUnavailable, match="cannot be reached"):
                call()
        killable_s3.start()

        with store.open("a.wav", version_tag=stored.version_tag, size_bytes=5) as opened:
            assert opened.file.read() == b"sound"


def test_forked_child_makes_its_own_connection(s3: S3Access) -> None:
    store = store_of(s3)
    stored = store.put("a.wav", b"sound")
    store.verify()
    parent_client = store._client

    child = os.fork()
    if child == 0:
        try:
            with store.open("a.wav", version_tag=stored.version_tag, size_bytes=5) as opened:
                is_right = opened.file.read() == b"sound" and store._client is not parent_client
        except BaseException:  # noqa: BLE001 - a child of a test must never return into pytest
            is_right = False
        os._exit(0 if is_right else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert store._client is parent_client
