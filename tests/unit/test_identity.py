"""Who and when: metadata before key, unknown before guessed."""

import doctest
from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import ModuleType

import pytest

from storage import encoded_words, identity, key_pattern, objects, times
from storage.container_tags import TagUnusable
from storage.errors import StorageUnavailable
from storage.identity import IdentityRules, RecordingIdentity, identify
from storage.objects import StoredObject
from storage.statements import Statement

UPLOADED_AT = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


def stored(key: str, metadata: Mapping[str, str] | None = None) -> StoredObject:
    return StoredObject(key, "tag", 1, UPLOADED_AT, metadata)


@pytest.mark.parametrize(
    "module", [encoded_words, identity, key_pattern, objects, times], ids=lambda module: module.__name__
)
def test_examples_in_docstrings_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_metadata_wins_over_the_key() -> None:
    found = identify(stored("anna/2026-03-01.wav", {"Subject-Id": " ben ", "recorded-at": "2026-04-02T10:00:00+02:00"}))

    assert found == RecordingIdentity(
        subject="ben",
        subject_source="metadata",
        recorded_at=datetime(2026, 4, 2, 8, tzinfo=UTC),
        recorded_at_precision="second",
        recorded_at_source="metadata",
        utc_offset_min=120,
        local_day=date(2026, 4, 2),
    )


def test_key_fills_what_metadata_leaves_out() -> None:
    found = identify(stored("anna/2026-03-01.wav", {"subject-id": "ben", "recorded-at": " "}))

    assert (found.subject, found.subject_source) == ("ben", "metadata")
    assert (found.recorded_at_precision, found.recorded_at_source) == ("day", "key")


def test_upload_time_is_never_taken_for_the_recording_time() -> None:
    found = identify(stored("whatever.wav"))

    assert found == RecordingIdentity(None, "unknown", None, None, "unknown", problem=found.problem)
    assert str(found.problem).startswith("no person in manifest, ")
    assert "no time in manifest, " in str(found.problem)


def test_bad_metadata_time_is_unknown_and_reported_even_when_the_key_has_one() -> None:
    found = identify(stored("anna/2026-03-01.wav", {"recorded-at": "Anna's birthday"}))

    assert (found.subject, found.recorded_at, found.recorded_at_source) == ("anna", None, "unknown")
    assert found.problem is not None
    assert "metadata recorded-at" in found.problem
    assert "birthday" not in found.problem


def test_impossible_date_in_the_key_is_unknown_but_the_person_is_known() -> None:
    found = identify(stored("anna/2026-02-30.wav"))

    assert (found.subject, found.recorded_at, found.recorded_at_precision) == ("anna", None, None)
    assert found.problem is not None
    assert "recorded-at in the key" in found.problem


def test_future_time_is_kept() -> None:
    found = identify(stored("anna/2099-01-01.wav"))

    assert found.recorded_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert found.problem is None


@pytest.mark.parametrize("subject", ["x" * 201, "a\nb", "a\0b", "\x7f", "a\ud800", "a\u2028b"])
def test_unusable_subject_is_unknown_and_reported_without_being_repeated(subject: str) -> None:
    found = identify(stored("anna/2026-03-01.wav", {"subject-id": subject}))

    assert (found.subject, found.subject_source) == (None, "unknown")
    assert found.problem is not None
    assert "metadata subject-id" in found.problem
    assert subject not in found.problem


def test_subject_is_one_person_however_its_accents_are_typed() -> None:
    composed = identify(stored("zo\u00eb/2026-03-01.wav"))
    decomposed = identify(stored("zoe\u0308/2026-03-01.wav"))

    assert composed.subject == decomposed.subject == "zo\u00eb"


def test_longest_allowed_subject_is_kept() -> None:
    assert identify(stored("x.wav", {"subject-id": "x" * 200})).subject == "x" * 200


MANIFEST = Statement("mia", "2026-01-01T10:00:00Z", None, "m", place="manifest.csv line 2")
METADATA = {"subject-id": "ben", "recorded-at": "2026-02-01T10:00:00Z", "tenant": "b"}
SIDECAR = Statement("sue", "2026-03-01T10:00:00Z", None, "s", place="sidecar")
KEY = "k/kim/2026-04-01T10-00-00Z.m4a"
RULES = IdentityRules("{tenant}/{subject}/{recorded_at}...", default_tenant="house")


def read_tag() -> datetime:
    return datetime(2026, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("n_silent", "person", "month", "tenant", "source"),
    [
        (0, "mia", 1, "m", "manifest"),
        (1, "ben", 2, "b", "metadata"),
        (2, "sue", 3, "s", "sidecar"),
        (3, "kim", 4, "k", "key"),
    ],
)
def test_the_first_source_that_says_something_counts(n_silent, person, month, tenant, source) -> None:
    found = identify(
        stored(KEY, METADATA if n_silent < 2 else {}),
        rules=RULES,
        manifest=MANIFEST if n_silent < 1 else None,
        sidecar=SIDECAR if n_silent < 3 else None,
        read_tag=read_tag,
    )

    assert found.recorded_at is not None
    assert (found.subject, found.recorded_at.month, found.tenant) == (person, month, tenant)
    assert (found.subject_source, found.recorded_at_source, found.tenant_source) == (source, source, source)
    assert found.problem is None


def test_an_option_wins_over_everything_and_the_container_and_settings_come_last() -> None:
    told = identify(stored(KEY), rules=IdentityRules(subject="eve", tenant="x"), manifest=MANIFEST)
    bare = identify(stored("x.m4a"), rules=RULES, read_tag=read_tag)

    assert (told.subject, told.subject_source, told.tenant, told.tenant_source) == ("eve", "option", "x", "option")
    assert bare.recorded_at == read_tag()
    assert (bare.recorded_at_source, bare.tenant, bare.tenant_source) == ("container", "house", "setting")


def test_the_container_is_not_asked_where_a_better_source_says_a_time_or_one_that_is_none() -> None:
    def refuse() -> datetime:
        raise AssertionError("asked")

    assert identify(stored("ana/2026-03-01.m4a"), read_tag=refuse).recorded_at_source == "key"
    assert identify(stored("x.m4a", {"recorded-at": "?"}), read_tag=refuse).recorded_at_source == "unknown"


def test_local_time_of_a_container_is_read_in_the_zone() -> None:
    found = identify(
        stored("x.wav"),
        rules=IdentityRules(zone="Europe/Berlin"),
        read_tag=lambda: datetime(2026, 3, 6, 0, 30),  # noqa: DTZ001 - local, as in a Broadcast Wave
    )

    assert found.recorded_at == datetime(2026, 3, 5, 23, 30, tzinfo=UTC)
    assert (found.local_day, found.utc_offset_min, found.recorded_at_zone) == (date(2026, 3, 6), 60, "Europe/Berlin")


def test_container_that_says_no_time_or_cannot_be_read_is_a_problem_and_no_failure() -> None:
    def unusable() -> datetime:
        raise TagUnusable("creation_time of the container is nonsense")

    def unreachable() -> datetime:
        raise StorageUnavailable("the server is away")

    assert "nonsense" in str(identify(stored("x.m4a"), read_tag=unusable).problem)
    assert "is not an existing time" in str(
        identify(stored("x.m4a"), read_tag=lambda: datetime(1970, 1, 1, tzinfo=UTC)).problem
    )
    away = identify(stored("x.m4a"), read_tag=unreachable)
    assert "the server is away" in str(away.problem)
    assert not away.is_complete


def test_zone_that_was_said_counts_for_the_time_wherever_that_comes_from() -> None:
    found = identify(stored("ana/2026-03-06.wav", {"zone": "Asia/Tokyo"}))
    in_utc = identify(stored("ana/2026-03-06T20-00-00Z.wav"), sidecar=Statement(zone="Asia/Tokyo", place="sidecar"))

    assert (found.local_day, found.recorded_at) == (date(2026, 3, 6), datetime(2026, 3, 5, 15, tzinfo=UTC))
    assert (in_utc.local_day, in_utc.utc_offset_min) == (date(2026, 3, 7), 540)


@pytest.mark.parametrize("zone", ["Mars/North", "../etc/passwd", "Europe", "/etc/localtime"])
def test_zone_that_is_none_makes_the_time_unknown(zone: str) -> None:
    found = identify(stored("ana/2026-03-06.wav"), manifest=Statement(zone=zone, place="manifest.csv line 9"))

    assert (found.subject, found.recorded_at) == ("ana", None)
    assert found.problem == "manifest.csv line 9 zone is no time zone such as Europe/Berlin"


def test_sidecar_that_cannot_be_read_leaves_unknown_what_no_better_source_says() -> None:
    broken = Statement(place="sidecar", problem="the sidecar is no JSON")
    found = identify(stored("ana/2026-03-06.wav", {"subject-id": "ben"}), sidecar=broken)

    assert (found.subject, found.recorded_at, found.tenant_source) == ("ben", None, "unknown")
    assert found.problem == "the sidecar is no JSON"
    assert found.is_refused


def test_tenant_that_cannot_be_used_is_reported() -> None:
    found = identify(stored("ana/2026-03-06.wav", {"tenant": "a\nb"}))

    assert (found.tenant, found.tenant_source) == ("default", "unknown")
    assert "metadata tenant" in str(found.problem)
