"""S3 servers that are not AWS: an object that is unchanged is read, and every listing ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from db_samples import add_active_model, new_sqlite
from servers.odd_s3 import IfMatch, Listing, OddServer, serve_oddly

from config.settings import Settings
from db import history
from db.reasons import JobState
from scheduler.app import make_app
from scheduler.service import Service
from storage import s3_client
from storage.errors import ObjectChanged, StorageDenied
from storage.s3 import S3Store

NOTE = b"0123456789" * 100


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[OddServer]:
    monkeypatch.setattr(s3_client, "N_REQUEST_ATTEMPTS", 1)
    with serve_oddly(OddServer(objects={"ana/a.wav": NOTE})) as server:
        yield server


def make_store(server: OddServer) -> S3Store:
    return S3Store("notes", endpoint_url=server.url, access_key="a", secret_key="b")


def read(store: S3Store, server: OddServer) -> bytes:
    with store.open("ana/a.wav", version_tag=server.tag("ana/a.wav"), size_bytes=len(NOTE)) as opened:
        return opened.file.read()


@pytest.mark.parametrize("if_match", ["works", "always fails", "wants no quotes", "is not implemented"])
def test_an_unchanged_object_is_read_whatever_the_server_makes_of_if_match(odd: OddServer, if_match: IfMatch) -> None:
    odd.if_match = if_match

    assert read(make_store(odd), odd) == NOTE


def test_a_server_whose_if_match_does_not_work_is_asked_without_it_from_then_on(odd: OddServer) -> None:
    odd.if_match = "always fails"
    store = make_store(odd)

    for _ in range(3):
        assert read(store, odd) == NOTE

    assert odd.asked == ["GET if", "HEAD always", "GET always", "GET always", "GET always"]


@pytest.mark.parametrize("if_match", ["works", "always fails", "wants no quotes", "is not implemented"])
def test_a_replaced_object_is_noticed_whatever_the_server_makes_of_if_match(odd: OddServer, if_match: IfMatch) -> None:
    odd.if_match = if_match
    tag = odd.tag("ana/a.wav")
    odd.objects["ana/a.wav"] = b"9" * len(NOTE)

    with pytest.raises(ObjectChanged):
        make_store(odd).open("ana/a.wav", version_tag=tag, size_bytes=len(NOTE))


def test_an_object_replaced_between_the_look_and_the_reading_is_noticed(odd: OddServer) -> None:
    odd.if_match = "always fails"
    tag = odd.tag("ana/a.wav")
    odd.swap_on_head = b"9" * len(NOTE)

    with pytest.raises(ObjectChanged):
        make_store(odd).open("ana/a.wav", version_tag=tag, size_bytes=len(NOTE))


@pytest.mark.parametrize("tag_form", ['"{}"', "{}", 'W/"{}"'])
def test_a_tag_is_the_same_in_quotes_without_and_as_a_weak_one(odd: OddServer, tag_form: str) -> None:
    odd.tag_form = tag_form
    store = make_store(odd)

    (page,) = store.list_objects()

    assert page[0].version_tag == store.head("ana/a.wav").version_tag == odd.tag("ana/a.wav")
    assert read(store, odd) == NOTE


def test_a_server_without_tags_is_refused_with_the_reason(odd: OddServer) -> None:
    odd.tag_form = ""

    with pytest.raises(StorageDenied, match="gives no ETag"):
        make_store(odd).head("ana/a.wav")


@pytest.mark.parametrize("name", ["Zoë", "Åsa", "Łukasz", "日本", "ana"])
def test_metadata_sent_as_raw_utf_8_is_read(odd: OddServer, name: str) -> None:
    odd.metadata = {"subject-id": name.encode()}

    assert make_store(odd).head("ana/a.wav").metadata == {"subject-id": name}


def test_metadata_sent_as_latin_1_is_read(odd: OddServer) -> None:
    odd.metadata = {"subject-id": "Zoë".encode("latin-1")}

    assert make_store(odd).head("ana/a.wav").metadata == {"subject-id": "Zoë"}


@pytest.mark.parametrize("listing", ["works", "no token", "same token"])
@pytest.mark.parametrize("n_objects", [0, 1, 3, 4, 10])
def test_everything_is_listed_once_with_and_without_tokens(odd: OddServer, listing: Listing, n_objects: int) -> None:
    odd.objects = {f"ana/{n:02d}.wav": NOTE for n in range(n_objects)}
    odd.listing = listing

    listed = [item.key for page in make_store(odd).list_objects() for item in page]

    assert listed == sorted(odd.objects)


@pytest.mark.parametrize("listing", ["restarts", "no progress", "empty for ever"])
def test_a_listing_that_leads_nowhere_ends_with_an_error_after_what_was_listed(
    odd: OddServer, listing: Listing
) -> None:
    odd.objects = {f"ana/{n:02d}.wav": NOTE for n in range(10)}
    odd.listing = listing
    listed: list[str] = []

    with pytest.raises(StorageDenied, match="must continue by token or by StartAfter"):
        listed.extend(item.key for page in make_store(odd).list_objects() for item in page)

    assert set(listed) == (set() if listing == "empty for ever" else {"ana/00.wav", "ana/01.wav", "ana/02.wav"})
    assert len(odd.asked) <= 102


def test_what_a_broken_listing_gave_has_its_jobs(odd: OddServer, tmp_path: Path) -> None:
    odd.objects = {f"ana/{n:02d}.wav": b"%d" % n for n in range(10)}
    odd.listing = "no progress"
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    settings = Settings(
        home=tmp_path / "home",
        database_url=str(engine.url),
        storage_url="s3://notes",
        s3_endpoint_url=odd.url,
        s3_access_key="a",
        s3_secret_key="b",
    )

    with pytest.raises(StorageDenied):
        Service(settings, make_app(settings)).scan_and_queue()

    assert history.counts(engine).by_state == {JobState.PENDING: 3}
