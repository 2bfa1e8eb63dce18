"""The one place that prints: keys, names, labels and messages are other people's words, and none may command a terminal.

Nothing here reads markup. ruff refuses rich, `print` and click's echo everywhere else.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from io import StringIO
from types import TracebackType
from typing import Any

import click
import rich.table
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from config.plain_text import exact, printable

Cell = str | Text
_PIPE_WIDTH = 300
_ANY_WIDTH = 10_000


def say(*lines: str, err: bool = False) -> None:
    """Print lines; a line break inside of one is spelt out, so that nobody's words begin a line of their own.

    Args:
        *lines: texts without markup.
        err: print to stderr.
    """
    for line in lines:
        click.echo(printable(line), err=err)


def say_json(value: Any) -> None:
    """Print a value as one line of JSON in ASCII; what JSON does not know becomes its text."""
    click.echo(json.dumps(value, default=str).replace("\x7f", "\\u007f"))


def say_usage(error: click.ClickException) -> None:
    """Print click's message about wrong use to stderr."""
    written = StringIO()
    error.show(file=written)
    say(*written.getvalue().rstrip("\n").split("\n"), err=True)


def say_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error that nobody foresaw to stderr; in the place of `sys.excepthook`, which prints its text raw."""
    say(*"".join(traceback.format_exception(kind, error, trace)).rstrip("\n").split("\n"), err=True)


def headline(name: str, rest: str) -> None:
    """Print a name in bold, and what is said of it."""
    _console().print(strong(name).append(printable(rest), style="not bold"), soft_wrap=True)


def strong(text: str) -> Text:
    """Return a text in bold."""
    return Text(exact(text), style="bold")


def message(text: str) -> Text:
    """Return a sentence as a cell; other cells are taken for names, of which no two may look the same."""
    return Text(printable(text))


def stacked(upper: Cell, lower: Cell) -> Text:
    """Return a cell of two lines."""
    return Text("\n").join((_as_text(upper), _as_text(lower)))


class Table(rich.table.Table):
    """A table that takes texts as they are."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row; a text is shown as it is."""
        super().add_row(*map(_as_text, cells), **options)


class _Words(TextColumn):
    """A text beside a bar: folds and files are called what a corpus calls them."""

    def render(self, task: Task) -> Text:
        """Return the text as it is."""
        return message(self.text_format.format(task=task))


def new_table(title: Cell, columns: Sequence[str], *, right: Sequence[str] = ()) -> Table:
    """Return an empty table that never cuts a cell."""
    shown = _as_text(title).copy()
    shown.stylize("italic")
    table = Table(title=shown, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns:
        heading = Text("\n").join(Text(printable(line)) for line in name.split("\n"))
        table.add_column(heading, justify="right" if name in right else "left", overflow="fold")
    return table


def fits(table: Table) -> bool:
    """Say whether a table goes on the screen without folding a cell."""
    screen = _console()
    return Measurement.get(screen, screen.options.update(width=_ANY_WIDTH), table).maximum <= screen.width


def show(table: Table, *, may_fold: bool = False) -> None:
    """Print a table; where the screen is too narrow for it, a line a cell, unless cells may be folded."""
    screen = _console()
    if may_fold or fits(table):
        screen.print(table)
        return
    screen.print(table.title)
    for row in zip(*(column.cells for column in table.columns), strict=True):
        screen.print()
        for column, cell in zip(table.columns, row, strict=True):
            if isinstance(cell, Text) and cell.plain:
                screen.print(Text.assemble(str(column.header) or " ", ": ", cell))
    screen.print()


def width() -> int:
    """Return how many characters a line has; piped output is wide enough that a line of a table stays one line."""
    return _console().width


def new_progress(*columns: str, bar_width: int | None = None) -> Progress:
    """Return a display of progress.

    Args:
        *columns: `spinner`, `bar`, `elapsed` or `remaining`, or a text with `{task.description}` and such in it.
        bar_width: in characters; None: what is left of the line up to rich's own 40.
    """
    known: dict[str, ProgressColumn] = {
        "spinner": SpinnerColumn(),
        "bar": BarColumn() if bar_width is None else BarColumn(bar_width=bar_width),
        "elapsed": TimeElapsedColumn(),
        "remaining": TimeRemainingColumn(),
    }
    shown = [known.get(column) or _Words(column, markup=False) for column in columns]
    return Progress(*shown, console=_console())


def _as_text(cell: Cell) -> Text:
    return Text(exact(cell)) if isinstance(cell, str) else cell


def _console() -> Console:
    plain = Console(markup=False, emoji=False, highlight=False)
    return plain if plain.is_terminal else Console(markup=False, emoji=False, highlight=False, width=_PIPE_WIDTH)
