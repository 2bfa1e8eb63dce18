"""From what a person types to a store."""

import doctest
from pathlib import Path

import pytest

from config.settings import Settings
from storage import open as module
from storage.local import LocalStore
from storage.open import S3Access, open_bucket, open_place, open_store
from storage.protocol import StorageDenied


def test_examples_in_docstrings_hold() -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_folder_opens_as_a_local_store(tmp_path: Path) -> None:
    for place in (tmp_path, str(tmp_path), f"file://{tmp_path}"):
        store, prefix = open_store(place)
        assert (store.name, store.bucket, prefix) == ("local", str(tmp_path), "")


@pytest.mark.parametrize("name", ["a b", "a%20b", "50%", "a?b", "a#b", "ü"])
def test_a_file_url_opens_the_folder_that_it_names(tmp_path: Path, name: str) -> None:
    for part in (name, name.partition("?")[0].partition("#")[0]):
        (tmp_path / part).mkdir(exist_ok=True)

    assert open_store((tmp_path / name).as_uri())[0].bucket == str(tmp_path / name)
    if "?" in name or "#" in name:
        with pytest.raises(StorageDenied, match="write %3F or %23"):
            open_store(f"file://{tmp_path}/{name}")


def test_a_file_url_of_another_machine_is_refused() -> None:
    with pytest.raises(StorageDenied, match="names the machine 'nas'"):
        open_store("file://nas/notes")


def test_one_file_opens_as_a_store_of_one(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"sound")
    (tmp_path / "a.wav.bak").write_bytes(b"sound")

    store, prefix = open_store(tmp_path / "a.wav")

    assert store.bucket == str(tmp_path)
    assert [item.key for page in store.list_objects(prefix) for item in page] == ["a.wav"]


@pytest.mark.parametrize("home", ["home", "ana/home", "."])
def test_a_home_whose_files_would_be_taken_for_recordings_is_refused(tmp_path: Path, home: str) -> None:
    with pytest.raises(StorageDenied, match="TONALOG_HOME"):
        open_place(Settings.read(home=tmp_path / home), str(tmp_path))


@pytest.mark.parametrize("spelling", ["/notes/", "/no%74es/"])  # SQLAlchemy 2.1 decodes the second
def test_a_database_that_would_be_taken_for_a_recording_is_refused(tmp_path: Path, spelling: str) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    url = f"sqlite:///{notes / 'scores.db'}".replace("/notes/", spelling)
    settings = Settings.read(home=tmp_path / "home", database_url=url)

    with pytest.raises(StorageDenied, match=r"scores\.db.*TONALOG_DATABASE_URL"):
        open_place(settings, str(notes))


@pytest.mark.parametrize("home", [".tonalog", "ana/.tonalog", "../home"])
def test_a_home_that_is_not_listed_may_lie_anywhere(tmp_path: Path, home: str) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()

    assert open_place(Settings.read(home=notes / home), str(notes))[0].bucket == str(notes)


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://notes", "notes", ""),
        ("s3://notes/", "notes", ""),
        ("s3://notes/2026/a b%20c", "notes", "2026/a b%20c"),
        ("S3://notes/x", "notes", "x"),
    ],
)
def test_s3_url_gives_bucket_and_literal_prefix(url: str, bucket: str, prefix: str) -> None:
    store, found = open_store(url)
    assert (store.name, store.bucket, found) == ("s3", bucket, prefix)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("s3://", "names no bucket"),
        ("https://example.org/notes", "'https://' is not supported"),
        ("/no/such/folder", "no folder or file '/no/such/folder'"),
        ("/dev/null", "no folder or file '/dev/null'"),
    ],
)
def test_what_cannot_be_opened_is_said_with_what_can(place: str, message: str) -> None:
    with pytest.raises(StorageDenied, match=message) as caught:
        open_store(place)
    assert "s3://BUCKET/PREFIX" in str(caught.value)


def test_registered_place_opens_again(tmp_path: Path) -> None:
    settings = Settings.read()

    assert isinstance(open_bucket(settings, "local", str(tmp_path)), LocalStore)
    assert open_bucket(settings, "s3", "notes").bucket == "notes"
    with pytest.raises(StorageDenied, match="only 's3' and 'local'"):
        open_bucket(settings, "memory", "x")


def test_settings_reach_s3_and_secrets_stay_out_of_repr(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    settings = Settings.read(
        s3_endpoint_url="http://127.0.0.1:9", s3_access_key="canary-a", s3_secret_key="canary-b", s3_ca_bundle=bundle
    )

    access = S3Access.of(settings)

    assert access == S3Access("http://127.0.0.1:9", access_key="canary-a", secret_key="canary-b", ca_bundle=str(bundle))
    assert "canary" not in repr(access)
