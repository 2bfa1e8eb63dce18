"""Which rules read a key, in which order: patterns of one's own, and ready-made ones for what apps write."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from config.settings import DEFAULT_LAYOUTS
from storage.general_names import has_general_word, is_period, names_nobody
from storage.key_pattern import FIELDS, KeyParts, KeyPattern, KeyPatternError

# The person is the one folder that is no date and no general word; see `_person_folder`.
FOLDERS = "folders"
READY_MADE: dict[str, tuple[str, ...]] = {
    FOLDERS: (),
    "whatsapp": (
        "PTT-{date}-WA...",
        "AUD-{date}-WA...",
        "WhatsApp {any} {date} {any} {time}...",
        "WhatsApp {any} {date}...",
        "{any}-AUDIO-{datetime}...",
    ),
    "telegram": (
        "{any}@{day}-{month}-{year}_{time}...",
        "audio_{recorded_at}...",
        "voice_{recorded_at}...",
    ),
    "signal": ("signal-{datetime}...", "signal-attachment-{datetime}..."),
    "android": (
        "call_{subject}_{recorded_at}...",
        "call_{subject}_...",
        "Recording_{recorded_at}...",
        "Recording {recorded_at}...",
        "REC_{recorded_at}...",
        "AUDIO_{recorded_at}...",
    ),
    "ios": ("{datetime}-...", "{datetime}.m4a"),
    "browser": (
        "recording-{recorded_at}...",
        "recording_{recorded_at}...",
        "audio-{recorded_at}...",
        "voice-{recorded_at}...",
    ),
    "names": ("{subject}_{recorded_at}...", "{subject}/{recorded_at}..."),
    "dates": (
        "{recorded_at}...",
        "{any}_{datetime}...",
        "{any}-{datetime}...",
        "{any} {datetime}...",
        "{datetime}/...",
        ".../{datetime}/...",
        "{year}/{month}/{day}/...",
        ".../{year}/{month}/{day}/...",
        "year={year}/month={month}/day={day}/...",
        ".../year={year}/month={month}/day={day}/...",
        "{year}/{month}/...",
        ".../{year}/{month}/...",
    ),
}
__all__ = ["DEFAULT_LAYOUTS", "FOLDERS", "READY_MADE", "KeyReading", "Layouts", "Read", "compile_layouts"]

_SEPARATOR = re.compile(r"[;\n]")
_SHORTEST_PERSON = 2  # in a file's name; one character is a counter
_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Read:
    """What a rule read.

    Attributes:
        text: as it stands in the key.
        rule: the name of the rule that found it.
    """

    text: str
    rule: str


@dataclass(frozen=True)
class KeyReading:
    """What a key says, each field from the first rule that finds it; None where none does.

    Attributes:
        subject: the person.
        recorded_at: the time.
        tenant: whose recording it is.
        why_nobody: why there is no person, where more can be said than that no rule finds one.
        why_no_time: the same of the time.
    """

    subject: Read | None = None
    recorded_at: Read | None = None
    tenant: Read | None = None
    why_nobody: str | None = None
    why_no_time: str | None = None


@dataclass(frozen=True)
class _Rule:
    name: str
    read: Callable[[str], KeyParts | None]
    fields: frozenset[str]


class Layouts:
    """Rules that are tried in order.

    Attributes:
        text: what they were made of.
    """

    def __init__(self, text: str = DEFAULT_LAYOUTS) -> None:
        """Read a list of rules.

        Args:
            text: patterns (`storage.key_pattern`), names of ready-made ones, or `NAME=PATTERN`, with a line break or
                `;` between them.

        Raises:
            KeyPatternError: a pattern cannot be used, or a word is neither a pattern nor a ready-made name.
        """
        items = [item.strip() for item in _SEPARATOR.split(text) if item.strip()]
        if not items:
            raise KeyPatternError(
                "the key pattern is empty: give patterns or names of ready-made ones; '...' reads nothing"
            )
        self.text = text
        self._rules = [rule for item in items for rule in _rules_of(item)]
        self._fields = frozenset[str]().union(*(rule.fields for rule in self._rules))

    def read(self, key: str) -> KeyReading:
        """Read a key.

        >>> found = Layouts().read("ana/PTT-20260302-WA0001.opus")
        >>> found.subject, found.recorded_at
        (Read(text='ana', rule='folders'), Read(text='20260302', rule='whatsapp'))
        """
        found = KeyReading()
        missing = self._fields
        for rule in self._rules:
            if not rule.fields & missing or (parts := rule.read(key)) is None:
                continue
            found = replace(
                found,
                subject=found.subject or (Read(parts.subject, rule.name) if parts.subject else None),
                recorded_at=found.recorded_at or (Read(parts.recorded_at, rule.name) if parts.recorded_at else None),
                tenant=found.tenant or (Read(parts.tenant, rule.name) if parts.tenant else None),
                why_nobody=found.why_nobody or parts.why_nobody,
                why_no_time=found.why_no_time
                or ("the key says a year and a month only" if parts.has_month_only else None),
            )
            missing = missing - {name for name in missing if getattr(found, name) is not None}
        return found


@functools.lru_cache(maxsize=16)
def compile_layouts(text: str) -> Layouts:
    """Read a list of rules once; see `Layouts`."""
    return Layouts(text)


def _rules_of(item: str) -> list[_Rule]:
    if item == FOLDERS:
        return [_Rule(FOLDERS, _person_folder, frozenset({"subject"}))]
    if item in READY_MADE:
        patterns = [KeyPattern(text) for text in READY_MADE[item]]
        return [_Rule(item, functools.partial(_read_guarded, pattern), pattern.fields) for pattern in patterns]
    name, pattern = _split_name(item)
    if "{" not in pattern and "}" not in pattern and "..." not in pattern:
        near = get_close_matches(pattern, READY_MADE, 1)
        use = (
            f"use {near[0]!r}"
            if near
            else f"use a pattern such as {{subject}}/{{recorded_at}}..., or {DEFAULT_LAYOUTS}"
        )
        raise KeyPatternError(f"{pattern!r} is no ready-made pattern and names no field: {use}")
    compiled = KeyPattern(pattern)
    return [_Rule(name, compiled.match, compiled.fields)]


def _split_name(item: str) -> tuple[str, str]:
    named = _NAMED.fullmatch(item)
    if named is None:
        return item, item
    name, pattern = named[1], named[2].strip()
    if name in FIELDS:
        raise KeyPatternError(
            f"key pattern {item!r} begins with {name + '='!r}, which would be its name: write NAME={item}, or {{any}}=..."
        )
    return name, pattern


def _read_guarded(pattern: KeyPattern, key: str) -> KeyParts | None:
    """Read a key by a ready-made pattern, which counts only where its person is one."""
    parts = pattern.match(key, is_case_kept=False)
    if parts is None or parts.subject is None:
        return parts
    is_counter = len(parts.subject.strip()) < _SHORTEST_PERSON and "/" not in pattern.text
    return None if is_counter or names_nobody(parts.subject) or has_general_word(parts.subject) else parts


def _person_folder(key: str) -> KeyParts | None:
    """Read the person from the only folder that is no date and no general word."""
    folders = key.split("/")[:-1]
    people = []
    is_after_year = False
    for folder in folders:
        if names_nobody(folder, is_after_year=is_after_year):
            is_after_year = is_after_year or is_period(folder)
        else:
            people.append(folder)
            is_after_year = False
    if len(people) > 1:
        return KeyParts(None, None, why_nobody=f"{len(people)} folders may be the person; say which with a pattern")
    return KeyParts(people[0], None) if people else None
