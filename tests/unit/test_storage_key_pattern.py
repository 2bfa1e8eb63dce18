"""The pattern language of object keys: read exactly, or not at all."""

import re
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from storage.key_pattern import KeyParts, KeyPattern, KeyPatternError


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("{subject}/{recorded_at}...", "anna/2026-03-01.wav", KeyParts("anna", "2026-03-01")),
        ("{subject}/{recorded_at}...", "anna/2026-03-01/part1.wav", KeyParts("anna", "2026-03-01")),
        ("{subject}/{recorded_at}...", "anna b/2026-03-01T08-30-00Z", KeyParts("anna b", "2026-03-01T08-30-00Z")),
        ("{subject}/{recorded_at}...", "anna/2026-03-01-0042.wav", KeyParts("anna", "2026-03-01")),
        ("{subject}/{recorded_at}...", "anna/2026-03-01_take2.wav", KeyParts("anna", "2026-03-01")),
        ("{subject}/{recorded_at}...", "anna/12026-03-01.wav", KeyParts("anna", None)),
        ("{subject}/{recorded_at}...", "anna/202603011.wav", KeyParts("anna", None)),
        ("{subject}/{recorded_at}...", "anna/PTT-20240115-WA0001.opus", KeyParts("anna", None)),
        ("{subject}/{recorded_at}...", "anna/1772439300.webm", KeyParts("anna", "1772439300")),
        ("{subject}/{recorded_at}...", "anna/1772439300250.webm", KeyParts("anna", "1772439300250")),
        ("{subject}/{datetime}...", "anna/1772439300.webm", KeyParts("anna", None)),
        ("{subject}_{recorded_at}...", "hello_world.wav", None),
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
        ("PTT-{date}-WA...", "deep/in/PTT-20240115-WA1.opus", KeyParts(None, "20240115")),
        ("{year}/{month}/{subject}/{any}", "2026/03/ana/x.ogg", KeyParts("ana", None, has_month_only=True)),
        ("{year}/{month}/{day}/{subject}/{any}", "2026/03/02/ana/x.ogg", KeyParts("ana", "2026-03-02")),
        ("{subject}/{year}{month}{day}/{any}", "ana/20260302/x.ogg", KeyParts("ana", "2026-03-02")),
        (
            "{tenant}/{subject}/{date}_{time}.ogg",
            "t/ana/2026-03-02_08-15.ogg",
            KeyParts("ana", "2026-03-02 at 08-15", "t"),
        ),
        (
            "{any}@{day}-{month}-{year}_{time}...",
            "a_1@02-03-2026_08-15-00.ogg",
            KeyParts(None, "2026-03-02 at 08-15-00"),
        ),
        ("{date}/{subject}_{time}...", "2026-03-02/ana_081500.ogg", KeyParts("ana", "2026-03-02T081500")),
        ("{tenant}/{subject}/{recorded_at}...", "c/ana/2026-03-02_take2.ogg", KeyParts("ana", "2026-03-02", "c")),
        (
            "{year}/{month}/{day}/{subject}/{time}...",
            "2026/03/02/ana/08-15-00.ogg",
            KeyParts("ana", "2026-03-02 at 08-15-00"),
        ),
        (".../{subject}/{recorded_at}...", "a/2026-01-01/b/2026-02-02.wav", KeyParts("b", "2026-02-02")),
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
        ("{any}{subject}/x", "put literal text"),
        ("{year}/{year}/x", "more than once"),
        ("{any}-" * 30, "60 parts, 40 are allowed"),
    ],
)
def test_pattern_that_cannot_work_says_why(pattern: str, message: str) -> None:
    with pytest.raises(KeyPatternError, match=message):
        KeyPattern(pattern)


HOSTILE = ["/", "_", "a_", "_1", "/_", "20260302_", "2026-03-02 ", "a/2026/03/", "1709366100_", "0123456789", "@01-"]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize(
    "pattern",
    [
        ".../{subject}_{recorded_at}...x",
        "{any}_{any}_{any}_{subject}_{any}-{date}.wav",
        ".../{any}_{subject}/.../{any}-{datetime}{any}.wav",
        "{any}@{day}-{month}-{year}_{time}...x",
    ],
)
def test_work_grows_with_the_length_of_a_hostile_key_and_no_faster(pattern: str, piece: str) -> None:
    def count_steps(n_characters: int) -> int:
        steps = 0

        def count(frame: object, event: str, arg: object) -> None:
            nonlocal steps
            steps += 1

        sys.setprofile(count)
        try:
            KeyPattern(pattern).match((piece * n_characters)[:n_characters])
        finally:
            sys.setprofile(None)
        return steps

    assert count_steps(1024) < 6 * count_steps(256) + 1000


@given(
    key=st.text(alphabet="ab/_-2026.", max_size=24),
    pattern=st.lists(st.sampled_from(["{subject}", "{any}", "...", "/", "_", "a", "2"]), min_size=1, max_size=7),
)
def test_a_key_follows_a_pattern_exactly_where_the_regular_expression_says_so(key: str, pattern: list[str]) -> None:
    text = "".join(pattern)
    try:
        compiled = KeyPattern(text)
    except KeyPatternError:
        assume(False)
    forms = {"{subject}": "[^/]+?", "{any}": "[^/]*?", "...": ".*"}
    regex = "".join(forms.get(part) or re.escape(part) for part in pattern)
    read = key if "/" in text else key.rpartition("/")[2]

    assert (compiled.match(key) is not None) == (re.fullmatch(regex, read, re.DOTALL) is not None)
