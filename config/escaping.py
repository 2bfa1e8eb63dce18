"""Write other people's words into pages, cards and spreadsheets as text that is seen and does nothing."""

from __future__ import annotations

import re
from html import escape

from config.plain_text import exact

_SIGNS = r" *['=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"  # what begins a formula (OWASP, CSV Injection), and the apostrophe
_START = (
    r"(?:\A|(?<=[;\t\r\n]))"  # of a cell, also where a spreadsheet takes something else than the comma to part them
)
_FORMULA = re.compile(rf"{_START}(?={_SIGNS})")
_KEPT = re.compile(rf"{_START}'(?={_SIGNS})")
# An underscore within a word opens nothing (CommonMark 0.31, 6.2), and names of files are full of them.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&]|_(?![^\W_])|(?<![^\W_])_")
# What begins a line: a heading, an item, or what makes a heading of the line above; and a numbered item's number.
_BLOCK = re.compile(r"^(?=(?:#{1,6}|[-+])(?: |$)|[-=][-= ]*$)")
_NUMBER = re.compile(r"^(\d{1,9})(?=[.)](?: |$))")
_BACKTICKS = re.compile("`+")


def escape_html(text: str) -> str:
    r"""Return a text for a page or picture, between tags or as the value of an attribute in double quotes.

    >>> escape_html("<b>\u202eana")
    '&lt;b&gt;\\u202eana'
    """
    return escape(exact(text))


def escape_markdown(text: str) -> str:
    r"""Return a text for a line of Markdown or a cell of its tables (CommonMark 0.31, 2.4): no tag, link or cell begins in it.

    >>> escape_markdown("a | <b> ![c](d)")
    'a \\| \\<b\\> !\\[c\\](d)'
    """
    inline = _MARKUP.sub(r"\\\g<0>", exact(text).strip())
    return _NUMBER.sub(r"\1\\", _BLOCK.sub(r"\\", inline))


def code_span(text: str) -> str:
    """Return a text as a span of code in Markdown, behind more backticks than it has in a row.

    >>> code_span("r`1")
    '`` r`1 ``'
    """
    seen = exact(text)
    fence = "`" * (1 + max((len(result) for result in _BACKTICKS.findall(seen)), default=0))
    room = " " if len(fence) > 1 else ""
    return f"{fence}{room}{seen}{room}{fence}"


def write_cell(text: str) -> str:
    """Return a text for a cell of a CSV: an apostrophe stands before whatever a spreadsheet would take for a formula.

    >>> write_cell("=1+1"), write_cell("a;=1"), write_cell("ana")
    ("'=1+1", "a;'=1", 'ana')
    """
    return _FORMULA.sub("'", text)


def read_cell(cell: str) -> str:
    """Return the text of a cell that `write_cell` wrote.

    >>> read_cell("'=1+1"), read_cell("'ana")
    ('=1+1', "'ana")
    """
    return _KEPT.sub("", cell)
