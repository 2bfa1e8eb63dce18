"""Tables and progress for people; computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 300
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
SHORT_EMOTIONS = tuple(name[:3] for name in EMOTIONS)
DIMENSIONS = ("arousal", "valence")


class _Table(Table):
    """A table whose cells cannot command the terminal."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*(printable(cell) if isinstance(cell, str) else cell for cell in cells), **options)


def printable(text: str) -> str:
    r"""Return a text with its control characters spelt out: whoever names an object must not command a terminal.

    >>> printable("a\x1b[2J.ogg")
    'a\\x1b[2J.ogg'
    """
    return text.translate(_CONTROLS)


def minutes(ms: float) -> str:
    """Return a duration as minutes and seconds.

    >>> minutes(83_400)
    '1:23'
    """
    return f"{int(ms // 60_000)}:{int(ms % 60_000 // 1000):02d}"


def when(moment: datetime | None, precision: str | None = None) -> str:
    """Return a recording time, no finer than it is known.

    >>> when(None)
    'unknown'
    >>> when(datetime(2026, 3, 1), "day")
    '2026-03-01'
    """
    if moment is None:
        return "unknown"
    return moment.strftime("%Y-%m-%d" if precision == "day" else "%Y-%m-%d %H:%M")


def score_cells(scores: dict[str, float] | None, label: str | None) -> list[str]:
    """Return the four scores as cells, the label's own in bold; empty when there are none."""
    if scores is None:
        return [""] * len(EMOTIONS)
    return [f"[bold]{scores[name]:.2f}[/bold]" if name == label else f"{scores[name]:.2f}" for name in EMOTIONS]


def new_table(title: str, columns: Sequence[str], *, right: Sequence[str] = ()) -> Table:
    """Return an empty table that never cuts a cell."""
    table = _Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def stacked(upper: str, lower: str) -> Text:
    """Return a cell of two lines."""
    return Text.from_markup(f"{printable(upper)}\n{printable(lower)}")


def fits(screen: Console, table: Table) -> bool:
    """Say whether a table goes on the screen without folding a cell."""
    return Measurement.get(screen, screen.options.update(width=_PIPE_WIDTH), table).maximum <= screen.width


def show(screen: Console, table: Table) -> None:
    """Print a table; where the screen is too narrow for it, a line a cell."""
    if fits(screen, table):
        screen.print(table)
        return
    screen.print(f"[italic]{table.title}[/italic]")
    for row in zip(*(column.cells for column in table.columns), strict=True):
        screen.print()
        for column, cell in zip(table.columns, row, strict=True):
            if cell:
                screen.print(f"{column.header or ' '}: {cell}", highlight=False)
    screen.print()


def console() -> Console:
    """Return a console; piped output is wide enough that a line of a table stays one line."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=_PIPE_WIDTH)
