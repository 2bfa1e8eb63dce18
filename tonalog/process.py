"""Make this process, and those that it starts, independent of the folder and the locale that it was started in."""

from __future__ import annotations

import codecs
import gc
import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, TextIO

_REPLACE = "tonalog.replace"
# Bars of a sparkline, lines of a table and what our texts use; one sign for one, so that columns stay in line.
_PLAIN = str.maketrans("▁▂▃▄▅▆▇█─━│┃╸╺…·\u2013\u2014→↑↓", "_.:-=+*#--||--..-->^v")
_ENDING = (signal.SIGINT, signal.SIGTERM)


def settle() -> None:
    """Import nothing from the working folder, read file names as UTF-8, and print what the terminal cannot show in signs.

    May start this very process again, with the same arguments, when its locale is not UTF-8.
    """
    _leave_out_working_folder()
    _read_names_as_utf8()
    codecs.register_error(_REPLACE, replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_REPLACE)


@contextmanager
def loading() -> Iterator[None]:
    """Collect no garbage while modules are loaded, and never look through them later: what they make stays.

    To look at it again and again took a fourteenth of a start.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


@contextmanager
def ended_when_told() -> Iterator[None]:
    """Let SIGINT and SIGTERM end this process at once while the block runs; it must leave nothing half done.

    A handler of Python's runs when native code returns, and a graph or a decoder may never return. A signal that was
    ignored when the process was started, as in the background of a script, stays ignored.
    """
    handled = [number for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN]
    with _handled(dict.fromkeys(handled, signal.SIG_DFL)):
        yield


@contextmanager
def finish_what_is_written() -> Iterator[None]:
    """Put off such an end until the block has written its lines into a file; a pipe may not take them for long."""
    if not _is_file(sys.stdout):
        yield
        return
    told: list[int] = []
    with _handled(dict.fromkeys(_ENDING, lambda number, _frame: told.append(number))):
        yield
    for number in told:
        signal.raise_signal(number)


@contextmanager
def _handled(handlers: dict[signal.Signals, Any]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_file(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:  # a stream of ours, in a test
        return False


def replace(error: UnicodeError) -> tuple[str | bytes, int]:
    r"""Give what stands for characters that an encoding lacks; a codec error handler.

    >>> codecs.register_error("tonalog.replace", replace)
    >>> "Jürgen ▁▅█ ł".encode("latin-1", "tonalog.replace")
    b'J\xfcrgen _=# \\u0142'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = error.object[error.start : error.end].translate(_PLAIN)
    return plain.encode("ascii", "backslashreplace").decode("ascii"), error.end


def _leave_out_working_folder() -> None:
    """Take the working folder out of the places that modules come from: there may be a `config` among the recordings."""
    os.environ["PYTHONSAFEPATH"] = "1"
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if len(named) == 1 or all(named):
        return
    # An empty part is the working folder, mostly by accident: PYTHONPATH="$PYTHONPATH:/mine".
    given = [place for place in named if place]
    os.environ["PYTHONPATH"] = os.pathsep.join(given)
    here = os.getcwd()  # noqa: PTH109 - as Python itself spells it in sys.path
    if here in sys.path and here not in map(os.path.abspath, given):
        sys.path.remove(here)


def _read_names_as_utf8() -> None:
    """Start again in Python's UTF-8 mode, where the locale would make other keys of the names of the same files."""
    if sys.getfilesystemencoding() == "utf-8":
        return
    if sys.stdout is not None:
        os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - ourselves
