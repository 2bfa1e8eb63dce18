"""A small language that says where in an object key the person and the time are; never reads metadata."""

import functools
import itertools
import re
from dataclasses import dataclass

from storage.errors import StorageError
from storage.times import SHAPE

FIELDS = ("subject", "recorded_at")
ANYTHING = "..."
MAX_ANYTHING = 2  # each one multiplies the work of a key that does not match
_TOKEN = re.compile(r"\{[^{}]*\}|\.\.\.|[{}]|(?:(?!\.\.\.)[^{}])+")
_ALLOWED = "{subject}, {recorded_at}, ... for anything, and literal text"


class KeyPatternError(StorageError):
    """A key pattern cannot be used; the message names the place and what is allowed."""


@dataclass(frozen=True)
class KeyParts:
    """What a key says: texts as they stand in it, None for a field that the pattern does not have."""

    subject: str | None
    recorded_at: str | None


class KeyPattern:
    """A compiled pattern, matched against the whole key.

    `{subject}` is at least one character without `/`, as few as possible; `{recorded_at}` is text that looks like a
    time (see `storage.times`); `...` is anything, `/` included, or nothing; everything else stands for itself.

    Examples:
        >>> KeyPattern("{subject}/{recorded_at}...").match("anna/2026-03-01T08-30-00Z_kitchen.wav")
        KeyParts(subject='anna', recorded_at='2026-03-01T08-30-00Z')
        >>> KeyPattern("{subject}/PTT-{recorded_at}-WA...").match("anna/PTT-20240115-WA0001.opus")
        KeyParts(subject='anna', recorded_at='20240115')
        >>> KeyPattern("{subject}/{recorded_at}...").match("anna/hello.wav") is None
        True
    """

    def __init__(self, text: str) -> None:
        """Compile a pattern.

        Args:
            text: the pattern.

        Raises:
            KeyPatternError: it is empty, has an unknown or repeated field, a lone brace, more than two `...`, or
                `{subject}` beside `...`, where nothing says where the name ends.
        """
        tokens = _TOKEN.findall(text)
        _check(text, tokens)
        self.text = text
        self._regex = re.compile("".join(map(_to_regex, tokens)), re.DOTALL | re.ASCII)

    def match(self, key: str) -> KeyParts | None:
        """Read a key; None when it does not follow the pattern."""
        found = self._regex.fullmatch(key)
        if found is None:
            return None
        fields = found.groupdict()
        return KeyParts(fields.get("subject"), fields.get("recorded_at"))


@functools.lru_cache(maxsize=32)
def compile_pattern(text: str) -> KeyPattern:
    """Compile a pattern once; see `KeyPattern`."""
    return KeyPattern(text)


def _to_regex(token: str) -> str:
    if token == ANYTHING:
        return ".*"
    if token == "{subject}":  # noqa: S105 - a field, not a password
        return "(?P<subject>[^/]+?)"
    if token == "{recorded_at}":  # noqa: S105 - a field, not a password
        return f"(?P<recorded_at>{SHAPE})"
    return re.escape(token)


def _check(text: str, tokens: list[str]) -> None:
    if not tokens:
        raise KeyPatternError(f"the key pattern is empty: allowed are {_ALLOWED}; '...' alone reads nothing")
    for token in tokens:
        if token in {"{", "}"}:
            raise KeyPatternError(f"key pattern {text!r} has a lone {token!r}: allowed are {_ALLOWED}")
        if token.startswith("{") and token[1:-1] not in FIELDS:
            raise KeyPatternError(f"key pattern {text!r} has unknown {token}: allowed are {_ALLOWED}")
    for field in FIELDS:
        if tokens.count(f"{{{field}}}") > 1:
            raise KeyPatternError(f"key pattern {text!r} has {{{field}}} more than once")
    if tokens.count(ANYTHING) > MAX_ANYTHING:
        raise KeyPatternError(f"key pattern {text!r} has '...' more than {MAX_ANYTHING} times")
    for pair in itertools.pairwise(tokens):
        if set(pair) <= {"{subject}", ANYTHING}:
            raise KeyPatternError(
                f"key pattern {text!r} has {' beside '.join(pair)}: put literal text such as '/' between them"
            )
