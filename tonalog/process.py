"""Make this process, and those that it starts, independent of the folder and the locale that it was started in."""

from __future__ import annotations

import codecs
import os
import sys
from io import TextIOWrapper

_REPLACE = "tonalog.replace"
# Bars of a sparkline, lines of a table and what our texts use; one sign for one, so that columns stay in line.
_PLAIN = str.maketrans("▁▂▃▄▅▆▇█─━│┃╸╺…·\u2013\u2014→↑↓", "_.:-=+*#--||--..-->^v")


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
