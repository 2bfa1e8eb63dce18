"""The one place of training that prints; names, labels and reasons are a corpus's words, and none may command a terminal."""

from __future__ import annotations

import sys

from config.plain_text import printable


def say(*lines: str, err: bool = False) -> None:
    """Print lines; a line break inside of one is spelt out.

    Args:
        *lines: texts.
        err: print to stderr.
    """
    for line in lines:
        print(printable(line), file=sys.stderr if err else sys.stdout, flush=True)
