"""Who and when: metadata before key, unknown before guessed."""

import doctest
from collections.abc import Mapping
from datetime import UTC, datetime
from types import ModuleType

import pytest

from storage import identity, key_pattern, objects, s3, times
from storage.identity import RecordingIdentity, identify
from storage.objects import StoredObject

UPLOADED_AT = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


def stored(key: str, metadata: Mapping[str, str] | None = None) -> StoredObject:
    return StoredObject(key, "tag", 1, UPLOADED_AT, metadata)


@pytest.mark.parametrize("module", [identity, key_pattern, objects, s3, times], ids=lambda module: module.__name__)
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
    )


def test_key_fills_what_metadata_leaves_out() -> None:
    found = identify(stored("anna/2026-03-01.wav", {"subject-id": "ben", "recorded-at": " "}))

    assert (found.subject, found.subject_source) == ("ben", "metadata")
    assert (found.recorded_at_precision, found.recorded_at_source) == ("day", "key")


def test_upload_time_is_never_taken_for_the_recording_time() -> None:
    assert identify(stored("whatever.wav")) == RecordingIdentity(None, "unknown", None, None, "unknown")


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
