"""Tables in Markdown, as cards and commands print them."""

from __future__ import annotations

from config.escaping import escape_markdown


def tabulate(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def escape_cell(text: str) -> str:
    r"""Return a text that stays in one cell of a Markdown table.

    Examples:
        >>> escape_cell("one | two\nthree")
        'one \\| two three'
    """
    return escape_markdown(" ".join(text.split()))
