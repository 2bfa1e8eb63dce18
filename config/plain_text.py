"""Spell out what a screen would hide or obey, so that no name passes for another and none commands a terminal."""

from __future__ import annotations

import re
import unicodedata

# Printable by their category, and yet nothing is seen: fillers, joiners, variation selectors, a blank Braille cell.
_UNSEEN = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A),
        (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPELT = re.compile(r"\\(?=[nrt\\]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def printable(text: str) -> str:
    r"""Return a text in which everything is seen as it is.

    Controls, marks of direction, joiners, blanks other than the space, fillers and what has no sign are spelt out, and so
    is what could be written in another way that looks the same (Unicode's NFC).

    >>> printable("a\x1b[2J.ogg"), printable("\u202eanna"), printable("an\u200bna")
    ('a\\x1b[2J.ogg', '\\u202eanna', 'an\\u200bna')
    >>> printable("José") == "José", printable("Jose\u0301")
    (True, 'Jose\\u0301')
    """
    if text.isascii() and text.isprintable():
        return text
    is_composed = unicodedata.is_normalized("NFC", text)
    return "".join(char if _is_seen(char, is_composed=is_composed) else _spell(char) for char in text)


def exact(name: str) -> str:
    r"""Return a name so that two that differ never look the same: also what looks spelt out already is told apart.

    >>> exact("\u202eanna"), exact(r"\u202eanna"), exact(r"notes\anna")
    ('\\u202eanna', '\\\\u202eanna', 'notes\\anna')
    """
    return printable(_SPELT.sub(r"\\\\", name))


def _is_seen(char: str, *, is_composed: bool) -> bool:
    if char.isascii():
        return char.isprintable()
    return char.isprintable() and char not in _UNSEEN and (is_composed or not _may_be_composed(char))


def _may_be_composed(char: str) -> bool:
    is_jamo = "\u1160" <= char <= "\u11ff"  # Korean vowels and finals, which join the letter before them
    return is_jamo or unicodedata.combining(char) > 0 or unicodedata.normalize("NFC", char) != char


def _spell(char: str) -> str:
    code = ord(char)
    if code < 0x100:  # noqa: PLR2004 - two digits
        return _SHORT.get(char, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - four digits
