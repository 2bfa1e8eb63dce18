"""A small language that says where in an object key the person and the time are; never reads metadata."""

import functools
import itertools
import re
from dataclasses import dataclass

from storage.errors import StorageError
from storage.key_matching import ANYTHING, FIELDS, TIMES, WILD, Shape, Token

__all__ = ["FIELDS", "KeyParts", "KeyPattern", "KeyPatternError", "compile_pattern"]
_TOKEN = re.compile(r"\{[^{}]*\}|\.\.\.|[{}]|(?:(?!\.\.\.)[^{}])+")
_ALLOWED = f"{', '.join(f'{{{field}}}' for field in FIELDS)}, ... for anything, and literal text"
_MAX_PARTS = 40
_MAX_ANYTHING = 2


class KeyPatternError(StorageError):
    """A key pattern cannot be used; the message names the place and what is allowed."""


@dataclass(frozen=True)
class KeyParts:
    """What a key says.

    Attributes:
        subject: the person, as it stands in the key.
        recorded_at: the time, as one text that `storage.times` reads; None where the key has no whole date.
        tenant: whose recording it is, as it stands in the key.
        has_month_only: year and month were found and no day.
        why_nobody: why there is no person, where more can be said than that none was found.
    """

    subject: str | None
    recorded_at: str | None
    tenant: str | None = None
    has_month_only: bool = False
    why_nobody: str | None = None


class KeyPattern:
    """A compiled pattern. One without `/` is held against the file's name alone, in whatever folder it lies.

    `{subject}` and `{tenant}` are at least one character without `/`, as few as possible; `{recorded_at}` is text that
    looks like a time (see `storage.times`), `{datetime}` the same without Unix seconds; `{date}`, `{time}`, `{year}`,
    `{month}` and `{day}` are parts of one, which are put together; `{any}` is anything without `/`, or nothing; `...` is
    anything, `/` included, or nothing; everything else stands for itself.

    Where the file's name holds no time, the folders still say who it was.

    Attributes:
        text: the pattern.
        fields: which of subject, recorded_at and tenant it may find.

    Examples:
        >>> KeyPattern("{subject}/{recorded_at}...").match("anna/2026-03-01T08-30-00Z_kitchen.wav")
        KeyParts(subject='anna', recorded_at='2026-03-01T08-30-00Z', tenant=None, has_month_only=False, why_nobody=None)
        >>> KeyPattern("PTT-{date}-WA...").match("anna/PTT-20240115-WA0001.opus").recorded_at
        '20240115'
        >>> KeyPattern("{subject}/{recorded_at}...").match("anna/hello.wav").subject
        'anna'
        >>> KeyPattern("{tenant}/{year}/{month}/{day}/{subject}_{time}...").match("a/2026/03/01/ben_081500.ogg").recorded_at
        '2026-03-01T081500'
    """

    def __init__(self, text: str) -> None:
        """Compile a pattern.

        Args:
            text: the pattern.

        Raises:
            KeyPatternError: it is empty, has an unknown or repeated field, a lone brace, more than two `...`, or two
                parts beside each other of which nothing says where the first one ends.
        """
        words = _TOKEN.findall(text)
        _check(text, words)
        self.text = text
        self._is_of_name = "/" not in text
        tokens = [_token(word) for word in words]
        self._shape = Shape(tokens)
        named = {token.text for token in tokens if not token.is_literal}
        self.fields = frozenset(named & {"subject", "tenant"} | ({"recorded_at"} if named & set(TIMES) else set()))
        loose = _without_time_in_name(tokens)
        self._loose = Shape(loose) if loose else None

    def match(self, key: str, *, is_case_kept: bool = True) -> KeyParts | None:
        """Read a key; None when it does not follow the pattern.

        Args:
            key: the object's key.
            is_case_kept: whether literal text must be spelt in the same case.
        """
        text = key.rpartition("/")[2] if self._is_of_name else key
        found = self._shape.read(text, is_case_kept=is_case_kept)
        if found is None and self._loose is not None:
            found = self._loose.read(text, is_case_kept=is_case_kept)
        return None if found is None else _parts(found)


@functools.lru_cache(maxsize=128)
def compile_pattern(text: str) -> KeyPattern:
    """Compile a pattern once; see `KeyPattern`."""
    return KeyPattern(text)


def _token(word: str) -> Token:
    is_field = word.startswith("{")
    return Token(word[1:-1] if is_field else word, is_literal=not is_field and word != ANYTHING)


def _without_time_in_name(tokens: list[Token]) -> list[Token]:
    """Return the pattern for a file whose name says no time; empty where its folders say nothing by themselves."""
    n_folders = max((n + 1 for n, token in enumerate(tokens) if token.is_literal and "/" in token.text), default=0)
    folders, name = tokens[:n_folders], tokens[n_folders:]
    says_who = {token.text for token in name if not token.is_literal} & {"subject", "tenant"}
    has_time = any(token.text in TIMES for token in name if not token.is_literal)
    if not folders or not has_time or says_who or not folders[-1].text.endswith("/"):
        return []
    return [*folders, Token("any", is_literal=False)]


def _parts(found: dict[str, str]) -> KeyParts:
    date = found.get("date")
    if date is None and {"year", "month", "day"} <= found.keys():
        date = f"{found['year']}-{found['month']}-{found['day']}"
    recorded_at = found.get("recorded_at") or found.get("datetime")
    if recorded_at is None and date is not None and (time := found.get("time")):
        recorded_at = f"{date}T{time}" if time[:6].isdecimal() else f"{date} at {time}"
    recorded_at = recorded_at or date
    has_month_only = recorded_at is None and {"year", "month"} <= found.keys()
    return KeyParts(found.get("subject"), recorded_at, found.get("tenant"), has_month_only)


def _check(text: str, words: list[str]) -> None:
    if not words:
        raise KeyPatternError(f"the key pattern is empty: allowed are {_ALLOWED}; '...' alone reads nothing")
    for word in words:
        if word in {"{", "}"}:
            raise KeyPatternError(f"key pattern {text!r} has a lone {word!r}: allowed are {_ALLOWED}")
        if word.startswith("{") and word[1:-1] not in FIELDS:
            raise KeyPatternError(f"key pattern {text!r} has unknown {word}: allowed are {_ALLOWED}")
    _check_counts(text, words)
    for pair in itertools.pairwise(words):
        if all(_token(word).text in WILD and not _token(word).is_literal for word in pair):
            raise KeyPatternError(
                f"key pattern {text!r} has {' beside '.join(pair)}: put literal text such as '/' between them"
            )


def _check_counts(text: str, words: list[str]) -> None:
    for field in FIELDS:
        if field != "any" and words.count(f"{{{field}}}") > 1:
            raise KeyPatternError(f"key pattern {text!r} has {{{field}}} more than once")
    if words.count(ANYTHING) > _MAX_ANYTHING:
        raise KeyPatternError(f"key pattern {text!r} has '...' more than {_MAX_ANYTHING} times")
    if len(words) > _MAX_PARTS:
        raise KeyPatternError(f"key pattern {text!r} has {len(words)} parts, {_MAX_PARTS} are allowed")
