"""A place's recordings with what says who and when: nothing of it is a recording, and nothing of it is lost."""

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from containers import MADE, mp4, wave

from storage import objects
from storage.errors import StorageDenied, StorageUnavailable
from storage.identity import IdentityRules
from storage.intake import BY_OPTION, GivenManifest, Intake
from storage.local import LocalStore
from storage.manifests import ManifestError
from storage.protocol import MemoryStore


class CountingStore(MemoryStore):
    """Counts what is asked of it, and can be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.n_reads = 0
        self.error: Exception | None = None

    def read_range(self, key: str, *, start: int, n_bytes: int, version_tag: str) -> bytes:
        self.n_reads += 1
        if self.error is not None:
            raise self.error
        return super().read_range(key, start=start, n_bytes=n_bytes, version_tag=version_tag)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


def sidecar(**fields: str) -> bytes:
    return json.dumps(fields).encode()


def listed(intake: Intake):
    return {item.stored.key: item for page in intake.pages() for item in page}


def read(intake: Intake):
    return {key: intake.identify(item) for key, item in listed(intake).items()}


def who(intake: Intake) -> dict[str, str | None]:
    return {key: found.identity.subject for key, found in read(intake).items()}


def test_sidecars_say_who_and_are_no_recordings(store):
    for key in ("a/1.ogg", "a/2.ogg", "a/3.m4a", "a/3.ogg"):
        store.put(key, key.encode())
    store.put("a/1.json", sidecar(subject="ana"))
    store.put("a/2.ogg.json", sidecar(subject="ben", recorded_at="2026-03-01"))
    store.put("a/2.json", sidecar(subject="eve"))
    store.put("a/3.json", sidecar(subject="cleo"))
    store.put("a/lonely.json", sidecar(subject="dora"))

    assert who(Intake(store)) == {
        "a/1.ogg": "ana",
        "a/2.json": "a",
        "a/2.ogg": "ben",
        "a/3.m4a": "cleo",
        "a/3.ogg": "cleo",
        "a/lonely.json": "a",
    }


@pytest.mark.parametrize("page_size", [1, 2, 3, 5])
def test_a_sidecar_is_found_wherever_a_page_of_the_listing_ends(store, monkeypatch, page_size):
    monkeypatch.setattr(objects, "PAGE_SIZE", page_size)
    for number in range(7):
        store.put(f"a/{number}.amr", b"%d" % number)
        store.put(f"a/{number}.json", sidecar(subject=f"p{number}"))
        store.put(f"a/{number}.ogg", b"%d%d" % (number, number))
        store.put(f"a/{number}-b.ogg", b"x%d" % number)

    found = who(Intake(store))

    assert len(found) == 21
    assert {key: person for key, person in found.items() if "-b" not in key} == {
        f"a/{number}.{suffix}": f"p{number}" for number in range(7) for suffix in ("amr", "ogg")
    }


def test_a_single_file_is_read_with_its_sidecar_and_manifest_as_in_the_whole_folder(tmp_path: Path):
    (tmp_path / "note.ogg").write_bytes(b"x")
    (tmp_path / "other.ogg").write_bytes(b"y")
    (tmp_path / "note.json").write_bytes(sidecar(subject="ana"))
    (tmp_path / "manifest.csv").write_text("key,zone\nnote.ogg,Europe/Berlin\n")

    whole = listed(Intake(LocalStore(tmp_path)))
    single = listed(Intake(LocalStore(tmp_path, only="note.ogg"), "note.ogg"))

    assert set(whole) == {"note.ogg", "other.ogg"}
    assert single == {"note.ogg": whole["note.ogg"]}


def test_too_large_and_broken_sidecars_leave_unknown_what_they_may_say(store):
    store.put("ana/2026-03-01.ogg", b"x")
    store.put("ana/2026-03-01.json", b" " * (1024 * 1024 + 1))
    store.put("ana/2026-03-02.ogg", b"x")
    store.put("ana/2026-03-02.json", b"{")

    found = read(Intake(store))

    assert [item.identity.subject for item in found.values()] == [None, None]
    assert [item.identity.problem for item in found.values()] == [
        "the sidecar has more than 1 MiB",
        "the sidecar is no JSON",
    ]


def test_the_manifest_beside_the_recordings_is_read_and_no_recording(store):
    store.put("in/manifest.csv", b"key,subject\nx.ogg,ana\nin/y.ogg,ben\nz.ogg,eve\n")
    store.put("in/x.ogg", b"x")
    store.put("in/y.ogg", b"y")
    store.put("manifest.csv", b"key,subject\nin/x.ogg,nobody\n")
    intake = Intake(store, "in/")

    assert who(intake) == {"in/x.ogg": "ana", "in/y.ogg": "ben"}
    assert intake.manifest_gaps() == ["manifest.csv: no recording here is the one of line 4; check their keys"]


def test_a_given_manifest_wins_over_the_one_beside_the_recordings(store, tmp_path: Path):
    store.put("x.ogg", b"x")
    store.put("manifest.csv", b"key,subject\nx.ogg,ana\n")
    (tmp_path / "people.jsonl").write_text('{"key": "x.ogg", "subject": "ben"}\n')
    given = GivenManifest(LocalStore(tmp_path, only="people.jsonl"), "people.jsonl")

    assert who(Intake(store, manifest=given)) == {"x.ogg": "ben"}


def test_a_given_manifest_inside_the_folder_is_no_recording(tmp_path: Path):
    (tmp_path / "x.ogg").write_bytes(b"x")
    (tmp_path / "people.csv").write_text("key,subject\nx.ogg,ana\n")
    given = GivenManifest(LocalStore(tmp_path, only="people.csv"), "people.csv")

    assert who(Intake(LocalStore(tmp_path), manifest=given)) == {"x.ogg": "ana"}


def test_lines_about_other_folders_are_no_gaps_of_a_part(store):
    store.put("a/1.ogg", b"x")
    store.put("people.csv", b"key,subject\na/1.ogg,ana\nb/1.ogg,ben\na/2.ogg,eve\n")
    intake = Intake(store, "a/", manifest=GivenManifest(store, "people.csv"))
    list(intake.pages())

    assert intake.manifest_gaps() == ["people.csv: no recording here is the one of line 4; check their keys"]


def test_two_manifests_are_one_too_many(store):
    store.put("manifest.csv", b"key\n")
    store.put("manifest.jsonl", b"")

    with pytest.raises(ManifestError, match="keep one of them"):
        Intake(store)


def test_the_tag_changes_with_everything_that_identity_is_read_from(store):
    store.put("x.ogg", b"x")

    def tag(**rules: str) -> str:
        return listed(Intake(store, rules=IdentityRules(**rules)))["x.ogg"].tag

    seen = [tag(), tag(zone="Europe/Berlin"), tag(layouts="..."), tag(subject="ana"), tag(default_tenant="t")]
    store.put("manifest.csv", b"key,subject\nx.ogg,ana\n")
    seen.append(tag())
    store.put("manifest.csv", b"key,subject\nx.ogg,ben\n")
    seen.append(tag())
    store.put("x.json", sidecar(subject="ana"))
    seen.append(tag())
    store.put("x.json", sidecar(subject="ben"))
    seen.append(tag())

    assert len(set(seen)) == len(seen)
    assert tag() == seen[-1]


def test_the_tag_is_keyed_where_names_are_secret_and_marks_what_options_said(store):
    store.put("x.ogg", b"x")
    rules = IdentityRules(subject="ana")
    plain, keyed, optional = (
        listed(Intake(store, rules=rules, **options))["x.ogg"].tag
        for options in ({}, {"secret": "k" * 32}, {"is_by_option": True})
    )

    assert len({plain, keyed, optional}) == 3
    assert optional == BY_OPTION + plain
    assert "ana" not in plain + keyed + optional


def test_the_time_of_a_container_is_read_in_a_few_short_parts_and_only_where_no_name_says_one(store):
    store.put("ana/memo.m4a", mp4(n_samples=1_000_000))
    store.put("ana/2026-03-01.m4a", mp4())
    store.put("ana/memo.ogg", mp4())
    found = read(Intake(store))

    assert found["ana/memo.m4a"].identity.recorded_at == MADE
    assert found["ana/memo.m4a"].identity.recorded_at_source == "container"
    assert found["ana/2026-03-01.m4a"].identity.recorded_at_source == "key"
    assert found["ana/memo.ogg"].identity.recorded_at is None
    assert store.n_reads <= 6


def test_a_container_in_local_time_is_read_in_the_zone(tmp_path: Path):
    (tmp_path / "take.wav").write_bytes(wave(b"2026-03-06", b"00:30:00"))
    found = read(Intake(LocalStore(tmp_path), rules=IdentityRules(zone="Europe/Berlin")))["take.wav"]

    assert found.identity.recorded_at == datetime(2026, 3, 5, 23, 30, tzinfo=UTC)
    assert found.identity.local_day is not None
    assert found.identity.local_day.isoformat() == "2026-03-06"


@pytest.mark.parametrize("error", [StorageUnavailable("away"), StorageDenied("no")])
def test_a_part_that_cannot_be_read_is_a_problem_that_the_next_scan_looks_at_again(store, error):
    store.put("memo.m4a", mp4())
    store.error = error
    found = read(Intake(store))["memo.m4a"]

    assert "the container's time could not be read" in str(found.identity.problem)
    assert found.tag is None


def test_what_is_deleted_meanwhile_is_left_out(store):
    store.put("x.ogg", b"x")
    intake = Intake(store)
    [[item]] = intake.pages()
    unread = type(item)(type(item.stored)("gone.ogg", "t", 1, item.stored.uploaded_at, None), None, item.tag)

    assert intake.identify(unread) is None


def test_what_was_uploaded_just_now_is_worth_reading_again_where_a_listing_tells_no_metadata(store):
    now = datetime(2026, 3, 1, tzinfo=UTC)
    store.put("new.ogg", b"x", uploaded_at=now)
    store.put("old.ogg", b"y", uploaded_at=datetime(2026, 2, 28, tzinfo=UTC))

    def tags(metadata, **options) -> dict[str, bool]:
        intake = Intake(store, now=now, **options)
        items = [item for page in intake.pages() for item in page]
        untold = [replace(item, stored=replace(item.stored, metadata=metadata)) for item in items]
        return {item.stored.key: intake.identify(item).tag is not None for item in untold}

    assert tags(None) == {"new.ogg": False, "old.ogg": True}
    assert tags({}) == {"new.ogg": True, "old.ogg": True}
    assert tags(None, is_by_option=True) == {"new.ogg": True, "old.ogg": True}


def test_what_was_listed_before_the_listing_broke_off_is_read():
    class Broken(MemoryStore):
        """Breaks off after its first page."""

        def list_objects(self, prefix: str = "", *, start_after: str | None = None):
            yield from super().list_objects(prefix, start_after=start_after)
            raise StorageUnavailable("away")

    store = Broken()
    for key in ("a.ogg", "b.ogg", "b.json"):
        store.put(key, b"{}")
    pages = Intake(store).pages()
    seen = [item.stored.key for page in itertools.islice(pages, 2) for item in page]

    with pytest.raises(StorageUnavailable, match="away"):
        next(pages)
    assert seen == ["a.ogg", "b.ogg"]
