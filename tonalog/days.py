"""Days on the command line: a number and the letter d."""

from __future__ import annotations

import re
from datetime import timedelta

import click

MAX_DAYS = 36_500


class Days(click.ParamType[timedelta]):
    """A number of days, such as 365d."""

    name = "DAYSd"

    def __init__(self, least: int = 1) -> None:
        self._least = least

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read a number of days from the least that is allowed to 36,500."""
        match = re.fullmatch(r"(\d{1,5})d", str(value), re.ASCII)
        if match is None or not self._least <= int(match[1]) <= MAX_DAYS:
            allowed = f"give days from {self._least}d to {MAX_DAYS}d, such as 365d"
            self.fail(f"{value!r} is no age: {allowed}", param, ctx)
        return timedelta(days=int(match[1]))
