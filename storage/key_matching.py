"""Hold a key against the parts of a pattern, in time that grows with the key's length and no faster.

A regular expression with as many gaps as a pattern may have takes time that grows with a power of the key's length, and
whoever uploads chooses the key. Here a gap that failed from one place is not tried again from a later one.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from storage.times import find_time, time_ends

ANYTHING = "..."
TIMES = ("recorded_at", "datetime", "date", "time", "year", "month", "day")
FIELDS = ("subject", "tenant", *TIMES, "any")
WILD = ("subject", "tenant", "any", ANYTHING)
_FIXED = {
    "date": re.compile(
        r"(?<![\d+])(?:\d{4}-\d{2}-\d{2}|\d{4}_\d{2}_\d{2}|\d{4}\.\d{2}\.\d{2}"
        r"|(?:199|20\d)\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?!\d)",
        re.ASCII,
    ),
    "time": re.compile(
        r"(?:\d{6}|\d{1,2}(?:[:._-]\d{2}){1,2}[ \u202f]?[AaPp][Mm]\b|\d{2}(?:[:._-]\d{2}){1,2})(?:Z\b)?(?!\d)", re.ASCII
    ),
    "year": re.compile(r"(?:19|20)\d{2}", re.ASCII),
    "month": re.compile(r"0[1-9]|1[0-2]", re.ASCII),
    "day": re.compile(r"0[1-9]|[12]\d|3[01]", re.ASCII),
}
_LOWER = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})


@dataclass(frozen=True)
class Token:
    """One part of a pattern: literal text, the name of a field, or `...`."""

    text: str
    is_literal: bool


class Shape:
    """The parts of one pattern, ready to be held against texts."""

    def __init__(self, tokens: list[Token]) -> None:
        """Take the parts; no two of its gaps stand beside each other."""
        self.tokens = tokens
        self._exact = [token.text for token in tokens]
        self._lower = [token.text.translate(_LOWER) for token in tokens]
        self._needed_exact = tuple(token.text for token in tokens if token.is_literal)
        self._needed_lower = tuple(text.translate(_LOWER) for text in self._needed_exact)

    def read(self, text: str, *, is_case_kept: bool = True) -> dict[str, str] | None:
        """Read the fields of a text that follows the pattern as a whole.

        Args:
            text: the key, or the file's name in it.
            is_case_kept: whether literal text must be spelt in the same case (of ASCII letters).

        Returns:
            What each named field holds; None when the text does not follow the pattern.
        """
        in_case = text if is_case_kept else _lowered(text)
        needed = self._needed_exact if is_case_kept else self._needed_lower
        for literal in needed:
            if literal not in in_case:
                return None
        literals = self._exact if is_case_kept else self._lower
        if self.tokens[0].is_literal and not in_case.startswith(literals[0]):
            return None
        return _Matcher(self.tokens, text, in_case, literals).match()


@lru_cache(maxsize=8)
def _lowered(text: str) -> str:
    return text.translate(_LOWER)


class _Matcher:
    """One pattern against one text."""

    def __init__(self, tokens: list[Token], text: str, in_case: str, literals: list[str]) -> None:
        self._text = text
        self._in_case = in_case
        self._tokens = tokens
        self._literals = literals
        self._fields: dict[str, str] = {}
        # Of each gap and the end of the folder or name it stands in: the first place from which it is known to fail.
        self._fails_from: dict[tuple[int, int], int] = {}

    def match(self) -> dict[str, str] | None:
        return self._fields if self._follows(0, 0) else None

    def _follows(self, n: int, start: int) -> bool:
        """Say whether the text from `start` on follows the tokens from the n-th on, and keep their fields."""
        if n == len(self._tokens):
            return start == len(self._text)
        token = self._tokens[n]
        if token.is_literal:
            literal = self._literals[n]
            return self._in_case.startswith(literal, start) and self._follows(n + 1, start + len(literal))
        ends = self._gap_ends(n, start) if token.text in WILD else self._time_ends(token.text, start)
        for end in ends:
            if self._follows(n + 1, end):
                if token.text not in {"any", ANYTHING}:
                    self._fields[token.text] = self._text[start:end]
                return True
        return False

    def _gap_ends(self, n: int, start: int) -> Iterator[int]:
        """Give the places where a gap may end, those of `...` from the right, and remember it when none will do."""
        kind = self._tokens[n].text
        limit = len(self._text) if kind == ANYTHING else self._end_of_part(start)
        shortest = start + (kind in {"subject", "tenant"})
        before = self._fails_from.get((n, limit), limit + 1)
        if shortest >= before:
            return
        places = (place for place in self._places(n + 1, shortest, limit) if place < before)
        yield from reversed(list(places)) if kind == ANYTHING else places
        self._fails_from[n, limit] = shortest

    def _places(self, n: int, start: int, limit: int) -> Iterator[int]:
        """Give the places from `start` to `limit` at which the n-th token may begin."""
        if n == len(self._tokens):
            if limit == len(self._text):
                yield limit
            return
        find = self._finder(n)
        place = find(start)
        while place is not None and place <= limit:
            yield place
            place = find(place + 1)

    def _finder(self, n: int) -> Callable[[int], int | None]:
        token = self._tokens[n]
        if token.is_literal:
            return lambda start: place if (place := self._in_case.find(self._literals[n], start)) >= 0 else None
        if (shape := _FIXED.get(token.text)) is not None:
            return lambda start: found.start() if (found := shape.search(self._text, start)) else None
        return lambda start: find_time(self._text, start)

    def _time_ends(self, kind: str, start: int) -> list[int]:
        if (shape := _FIXED.get(kind)) is not None:
            found = shape.match(self._text, start)
            return [found.end()] if found else []
        return time_ends(self._text, start, with_unix=kind == "recorded_at")

    def _end_of_part(self, start: int) -> int:
        end = self._text.find("/", start)
        return len(self._text) if end < 0 else end
