"""The pattern language of object keys: read exactly, or not at all."""

import pytest

from storage.key_pattern import KeyParts, KeyPattern, KeyPatternError


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("{subject}/{recorded_at}...", "anna/2026-03-01.wav", KeyParts("anna", "2026-03-01")),
        ("{subject}/{recorded_at}...", "anna/2026-03-01/part1.wav", KeyParts("anna", "2026-03-01")),
        ("{subject}/{recorded_at}...", "anna b/2026-03-01T08-30-00Z", KeyParts("anna b", "2026-03-01T08-30-00Z")),
        ("{subject}/{recorded_at}...", "anna/2026-03-01-0042.wav", KeyParts("anna", "2026-03-01")),
        ("{subject}/{recorded_at}...", "anna/2026-03-01_take2.wav", KeyParts("anna", "2026-03-01")),
        ("{subject}/{recorded_at}...", "anna/12026-03-01.wav", None),
        ("{subject}/{recorded_at}...", "anna/202603011.wav", None),
        ("{subject}/{recorded_at}...", "anna/PTT-20240115-WA0001.opus", None),
        ("{subject}/{recorded_at}...", "org/anna/2026-03-01.wav", None),
        ("{subject}/{recorded_at}...", "/2026-03-01.wav", None),
        ("{subject}/{recorded_at}...", "2026-03-01.wav", None),
        (".../{subject}/{recorded_at}...", "org/team/anna/2026-03-01.wav", KeyParts("anna", "2026-03-01")),
        ("voice/{subject}/{recorded_at}...", "voice/anna/2026-03-01.wav", KeyParts("anna", "2026-03-01")),
        ("{subject}_{recorded_at}...", "anna_maria_2026-03-01.wav", KeyParts("anna_maria", "2026-03-01")),
        ("{recorded_at}_{subject}.wav", "20260301_anna.wav", KeyParts("anna", "20260301")),
        ("{recorded_at}/{subject}.wav", "2026-03-01/anna.wav", KeyParts("anna", "2026-03-01")),
        ("{subject}/PTT-{recorded_at}-WA...", "anna/PTT-20240115-WA1.opus", KeyParts("anna", "20240115")),
        ("{subject}/...", "anna/any/thing\n.wav", KeyParts("anna", None)),
        ("{recorded_at}...", "2026-03-01.wav", KeyParts(None, "2026-03-01")),
        ("...", "anna/2026-03-01.wav", KeyParts(None, None)),
        ("a+b/{subject}.wav", "a+b/anna.wav", KeyParts("anna", None)),
        ("a+b/{subject}.wav", "aab/anna.wav", None),
    ],
)
def test_key_is_read_by_the_pattern_or_not_at_all(pattern: str, key: str, expected: KeyParts | None) -> None:
    assert KeyPattern(pattern).match(key) == expected


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "is empty"),
        ("{person}/{recorded_at}", r"unknown \{person\}"),
        ("{}", r"unknown \{\}"),
        ("{subject/{recorded_at}", "lone '{'"),
        ("subject}/x", "lone '}'"),
        ("{subject}/{subject}", "more than once"),
        ("{subject}...", "put literal text"),
        ("...{subject}/x", "put literal text"),
        (".../.../.../{subject}/x", "more than 2 times"),
    ],
)
def test_pattern_that_cannot_work_says_why(pattern: str, message: str) -> None:
    with pytest.raises(KeyPatternError, match=message):
        KeyPattern(pattern)


def test_long_key_that_does_not_match_is_refused_quickly() -> None:
    pattern = KeyPattern(".../{subject}_{recorded_at}...")

    assert pattern.match("/" * 300 + "2026-03-" * 90) is None
